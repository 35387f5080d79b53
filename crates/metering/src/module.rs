//! What is known about a module after validation, and the metered module itself.

use core::fmt;

use assay_protocol::Hash32;

/// A number type of the profile, or a function reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// Function reference.
    FuncRef,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::FuncRef => "funcref",
        })
    }
}

/// A function's type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Signature {
    /// Parameters.
    pub params: Vec<ValueType>,
    /// Results.
    pub results: Vec<ValueType>,
}

impl Signature {
    /// Whether the types are these.
    #[must_use]
    pub fn is(&self, params: &[ValueType], results: &[ValueType]) -> bool {
        self.params == params && self.results == results
    }
}

/// A function the module imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Module of the import.
    pub module: String,
    /// Name of the import.
    pub name: String,
    /// Its type.
    pub signature: Signature,
}

/// What kind of thing an export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// A function of this type.
    Function(Signature),
    /// The linear memory.
    Memory,
    /// A table.
    Table,
    /// A global.
    Global,
}

/// One export of the guest's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ExportKind,
}

/// Declared sizes of the linear memory, in pages of 65,536 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryInfo {
    /// Pages at the start.
    pub initial_pages: u64,
    /// Most pages the module declares, if it declares any.
    pub maximum_pages: Option<u64>,
}

/// By which calling conventions the module can be entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPoints {
    /// WASI command: exports `_start`.
    pub command: bool,
    /// Reactor: exports `run` without parameters, with no or one `i32` result.
    pub reactor: bool,
    /// Names of exported `(i32, i32) -> i64` functions, when `alloc` (`(i32) -> i32`) is exported too.
    pub functions: Vec<String>,
}

/// What is known about a module after validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleInfo {
    /// Bytes of the module as uploaded.
    pub size_bytes: u64,
    /// Functions defined in the module.
    pub functions: u32,
    /// Functions imported, in order.
    pub imports: Vec<Import>,
    /// Exports, in order.
    pub exports: Vec<Export>,
    /// How it can be entered.
    pub entry_points: EntryPoints,
    /// The linear memory, if there is one.
    pub memory: Option<MemoryInfo>,
    /// Whether it has a start function.
    pub has_start: bool,
    /// Nanoseconds that a compiler may take for its functions, beside what their bytes take. An estimate for hosts, high
    /// rather than low, and not part of the profile. Where variant L was written too, what it adds is in it.
    pub compile_ns: u64,
}

/// A metered module: the program that is run, on any engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    /// The rewritten module, variant G: the program.
    pub wasm: Vec<u8>,
    /// SHA-256 of `wasm`: the canonical hash of the program.
    pub hash: Hash32,
    /// The same program in variant L; `None` when nobody asked for it, or when it is over the bounds on metered code.
    pub fast: Option<FastVariant>,
    /// What is known about the module before rewriting.
    pub info: ModuleInfo,
    /// What instantiation costs.
    pub instantiation_gas: u64,
}

/// Variant L of a metered module: faster, and equal to G in everything whenever the guest exits with gas left. How else
/// it ends says nothing: such a run is repeated with G (docs/METERING.md, 11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastVariant {
    /// The rewritten module.
    pub wasm: Vec<u8>,
    /// SHA-256 of `wasm`. Names these bytes in caches; it is in no outcome.
    pub hash: Hash32,
}
