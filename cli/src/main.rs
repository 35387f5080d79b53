//! `assay`: everything that a person does, for posters, providers, verifiers and module authors.

mod app;
mod completion;
mod config;
mod context;
mod error;
mod output;
mod progress;

fn main() -> std::process::ExitCode {
    // This binary is also the sandbox child: guests run in a copy of it without keys. Must come first.
    assay_executor::worker::maybe_child_main();
    app::main()
}
