//! What a module holds and everything that is wrong with it, for the people who write modules. Informative: whether a
//! module is accepted is decided by [`crate::meter`] alone.

use std::collections::BTreeMap;

use wasmparser::{
    BinaryReader, CompositeInnerType, ExternalKind, FuncType, FunctionBody, KnownCustom, Name, Parser, Payload,
    TypeRef, TypeSectionReader, ValType,
};

use crate::{
    MeterError, meter, profile,
    scan::{self, Shape},
};

/// Longest function name that is kept, bytes; longer ones are cut.
pub const FUNCTION_NAME_BYTES_MAX: usize = 1_024;
/// Most bytes of names and types of imports and exports that are listed. What the profile accepts has fewer.
pub const LISTED_BYTES_MAX: usize = 16 << 20;

/// One section of a module's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `code`, `data`, …; a custom section's own name.
    pub name: String,
    /// Whether it is a custom section, which metering drops.
    pub is_custom: bool,
    /// Bytes of its contents.
    pub size_bytes: u64,
}

/// An import or an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Module of an import; empty for an export.
    pub module: String,
    /// Its name.
    pub name: String,
    /// Whether it is a function.
    pub is_function: bool,
    /// `(i32, i64) -> (i32)`, or `memory`, `table`, `global`, `tag`.
    pub ty: String,
}

/// One function that the module defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionSize {
    /// Its index, imported functions counted.
    pub index: u32,
    /// Bytes of its code as uploaded.
    pub code_bytes: u64,
    /// Bytes of stack that one call takes (docs/METERING.md, 7); `None` in a module outside the profile.
    pub frame_bytes: Option<u64>,
}

/// What a module holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Its sections, in order; up to where the file can be read.
    pub sections: Vec<Section>,
    /// Whether it is valid with every feature there is; if not, nothing is known about the features that it uses.
    pub is_valid: bool,
    /// Features of the profile that it uses.
    pub features: Vec<&'static str>,
    /// Features that it uses and the profile refuses.
    pub refused_features: Vec<&'static str>,
    /// Its imports, in order; up to where the file can be read, and to [`LISTED_BYTES_MAX`] with the exports.
    pub imports: Vec<Item>,
    /// Its exports, in order; the same.
    pub exports: Vec<Item>,
    /// Its own functions, in order; up to where the file can be read.
    pub functions: Vec<FunctionSize>,
    /// Names of functions by index, as the compiler wrote them; empty for a module that was stripped.
    pub function_names: BTreeMap<u32, String>,
}

/// Looks at a module, also at one that the profile does not accept, of which there is less to say.
#[must_use]
pub fn inspect(wasm: &[u8]) -> Inspection {
    let Reader { imports, exports, functions, function_names, .. } = Reader::read(wasm);
    let sections = sections(wasm);
    let mut found = Inspection { sections, function_names, imports, exports, functions, ..Inspection::default() };
    if let Some((accepted, refused)) = profile::used(wasm) {
        let refused = refused.iter().filter_map(|error| match error {
            MeterError::Feature { feature, .. } => Some(*feature),
            _ => None,
        });
        (found.is_valid, found.features, found.refused_features) = (true, accepted, refused.collect());
    }
    let mut frames = Vec::new();
    let walked = scan::scan(wasm, false, |_, body| {
        frames.push(body.frame_bytes());
        Ok(())
    });
    if walked.is_ok() {
        for (function, frame) in found.functions.iter_mut().zip(frames) {
            function.frame_bytes = Some(frame);
        }
    }
    found
}

/// What is read of a module that need not be valid.
#[derive(Default)]
struct Reader {
    /// Texts of the types.
    types: Vec<String>,
    /// Type of every function, imported ones first.
    functions_types: Vec<u32>,
    imported: u32,
    listed_bytes: usize,
    imports: Vec<Item>,
    exports: Vec<Item>,
    functions: Vec<FunctionSize>,
    function_names: BTreeMap<u32, String>,
}

impl Reader {
    fn read(wasm: &[u8]) -> Self {
        let mut reader = Self::default();
        for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
            match payload {
                Payload::TypeSection(section) => reader.types.extend(type_texts(section)),
                Payload::ImportSection(section) => {
                    for import in section.into_imports().map_while(Result::ok) {
                        reader.import(import.module, import.name, import.ty);
                    }
                }
                Payload::FunctionSection(section) => {
                    reader.functions_types.extend(section.into_iter().map_while(Result::ok));
                }
                Payload::ExportSection(section) => {
                    for export in section.into_iter().map_while(Result::ok) {
                        reader.export(export.name, export.kind, export.index);
                    }
                }
                Payload::CodeSectionEntry(body) => reader.body(&body),
                Payload::CustomSection(custom) => {
                    if let KnownCustom::Name(_) = custom.as_known() {
                        read_names(custom.data(), &mut reader.function_names);
                    }
                }
                _ => {}
            }
        }
        reader
    }

    fn import(&mut self, module: &str, name: &str, ty: TypeRef) {
        let ty = match ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                self.functions_types.push(index);
                self.imported = self.imported.saturating_add(1);
                Ok(index)
            }
            TypeRef::Table(_) => Err("table"),
            TypeRef::Memory(_) => Err("memory"),
            TypeRef::Global(_) => Err("global"),
            TypeRef::Tag(_) => Err("tag"),
        };
        let item = self.item((module, name), ty);
        self.imports.extend(item);
    }

    fn export(&mut self, name: &str, kind: ExternalKind, index: u32) {
        let ty = match kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                Ok(self.functions_types.get(index).copied().unwrap_or(u32::MAX))
            }
            ExternalKind::Table => Err("table"),
            ExternalKind::Memory => Err("memory"),
            ExternalKind::Global => Err("global"),
            ExternalKind::Tag => Err("tag"),
        };
        let item = self.item(("", name), ty);
        self.exports.extend(item);
    }

    /// Of a function of this type, or of something else; `None` when too much is listed already.
    fn item(&mut self, (module, name): (&str, &str), ty: Result<u32, &str>) -> Option<Item> {
        let text = match ty {
            Ok(index) => {
                self.types.get(usize::try_from(index).unwrap_or(usize::MAX)).map_or("a type that it lacks", |ty| ty)
            }
            Err(kind) => kind,
        };
        let bytes = [module, name, text].iter().fold(self.listed_bytes, |sum, part| sum.saturating_add(part.len()));
        if bytes > LISTED_BYTES_MAX {
            return None;
        }
        let item =
            Item { module: module.to_owned(), name: name.to_owned(), is_function: ty.is_ok(), ty: text.to_owned() };
        self.listed_bytes = bytes;
        Some(item)
    }

    fn body(&mut self, body: &FunctionBody<'_>) {
        let own = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        let range = body.range();
        let code = body.get_operators_reader().map_or(range.start, |operators| operators.original_position());
        let code_bytes = range.end.saturating_sub(code);
        self.functions.push(FunctionSize { index: self.imported.saturating_add(own), code_bytes, frame_bytes: None });
    }
}

fn type_texts(section: TypeSectionReader<'_>) -> Vec<String> {
    let groups = section.into_iter().map_while(Result::ok);
    let types = groups.flat_map(wasmparser::RecGroup::into_types);
    types
        .map(|ty| match ty.composite_type.inner {
            CompositeInnerType::Func(function) => signature(&function),
            _ => "a type that is not a function's".to_owned(),
        })
        .collect()
}

fn signature(function: &FuncType) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(function.params()), list(function.results()))
}

/// Everything for which the profile refuses a module, [`crate::meter`]'s error first; empty when it accepts it.
#[must_use]
pub fn findings(wasm: &[u8]) -> Vec<MeterError> {
    let Err(first) = meter(wasm) else { return Vec::new() };
    let mut found = vec![first];
    let mut add = |error: MeterError| {
        // The same feature is found at another place when nothing else is missing.
        let is_known = found.iter().any(|known| match (known, &error) {
            (MeterError::Feature { feature: one, .. }, MeterError::Feature { feature: other, .. }) => one == other,
            (known, error) => known == error,
        });
        if !is_known {
            found.push(error);
        }
    };
    profile::used(wasm).into_iter().flat_map(|(_, refused)| refused).for_each(&mut add);
    refused_names(wasm).into_iter().for_each(add);
    found
}

/// Imports and exports that the profile does not have, as far as the types can be read.
fn refused_names(wasm: &[u8]) -> Vec<MeterError> {
    let mut shape = Shape::default();
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::TypeSection(section)) if scan::record_types(wasm, &mut shape, &section).is_err() => break,
            Ok(Payload::ImportSection(section)) => {
                for import in section.into_imports().map_while(Result::ok) {
                    found.extend(scan::record_import(&mut shape, import.module, import.name, import.ty).err());
                }
            }
            Ok(Payload::ExportSection(section)) => {
                for export in section.into_iter().map_while(Result::ok) {
                    found.extend(scan::record_export(&mut shape, export.name, export.kind, export.index).err());
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found
}

/// The sections of a file, in order; up to where it can be read. One pass over the file and nothing of what is in them.
#[must_use]
pub fn sections(wasm: &[u8]) -> Vec<Section> {
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        let Some((id, range)) = payload.as_section() else { continue };
        // The code section comes by in parts, of which the first has all of its range.
        if matches!(payload, Payload::CodeSectionEntry(_)) {
            continue;
        }
        let name = match &payload {
            Payload::CustomSection(custom) => custom.name().chars().take(64).collect(),
            _ => section_name(id).to_owned(),
        };
        let size_bytes = range.end.saturating_sub(range.start);
        sections.push(Section { name, is_custom: matches!(payload, Payload::CustomSection(_)), size_bytes });
    }
    sections
}

fn read_names(data: &[u8], names: &mut BTreeMap<u32, String>) {
    let reader = wasmparser::NameSectionReader::new(BinaryReader::new(data, 0));
    for part in reader.map_while(Result::ok) {
        let Name::Function(map) = part else { continue };
        for naming in map.into_iter().map_while(Result::ok) {
            let end = naming.name.floor_char_boundary(FUNCTION_NAME_BYTES_MAX);
            names.insert(naming.index, naming.name.get(..end).unwrap_or_default().to_owned());
        }
    }
}

const fn section_name(id: u8) -> &'static str {
    match id {
        1 => "type",
        2 => "import",
        3 => "function",
        4 => "table",
        5 => "memory",
        6 => "global",
        7 => "export",
        8 => "start",
        9 => "element",
        10 => "code",
        11 => "data",
        12 => "data count",
        13 => "tag",
        _ => "unknown",
    }
}
