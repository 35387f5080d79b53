//! Imports become definitions. The profile imports nothing but WASI, and the suite's scripts import what their harness
//! offers (`spectest`) and what earlier modules of the script export. Imported things come first in every index space, so
//! that nothing else moves when they are defined in the module itself.

use std::collections::BTreeMap;

use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Function, FunctionSection, GlobalSection, Instruction, Module, RawSection,
    SectionId, TableSection,
    reencode::{self, Reencode, RoundtripReencoder},
};
use wasmparser::{ExternalKind, FuncType, GlobalType, Operator, Parser, Payload, TypeRef, ValType};

/// Modules that a script registered, by name, with everything they imported defined.
pub type Registered = BTreeMap<String, Vec<u8>>;

/// Why a module cannot stand alone.
pub type Reason = String;

/// The constant that an imported global has.
#[derive(Clone)]
enum Constant {
    I32(i32),
    I64(i64),
    F32(f32),
    F64(f64),
}

impl Constant {
    fn expression(&self) -> ConstExpr {
        match self {
            Self::I32(value) => ConstExpr::i32_const(*value),
            Self::I64(value) => ConstExpr::i64_const(*value),
            Self::F32(value) => ConstExpr::f32_const((*value).into()),
            Self::F64(value) => ConstExpr::f64_const((*value).into()),
        }
    }
}

/// A module apart, imports turned into definitions.
#[derive(Default)]
struct Parts<'a> {
    raw: BTreeMap<u8, &'a [u8]>,
    types: Vec<FuncType>,
    globals: Vec<Constant>,
    functions: FunctionSection,
    tables: TableSection,
    memories: wasm_encoder::MemorySection,
    global_section: GlobalSection,
    elements: ElementSection,
    data: wasm_encoder::DataSection,
    code: CodeSection,
}

/// Reads what an imported global is where a constant expression asks for it.
struct Constants<'a>(&'a [Constant]);

impl Reencode for Constants<'_> {
    type Error = core::convert::Infallible;

    fn const_expr(&mut self, expression: wasmparser::ConstExpr<'_>) -> Result<ConstExpr, reencode::Error<Self::Error>> {
        let mut operators = expression.get_operators_reader();
        if let Operator::GlobalGet { global_index } = operators.read()?
            && let Some(constant) = self.0.get(global_index as usize)
        {
            return Ok(constant.expression());
        }
        RoundtripReencoder.const_expr(expression)
    }
}

/// The module without imports, or what it imports that cannot be defined in it.
pub fn inline(wasm: &[u8], registered: &Registered) -> Result<Vec<u8>, Reason> {
    let mut parts = Parts::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| error.to_string())?;
        parts.take(wasm, &payload, registered)?;
    }
    Ok(parts.assemble())
}

/// Names of the modules that a module imports from.
pub fn imported_modules(wasm: &[u8]) -> Vec<String> {
    let payloads = Parser::new(0).parse_all(wasm).filter_map(Result::ok);
    let imports = payloads.filter_map(|payload| match payload {
        Payload::ImportSection(section) => Some(section.into_imports().filter_map(Result::ok)),
        _ => None,
    });
    imports.flatten().map(|import| import.module.to_owned()).collect()
}

impl<'a> Parts<'a> {
    fn take(&mut self, wasm: &'a [u8], payload: &Payload<'a>, registered: &Registered) -> Result<(), Reason> {
        let text = |error: wasmparser::BinaryReaderError| error.to_string();
        let again = |error: reencode::Error<core::convert::Infallible>| error.to_string();
        match payload {
            Payload::TypeSection(section) => {
                for ty in section.clone().into_iter_err_on_gc_types() {
                    self.types.push(ty.map_err(text)?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import.map_err(text)?;
                    self.define(import.module, import.name, import.ty, registered)
                        .map_err(|reason| format!("imports {reason}"))?;
                }
                return Ok(());
            }
            Payload::FunctionSection(section) => {
                for ty in section.clone() {
                    self.functions.function(ty.map_err(text)?);
                }
            }
            Payload::TableSection(section) => {
                RoundtripReencoder.parse_table_section(&mut self.tables, section.clone()).map_err(again)?;
            }
            Payload::MemorySection(section) => {
                RoundtripReencoder.parse_memory_section(&mut self.memories, section.clone()).map_err(again)?;
            }
            Payload::GlobalSection(section) => {
                Constants(&self.globals)
                    .parse_global_section(&mut self.global_section, section.clone())
                    .map_err(again)?;
            }
            Payload::ElementSection(section) => {
                Constants(&self.globals).parse_element_section(&mut self.elements, section.clone()).map_err(again)?;
            }
            Payload::DataSection(section) => {
                Constants(&self.globals).parse_data_section(&mut self.data, section.clone()).map_err(again)?;
            }
            Payload::CodeSectionEntry(body) => {
                self.code.raw(body.as_bytes());
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            self.raw.insert(id, &wasm[range]);
        }
        Ok(())
    }

    /// Defines what is imported.
    fn define(&mut self, module: &str, name: &str, ty: TypeRef, registered: &Registered) -> Result<(), Reason> {
        match (module, ty) {
            ("spectest", TypeRef::Func(index)) if name.starts_with("print") => {
                self.functions.function(index);
                self.code.function(Function::new([]).instruction(&Instruction::End));
            }
            ("spectest", TypeRef::Table(_)) if name == "table" => {
                self.tables.table(wasm_encoder::TableType {
                    element_type: wasm_encoder::RefType::FUNCREF,
                    table64: false,
                    minimum: 10,
                    maximum: Some(20),
                    shared: false,
                });
            }
            ("spectest", TypeRef::Memory(_)) if name == "memory" => {
                self.memories.memory(wasm_encoder::MemoryType {
                    minimum: 1,
                    maximum: Some(2),
                    memory64: false,
                    shared: false,
                    page_size_log2: None,
                });
            }
            ("spectest", TypeRef::Global(ty)) => {
                let constant = match name {
                    "global_i32" => Constant::I32(666),
                    "global_i64" => Constant::I64(666),
                    "global_f32" => Constant::F32(666.6),
                    "global_f64" => Constant::F64(666.6),
                    _ => return Err(format!("{module}.{name}")),
                };
                self.define_global(ty, constant)?;
            }
            (_, TypeRef::Func(index)) => {
                let exporter = registered.get(module).ok_or_else(|| "from a module that did not run".to_owned())?;
                let wanted = self.types.get(index as usize).ok_or("of no type")?;
                let body = pure_function(exporter, name, wanted)?;
                self.functions.function(index);
                self.code.raw(&body);
            }
            (_, TypeRef::Global(ty)) if !ty.mutable => {
                let exporter = registered.get(module).ok_or_else(|| "from a module that did not run".to_owned())?;
                let constant = constant_global(exporter, name).ok_or("a global of another module")?;
                self.define_global(ty, constant)?;
            }
            (_, TypeRef::Table(_)) => return Err("a table of another module".into()),
            (_, TypeRef::Memory(_)) => return Err("a memory of another module".into()),
            _ => return Err("a mutable global of another module".into()),
        }
        Ok(())
    }

    fn define_global(&mut self, ty: GlobalType, constant: Constant) -> Result<(), Reason> {
        let expected = match constant {
            Constant::I32(_) => ValType::I32,
            Constant::I64(_) => ValType::I64,
            Constant::F32(_) => ValType::F32,
            Constant::F64(_) => ValType::F64,
        };
        if ty.content_type != expected || ty.mutable {
            return Err("a global of another type".into());
        }
        self.global_section
            .global(RoundtripReencoder.global_type(ty).map_err(|error| error.to_string())?, &constant.expression());
        self.globals.push(constant);
        Ok(())
    }

    fn assemble(self) -> Vec<u8> {
        let mut module = Module::new();
        let raw = |module: &mut Module, id: SectionId| {
            if let Some(data) = self.raw.get(&(id as u8)) {
                module.section(&RawSection { id: id as u8, data });
            }
        };
        raw(&mut module, SectionId::Type);
        module.section(&self.functions).section(&self.tables).section(&self.memories).section(&self.global_section);
        raw(&mut module, SectionId::Export);
        raw(&mut module, SectionId::Start);
        module.section(&self.elements);
        raw(&mut module, SectionId::DataCount);
        module.section(&self.code);
        module.section(&self.data);
        module.finish()
    }
}

/// What an exporter has under a name: the index, by kind.
fn exported(wasm: &[u8], name: &str, kind: ExternalKind) -> Option<usize> {
    Parser::new(0).parse_all(wasm).filter_map(Result::ok).find_map(|payload| match payload {
        Payload::ExportSection(section) => section
            .into_iter()
            .filter_map(Result::ok)
            .find(|export| export.name == name && export.kind == kind)
            .map(|export| export.index as usize),
        _ => None,
    })
}

/// The body of an exported function, if it depends on nothing but its parameters. The exporter has no imports.
fn pure_function(wasm: &[u8], name: &str, wanted: &FuncType) -> Result<Vec<u8>, Reason> {
    const OTHER: &str = "a function that uses its own module";
    let index = exported(wasm, name, ExternalKind::Func).ok_or("nothing of this name")?;
    let (mut types, mut functions, mut at) = (Vec::new(), Vec::new(), 0);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| error.to_string())? {
            Payload::TypeSection(section) => {
                types = section.into_iter_err_on_gc_types().filter_map(Result::ok).collect()
            }
            Payload::FunctionSection(section) => functions = section.into_iter().filter_map(Result::ok).collect(),
            Payload::CodeSectionEntry(body) => {
                if at == index {
                    if functions.get(index).and_then(|ty| types.get(*ty as usize)) != Some(wanted) {
                        return Err("a function of another type".into());
                    }
                    let operators = body.get_operators_reader().map_err(|error| error.to_string())?;
                    let alone =
                        operators.into_iter().all(|operator| operator.is_ok_and(|operator| stands_alone(&operator)));
                    return if alone { Ok(body.as_bytes().to_vec()) } else { Err(OTHER.into()) };
                }
                at += 1;
            }
            _ => {}
        }
    }
    Err(OTHER.into())
}

fn stands_alone(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::I32Const { .. }
            | O::I64Const { .. }
            | O::F32Const { .. }
            | O::F64Const { .. }
            | O::LocalGet { .. }
            | O::I32Add
            | O::I32Sub
            | O::I32Mul
            | O::I64Add
            | O::Drop
            | O::Nop
            | O::Return
            | O::End
    )
}

/// The value of an exported global that never changes.
fn constant_global(wasm: &[u8], name: &str) -> Option<Constant> {
    let index = exported(wasm, name, ExternalKind::Global)?;
    let globals = Parser::new(0).parse_all(wasm).filter_map(Result::ok).find_map(|payload| match payload {
        Payload::GlobalSection(section) => Some(section),
        _ => None,
    })?;
    let global = globals.into_iter().nth(index)?.ok().filter(|global| !global.ty.mutable)?;
    let mut operators = global.init_expr.get_operators_reader();
    let first = operators.read().ok()?;
    let last = operators.read().ok()?;
    match (first, last) {
        (Operator::I32Const { value }, Operator::End) => Some(Constant::I32(value)),
        (Operator::I64Const { value }, Operator::End) => Some(Constant::I64(value)),
        (Operator::F32Const { value }, Operator::End) => Some(Constant::F32(f32::from_bits(value.bits()))),
        (Operator::F64Const { value }, Operator::End) => Some(Constant::F64(f64::from_bits(value.bits()))),
        _ => None,
    }
}
