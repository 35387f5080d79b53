//! Puts the rewritten module together: the module's own sections as they stand, with what was added behind them.

use sha2::{Digest, Sha256};
use wasm_encoder::{
    ConstExpr, Encode, ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType, Module, RawSection,
    SectionId, TypeSection, ValType,
};

use crate::{
    MeterError, Metered, bounds, cost, export,
    rewrite::{self, Additions},
    scan::{self, Raw, Shape},
};

/// Checks and rewrites a module.
pub(crate) fn meter(wasm: &[u8]) -> Result<Metered, MeterError> {
    let mut additions: Option<Additions> = None;
    let mut bodies = Vec::new();
    let shape = scan::scan(wasm, |shape, body| {
        let additions = additions.get_or_insert_with(|| Additions::new(shape));
        let body = rewrite::function(body, additions);
        let (one, all) = (bounds::length(body.len()), bounds::length(bodies.len()));
        bounds::check("size of a function's metered body in bytes", one, bounds::METERED_BODY_BYTES_MAX)?;
        append_body(&body, &mut bodies);
        bounds::check("size of the metered code in bytes", all.saturating_add(one), bounds::METERED_CODE_BYTES_MAX)
    })?;
    let mut additions = additions.unwrap_or_else(|| Additions::new(&shape));
    let mut injected_types = Vec::new();
    for function in additions.injected.clone() {
        let (params, results) = function.signature();
        injected_types.push(additions.type_index(params, results));
        append_body(&function.body(additions.globals, &shape), &mut bodies);
    }
    let parts = Parts { shape: &shape, additions: &additions, injected_types: &injected_types, bodies: &bodies };
    let instantiation_gas = parts.instantiation_gas();
    let wasm_out = parts.module(instantiation_gas).finish();
    let hash = Sha256::digest(&wasm_out).into();
    let info = shape.into_info(bounds::length(wasm.len()));
    Ok(Metered { wasm: wasm_out, hash, info, instantiation_gas })
}

fn append_body(body: &[u8], bodies: &mut Vec<u8>) {
    body.len().encode(bodies);
    bodies.extend_from_slice(body);
}

struct Parts<'a> {
    shape: &'a Shape<'a>,
    additions: &'a Additions,
    injected_types: &'a [u32],
    bodies: &'a [u8],
}

impl Parts<'_> {
    /// What the host charges before it instantiates: depends on nothing but the rewritten module.
    fn instantiation_gas(&self) -> u64 {
        let Shape { raw_data, raw_elements, memory, table_elements, .. } = self.shape;
        let bytes = [self.bodies, raw_data.entries, raw_elements.entries];
        let bytes = bytes.iter().map(|part| bounds::length(part.len())).fold(0, u64::saturating_add);
        let pages = memory.map_or(0, |memory| memory.initial_pages);
        cost::INSTANTIATE
            .saturating_add(bytes.saturating_mul(cost::MODULE_BYTE))
            .saturating_add(pages.saturating_mul(cost::INITIAL_PAGE))
            .saturating_add(table_elements.saturating_mul(cost::TABLE_ELEMENT))
    }

    fn module(&self, instantiation_gas: u64) -> Module {
        let shape = self.shape;
        let mut module = Module::new();
        section(&mut module, SectionId::Type, shape.raw_types, &self.types());
        section(&mut module, SectionId::Import, shape.raw_imports, &[0]);
        section(&mut module, SectionId::Function, shape.raw_functions, &self.functions());
        section(&mut module, SectionId::Table, shape.raw_tables, &[0]);
        section(&mut module, SectionId::Memory, shape.raw_memories, &[0]);
        section(&mut module, SectionId::Global, shape.raw_globals, &globals(instantiation_gas));
        section(&mut module, SectionId::Export, shape.raw_exports, &self.exports());
        section(&mut module, SectionId::Element, shape.raw_elements, &[0]);
        if let Some(count) = shape.data_count {
            let mut data = Vec::new();
            count.encode(&mut data);
            module.section(&RawSection { id: SectionId::DataCount.into(), data: &data });
        }
        let functions = shape.raw_functions.count.saturating_add(bounds_count(self.injected_types.len()));
        section(&mut module, SectionId::Code, Raw { count: functions, entries: self.bodies }, &[0]);
        section(&mut module, SectionId::Data, shape.raw_data, &[0]);
        module
    }

    fn types(&self) -> Vec<u8> {
        let mut section = TypeSection::new();
        for signature in &self.additions.types {
            let params = signature.params.iter().map(|ty| rewrite::val_type(*ty));
            section.ty().function(
                params.collect::<Vec<_>>(),
                signature.results.iter().map(|ty| rewrite::val_type(*ty)).collect::<Vec<_>>(),
            );
        }
        contents(&section)
    }

    fn functions(&self) -> Vec<u8> {
        let mut section = FunctionSection::new();
        for index in self.injected_types {
            section.function(*index);
        }
        contents(&section)
    }

    fn exports(&self) -> Vec<u8> {
        let mut section = ExportSection::new();
        for (name, index) in self.additions.globals.exports() {
            section.export(name, ExportKind::Global, index);
        }
        if let Some(start) = self.shape.start {
            section.export(export::START, ExportKind::Func, start);
        }
        contents(&section)
    }
}

/// The globals that are added, in the order of [`rewrite::Globals`].
fn globals(instantiation_gas: u64) -> Vec<u8> {
    let mut section = GlobalSection::new();
    let global = |val_type, mutable| GlobalType { val_type, mutable, shared: false };
    section.global(global(ValType::I64, true), &ConstExpr::i64_const(0));
    for _ in 0..5 {
        section.global(global(ValType::I32, true), &ConstExpr::i32_const(0));
    }
    let gas = i64::try_from(instantiation_gas).unwrap_or(i64::MAX);
    section.global(global(ValType::I64, false), &ConstExpr::i64_const(gas));
    contents(&section)
}

/// A section's contents, its count included, its length not.
fn contents(section: &impl Encode) -> Vec<u8> {
    let mut with_length = Vec::new();
    section.encode(&mut with_length);
    let (_, length_bytes) = read_leb(&with_length);
    with_length.split_off(length_bytes.min(with_length.len()))
}

/// Writes a section: the module's own entries, then the added ones, whose count comes first.
fn section(module: &mut Module, id: SectionId, own: Raw<'_>, added: &[u8]) {
    let (added_count, count_bytes) = read_leb(added);
    let count = own.count.saturating_add(added_count);
    if count == 0 {
        return;
    }
    let mut data = Vec::new();
    count.encode(&mut data);
    data.extend_from_slice(own.entries);
    data.extend_from_slice(added.get(count_bytes..).unwrap_or_default());
    module.section(&RawSection { id: id.into(), data: &data });
}

/// An unsigned LEB128 that the encoder wrote, and how many bytes it takes.
fn read_leb(bytes: &[u8]) -> (u32, usize) {
    let mut reader = wasmparser::BinaryReader::new(bytes, 0);
    let value = reader.read_var_u32().unwrap_or_default();
    (value, reader.current_position())
}

fn bounds_count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
