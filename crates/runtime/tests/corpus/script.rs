//! Guests that make a list of host calls and show what came of them.

use std::fmt::Write;

use assay_metering::ValueType;
use assay_metering::profile::{WASI_FUNCTIONS, WASI_MODULE};
use assay_runtime::{FileTree, RunRequest};

use super::request::request_wasm;

/// The root directory's descriptor.
pub const ROOT: u64 = 3;
/// Rights that a C library asks for: everything for files and directories.
pub const RIGHTS: u64 = 0x0ef7_67ff;
/// As [`RIGHTS`], without writing.
pub const READ_RIGHTS: u64 = RIGHTS & !(1 | 1 << 6 | 1 << 8 | 1 << 22);

/// Where a call's error number is kept.
pub const ERRNOS: u32 = 60_000;
/// Where the last call finds what to write.
const DUMP: u32 = 64_000;

/// A list of host calls over one page of memory.
#[derive(Default)]
pub struct Script {
    data: Vec<(u32, Vec<u8>)>,
    calls: Vec<(&'static str, Vec<u64>)>,
    next: u32,
}

impl Script {
    pub fn new() -> Self {
        Self { next: 10_000, ..Self::default() }
    }

    /// Puts bytes somewhere in memory; their address and length.
    pub fn bytes(&mut self, bytes: &[u8]) -> (u64, u64) {
        let at = self.next;
        self.next += (u32::try_from(bytes.len()).unwrap() + 15) & !15;
        assert!(self.next <= ERRNOS);
        self.data.push((at, bytes.to_vec()));
        (at.into(), bytes.len().try_into().unwrap())
    }

    /// A vector of one buffer; its address.
    pub fn vector(&mut self, pointer: u64, length: u64) -> u64 {
        let mut pair = Vec::new();
        pair.extend_from_slice(&u32::try_from(pointer).unwrap().to_le_bytes());
        pair.extend_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        self.bytes(&pair).0
    }

    /// Puts a vector of buffers where bytes were put before.
    pub fn overwrite(&mut self, at: u64, buffers: &[(u64, u64)]) {
        let numbers = buffers.iter().flat_map(|(pointer, length)| [*pointer, *length]);
        let bytes = numbers.flat_map(|number| u32::try_from(number).unwrap().to_le_bytes()).collect();
        self.data.push((u32::try_from(at).unwrap(), bytes));
    }

    /// Adds a call.
    pub fn call(&mut self, name: &'static str, args: &[u64]) -> &mut Self {
        self.calls.push((name, args.to_vec()));
        self
    }

    /// `path_open` of a path from the root; the descriptor goes to address 0.
    pub fn open(&mut self, path: &str, oflags: u64, rights: u64) -> &mut Self {
        self.open_at(ROOT, path, oflags, rights)
    }

    /// `path_open` from a directory.
    pub fn open_at(&mut self, directory: u64, path: &str, oflags: u64, rights: u64) -> &mut Self {
        let (pointer, length) = self.bytes(path.as_bytes());
        self.call("path_open", &[directory, 0, pointer, length, oflags, rights, rights, 0, 0])
    }

    /// A call with descriptor, path pointer and path length.
    pub fn path(&mut self, name: &'static str, path: &str) -> &mut Self {
        let (pointer, length) = self.bytes(path.as_bytes());
        self.call(name, &[ROOT, pointer, length])
    }

    /// `fd_write` of bytes; the count goes to address 8.
    pub fn write(&mut self, descriptor: u64, bytes: &[u8]) -> &mut Self {
        let (pointer, length) = self.bytes(bytes);
        let vector = self.vector(pointer, length);
        self.call("fd_write", &[descriptor, vector, 1, 8])
    }

    /// `fd_read` of up to so many bytes to an address; the count goes to address 8.
    pub fn read(&mut self, descriptor: u64, to: u64, length: u64) -> &mut Self {
        let vector = self.vector(to, length);
        self.call("fd_read", &[descriptor, vector, 1, 8])
    }

    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// The guest.
    pub fn wat(&self) -> String {
        let mut imports = String::new();
        for function in WASI_FUNCTIONS {
            let list = |types: &[ValueType]| types.iter().map(|ty| format!("{ty} ")).collect::<String>();
            let (params, results) = (list(function.params), list(function.results));
            let name = function.name;
            writeln!(
                imports,
                r#"(import "{WASI_MODULE}" "{name}" (func ${name} (param {params}) (result {results})))"#
            )
            .unwrap();
        }
        let mut data = String::new();
        for (at, bytes) in &self.data {
            let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
            writeln!(data, r#"(data (i32.const {at}) "{text}")"#).unwrap();
        }
        let mut code = String::new();
        for (index, (name, args)) in self.calls.iter().enumerate() {
            let function = WASI_FUNCTIONS.iter().find(|function| function.name == *name).unwrap();
            assert_eq!(function.params.len(), args.len(), "{name}");
            let args: String = function.params.iter().zip(args).fold(String::new(), |mut text, (ty, arg)| {
                match ty {
                    ValueType::I32 => write!(text, "i32.const {} ", u32::try_from(*arg).unwrap()).unwrap(),
                    _ => write!(text, "i64.const {arg} ").unwrap(),
                }
                text
            });
            if function.results.is_empty() {
                writeln!(code, "{args} call ${name}").unwrap();
            } else {
                let at = ERRNOS + 4 * u32::try_from(index).unwrap();
                assert!(at < DUMP);
                writeln!(code, "i32.const {at} {args} call ${name} i32.store").unwrap();
            }
        }
        format!(
            r#"(module {imports} (memory (export "memory") 1) {data}
              (func (export "_start") {code}
                i32.const {DUMP} i32.const 0 i32.store
                i32.const {DUMP} i32.const 65536 i32.store offset=4
                i32.const 1 i32.const {DUMP} i32.const 1 i32.const {end} call $fd_write drop))"#,
            end = DUMP + 8
        )
    }

    /// A request to play it over the standard job directory.
    pub fn request(&self) -> RunRequest {
        let mut root = FileTree::new();
        root.insert_file("data/hello.txt", *b"hello world").unwrap();
        root.insert_file("data/b", *b"bee").unwrap();
        root.insert_file("data/a", *b"").unwrap();
        root.insert_file("data/sub/deep", *b"deep").unwrap();
        RunRequest { root, stdin: b"some input".to_vec(), ..request_wasm(&wat::parse_str(self.wat()).unwrap()) }
    }
}
