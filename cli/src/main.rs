//! `assay`: everything that a person does, for posters, providers, verifiers and module authors.

mod app;
mod chain;
mod completion;
mod config;
mod context;
#[cfg(feature = "localnet")]
mod demo;
mod doctor;
mod error;
mod job;
#[cfg(feature = "localnet")]
mod localnet;
mod market;
mod output;
mod progress;
mod provider;
mod run;
mod sandbox;
mod verify;
mod wallet;

fn main() -> std::process::ExitCode {
    // This binary is also the sandbox child: guests run in a copy of it without keys. Must come first.
    match assay_executor::worker::maybe_child_main() {
        Some(code) => code,
        None => app::main(),
    }
}
