//! `assay init`: a project from a template.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;

use super::toolchain::Language;
use crate::{
    error::{CliError, CliResult, Context as _},
    output::{Output, shown_path, typeable},
};

/// What a project is called in the templates; also valid as the name of a package, so that they are ordinary projects.
const NAME_IN_TEMPLATES: &str = "job-name";
/// Longest name of a project.
const NAME_CHARACTERS_MAX: usize = 64;
/// What cargo calls directories of its own, and therefore no program.
const NAMES_OF_CARGO: [&str; 4] = ["build", "deps", "examples", "incremental"];

/// `assay init`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 made · 1 the directory is not empty or cannot be written to · 2 wrong usage")]
pub struct InitArgs {
    /// Name of the project and of its module; the directory is made here.
    #[arg(value_parser = parse_name)]
    name: String,
    /// The language.
    #[arg(long, value_enum)]
    lang: Language,
    /// Makes the project in this directory instead of one with its name.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn parse_name(text: &str) -> Result<String, String> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && text.len() <= NAME_CHARACTERS_MAX && text.chars().all(is_allowed) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "a name begins with a letter and has at most {NAME_CHARACTERS_MAX} lower-case letters, digits, `-` and `_`, such as \
         word-count"
    ))
}

/// A file of a template: its path in the project, and its text.
type File = (&'static str, &'static str);

/// The files of a template as they stand under `cli/templates`; the two that every one has are added.
macro_rules! template {
    ($language:literal: $($path:literal),*) => {
        &[
            $(($path, include_str!(concat!("../../templates/", $language, "/", $path))),)*
            ("README.md", include_str!(concat!("../../templates/", $language, "/README.md"))),
            // Its own name would make it count for this repository.
            (".gitignore", include_str!(concat!("../../templates/", $language, "/gitignore"))),
            ("job/manifest.json", include_str!("../../templates/job/manifest.json")),
            ("job/input.txt", include_str!("../../templates/job/input.txt")),
            ("expected/stdout.txt", include_str!("../../templates/expected/stdout.txt")),
            ("expected/output/summary.json", include_str!("../../templates/expected/output/summary.json")),
        ]
    };
}

const fn template(language: Language) -> &'static [File] {
    match language {
        Language::Rust => template!("rust": "Cargo.toml", "src/main.rs"),
        Language::C => template!("c": "src/main.c"),
        Language::Assemblyscript => {
            template!("assemblyscript": "package.json", "asconfig.json", "assembly/index.ts", "assembly/tsconfig.json")
        }
        Language::Tinygo => template!("tinygo": "go.mod", "main.go"),
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Made {
    name: String,
    language: &'static str,
    directory: String,
    files: Vec<String>,
}

/// Runs `assay init`.
pub fn run(output: Output, args: &InitArgs) -> CliResult {
    if args.lang == Language::Rust && NAMES_OF_CARGO.contains(&args.name.as_str()) {
        return Err(CliError::usage(format!(
            "cargo builds no program called {}: a directory of its own has that name",
            args.name
        ))
        .with_next("choose another name, such as word-count; --dir names the directory"));
    }
    let directory = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let shown = shown_path(&directory);
    if fs::read_dir(&directory).is_ok_and(|mut found| found.next().is_some()) {
        return Err(CliError::new(format!("{shown} exists and is not empty"))
            .with_next("choose another name, name another directory with --dir, or move it away"));
    }
    let files = template(args.lang);
    for (path, text) in files {
        write(&directory.join(path), &text.replace(NAME_IN_TEMPLATES, &args.name))
            .context(format!("cannot write {}", shown_path(&directory.join(path))))
            .next("choose a directory that can be written to")?;
    }
    let made = Made {
        name: args.name.clone(),
        language: args.lang.name(),
        directory: directory.display().to_string(),
        files: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
    };
    output.result(&made, || {
        println!("made {shown}, a job in {}:", args.lang.title());
        for (path, _) in files {
            println!("  {path}");
        }
        let typed = typeable(&directory);
        println!("next: assay build {typed} && assay test {typed}");
    });
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_says_what_it_is_called_and_ends_its_files_with_a_line_break() {
        for language in [Language::Rust, Language::C, Language::Assemblyscript, Language::Tinygo] {
            let files = template(language);
            assert!(files.iter().any(|(path, text)| *path == "README.md" && text.contains(NAME_IN_TEMPLATES)));
            assert!(files.iter().all(|(_, text)| text.ends_with('\n')), "{language:?}");
        }
    }

    #[test]
    fn a_name_that_is_no_package_is_refused_with_an_example() {
        assert_eq!(parse_name("word-count2").as_deref(), Ok("word-count2"));
        for name in ["", "2fast", "Word", "a b", "../x", "a/b", "-x", &"a".repeat(65)] {
            assert!(parse_name(name).is_err_and(|problem| problem.contains("such as word-count")), "{name}");
        }
    }
}
