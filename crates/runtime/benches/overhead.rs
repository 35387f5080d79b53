//! What metering costs: the corpus and the sample jobs plain and as they are run, in both engines, and natively.
//! `cargo bench -p assay-runtime --bench overhead [-- PART_OF_A_NAME]`
//!
//! Every way runs once, then every way again; the shortest of [`ROUNDS`] counts. Compiling, loading and instantiating
//! are left out. `NATIVE=DIR` names the corpus built for this machine (`examples/corpus/build native DIR`). Exits with
//! an error when a goal is missed.
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use assay_protocol::TaskLimits;
use assay_runtime::{ArtifactCache, CacheLimits, End, Engine, HostFault, RunOptions, RunRequest, Variant, run_with};

#[path = "../tests/corpus/plain.rs"]
mod plain;
#[path = "../tests/corpus/programs.rs"]
mod programs;
#[path = "../tests/corpus/request.rs"]
mod request;
#[path = "../tests/corpus/samples.rs"]
mod samples;

use programs::Size;

const ROUNDS: usize = 10;
/// Columns: plain and L in wasmtime, plain and L in wasmi, native.
const COLUMNS: [&str; 5] = ["wasmtime", "wasmtime, L", "wasmi", "wasmi, L", "native"];
/// Which column is divided by which, and the most that the geometric mean may be.
const GOALS: [(usize, usize, f64); 3] = [(1, 0, 1.15), (3, 2, 1.25), (1, 4, 1.6)];

struct Program {
    name: String,
    metered: RunRequest,
    plain: RunRequest,
    native: Option<Native>,
}

/// A program of this machine.
struct Native {
    binary: PathBuf,
    args: Vec<String>,
    input: Option<(String, Vec<u8>)>,
}

impl Native {
    /// The guest's own time: from start to end, less what a start takes that ends at once, for want of arguments.
    fn ms(&self) -> f64 {
        self.run(&self.args, true).saturating_sub(self.run(&[], false)).as_secs_f64() * 1e3
    }

    /// A run from start to end in a new folder; in memory where the machine has such, as a guest's files are.
    fn run(&self, args: &[String], succeeds: bool) -> Duration {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        for name in ["input", "output"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        if let Some((path, bytes)) = &self.input {
            fs::write(folder.path().join(path), bytes).unwrap();
        }
        let mut command = Command::new(&self.binary);
        command.args(args).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let status = command.status().unwrap();
        let took = began.elapsed();
        assert_eq!(status.success(), succeeds, "{} {args:?}", self.binary.display());
        took
    }
}

fn all_programs(native: Option<&Path>) -> Vec<Program> {
    let samples = ["word-count", "mandelbrot", "customer-tiers"].map(|name| {
        let (mut metered, _) = samples::sample(name);
        metered.limits = TaskLimits { gas_limit: 1 << 40, ..metered.limits };
        let own = metered.root.file(&metered.program_name).unwrap();
        Program { name: name.to_owned(), plain: plain::plain(&metered, own), metered, native: None }
    });
    let corpus = programs::programs().into_iter().map(|program| {
        let metered = program.request(Size::Large);
        let native = native.map(|binaries| Native {
            binary: binaries.join(program.name),
            args: program.args(Size::Large),
            input: program.input(),
        });
        Program { name: program.name.to_owned(), plain: plain::plain(&metered, &program.wasm()), metered, native }
    });
    samples.into_iter().chain(corpus).collect()
}

/// Milliseconds of the guest; `None` when the compiler refuses so large a module.
fn guest_ms(request: &RunRequest, engine: Engine, variant: Variant, store: &Arc<ArtifactCache>) -> Option<f64> {
    let options = RunOptions { engine, variant, artifacts: Some(store.clone()), ..RunOptions::default() };
    let run = match run_with(request, &options) {
        Err(HostFault::CompileEffort) => return None,
        run => run.unwrap(),
    };
    assert_eq!((run.report.end, run.variant), (End::Exited(0), variant), "{}", request.program_name);
    Some(run.guest_time.as_secs_f64() * 1e3)
}

/// The shortest times of a program in every column.
fn measure(program: &Program, store: &Arc<ArtifactCache>) -> [Option<f64>; 5] {
    let mut best = [None; 5];
    let mut keep = |column: usize, ms: Option<f64>| {
        if let Some(ms) = ms {
            best[column] = Some(best[column].map_or(ms, |known: f64| known.min(ms)));
        }
    };
    for _ in 0..ROUNDS {
        keep(0, guest_ms(&program.plain, Engine::Wasmtime, Variant::Canonical, store));
        keep(1, guest_ms(&program.metered, Engine::Wasmtime, Variant::Fast, store));
        keep(2, guest_ms(&program.plain, Engine::Wasmi, Variant::Canonical, store));
        keep(3, guest_ms(&program.metered, Engine::Wasmi, Variant::Fast, store));
        keep(4, program.native.as_ref().map(Native::ms));
    }
    best
}

fn main() -> ExitCode {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let native = std::env::var_os("NATIVE").map(|path| PathBuf::from(path).canonicalize().unwrap());
    let store = Arc::new(ArtifactCache::open(None, CacheLimits::default()).unwrap());
    print!("{:<16}", "milliseconds");
    COLUMNS.iter().for_each(|column| print!("{column:>13}"));
    println!("{:>13}{:>13}{:>13}", "wasmtime L/1", "wasmi L/1", "L/native");
    let mut logs = [(0.0_f64, 0.0_f64); GOALS.len()];
    for program in all_programs(native.as_deref()).iter().filter(|program| program.name.contains(&filter)) {
        let best = measure(program, &store);
        print!("{:<16}", program.name);
        best.iter().for_each(|ms| print!("{:>13}", ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"))));
        for ((column, base, _), log) in GOALS.iter().zip(&mut logs) {
            let ratio = best[*column].zip(best[*base]).map(|(one, other)| one / other);
            print!("{:>13}", ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")));
            if let Some(ratio) = ratio {
                *log = (log.0 + ratio.ln(), log.1 + 1.0);
            }
        }
        println!();
    }
    let mut missed = false;
    for ((column, base, goal), (sum, count)) in GOALS.iter().zip(logs).filter(|(_, log)| log.1 > 0.0) {
        let mean = (sum / count).exp();
        let verdict = if mean <= *goal { "reached" } else { "missed" };
        missed |= mean > *goal;
        println!("{} / {}: geometric mean {mean:.3}, goal {goal}: {verdict}", COLUMNS[*column], COLUMNS[*base]);
    }
    ExitCode::from(u8::from(missed))
}
