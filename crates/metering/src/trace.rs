//! The program with a hook at both ends of every function, so that a host can see which function uses the gas.
//! Informative, for tools: it is no variant of the program that a result may come from.
//!
//! Nothing of the metered module moves, so that gas, stack and memory are counted as they are without hooks: each function's body
//! gets an index behind all others, and in its place stands one that calls the hook, the body, and the hook again. Whoever
//! calls the function, by index, table or export, comes through there. The hooks are the two elements of an added table,
//! which the host fills.

use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction as I, Module, RefType, SectionId,
    TableSection, TableType, TypeSection, ValType,
};

use crate::{Metered, assemble, export, parts};

/// Element of the table [`export::HOOKS`] that is called with a function's index before it runs.
pub const ENTER: u32 = 0;
/// Element of the table [`export::HOOKS`] that is called with a function's index after it returned.
pub const LEAVE: u32 = 1;

/// The metered module with its hooks; `None` if it is not what [`crate::meter`] gives.
#[must_use]
pub fn traced(metered: &Metered) -> Option<Vec<u8>> {
    let own = usize::try_from(metered.info.functions).ok()?;
    let imported = u32::try_from(metered.info.imports.len()).ok()?;
    let parts = parts::read(&metered.wasm)?;
    let defined = u32::try_from(parts.functions.len()).ok()?;
    let first_moved = imported.checked_add(defined)?;
    let [types, tables] = [SectionId::Type, SectionId::Table].map(|id| parts.section(id).count);
    let mut code = CodeSection::new();
    for (ty, place) in parts.functions.get(..own)?.iter().zip(0_u32..) {
        let params = *parts.params.get(usize::try_from(*ty).ok()?)?;
        let (function, moved) = (imported.checked_add(place)?, first_moved.checked_add(place)?);
        code.function(&wrapper(Hooks { function, moved, params, ty: types, table: tables }));
    }
    let (bodies, added) = parts.bodies.split_at_checked(own)?;
    for body in added.iter().chain(bodies) {
        code.raw(body);
    }
    let mut module = Module::new();
    parts.copy(&mut module, SectionId::Type, &hook_type());
    parts.copy(&mut module, SectionId::Import, &[0]);
    parts.copy(&mut module, SectionId::Function, &indices(parts.functions.get(..own)?));
    parts.copy(&mut module, SectionId::Table, &hook_table());
    parts.copy(&mut module, SectionId::Memory, &[0]);
    parts.copy(&mut module, SectionId::Global, &[0]);
    parts.copy(&mut module, SectionId::Export, &hook_export(tables));
    parts.copy(&mut module, SectionId::Element, &[0]);
    parts.copy(&mut module, SectionId::DataCount, &[0]);
    module.section(&code);
    parts.copy(&mut module, SectionId::Data, &[0]);
    Some(module.finish())
}

/// One function's hooks.
struct Hooks {
    function: u32,
    moved: u32,
    params: u32,
    ty: u32,
    table: u32,
}

/// Calls the hook, the moved body with the same arguments, and the hook.
fn wrapper(hooks: Hooks) -> Function {
    let mut body = Function::new([]);
    let hook = |body: &mut Function, element: u32| {
        body.instruction(&I::I32Const(hooks.function.cast_signed()));
        body.instruction(&I::I32Const(element.cast_signed()));
        body.instruction(&I::CallIndirect { type_index: hooks.ty, table_index: hooks.table });
    };
    hook(&mut body, ENTER);
    for local in 0..hooks.params {
        body.instruction(&I::LocalGet(local));
    }
    body.instruction(&I::Call(hooks.moved));
    hook(&mut body, LEAVE);
    body.instruction(&I::End);
    body
}

/// `(i32) -> ()`.
fn hook_type() -> Vec<u8> {
    let mut section = TypeSection::new();
    section.ty().function([ValType::I32], []);
    assemble::contents(&section)
}

fn hook_table() -> Vec<u8> {
    let mut section = TableSection::new();
    let ty = TableType { element_type: RefType::FUNCREF, table64: false, minimum: 2, maximum: Some(2), shared: false };
    section.table(ty);
    assemble::contents(&section)
}

fn hook_export(table: u32) -> Vec<u8> {
    let mut section = ExportSection::new();
    section.export(export::HOOKS, ExportKind::Table, table);
    assemble::contents(&section)
}

fn indices(types: &[u32]) -> Vec<u8> {
    let mut section = FunctionSection::new();
    for ty in types {
        section.function(*ty);
    }
    assemble::contents(&section)
}
