//! What the commands work on: a project, its job directory, or a module alone; and the task that it makes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use assay_content::Entry;
use assay_protocol::TaskSpec;
use assay_runtime::Variant;
use assay_sdk::{
    JobManifest,
    manifest::{MANIFEST_FILE_NAME, ManifestLimits},
    verify::{PreparedTask, ReadyTask, TaskInput, prepare},
};
use clap::Args;

use super::{advice::Closer, toolchain::Language};
use crate::{
    error::{CliError, CliResult, Context as _},
    output::{shown_path, typeable},
    run::{STDIN_ENTRY, read_bounded},
    sandbox::{JobDirectory, TaskTerms, TermArgs, manifest_terms},
};

/// Name of the job directory in a project.
pub const JOB_DIRECTORY_NAME: &str = "job";
/// Where the commands look unless they are told.
const HERE: &str = ".";
/// Where a module alone may write.
const OUTPUT_PATH: &str = "output";

/// What a path on the command line names.
#[derive(Debug)]
pub enum Target {
    /// A job directory, with the project around it if there is one.
    Directory {
        /// Where the source is; the job directory itself if there is nothing around it.
        project: PathBuf,
        /// Where the manifest is.
        job: PathBuf,
    },
    /// A module alone.
    Module(PathBuf),
}

impl Target {
    /// Looks what is there, and where the path is the default of the commands for authors, the current directory, also in
    /// those above it.
    ///
    /// # Errors
    /// When there is neither a module nor a manifest.
    pub fn find_here(path: &Path) -> CliResult<Self> {
        let found = Self::find(path);
        if path != Path::new(HERE) || found.is_ok() {
            return found;
        }
        let depth = std::env::current_dir().map_or(0, |directory| directory.ancestors().count());
        let mut above = (1..depth).map(|levels| PathBuf::from_iter(vec![".."; levels]));
        above.find_map(|directory| Self::directory(&directory)).map_or(found, Ok)
    }

    /// Looks what is there.
    ///
    /// # Errors
    /// When there is neither a module nor a manifest.
    pub fn find(path: &Path) -> CliResult<Self> {
        if path.is_dir() {
            return Self::directory(path).ok_or_else(|| {
                CliError::new(format!(
                    "{} is no project: there is no {MANIFEST_FILE_NAME} in it or in {JOB_DIRECTORY_NAME}/",
                    shown_path(path)
                ))
                .with_next(
                    "name a project, a job directory or a .wasm file; `assay init NAME --lang rust` makes a project",
                )
            });
        }
        match fs::metadata(path) {
            Ok(_) => Ok(Self::Module(path.to_owned())),
            Err(error) => Err(CliError::from(error))
                .context(format!("cannot read {}", shown_path(path)))
                .next("name a project, a job directory or a .wasm file"),
        }
    }

    /// A project, or a job directory with the project around it.
    fn directory(path: &Path) -> Option<Self> {
        if path.join(MANIFEST_FILE_NAME).is_file() {
            let job = path.to_owned();
            return Some(Self::Directory { project: around(path).unwrap_or_else(|| job.clone()), job });
        }
        let job = path.strip_prefix(HERE).unwrap_or(path).join(JOB_DIRECTORY_NAME);
        job.join(MANIFEST_FILE_NAME).is_file().then(|| Self::Directory { project: path.to_owned(), job })
    }

    /// The manifest of a job directory.
    ///
    /// # Errors
    /// When it cannot be read or is not valid.
    pub fn manifest(job: &Path) -> CliResult<JobManifest> {
        let path = job.join(MANIFEST_FILE_NAME);
        let bytes = read_bounded(&path).context(format!("cannot read {}", shown_path(&path)))?;
        JobManifest::from_json(&bytes)
            .context(format!("{} is not valid", shown_path(&path)))
            .next("`assay job schema` prints the schema of a manifest")
    }

    /// A command of this kind on it, as it is typed here: with its path, unless that is where one is.
    pub fn command(&self, name: &str) -> String {
        let (Self::Module(path) | Self::Directory { project: path, .. }) = self;
        if path == Path::new(HERE) { format!("assay {name}") } else { format!("assay {name} {}", typeable(path)) }
    }

    /// The module's file.
    ///
    /// # Errors
    /// When the manifest cannot be read.
    pub fn module_path(&self) -> CliResult<PathBuf> {
        match self {
            Self::Module(path) => Ok(path.clone()),
            Self::Directory { job, .. } => Ok(job.join(Self::manifest(job)?.executable)),
        }
    }

    /// The module's bytes.
    ///
    /// # Errors
    /// When it cannot be read: most often because it is not built.
    pub fn module(&self) -> CliResult<Vec<u8>> {
        let path = self.module_path()?;
        let what = format!("cannot read the module {}", shown_path(&path));
        read_bounded(&path).context(what).next(self.build_advice())
    }

    /// Where its module comes from, for who has none.
    pub fn build_advice(&self) -> String {
        match self {
            Self::Module(_) => "name a .wasm file, a job directory or a project".to_owned(),
            Self::Directory { project, .. } if Language::find(project).is_ok() => {
                format!("build it first: `{}`", self.command("build"))
            }
            Self::Directory { .. } => {
                format!("build it and put it there, or let `executable` in {MANIFEST_FILE_NAME} name another file")
            }
        }
    }
}

/// The project around a job directory, which is told by its name.
fn around(job: &Path) -> Option<PathBuf> {
    match job.file_name() {
        Some(name) if name != JOB_DIRECTORY_NAME => None,
        // `job` alone stands in the current directory.
        Some(_) => job.parent().map(|parent| if parent == Path::new("") { HERE.into() } else { parent.into() }),
        // A path of dots.
        None => {
            let is_named = job.canonicalize().is_ok_and(|job| job.ends_with(JOB_DIRECTORY_NAME));
            is_named.then(|| job.strip_prefix(HERE).unwrap_or(job).join(".."))
        }
    }
}

/// What is run, for the commands that run something.
#[derive(Debug, Args)]
pub struct TaskArgs {
    /// A project, its job directory, or a module; by default the project around the current directory.
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// The guest's standard input, instead of the one in the manifest.
    #[arg(long, value_name = "FILE", visible_alias = "input")]
    pub stdin: Option<PathBuf>,
    #[command(flatten)]
    pub terms: TermArgs,
    /// Calls this exported function instead of the module's own entry point.
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Arguments for the guest, instead of those in the manifest.
    #[arg(last = true)]
    pub args: Vec<String>,
}

/// A task, ready to be run.
#[derive(Debug)]
pub struct Task {
    /// Where it comes from.
    pub target: Target,
    /// Limits, seed, clock, content.
    pub spec: TaskSpec,
    /// The job directory.
    pub entries: Vec<Entry>,
    /// What looks closer at it.
    pub closer: Closer,
}

impl TaskArgs {
    /// The task. What the flags say counts, then the manifest, then `gas_limit` and the defaults.
    ///
    /// # Errors
    /// When something cannot be read or the manifest is not valid.
    pub fn task(&self, gas_limit: u64) -> CliResult<Task> {
        let target = Target::find_here(&self.path)?;
        let (mut entries, mut manifest) = match &target {
            Target::Directory { job, .. } => {
                target.module()?;
                (JobDirectory::read(job)?.entries, Target::manifest(job)?)
            }
            Target::Module(path) => {
                let name = path.file_name().and_then(|name| name.to_str());
                let name = name.ok_or_else(|| CliError::usage("the module's file name is not UTF-8"))?;
                (vec![Entry::file(name, target.module()?)], JobManifest::new(name, OUTPUT_PATH))
            }
        };
        if let Some(path) = &self.stdin {
            let bytes = read_bounded(path)
                .context(format!("cannot read the file of --stdin, {}", shown_path(path)))
                .next("name a file for --stdin")?;
            let place = manifest.stdin.get_or_insert_with(|| STDIN_ENTRY.to_owned());
            entries.retain(|entry| entry.path != *place);
            entries.push(Entry::file(place.clone(), bytes));
        }
        if !self.args.is_empty() {
            manifest.args.clone_from(&self.args);
        }
        if let Some(function) = &self.function {
            (manifest.function_name, manifest.entry) = (Some(function.clone()), None);
        }
        let mut terms = TaskTerms::default();
        terms.limits.gas_limit = gas_limit;
        let terms = self.terms.over(manifest_terms(&manifest, terms));
        // The manifest that is run states nothing that the flags did not leave to it.
        manifest.limits = manifest.limits.map(|_| ManifestLimits::default());
        manifest.seed = manifest.seed.map(|_| terms.seed);
        manifest.clock_unix_ns = manifest.clock_unix_ns.map(|_| terms.clock_unix_ns);
        entries.retain(|entry| entry.path != MANIFEST_FILE_NAME);
        entries.push(Entry::file(MANIFEST_FILE_NAME, manifest.to_json()?));
        let directory = JobDirectory::from_entries(entries)?;
        let closer = self.closer(&target);
        Ok(Task { target, spec: directory.spec(terms)?, entries: directory.entries, closer })
    }

    fn closer(&self, target: &Target) -> Closer {
        let Self { path: _, stdin, terms, function, args } = self;
        let is_plain = stdin.is_none() && function.is_none() && args.is_empty() && *terms == TermArgs::default();
        let flags = if is_plain { "" } else { " with the same flags" };
        let command = |name| format!("`{}`", target.command(name));
        Closer {
            meter: command("meter") + flags,
            validate: command("validate"),
            inspect: command("inspect"),
            is_function_told: function.is_some(),
        }
    }
}

impl Task {
    /// Checks and meters it for a run in this process.
    ///
    /// # Errors
    /// When no host can run it.
    pub fn ready(self) -> CliResult<(ReadyTask, Closer)> {
        match prepare(&TaskInput { spec: self.spec, entries: self.entries }, Variant::Canonical)? {
            PreparedTask::Ready(ready) => Ok((*ready, self.closer)),
            PreparedTask::Invalid(invalid) => Err(CliError::new("no provider can run this task")
                .with_cause(invalid.to_string())
                .with_next(self.closer.next_step_of_invalid(invalid.reason))),
        }
    }
}
