//! One pass over a module: bounds, validation, and what the rewriting needs to know.

use std::collections::BTreeSet;

use assay_protocol::limits::MODULE_BYTES_MAX;
use wasmparser::{
    BinaryReader, CompositeInnerType, ElementItems, ExternalKind, FuncToValidate, FuncValidatorAllocations,
    FunctionBody, ImportSectionReader, Parser, Payload, RefType, SectionLimited, TypeRef, TypeSectionReader, ValType,
    ValidPayload, Validator, ValidatorResources,
};

use crate::{
    EntryPoints, Export, ExportKind, Import, MemoryInfo, MeterError, ModuleInfo, Signature, ValueType,
    analyze::{self, Plan, Variables},
    bounds::{self, check, length},
    constants, export, profile,
};

/// Bytes of stack that a frame takes beside its locals and operands.
const FRAME_BYTES: u64 = 64;
/// Bytes of stack that one local or operand takes.
const SLOT_BYTES: u64 = 8;

/// A section's entries as they stand in the module, without their count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raw<'a> {
    pub count: u32,
    pub entries: &'a [u8],
}

/// The sections that are copied, and what is known about the module.
#[derive(Debug, Default)]
pub(crate) struct Shape<'a> {
    pub types: Vec<Signature>,
    /// Type index of every function, imported ones first.
    pub functions: Vec<u32>,
    pub imports: Vec<Import>,
    pub exports: Vec<Export>,
    /// Declared maximum of every table.
    pub table_maxima: Vec<Option<u64>>,
    /// Initial elements of all tables.
    pub table_elements: u64,
    pub memory: Option<MemoryInfo>,
    pub globals: u32,
    pub start: Option<u32>,
    pub data_count: Option<u32>,
    pub raw_types: Raw<'a>,
    pub raw_imports: Raw<'a>,
    pub raw_functions: Raw<'a>,
    pub raw_tables: Raw<'a>,
    pub raw_memories: Raw<'a>,
    pub raw_globals: Raw<'a>,
    pub raw_exports: Raw<'a>,
    pub raw_elements: Raw<'a>,
    pub raw_data: Raw<'a>,
    /// Whether functions are planned for the fast variant too.
    wants_fast: bool,
    custom_sections: u64,
    exported_values: u64,
    compile_ns: u64,
}

impl Shape<'_> {
    /// Imported functions.
    pub(crate) fn imported(&self) -> u32 {
        u32::try_from(self.imports.len()).unwrap_or(u32::MAX)
    }

    /// The type of a function.
    pub(crate) fn signature(&self, function: u32) -> Option<&Signature> {
        let index = self.functions.get(usize::try_from(function).ok()?)?;
        self.types.get(usize::try_from(*index).ok()?)
    }

    pub(crate) fn into_info(self, size_bytes: u64) -> ModuleInfo {
        let entry_points = entry_points(&self.exports);
        ModuleInfo {
            size_bytes,
            functions: self.raw_functions.count,
            imports: self.imports,
            exports: self.exports,
            entry_points,
            memory: self.memory,
            has_start: self.start.is_some(),
            compile_ns: self.compile_ns,
        }
    }
}

/// What one function of the module looks like, handed out in order.
pub(crate) struct Body<'s, 'a> {
    pub signature: &'s Signature,
    /// Number of declaration groups of locals, and the groups as they stand.
    pub locals: Raw<'a>,
    /// The operators as they stand, the last `end` included.
    pub code: &'a [u8],
    pub plan: Plan,
}

impl Body<'_, '_> {
    /// The stack rule: what one call of the function takes, bytes.
    pub(crate) fn frame_bytes(&self) -> u64 {
        let slots = length(self.signature.params.len()).saturating_add(self.plan.locals);
        slots.saturating_add(self.plan.operands).saturating_mul(SLOT_BYTES).saturating_add(FRAME_BYTES)
    }
}

/// Walks the module, checks everything, and hands every function's body to `on_body`, planned for the fast variant too
/// if that is wanted.
pub(crate) fn scan<'a>(
    wasm: &'a [u8],
    wants_fast: bool,
    mut on_body: impl FnMut(&Shape<'a>, &Body<'_, 'a>) -> Result<(), MeterError>,
) -> Result<Shape<'a>, MeterError> {
    if length(wasm.len()) > MODULE_BYTES_MAX {
        return Err(MeterError::TooLarge { size_bytes: wasm.len(), limit_bytes: MODULE_BYTES_MAX });
    }
    check_header(wasm)?;
    let explain = |error: wasmparser::Error| profile::explain(&error, wasm);
    let mut validator = Validator::new_with_features(profile::features());
    let mut parser = Parser::new(0);
    parser.set_features(profile::features());
    let mut shape = Shape { wants_fast, ..Shape::default() };
    let mut allocations = FuncValidatorAllocations::default();
    for payload in parser.parse_all(wasm) {
        let payload = payload.map_err(explain)?;
        check_counts(&payload)?;
        constants::check_operators(&payload)?;
        match validator.payload(&payload).map_err(explain)? {
            ValidPayload::Func(function, body) => {
                allocations = check_function(wasm, &mut shape, function, &body, allocations, &mut on_body)?;
            }
            _ => record(wasm, &mut shape, &payload)?,
        }
    }
    Ok(shape)
}

fn check_header(wasm: &[u8]) -> Result<(), MeterError> {
    const COMPONENT_LAYER: u8 = 1;
    if wasm.starts_with(b"\0asm") && wasm.get(6) == Some(&COMPONENT_LAYER) {
        let (feature, flag) = profile::COMPONENT;
        return Err(MeterError::Feature { feature, flag, message: "the header is a component's".into(), offset: 4 });
    }
    if wasm.starts_with(b"\0asm") {
        return Ok(());
    }
    let (found, next) = what_else(wasm);
    Err(MeterError::NotWasm { found, next })
}

/// What bytes are that are no module, and what to do about it; for people, nothing depends on it.
fn what_else(bytes: &[u8]) -> (&'static str, &'static str) {
    const BUILD: &str = "build the program with --target wasm32-wasip1 and name the .wasm file";
    const UNPACK: &str = "unpack it and name the .wasm file in it";
    const SNIFFED: usize = 512;
    let is = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.is_empty() {
        return ("an empty file", "build it again");
    }
    // W-05: nothing is ever decompressed.
    if is(&[0x1f, 0x8b]) || is(&[0x28, 0xb5, 0x2f, 0xfd]) || is(b"BZh") || is(&[0xfd, b'7', b'z', b'X', b'Z']) {
        return ("compressed", "decompress it first");
    }
    if is(b"PK") {
        return ("a zip archive", UNPACK);
    }
    if is(b"\x7fELF") {
        return ("a program for Linux (ELF)", BUILD);
    }
    if is(b"MZ") {
        return ("a program for Windows", BUILD);
    }
    if is(&[0xcf, 0xfa, 0xed, 0xfe]) || is(&[0xca, 0xfe, 0xba, 0xbe]) {
        return ("a program for macOS, or a Java class", BUILD);
    }
    if is(b"!<arch>") || is(b"BC\xc0\xde") {
        return ("an object of a compiler that was not linked", BUILD);
    }
    if is(b"#!") {
        return ("a script", BUILD);
    }
    let beginning = bytes.get(..SNIFFED).unwrap_or(bytes);
    if !beginning.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=0xff) && *byte != 0x7f) {
        return ("of no kind that is known here", BUILD);
    }
    let text = beginning.trim_ascii_start();
    if text.starts_with(b"(module") || text.starts_with(b"(component") || text.starts_with(b";;") {
        return ("WebAssembly in text form (.wat)", "translate it first: wat2wasm, or wasm-tools parse");
    }
    ("text", "build it: a job runs compiled modules, not source")
}

/// Counts that can be refused before anything is validated or allocated (W-03).
fn check_counts(payload: &Payload<'_>) -> Result<(), MeterError> {
    match payload {
        Payload::TypeSection(section) => check("number of types", section.count(), bounds::TYPES_MAX),
        Payload::ImportSection(section) => check("number of imports", section.count(), bounds::IMPORTS_MAX),
        Payload::FunctionSection(section) => check("number of functions", section.count(), bounds::FUNCTIONS_MAX),
        Payload::TableSection(section) => check("number of tables", section.count(), bounds::TABLES_MAX),
        Payload::MemorySection(section) if section.count() > 1 => Ok(()), // The validator names the feature.
        Payload::GlobalSection(section) => check("number of globals", section.count(), bounds::GLOBALS_MAX),
        Payload::ExportSection(section) => check("number of exports", section.count(), bounds::EXPORTS_MAX),
        Payload::ElementSection(section) => {
            check("number of element segments", section.count(), bounds::ELEMENT_SEGMENTS_MAX)
        }
        Payload::DataCountSection { count, .. } => check("number of data segments", *count, bounds::DATA_SEGMENTS_MAX),
        Payload::DataSection(section) => check("number of data segments", section.count(), bounds::DATA_SEGMENTS_MAX),
        Payload::CodeSectionEntry(body) => {
            check("size of a function's body in bytes", length(body.as_bytes().len()), bounds::BODY_BYTES_MAX)
        }
        _ => Ok(()),
    }
}

/// Remembers a validated section.
fn record<'a>(wasm: &'a [u8], shape: &mut Shape<'a>, payload: &Payload<'a>) -> Result<(), MeterError> {
    let explain = |error: wasmparser::Error| profile::explain(&error, wasm);
    match payload {
        Payload::TypeSection(section) => record_types(wasm, shape, section)?,
        Payload::ImportSection(section) => record_imports(wasm, shape, section)?,
        Payload::FunctionSection(section) => {
            shape.raw_functions = raw(wasm, section);
            for index in section.clone() {
                shape.functions.push(index.map_err(explain)?);
            }
        }
        Payload::TableSection(section) => {
            shape.raw_tables = raw(wasm, section);
            for table in section.clone() {
                let ty = table.map_err(explain)?.ty;
                check("number of a table's elements", ty.initial, bounds::TABLE_ELEMENTS_MAX)?;
                shape.table_elements = shape.table_elements.saturating_add(ty.initial);
                shape.table_maxima.push(ty.maximum);
            }
        }
        Payload::MemorySection(section) => {
            shape.raw_memories = raw(wasm, section);
            for memory in section.clone() {
                let ty = memory.map_err(explain)?;
                shape.memory = Some(MemoryInfo { initial_pages: ty.initial, maximum_pages: ty.maximum });
            }
        }
        Payload::GlobalSection(section) => {
            shape.raw_globals = raw(wasm, section);
            shape.globals = section.count();
        }
        Payload::ExportSection(section) => {
            shape.raw_exports = raw(wasm, section);
            for export in section.clone() {
                let export = export.map_err(explain)?;
                record_export(shape, export.name, export.kind, export.index)?;
            }
        }
        Payload::StartSection { func, .. } => shape.start = Some(*func),
        Payload::ElementSection(section) => {
            shape.raw_elements = raw(wasm, section);
            let mut elements = 0_u64;
            for element in section.clone() {
                elements = elements.saturating_add(u64::from(match element.map_err(explain)?.items {
                    ElementItems::Functions(items) => items.count(),
                    ElementItems::Expressions(_, items) => items.count(),
                }));
            }
            check("number of elements in all segments", elements, bounds::ELEMENTS_MAX)?;
        }
        Payload::DataCountSection { count, .. } => shape.data_count = Some(*count),
        Payload::DataSection(section) => shape.raw_data = raw(wasm, section),
        Payload::CustomSection(section) => {
            let bytes = length(section.name().len());
            check("length of a custom section's name in bytes", bytes, bounds::NAME_BYTES_MAX)?;
            shape.custom_sections = shape.custom_sections.saturating_add(1);
            check("number of custom sections", shape.custom_sections, bounds::CUSTOM_SECTIONS_MAX)?;
        }
        _ => {}
    }
    Ok(())
}

pub(crate) fn record_types<'a>(
    wasm: &'a [u8],
    shape: &mut Shape<'a>,
    section: &TypeSectionReader<'a>,
) -> Result<(), MeterError> {
    shape.raw_types = raw(wasm, section);
    for group in section.clone() {
        for sub_type in group.map_err(|error| profile::explain(&error, wasm))?.into_types() {
            let CompositeInnerType::Func(func) = sub_type.composite_type.inner else {
                return Err(unexpected("a type that is not a function's"));
            };
            check("number of a function's parameters", length(func.params().len()), bounds::PARAMS_MAX)?;
            check("number of a function's results", length(func.results().len()), bounds::RESULTS_MAX)?;
            let signature = Signature { params: value_types(func.params())?, results: value_types(func.results())? };
            shape.types.push(signature);
        }
    }
    Ok(())
}

fn record_imports<'a>(
    wasm: &'a [u8],
    shape: &mut Shape<'a>,
    section: &ImportSectionReader<'a>,
) -> Result<(), MeterError> {
    shape.raw_imports = raw(wasm, section);
    let imports = section.clone().into_imports().collect::<Result<Vec<_>, _>>();
    let imports = imports.map_err(|error| profile::explain(&error, wasm))?;
    // All names before the first import is looked for: `UnknownImport` means that nothing else is wrong so far.
    for import in &imports {
        let bytes = length(import.module.len().max(import.name.len()));
        check("length of an import's name in bytes", bytes, bounds::NAME_BYTES_MAX)?;
    }
    imports.iter().try_for_each(|import| record_import(shape, import.module, import.name, import.ty))
}

pub(crate) fn record_import(shape: &mut Shape<'_>, module: &str, name: &str, ty: TypeRef) -> Result<(), MeterError> {
    let refuse = |problem| MeterError::UnknownImport { module: module.to_owned(), name: name.to_owned(), problem };
    let TypeRef::Func(index) = ty else {
        return Err(refuse("a memory, table or global; define and export it instead"));
    };
    if module != profile::WASI_MODULE {
        return Err(refuse("no such module"));
    }
    let known = profile::WASI_FUNCTIONS.iter().find(|function| function.name == name);
    let known = known.ok_or_else(|| refuse("no such function"))?;
    let signature = shape.types.get(usize::try_from(index).unwrap_or(usize::MAX)).cloned().unwrap_or_default();
    if !signature.is(known.params, known.results) {
        return Err(refuse("another signature than preview1 gives it"));
    }
    shape.functions.push(index);
    shape.imports.push(Import { module: module.to_owned(), name: name.to_owned(), signature });
    Ok(())
}

pub(crate) fn record_export(
    shape: &mut Shape<'_>,
    name: &str,
    kind: ExternalKind,
    index: u32,
) -> Result<(), MeterError> {
    check("length of an export's name in bytes", length(name.len()), bounds::NAME_BYTES_MAX)?;
    if name.starts_with(export::PREFIX) {
        return Err(MeterError::ReservedExport { name: name.to_owned() });
    }
    let kind = match kind {
        ExternalKind::Func | ExternalKind::FuncExact => {
            let signature = shape.signature(index).cloned().unwrap_or_default();
            let values = length(signature.params.len()).saturating_add(length(signature.results.len()));
            shape.exported_values = shape.exported_values.saturating_add(values);
            let what = "number of parameters and results of all exported functions";
            check(what, shape.exported_values, bounds::EXPORTED_VALUES_MAX)?;
            ExportKind::Function(signature)
        }
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => return Err(unexpected("an exported tag")),
    };
    shape.exports.push(Export { name: name.to_owned(), kind });
    Ok(())
}

fn check_function<'a>(
    wasm: &'a [u8],
    shape: &mut Shape<'a>,
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'a>,
    allocations: FuncValidatorAllocations,
    on_body: &mut impl FnMut(&Shape<'a>, &Body<'_, 'a>) -> Result<(), MeterError>,
) -> Result<FuncValidatorAllocations, MeterError> {
    let explain = |error: wasmparser::Error| profile::explain(&error, wasm);
    let index = function.index;
    let mut validator = function.into_validator(allocations);
    let signature = shape.signature(index).ok_or_else(|| unexpected("a function without a type"))?;
    let mut locals_reader = body.get_locals_reader().map_err(explain)?;
    let groups = locals_reader.get_count();
    let locals_start = locals_reader.original_position();
    let mut declared = 0_u64;
    for _ in 0..groups {
        let offset = locals_reader.original_position();
        let (count, ty) = locals_reader.read().map_err(explain)?;
        declared = declared.saturating_add(u64::from(count));
        let all = declared.saturating_add(length(signature.params.len()));
        check("number of a function's locals", all, bounds::LOCALS_MAX)?;
        validator.define_locals(offset, count, ty).map_err(explain)?;
    }
    let mut reader: BinaryReader<'a> = locals_reader.get_binary_reader();
    reader.set_features(profile::features());
    let code_start = reader.original_position();
    let variables = Variables {
        params: length(signature.params.len()),
        locals: declared,
        results: length(signature.results.len()),
    };
    let plan = analyze::function(reader, &mut validator, variables, shape.wants_fast);
    let plan = plan.map_err(|error| error.explain(wasm))?;
    let compile_ns = plan.compile_ns;
    let end = body.range().end;
    let locals = Raw { count: groups, entries: slice(wasm, locals_start, code_start) };
    on_body(shape, &Body { signature, locals, code: slice(wasm, code_start, end), plan })?;
    shape.compile_ns = shape.compile_ns.saturating_add(compile_ns);
    Ok(validator.into_allocations())
}

/// The bytes of a range the parser reported.
fn slice(wasm: &[u8], start: u64, end: u64) -> &[u8] {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    wasm.get(start..end).unwrap_or_default()
}

fn raw<'a, T>(wasm: &'a [u8], section: &SectionLimited<'a, T>) -> Raw<'a> {
    Raw { count: section.count(), entries: slice(wasm, section.original_position(), section.range().end) }
}

fn value_types(types: &[ValType]) -> Result<Vec<ValueType>, MeterError> {
    let convert = |ty: &ValType| {
        Ok(match *ty {
            ValType::I32 => ValueType::I32,
            ValType::I64 => ValueType::I64,
            ValType::F32 => ValueType::F32,
            ValType::F64 => ValueType::F64,
            ValType::Ref(RefType::FUNCREF) => ValueType::FuncRef,
            _ => return Err(unexpected("a value type outside the profile")),
        })
    };
    types.iter().map(convert).collect()
}

/// Something the validator should have refused; refused here too rather than trusted.
fn unexpected(what: &str) -> MeterError {
    MeterError::Invalid { message: format!("the module has {what}"), offset: 0 }
}

fn entry_points(exports: &[Export]) -> EntryPoints {
    use ValueType::{I32, I64};
    let function = |export: &Export, params: &[ValueType], results: &[ValueType]| matches!(&export.kind, ExportKind::Function(signature) if signature.is(params, results));
    let has = |name: &str, params: &[ValueType], results: &[ValueType]| {
        exports.iter().any(|export| export.name == name && function(export, params, results))
    };
    let mut functions = BTreeSet::new();
    if has("alloc", &[I32], &[I32]) {
        functions.extend(
            exports.iter().filter(|export| function(export, &[I32, I32], &[I64])).map(|export| export.name.clone()),
        );
    }
    EntryPoints {
        command: has("_start", &[], &[]),
        reactor: has("run", &[], &[]) || has("run", &[], &[I32]),
        functions: functions.into_iter().collect(),
    }
}
