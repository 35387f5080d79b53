//! `assay build`: the project's own toolchain, then the profile's checks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use assay_metering::{inspect, meter};
use clap::Args;
use serde::Serialize;

use super::{
    findings::{Finding, counted, refused},
    project::Target,
    toolchain::{self, Language, Order},
};
use crate::{
    error::{CliError, CliResult, Context as _},
    output::{Output, grouped, shown_path},
    progress::Progress,
};

/// `assay build`.
#[derive(Debug, Args)]
#[command(
    after_help = "The language follows from the project: Cargo.toml is Rust, package.json AssemblyScript, go.mod Go by TinyGo, a \
Makefile or .c files C. A Makefile gets CC, CFLAGS, LDFLAGS and MODULE, the file to write.\nExit codes: 0 built and put in place · \
1 a tool is missing or fails, or no provider would run the module; nothing was replaced · 2 wrong usage"
)]
pub struct BuildArgs {
    /// The project; by default the one around the current directory.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Which binary of a Rust package.
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Built {
    language: &'static str,
    module: String,
    size_bytes: u64,
    metered_hash: String,
    instantiation_gas: u64,
}

/// Runs `assay build`.
pub async fn run(output: Output, args: &BuildArgs) -> CliResult {
    let target = Target::find_here(&args.path)?;
    let Target::Directory { project, job } = &target else {
        return Err(CliError::usage(format!("{} is a module, which is built already", shown_path(&args.path)))
            .with_next(format!("name the project's directory; `{}` checks a module", target.command("validate"))));
    };
    let language = Language::find(project)?;
    let destination = job.join(Target::manifest(job)?.executable);
    let scratch = tempfile::tempdir().context("cannot make a directory for the build")?;
    let module = scratch.path().join("module.wasm");
    {
        let _progress =
            Progress::quiet_start(output, format!("building {} in {}", shown_path(project), language.title()));
        let order = Order { project, binary: args.bin.as_deref(), module: &module };
        toolchain::build(output, language, order).await?;
    }
    let wasm = fs::read(&module).context("the toolchain wrote no module")?;
    let metered = match meter(&wasm) {
        Ok(metered) => metered,
        Err(_) => {
            let name = destination.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let findings: Vec<_> =
                inspect::findings(&wasm).iter().map(|error| Finding::of_module(&name, error)).collect();
            let what = format!("the module was built, and no provider would run it: {}", counted(&findings));
            return Err(refused(
                what,
                &findings,
                "change the flags or the code, then build again; nothing was replaced",
            ));
        }
    };
    replace(&destination, &wasm).context(format!("cannot write {}", shown_path(&destination)))?;
    let built = Built {
        language: language.name(),
        module: destination.display().to_string(),
        size_bytes: metered.info.size_bytes,
        metered_hash: hex::encode(metered.hash),
        instantiation_gas: metered.instantiation_gas,
    };
    output.result(&built, || {
        println!("module       {} ({} bytes)", shown_path(&destination), grouped(built.size_bytes));
        println!("metered      {}", built.metered_hash);
        println!("to start it  {} gas", grouped(built.instantiation_gas));
    });
    Ok(())
}

/// Writes the module whole or not at all.
fn replace(destination: &Path, wasm: &[u8]) -> CliResult {
    let directory = destination.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let unfinished = destination.with_extension("wasm.tmp");
    fs::write(&unfinished, wasm)?;
    fs::rename(&unfinished, destination)?;
    Ok(())
}
