//! Makes a program of a generated module. Left alone, most of them end in their first function, by a trap or without
//! having done anything that could be seen. So kernels are added, `_start` calls one function after the other with chosen
//! arguments, and what they answer, and what they leave in globals and tables, goes into the memory, which is compared.

use core::convert::Infallible;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    HeapType, Instruction as I, MemArg, MemArgTarget, Module, RefType, TypeSection, ValType,
    reencode::{Error, Reencode, utils},
};
use wasmparser::{
    CodeSectionReader, ExportSectionReader, FunctionBody, FunctionSectionReader, GlobalSectionReader, Operator, Parser,
    Payload, TypeSectionReader,
};

use super::{
    Numbers,
    kernel::{self, Kernel, Surroundings},
    operators,
};

/// Most calls that `_start` makes.
const CALLS_MAX: u64 = 10;
/// Most kernels.
const KERNELS_MAX: u64 = 4;
/// Where what is to be compared lies in memory, from its beginning.
const KEPT_BYTES: u64 = 8_192;

/// A function's type.
#[derive(Clone, Default)]
struct Signature {
    params: Vec<ValType>,
    results: Vec<ValType>,
}

/// What a module has.
#[derive(Default)]
struct Shape {
    types: Vec<Signature>,
    /// Type of every function, imported ones first.
    functions: Vec<u32>,
    imported: u32,
    /// Type of every global, and whether it can be set.
    globals: Vec<(ValType, bool)>,
    tables: u32,
}

impl Shape {
    fn read(wasm: &[u8]) -> Self {
        let mut shape = Self::default();
        let types = |types: &[wasmparser::ValType]| types.iter().map(|ty| value_type(*ty)).collect();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.unwrap() {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        let ty = ty.unwrap();
                        shape.types.push(Signature { params: types(ty.params()), results: types(ty.results()) });
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        if let wasmparser::TypeRef::Func(ty) = import.unwrap().ty {
                            shape.functions.push(ty);
                            shape.imported += 1;
                        }
                    }
                }
                Payload::FunctionSection(section) => shape.functions.extend(section.into_iter().map(Result::unwrap)),
                Payload::TableSection(section) => shape.tables = section.count(),
                Payload::GlobalSection(section) => shape.globals.extend(section.into_iter().map(|global| {
                    let ty = global.unwrap().ty;
                    (value_type(ty.content_type), ty.mutable)
                })),
                _ => {}
            }
        }
        shape
    }

    fn signature(&self, function: u32) -> &Signature {
        &self.types[self.functions[function as usize] as usize]
    }
}

/// The generator has `externref` wherever it has `funcref`, and the profile has not: a reference is one to a function.
fn value_type(ty: wasmparser::ValType) -> ValType {
    match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        _ => ValType::Ref(RefType::FUNCREF),
    }
}

/// A program of a module.
pub fn program(module: &[u8], numbers: Numbers) -> Vec<u8> {
    let mut player = Player::new(Shape::read(module), numbers);
    let mut program = Module::new();
    player.parse_core_module(&mut program, Parser::new(0), module).unwrap();
    program.finish()
}

struct Player {
    shape: Shape,
    numbers: Numbers,
    /// Turns of loops and calls that one call from `_start` may make before functions return at once; without, only gas
    /// and stack end what does not end.
    turns: Option<i32>,
    /// The global that counts the turns down.
    turns_left: u32,
    kernels: u32,
    /// The function that comes next.
    function: u32,
}

impl Player {
    fn new(mut shape: Shape, mut numbers: Numbers) -> Self {
        let turns = [Some(3), Some(40), Some(40), Some(300), Some(300), None][numbers.below(6) as usize];
        let kernels = numbers.below(KERNELS_MAX + 1) as u32;
        let function = shape.imported;
        let turns_left = u32::try_from(shape.globals.len()).unwrap();
        shape.functions.extend((0..kernels).map(|kernel| shape.types.len() as u32 + kernel % 4));
        let kernel_type = |ty| Signature { params: kernel::TYPES.to_vec(), results: vec![ty] };
        shape.types.extend(kernel::TYPES.map(kernel_type));
        shape.functions.push(u32::try_from(shape.types.len()).unwrap());
        shape.types.push(Signature::default());
        Self { shape, numbers, turns, turns_left, kernels, function }
    }

    /// Kernels and `_start`.
    fn added(&self) -> usize {
        self.kernels as usize + 1
    }

    /// `_start`, the last function.
    fn start_index(&self) -> u32 {
        u32::try_from(self.shape.functions.len()).unwrap() - 1
    }
}

impl Reencode for Player {
    type Error = Infallible;

    fn val_type(&mut self, ty: wasmparser::ValType) -> Result<ValType, Error> {
        Ok(value_type(ty))
    }

    fn ref_type(&mut self, _: wasmparser::RefType) -> Result<RefType, Error> {
        Ok(RefType::FUNCREF)
    }

    fn heap_type(&mut self, _: wasmparser::HeapType) -> Result<HeapType, Error> {
        Ok(HeapType::FUNC)
    }

    fn parse_type_section(&mut self, types: &mut TypeSection, section: TypeSectionReader<'_>) -> Result<(), Error> {
        let present = section.count() as usize;
        utils::parse_type_section(self, types, section)?;
        for ty in &self.shape.types[present..] {
            types.ty().function(ty.params.iter().copied(), ty.results.iter().copied());
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_function_section(self, functions, section)?;
        let all = &self.shape.functions;
        all[all.len() - self.added()..].iter().for_each(|ty| {
            functions.function(*ty);
        });
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_global_section(self, globals, section)?;
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        // For a start function; `_start` sets it.
        globals.global(ty, &ConstExpr::i32_const(self.turns.unwrap_or_default()));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_export_section(self, exports, section)?;
        let start = self.start_index();
        exports.export("_start", ExportKind::Func, start);
        // What is exported can be put into tables.
        for kernel in start - self.kernels..start {
            exports.export(&format!("kernel {kernel}"), ExportKind::Func, kernel);
        }
        Ok(())
    }

    fn parse_code_section(&mut self, code: &mut CodeSection, section: CodeSectionReader<'_>) -> Result<(), Error> {
        utils::parse_code_section(self, code, section)?;
        for kernel in 0..self.kernels {
            code.function(&self.kernel(kernel));
        }
        code.function(&self.start());
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), Error> {
        let results = self.shape.signature(self.function).results.clone();
        self.function += 1;
        let mut function = self.new_function_with_parsed_locals(&body)?;
        take_turn(self.turns.map(|_| self.turns_left), &results, &mut function);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let op = reader.read()?;
            let loops = matches!(op, Operator::Loop { .. });
            function.instruction(&self.instruction(op)?);
            if loops {
                take_turn(self.turns.map(|_| self.turns_left), &results, &mut function);
            }
        }
        code.function(&function);
        Ok(())
    }
}

/// Counts a turn; when there is none left, the function returns zeros.
fn take_turn(turns_left: Option<u32>, results: &[ValType], function: &mut Function) {
    let Some(turns_left) = turns_left else { return };
    function.instruction(&I::GlobalGet(turns_left)).instruction(&I::I32Eqz).instruction(&I::If(BlockType::Empty));
    for ty in results {
        function.instruction(&match ty {
            ValType::Ref(_) => I::RefNull(HeapType::FUNC),
            ty => operators::zero(*ty),
        });
    }
    function.instruction(&I::Return).instruction(&I::End);
    function.instruction(&I::GlobalGet(turns_left)).instruction(&I::I32Const(1)).instruction(&I::I32Sub);
    function.instruction(&I::GlobalSet(turns_left));
}

impl Player {
    fn kernel(&mut self, kernel: u32) -> Function {
        let first = self.start_index() - self.kernels;
        // Behind the kernels' types stands that of `_start`.
        let first_type = (self.shape.types.len() - 1 - kernel::TYPES.len()) as u32;
        let Shape { globals, tables, imported, .. } = &self.shape;
        let kernels = (first, kernel);
        let surroundings = Surroundings { globals, tables: *tables, kernels, first_type, host: *imported > 0 };
        let turns_left = self.turns.map(|_| self.turns_left);
        let turn = |function: &mut Function| take_turn(turns_left, &[kernel::result(kernel)], function);
        Kernel::body(&mut self.numbers, surroundings, turn)
    }

    /// The function `_start`.
    fn start(&mut self) -> Function {
        let mut function = Function::new(kernel::TYPES.map(|ty| (1, ty)));
        let mut at = 0;
        for _ in 0..=self.numbers.below(CALLS_MAX) {
            let callee = self.callee();
            let signature = self.shape.signature(callee).clone();
            if let Some(turns) = self.turns {
                function.instruction(&I::I32Const(turns)).instruction(&I::GlobalSet(self.turns_left));
            }
            for ty in signature.params {
                let argument = self.argument(ty, callee < self.shape.imported);
                function.instruction(&argument);
            }
            function.instruction(&I::Call(callee));
            for ty in signature.results.iter().rev() {
                keep(&mut function, *ty, &mut at);
            }
            self.observe(&mut function, &mut at);
        }
        function.instruction(&I::End);
        function
    }

    /// Anything but `_start`, rather a kernel, seldom the host.
    fn callee(&mut self) -> u32 {
        let start = self.start_index();
        let imported = self.shape.imported;
        let (first, count) = match self.numbers.below(8) {
            0..4 if self.kernels > 0 => (start - self.kernels, self.kernels),
            4 if imported > 0 => (0, imported),
            _ if start > imported => (imported, start - imported),
            _ => (0, start),
        };
        first + self.numbers.below(count.into()) as u32
    }

    /// Puts globals and sizes of tables into the memory.
    fn observe(&self, function: &mut Function, at: &mut u64) {
        for (index, (ty, mutable)) in (0..).zip(&self.shape.globals) {
            if *mutable {
                function.instruction(&I::GlobalGet(index));
                keep(function, *ty, at);
            }
        }
        for table in 0..self.shape.tables {
            function.instruction(&I::TableSize(table));
            keep(function, ValType::I32, at);
        }
    }

    /// Something to call with; for the host mostly something that it can use.
    fn argument(&mut self, ty: ValType, for_host: bool) -> I<'static> {
        let small = self.numbers.below(64);
        match ty {
            ValType::Ref(_) => I::RefNull(HeapType::FUNC),
            ValType::I32 if for_host && small < 60 => I::I32Const(small as i32),
            ty => operators::constant(ty, &mut self.numbers),
        }
    }
}

/// Moves a value from the operand stack to the next place in memory; what cannot be stored becomes whether it is null.
fn keep(function: &mut Function, ty: ValType, at: &mut u64) {
    let memory = MemArg { offset: *at, align: 0, target: MemArgTarget::Memory(0), ordering: None };
    *at = (*at + 8) % KEPT_BYTES;
    let (local, store) = match ty {
        ValType::I64 => (1, I::I64Store(memory)),
        ValType::F32 => (2, I::F32Store(memory)),
        ValType::F64 => (3, I::F64Store(memory)),
        ValType::Ref(_) => {
            function.instruction(&I::RefIsNull);
            (0, I::I32Store(memory))
        }
        _ => (0, I::I32Store(memory)),
    };
    function.instruction(&I::LocalSet(local)).instruction(&I::I32Const(0)).instruction(&I::LocalGet(local));
    function.instruction(&store);
}
