//! Puts the rewritten modules together: the module's own sections as they stand, with what was added behind them.

use sha2::{Digest, Sha256};
use wasm_encoder::{
    ConstExpr, Encode, ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType, Module, RawSection,
    SectionId, TypeSection, ValType,
};

use crate::{
    FastVariant, MeterError, Metered, bounds, cost, export,
    rewrite::{self, Additions, Variant},
    scan::{self, Body, Raw, Shape},
};

/// Checks and rewrites a module, into the fast variant too if that is wanted.
pub(crate) fn meter(wasm: &[u8], wants_fast: bool) -> Result<Metered, MeterError> {
    let mut canonical = Draft::new(Variant::Canonical);
    let mut fast = wants_fast.then(|| Draft::new(Variant::Fast));
    let shape = scan::scan(wasm, wants_fast, |shape, body| {
        // The program is the canonical variant: it alone decides whether the module is accepted.
        if fast.as_mut().is_some_and(|draft| draft.append(shape, body).is_err()) {
            fast = None;
        }
        canonical.append(shape, body)
    })?;
    let canonical = canonical.finish(&shape)?;
    let instantiation_gas = instantiation_gas(&shape, &canonical.bodies);
    let wasm_out = canonical.module(&shape, instantiation_gas);
    let fast = fast.and_then(|draft| draft.finish(&shape).ok()).map(|parts| {
        let wasm = parts.module(&shape, instantiation_gas);
        FastVariant { hash: Sha256::digest(&wasm).into(), wasm }
    });
    let hash = Sha256::digest(&wasm_out).into();
    let info = shape.into_info(bounds::length(wasm.len()));
    Ok(Metered { wasm: wasm_out, hash, fast, info, instantiation_gas })
}

/// What the host charges before it instantiates: depends on nothing but the canonical variant.
fn instantiation_gas(shape: &Shape<'_>, bodies: &[u8]) -> u64 {
    let Shape { memory, table_elements, .. } = shape;
    let copied = [
        shape.raw_types,
        shape.raw_imports,
        shape.raw_functions,
        shape.raw_tables,
        shape.raw_memories,
        shape.raw_globals,
        shape.raw_exports,
        shape.raw_elements,
        shape.raw_data,
    ];
    let parts = copied.iter().map(|section| section.entries).chain([bodies]);
    let bytes = parts.map(|part| bounds::length(part.len())).fold(0, u64::saturating_add);
    let pages = memory.map_or(0, |memory| memory.initial_pages);
    cost::INSTANTIATE
        .saturating_add(bytes.saturating_mul(cost::MODULE_BYTE))
        .saturating_add(pages.saturating_mul(cost::INITIAL_PAGE))
        .saturating_add(table_elements.saturating_mul(cost::TABLE_ELEMENT))
}

/// One variant while the module's functions come by.
struct Draft {
    variant: Variant,
    /// Known with the first function.
    additions: Option<Additions>,
    bodies: Vec<u8>,
}

impl Draft {
    const fn new(variant: Variant) -> Self {
        Self { variant, additions: None, bodies: Vec::new() }
    }

    fn append(&mut self, shape: &Shape<'_>, body: &Body<'_, '_>) -> Result<(), MeterError> {
        let additions = self.additions.get_or_insert_with(|| Additions::new(shape));
        let body = rewrite::function(body, self.variant, additions);
        let size = bounds::length(body.len());
        bounds::check("size of a function's metered body in bytes", size, bounds::METERED_BODY_BYTES_MAX)?;
        self.append_body(&body)
    }

    fn append_body(&mut self, body: &[u8]) -> Result<(), MeterError> {
        body.len().encode(&mut self.bodies);
        self.bodies.extend_from_slice(body);
        let size = bounds::length(self.bodies.len());
        bounds::check("size of the metered code in bytes", size, bounds::METERED_CODE_BYTES_MAX)
    }

    /// Adds the functions that the bodies call.
    fn finish(mut self, shape: &Shape<'_>) -> Result<Parts, MeterError> {
        let mut additions = self.additions.take().unwrap_or_else(|| Additions::new(shape));
        let mut injected_types = Vec::new();
        for function in additions.injected.clone() {
            let (params, results) = function.signature();
            injected_types.push(additions.type_index(params, results));
            self.append_body(&function.body(additions.globals, shape))?;
        }
        Ok(Parts { additions, injected_types, bodies: self.bodies })
    }
}

/// One variant, complete.
struct Parts {
    additions: Additions,
    injected_types: Vec<u32>,
    bodies: Vec<u8>,
}

impl Parts {
    fn module(&self, shape: &Shape<'_>, instantiation_gas: u64) -> Vec<u8> {
        let mut module = Module::new();
        section(&mut module, SectionId::Type, shape.raw_types, &self.types());
        section(&mut module, SectionId::Import, shape.raw_imports, &[0]);
        section(&mut module, SectionId::Function, shape.raw_functions, &self.functions());
        section(&mut module, SectionId::Table, shape.raw_tables, &[0]);
        section(&mut module, SectionId::Memory, shape.raw_memories, &[0]);
        section(&mut module, SectionId::Global, shape.raw_globals, &globals(instantiation_gas));
        section(&mut module, SectionId::Export, shape.raw_exports, &self.exports(shape));
        section(&mut module, SectionId::Element, shape.raw_elements, &[0]);
        if let Some(count) = shape.data_count {
            let mut data = Vec::new();
            count.encode(&mut data);
            module.section(&RawSection { id: SectionId::DataCount.into(), data: &data });
        }
        let functions = shape.raw_functions.count.saturating_add(bounds_count(self.injected_types.len()));
        section(&mut module, SectionId::Code, Raw { count: functions, entries: &self.bodies }, &[0]);
        section(&mut module, SectionId::Data, shape.raw_data, &[0]);
        module.finish()
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
        for index in &self.injected_types {
            section.function(*index);
        }
        contents(&section)
    }

    fn exports(&self, shape: &Shape<'_>) -> Vec<u8> {
        let mut section = ExportSection::new();
        for (name, index) in self.additions.globals.exports() {
            section.export(name, ExportKind::Global, index);
        }
        if let Some(start) = shape.start {
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
pub(crate) fn contents(section: &impl Encode) -> Vec<u8> {
    let mut with_length = Vec::new();
    section.encode(&mut with_length);
    let (_, length_bytes) = read_leb(&with_length);
    with_length.split_off(length_bytes.min(with_length.len()))
}

/// Writes a section: the module's own entries, then the added ones, whose count comes first.
pub(crate) fn section(module: &mut Module, id: SectionId, own: Raw<'_>, added: &[u8]) {
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
pub(crate) fn read_leb(bytes: &[u8]) -> (u32, usize) {
    let mut reader = wasmparser::BinaryReader::new(bytes, 0);
    let value = reader.read_var_u32().unwrap_or_default();
    (value, reader.current_position())
}

fn bounds_count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
