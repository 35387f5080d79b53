//! `assay`: everything that a person does, for posters, providers, verifiers and module authors.

// The standard macros panic when the reader has gone, and print what strangers wrote as it is. These shadow them in every
// module below, so that no command can forget it.
macro_rules! print { ($($text:tt)*) => { $crate::output::print(format_args!($($text)*)) }; }
macro_rules! println {
    () => { $crate::output::print(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::print(format_args!("{}\n", format_args!($($text)*))) };
}
macro_rules! eprint { ($($text:tt)*) => { $crate::output::print_error(format_args!($($text)*)) }; }
macro_rules! eprintln {
    () => { $crate::output::print_error(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::print_error(format_args!("{}\n", format_args!($($text)*))) };
}

mod app;
mod author;
mod chain;
mod completion;
mod config;
mod context;
#[cfg(feature = "localnet")]
mod demo;
mod dispute;
mod doctor;
mod ended;
mod engine;
mod error;
mod job;
#[cfg(feature = "localnet")]
mod localnet;
mod market;
mod output;
mod parse;
mod progress;
mod provider;
mod receipt;
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
