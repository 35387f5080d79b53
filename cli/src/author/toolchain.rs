//! Languages, and how each one's toolchain is asked for a WebAssembly module of the profile.

use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Stdio,
};

use clap::ValueEnum;
use serde_json::Value;
use tokio::process::Command;

use crate::{
    error::{CliError, CliResult, Context as _},
    output::{Output, printable, shown_path, typeable},
};

/// Versions of clang that Debian installs beside each other, newest first.
const CLANG_VERSIONS: std::ops::RangeInclusive<u32> = 14..=30;
/// Most of what a tool said that is repeated.
const SAID_BYTES_MAX: usize = 4_000;
/// Most source files that are found without a Makefile.
const SOURCES_MAX: usize = 1_000;

/// A language that modules are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// cargo, target wasm32-wasip1.
    Rust,
    /// clang and wasi-libc.
    C,
    /// asc, with the shim for WASI.
    Assemblyscript,
    /// Go by TinyGo, target wasip1.
    Tinygo,
}

impl Language {
    /// As `--lang` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Assemblyscript => "assemblyscript",
            Self::Tinygo => "tinygo",
        }
    }

    /// As people write it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::Assemblyscript => "AssemblyScript",
            Self::Tinygo => "Go (TinyGo)",
        }
    }

    /// The language of a project, by the files in it.
    ///
    /// # Errors
    /// When there are none that are known.
    pub fn find(project: &Path) -> CliResult<Self> {
        let has = |name: &str| project.join(name).is_file();
        if has("Cargo.toml") {
            return Ok(Self::Rust);
        }
        if has("package.json") {
            return Ok(Self::Assemblyscript);
        }
        if has("go.mod") {
            return Ok(Self::Tinygo);
        }
        if has("Makefile") || !c_sources(project)?.is_empty() {
            return Ok(Self::C);
        }
        Err(CliError::new(format!("cannot tell what {} is written in", shown_path(project)))
            .with_cause("it has no Cargo.toml, package.json, go.mod, Makefile, nor a .c file in it or in src/")
            .with_next(format!(
                "build the module with your own tools and put it where manifest.json says; `assay validate {}` checks it",
                typeable(project)
            )))
    }
}

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The directory of the source.
    pub project: &'a Path,
    /// Which binary, if there are several.
    pub binary: Option<&'a str>,
    /// Where the module is written.
    pub module: &'a Path,
}

/// Builds a module with the language's own toolchain.
///
/// # Errors
/// When a tool is missing, with how to install it; when it fails.
pub async fn build(output: Output, language: Language, order: Order<'_>) -> CliResult {
    match language {
        Language::Rust => build_rust(output, order).await,
        Language::C => build_c(output, order).await,
        Language::Assemblyscript => build_assemblyscript(output, order).await,
        Language::Tinygo => build_tinygo(output, order).await,
    }
}

async fn build_rust(output: Output, order: Order<'_>) -> CliResult {
    const INSTALL: &str = "install Rust from https://rustup.rs, then run `rustup target add wasm32-wasip1`";
    // Off by default; here so that nothing in a project's settings turns them on.
    const FLAGS: &str = r#"target.wasm32-wasip1.rustflags=["-Ctarget-feature=-simd128,-relaxed-simd,-tail-call"]"#;
    require_rust_target(order.project, INSTALL).await?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--target", "wasm32-wasip1", "--message-format", "json-render-diagnostics"]);
    cargo.args(["--config", FLAGS]).current_dir(order.project);
    if let Some(binary) = order.binary {
        cargo.args(["--bin", binary]);
    }
    let messages = run_tool(output, cargo, INSTALL).await?;
    let built = built_modules(&messages);
    let module = match built.as_slice() {
        [one] => one,
        [] => {
            return Err(CliError::new("cargo built no module")
                .with_cause("the package has neither a binary nor a library of crate type cdylib")
                .with_next("add src/main.rs, or crate-type = [\"cdylib\"] to the library"));
        }
        several => {
            let names: Vec<_> = several.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
            return Err(CliError::usage(format!("the package has several binaries: {}", names.join(", ")))
                .with_next("name one with --bin"));
        }
    };
    fs::copy(module, order.module).context(format!("cannot copy {}", shown_path(module)))?;
    Ok(())
}

/// Says that the target is missing before cargo does in many words.
async fn require_rust_target(project: &Path, install: &str) -> CliResult {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(project).stdin(Stdio::null()).stderr(Stdio::null());
    let found = match rustc.output().await {
        Ok(found) => found,
        Err(error) => return Err(not_started("rustc", error, install)),
    };
    let sysroot = String::from_utf8_lossy(&found.stdout);
    let target = Path::new(sysroot.trim()).join("lib/rustlib/wasm32-wasip1");
    if target.is_dir() || !found.status.success() {
        return Ok(());
    }
    Err(CliError::new("Rust's standard library for wasm32-wasip1 is not installed")
        .with_cause(format!("{} is not there", shown_path(&target)))
        .with_next(
            "run `rustup target add wasm32-wasip1`; without rustup, on Debian: apt-get install libstd-rust-dev-wasm32",
        ))
}

/// The modules that cargo's messages name, each once.
fn built_modules(messages: &[u8]) -> Vec<PathBuf> {
    let mut built = Vec::new();
    for line in String::from_utf8_lossy(messages).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for file in files.filter(|file| file.ends_with(".wasm")).map(PathBuf::from) {
            if !built.contains(&file) {
                built.push(file);
            }
        }
    }
    built
}

/// A clang that finds a libc for WASI.
struct Clang {
    command: PathBuf,
    target: &'static str,
}

const INSTALL_CLANG: &str = "on Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32; elsewhere unpack a \
    wasi-sdk (https://github.com/WebAssembly/wasi-sdk/releases) and set WASI_SDK_PATH to its directory";
/// Features outside the profile, turned off. Newer ones are off unless asked for, and older versions of clang refuse
/// their names.
const C_FLAGS: [&str; 6] =
    ["-O2", "-mno-simd128", "-mno-atomics", "-mno-tail-call", "-mno-exception-handling", "-Wno-deprecated"];
/// The names of functions stay, for `assay meter`.
const LINKER_FLAG: &str = "-Wl,--strip-debug";

fn find_clang() -> CliResult<Clang> {
    let missing = |what: &str| CliError::new(what.to_owned()).with_next(INSTALL_CLANG);
    if let Some(sdk) = env::var_os("WASI_SDK_PATH").filter(|path| !path.is_empty()) {
        let command = Path::new(&sdk).join("bin/clang");
        if command.is_file() {
            return Ok(Clang { command, target: "wasm32-wasip1" });
        }
        return Err(
            missing("WASI_SDK_PATH names no wasi-sdk").with_cause(format!("{} is not there", shown_path(&command)))
        );
    }
    let names = std::iter::once("clang".to_owned());
    let names = names.chain(CLANG_VERSIONS.rev().map(|version| format!("clang-{version}")));
    let path = env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = env::split_paths(&path).collect();
    let found = names.flat_map(|name| places.iter().map(move |place| place.join(&name))).find(|file| file.is_file());
    let command = found.ok_or_else(|| missing("clang is not installed"))?;
    // Where Debian's wasi-libc puts its headers, by version.
    let target =
        ["wasm32-wasip1", "wasm32-wasi"].into_iter().find(|target| Path::new("/usr/include").join(target).is_dir());
    let target = target.ok_or_else(|| missing("no libc for WASI is installed"))?;
    Ok(Clang { command, target })
}

/// The `.c` files of a project without a Makefile.
fn c_sources(project: &Path) -> CliResult<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for place in [Path::new(""), Path::new("src")] {
        let Ok(entries) = fs::read_dir(project.join(place)) else { continue };
        for entry in entries.take(SOURCES_MAX) {
            let name = PathBuf::from(entry?.file_name());
            if name.extension().is_some_and(|extension| extension == "c") {
                sources.push(place.join(name));
            }
        }
    }
    sources.sort();
    Ok(sources)
}

async fn build_c(output: Output, order: Order<'_>) -> CliResult {
    let clang = find_clang()?;
    let target = format!("--target={}", clang.target);
    if order.project.join("Makefile").is_file() {
        let mut make = Command::new("make");
        let variable = |name: &str, value: &str| format!("{name}={value}");
        make.current_dir(order.project).arg(variable("CC", &format!("{} {target}", clang.command.display())));
        make.arg(variable("CFLAGS", &C_FLAGS.join(" "))).arg(variable("LDFLAGS", LINKER_FLAG));
        make.arg(variable("MODULE", &order.module.display().to_string()));
        run_tool(output, make, "install make; on Debian: apt-get install make").await?;
        return if order.module.is_file() {
            Ok(())
        } else {
            Err(CliError::new("make wrote no module").with_next(
                "let the Makefile's first target write the module to $(MODULE), with $(CC), $(CFLAGS) and $(LDFLAGS)",
            ))
        };
    }
    let mut command = Command::new(&clang.command);
    command.current_dir(order.project).arg(target).args(C_FLAGS).arg(LINKER_FLAG).arg("-o").arg(order.module);
    command.args(c_sources(order.project)?);
    run_tool(output, command, INSTALL_CLANG).await.map(drop)
}

async fn build_assemblyscript(output: Output, order: Order<'_>) -> CliResult {
    const INSTALL: &str = "install Node.js 20 or newer (https://nodejs.org; on Debian: apt-get install nodejs npm), then run \
        `npm install` in the project";
    const ENTRY: &str = "assembly/index.ts";
    if !order.project.join(ENTRY).is_file() {
        return Err(CliError::new(format!("{} has no {ENTRY}", shown_path(order.project)))
            .with_next("write the program there; `assay init NAME --lang assemblyscript` shows one"));
    }
    let compiler = Path::new("node_modules/.bin/asc");
    if !order.project.join(compiler).is_file() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund"]).current_dir(order.project);
        run_tool(output, npm, INSTALL).await?;
    }
    if !order.project.join(compiler).is_file() {
        return Err(CliError::new("the AssemblyScript compiler is not installed")
            .with_next("run `npm install --save-dev assemblyscript @assemblyscript/wasi-shim` in the project"));
    }
    // Its features outside the profile are off unless the project enables them.
    let mut asc = Command::new(order.project.canonicalize()?.join(compiler));
    asc.args([ENTRY, "--target", "release", "--outFile"]).arg(order.module).current_dir(order.project);
    run_tool(output, asc, INSTALL).await.map(drop)
}

async fn build_tinygo(output: Output, order: Order<'_>) -> CliResult {
    const INSTALL: &str = "install TinyGo: https://tinygo.org/getting-started/install/";
    let mut tinygo = Command::new("tinygo");
    tinygo.args(["build", "-target=wasip1", "-o"]).arg(order.module).arg(".").current_dir(order.project);
    run_tool(output, tinygo, INSTALL).await.map(drop)
}

/// Runs a tool; what it wrote to stdout. What it says goes to stderr as it comes, where a person reads along.
async fn run_tool(output: Output, mut command: Command, install: &str) -> CliResult<Vec<u8>> {
    let is_heard = !output.json && !output.quiet;
    let words = std::iter::once(command.as_std().get_program()).chain(command.as_std().get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    output.note(format!("$ {line}"));
    let stderr = if is_heard { Stdio::inherit() } else { Stdio::piped() };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let ran = match command.spawn() {
        Ok(child) => child.wait_with_output().await?,
        Err(error) => return Err(not_started(&name, error, install)),
    };
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    let mut error = CliError::new(format!("{name} failed ({})", ran.status));
    if !is_heard {
        let start = ran.stderr.len().saturating_sub(SAID_BYTES_MAX);
        error = error.with_cause(printable(ran.stderr.get(start..).unwrap_or_default()).trim().to_owned());
    }
    Err(error.with_next(format!("mend what it complains about; it was called as: {line}")))
}

fn not_started(name: &str, error: std::io::Error, install: &str) -> CliError {
    if error.kind() == ErrorKind::NotFound {
        return CliError::new(format!("{name} is not installed, or not in PATH")).with_next(install);
    }
    CliError::from(error).with_next(install)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modules_that_cargo_names_are_found_once() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","filenames":["/t/libx.rlib"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/x.wasm","/t/x.d"]}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/x.wasm"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#
        );
        assert_eq!(built_modules(messages.as_bytes()), [PathBuf::from("/t/x.wasm")]);
    }
}
