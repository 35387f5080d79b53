//! Large modules put together section by section: text of their size is slow to read.

use assay_metering::bounds::{CONSTANT_OPERATORS_MAX, ELEMENT_SEGMENTS_MAX, GLOBALS_MAX, PARAMS_MAX, RESULTS_MAX};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, InstructionSink, MemArg, MemArgTarget, MemorySection,
    MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

/// A module with a memory, a table, an entry point that does nothing, and whatever is added.
pub struct Parts {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
    entry: u32,
}

impl Default for Parts {
    fn default() -> Self {
        let mut parts = Self {
            types: TypeSection::new(),
            imports: ImportSection::new(),
            functions: FunctionSection::new(),
            tables: TableSection::new(),
            globals: GlobalSection::new(),
            exports: ExportSection::new(),
            elements: ElementSection::new(),
            code: CodeSection::new(),
            data: DataSection::new(),
            entry: 0,
        };
        parts.ty(0, 0);
        parts.ty(PARAMS_MAX, 0);
        parts.ty(RESULTS_MAX, RESULTS_MAX);
        parts.ty(0, RESULTS_MAX);
        parts.types.ty().function([], [ValType::I32]);
        parts.ty(PARAMS_MAX, RESULTS_MAX);
        parts.function(Self::NOTHING, 0, |_| {});
        parts.function(Self::WIDE, 0, |s| _ = s.unreachable());
        parts.table(100);
        parts
    }
}

impl Parts {
    /// Where loads and stores go.
    pub const AT: MemArg = MemArg { offset: 0, align: 0, target: MemArgTarget::Memory(0), ordering: None };

    /// What stands in each from the beginning.
    pub const TYPES: u64 = 6;
    pub const FUNCTIONS: u64 = 2;

    /// Types, by what they take and give.
    pub const NOTHING: u32 = 0;
    pub const TAKES_128: u32 = 1;
    pub const CARRIES_16: u32 = 2;
    pub const GIVES_16: u32 = 3;
    const IMPORT: u32 = 4;
    pub const WIDE: u32 = 5;

    /// Takes and gives as much as one can, and traps.
    pub const WIDE_FUNCTION: u32 = 1;

    /// Adds imports, in front of all functions.
    pub fn imports(&mut self, count: u64) {
        for _ in 0..count {
            self.imports.import("wasi_snapshot_preview1", "sched_yield", EntityType::Function(Self::IMPORT));
        }
        self.entry += u32::try_from(count).unwrap();
    }

    /// A type of 64-bit integers.
    pub fn ty(&mut self, params: u64, results: u64) {
        let values = |count: u64| std::iter::repeat_n(ValType::I64, usize::try_from(count).unwrap());
        self.types.ty().function(values(params).collect::<Vec<_>>(), values(results).collect::<Vec<_>>());
    }

    pub fn function(&mut self, ty: u32, locals: u64, code: impl FnOnce(&mut InstructionSink<'_>)) {
        let mut function = Function::new([(u32::try_from(locals).unwrap(), ValType::I64)]);
        let mut sink = function.instructions();
        code(&mut sink);
        sink.end();
        self.functions.function(ty);
        self.code.function(&function);
    }

    pub fn export(&mut self, number: u64, name_bytes: u64) {
        let width = usize::try_from(name_bytes).unwrap();
        self.exports.export(&format!("{number:0width$}"), ExportKind::Func, self.entry);
    }

    /// So many, if there are not.
    pub fn globals(&mut self, count: u64) {
        let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
        for _ in u64::from(self.globals.len())..count {
            self.globals.global(ty, &ConstExpr::i64_const(0));
        }
    }

    /// So many constant expressions as long as they may be: globals, then offsets of elements, then of data.
    pub fn constants(&mut self, count: u64) {
        let additions = CONSTANT_OPERATORS_MAX.saturating_sub(1) / 2;
        let zero = (0..additions).fold(ConstExpr::i32_const(0), |zero, _| zero.with_i32_const(0).with_i32_add());
        let ty = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
        let elements = GLOBALS_MAX..GLOBALS_MAX + ELEMENT_SEGMENTS_MAX;
        for at in 0..count {
            if at < elements.start {
                self.globals.global(ty, &zero);
            } else if at < elements.end {
                self.elements.active(None, &zero, Elements::Functions(vec![self.entry].into()));
            } else {
                self.data.active(0, &zero, []);
            }
        }
    }

    pub fn table(&mut self, elements: u64) {
        let element_type = RefType::FUNCREF;
        self.tables.table(TableType { element_type, table64: false, minimum: elements, maximum: None, shared: false });
    }

    /// A segment of the entry point's index, for the first table.
    pub fn elements(&mut self, count: u64) {
        let functions = vec![self.entry; usize::try_from(count).unwrap()];
        self.elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(functions.into()));
    }

    /// A segment of so many functions behind those of the beginning.
    pub fn mentions(&mut self, count: u64) {
        let first = u32::try_from(Self::FUNCTIONS).unwrap();
        let functions: Vec<u32> = (first..first + u32::try_from(count).unwrap()).collect();
        self.elements.declared(Elements::Functions(functions.into()));
    }

    pub fn data(&mut self, bytes: usize) {
        self.data.active(0, &ConstExpr::i32_const(0), std::iter::repeat_n(1, bytes));
    }

    pub fn finish(mut self) -> Vec<u8> {
        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
        self.exports.export("_start", ExportKind::Func, self.entry).export("memory", ExportKind::Memory, 0);
        let mut module = Module::new();
        module.section(&self.types).section(&self.imports).section(&self.functions).section(&self.tables);
        module.section(&memories).section(&self.globals).section(&self.exports).section(&self.elements);
        module.section(&self.code).section(&self.data);
        module.finish()
    }
}
