//! What a generated program does while it runs: a program that notes it, in an interpreter with host functions that only
//! say that all is well. For statistics about the generator; nothing is compared with it.

use core::convert::Infallible;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection, GlobalType,
    Instruction as I, Module, ValType,
    reencode::{Error, Reencode, utils},
};
use wasmparser::{ExportSectionReader, FunctionBody, GlobalSectionReader, Operator as O, Parser, Payload};

/// Fuel of the interpreter: about as much as the gas of a full run.
const FUEL: u64 = 1_000_000;

/// What is noted. A bit each.
pub const ACTIVITIES: [&str; 14] = [
    "a loop turned",
    "a function called",
    "a function called through a table",
    "the host called",
    "memory read",
    "memory written",
    "memory grown",
    "memory filled, copied or initialised",
    "a table read, written or grown",
    "a br_table taken",
    "floats calculated",
    "a NaN calculated",
    "integers divided or floats converted to integers",
    "a select",
];
const LOOP: usize = 0;
const CALL: usize = 1;
const CALL_INDIRECT: usize = 2;
const HOST: usize = 3;
const READ: usize = 4;
const WRITE: usize = 5;
const GROW: usize = 6;
const BULK: usize = 7;
const TABLE: usize = 8;
const BR_TABLE: usize = 9;
const FLOAT: usize = 10;
const NAN: usize = 11;
const DIVISION: usize = 12;
const SELECT: usize = 13;

/// What a program does.
pub fn of(program: &[u8]) -> Vec<&'static str> {
    let mut noting = Module::new();
    Noter::new(program).parse_core_module(&mut noting, Parser::new(0), program).unwrap();
    let noted = run(&noting.finish()).unwrap_or_default();
    (0..).zip(ACTIVITIES).filter(|(bit, _)| noted >> bit & 1 == 1).map(|(_, name)| name).collect()
}

/// The noted bits; `None` when it could not be instantiated.
fn run(program: &[u8]) -> Option<u64> {
    let engine = wasmi::Engine::new(wasmi::Config::default().consume_fuel(true));
    let module = wasmi::Module::new(&engine, program).ok()?;
    let limits = wasmi::StoreLimitsBuilder::new().memory_size(4 << 20).build();
    let mut store = wasmi::Store::new(&engine, limits);
    store.limiter(|limits| limits);
    store.set_fuel(FUEL).unwrap();
    let mut linker = wasmi::Linker::new(&engine);
    for import in module.imports() {
        let wasmi::ExternType::Func(ty) = import.ty() else { return None };
        let answer = |_: wasmi::Caller<'_, _>, _: &[wasmi::Val], results: &mut [wasmi::Val]| {
            // `proc_exit` alone has no result, and does not come back.
            let result = results.first_mut().ok_or_else(|| wasmi::Error::new("exit"))?;
            *result = wasmi::Val::I32(0);
            Ok(())
        };
        linker.func_new(import.module(), import.name(), ty.clone(), answer).ok();
    }
    let instance = linker.instantiate_and_start(&mut store, &module).ok()?;
    let start = instance.get_func(&store, "_start")?;
    // However it ends.
    drop(start.call(&mut store, &[], &mut []));
    let noted = |name| instance.get_global(&store, name).and_then(|global| global.get(&store).i64());
    let (bits, entries, heads) = (noted("noted")?, noted("entries")?, noted("heads")?);
    Some(bits.cast_unsigned() | u64::from(heads > entries) << LOOP)
}

/// Adds to a program what notes.
struct Noter {
    /// Functions that are imported.
    imported: u32,
    /// The bits; behind it how many loops were entered, and how often the heads of loops were passed.
    first_global: u32,
    /// Parameters of every function that is not imported, the last first.
    parameters: Vec<u32>,
}

impl Noter {
    fn new(program: &[u8]) -> Self {
        let mut noter = Self { imported: 0, first_global: 0, parameters: Vec::new() };
        let mut types = Vec::new();
        for payload in Parser::new(0).parse_all(program) {
            match payload.unwrap() {
                Payload::TypeSection(section) => {
                    types.extend(section.into_iter_err_on_gc_types().map(|ty| ty.unwrap().params().len() as u32));
                }
                Payload::ImportSection(section) => noter.imported = section.into_imports().count() as u32,
                Payload::FunctionSection(section) => {
                    noter.parameters.extend(section.into_iter().map(|ty| types[ty.unwrap() as usize]));
                }
                Payload::GlobalSection(section) => noter.first_global = section.count(),
                _ => {}
            }
        }
        noter.parameters.reverse();
        noter
    }
}

impl Reencode for Noter {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_global_section(self, globals, section)?;
        for _ in 0..3 {
            let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
            globals.global(ty, &ConstExpr::i64_const(0));
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_export_section(self, exports, section)?;
        for (name, index) in ["noted", "entries", "heads"].into_iter().zip(self.first_global..) {
            exports.export(name, ExportKind::Global, index);
        }
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), Error> {
        let mut first_local = self.parameters.pop().unwrap();
        // What `_start` does, the last function, is the same in every program.
        if self.parameters.is_empty() {
            return utils::parse_function_body(self, code, body);
        }
        let mut locals = Vec::new();
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            first_local += count;
            locals.push((count, self.val_type(ty)?));
        }
        // For what has to be looked at and is needed still.
        locals.extend([(1, ValType::I32), (1, ValType::F32), (1, ValType::F64)]);
        let mut function = Function::new(locals);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let op = reader.read()?;
            self.before(&op, &mut function);
            function.instruction(&self.instruction(op.clone())?);
            self.behind(&op, first_local, &mut function);
        }
        code.function(&function);
        Ok(())
    }
}

impl Noter {
    fn note(&self, activity: usize, function: &mut Function) {
        function.instruction(&I::GlobalGet(self.first_global)).instruction(&I::I64Const(1 << activity));
        function.instruction(&I::I64Or).instruction(&I::GlobalSet(self.first_global));
    }

    fn count(global: u32, function: &mut Function) {
        function.instruction(&I::GlobalGet(global)).instruction(&I::I64Const(1));
        function.instruction(&I::I64Add).instruction(&I::GlobalSet(global));
    }

    /// What is noted when an operator is come to. Whether it then traps is not looked at.
    fn before(&self, op: &O<'_>, function: &mut Function) {
        let activity = match op {
            O::Loop { .. } => return Self::count(self.first_global + 1, function),
            O::Call { function_index } if *function_index < self.imported => HOST,
            O::Call { .. } => CALL,
            O::CallIndirect { .. } => CALL_INDIRECT,
            O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => BULK,
            O::TableGet { .. } | O::TableSet { .. } | O::TableGrow { .. } => TABLE,
            O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => TABLE,
            O::BrTable { .. } => BR_TABLE,
            O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => DIVISION,
            O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => DIVISION,
            O::I32TruncF32S | O::I32TruncF32U | O::I32TruncF64S | O::I32TruncF64U => DIVISION,
            O::I64TruncF32S | O::I64TruncF32U | O::I64TruncF64S | O::I64TruncF64U => DIVISION,
            O::Select | O::TypedSelect { .. } => SELECT,
            op if float_result(op).is_some() => FLOAT,
            op => match format!("{op:?}") {
                name if name.contains("Load") => READ,
                name if name.contains("Store") => WRITE,
                _ => return,
            },
        };
        self.note(activity, function);
    }

    /// What is noted of an operator's result.
    fn behind(&self, op: &O<'_>, first_local: u32, function: &mut Function) {
        let (local, activity, test) = match op {
            O::Loop { .. } => return Self::count(self.first_global + 2, function),
            O::MemoryGrow { .. } => (first_local, GROW, I::I32Ne),
            op => match float_result(op) {
                Some(ValType::F32) => (first_local + 1, NAN, I::F32Ne),
                Some(_) => (first_local + 2, NAN, I::F64Ne),
                None => return,
            },
        };
        function.instruction(&I::LocalTee(local)).instruction(&I::LocalGet(local));
        let other = if activity == GROW { I::I32Const(-1) } else { I::LocalGet(local) };
        function.instruction(&other).instruction(&test).instruction(&I::If(BlockType::Empty));
        self.note(activity, function);
        function.instruction(&I::End);
    }
}

/// Operators that can make a NaN.
const fn float_result(op: &O<'_>) -> Option<ValType> {
    match op {
        O::F32Add | O::F32Sub | O::F32Mul | O::F32Div | O::F32Sqrt | O::F32Min | O::F32Max => Some(ValType::F32),
        O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest | O::F32DemoteF64 => Some(ValType::F32),
        O::F64Add | O::F64Sub | O::F64Mul | O::F64Div | O::F64Sqrt | O::F64Min | O::F64Max => Some(ValType::F64),
        O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest | O::F64PromoteF32 => Some(ValType::F64),
        _ => None,
    }
}
