//! The programs of examples/corpus: what they are run with, by tests and by benchmarks alike.
#![allow(dead_code, reason = "nobody needs all of it")]

use std::{fs, path::PathBuf};

use assay_protocol::TaskLimits;
use assay_runtime::RunRequest;

use super::request::request_wasm;

/// How much a program is given to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Millions of gas, for tests.
    Small,
    /// Hundreds of millions of gas and more, for benchmarks.
    Large,
}

/// A line of examples/corpus/programs.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name and its folder's.
    pub name: &'static str,
    small: &'static str,
    large: &'static str,
    /// Its input file, from the root of the repository.
    pub file: Option<&'static str>,
}

/// All of them, in order of the list.
pub fn programs() -> Vec<Program> {
    let list = include_str!("../../../../examples/corpus/programs").lines().filter(|line| !line.starts_with('#'));
    list.map(|line| {
        let mut words = line.split_whitespace();
        let mut word = || words.next();
        let (name, small, large) = (word().unwrap(), word().unwrap(), word().unwrap());
        Program { name, small, large, file: word() }
    })
    .collect()
}

/// One of them.
pub fn program(name: &str) -> Program {
    programs().into_iter().find(|program| program.name == name).unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Program {
    /// The uploaded module.
    pub fn wasm(&self) -> Vec<u8> {
        fs::read(root().join(format!("examples/corpus/{0}/{0}.wasm", self.name))).unwrap()
    }

    /// The name of its input file in its own directory, and the file.
    pub fn input(&self) -> Option<(String, Vec<u8>)> {
        let file = PathBuf::from(self.file?);
        let name = file.file_name().and_then(|name| name.to_str()).unwrap();
        Some((format!("input/{name}"), fs::read(root().join(&file)).unwrap()))
    }

    /// Its arguments.
    pub fn args(&self, size: Size) -> Vec<String> {
        let size = match size {
            Size::Small => self.small,
            Size::Large => self.large,
        };
        core::iter::once(size.to_owned()).chain(self.input().map(|(path, _)| path)).collect()
    }

    /// What a native build prints with the small size, and so every engine must.
    pub fn expected_stdout(&self) -> Vec<u8> {
        fs::read(root().join(format!("examples/corpus/{}/expected.txt", self.name))).unwrap()
    }

    /// The request that runs it, in both variants, with gas for any size.
    pub fn request(&self, size: Size) -> RunRequest {
        let mut request = request_wasm(&self.wasm());
        request.program_name = format!("{}.wasm", self.name);
        request.args = self.args(size);
        if let Some((path, bytes)) = self.input() {
            request.root.insert_file(&path, bytes).unwrap();
        }
        request.limits = TaskLimits { gas_limit: 1 << 40, ..TaskLimits::default() };
        request
    }
}
