//! What a module holds and everything that is wrong with it, for the people who write modules. Informative: whether a
//! module is accepted is decided by [`crate::meter`] alone.

use std::collections::BTreeMap;

use wasmparser::{BinaryReader, KnownCustom, Name, Parser, Payload};

use crate::{
    MeterError,
    bounds::length,
    meter, profile,
    scan::{self, Shape},
};

/// Longest function name that is kept, bytes; longer ones are cut.
pub const FUNCTION_NAME_BYTES_MAX: usize = 1_024;

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

/// One function that the module defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionSize {
    /// Its index, imported functions counted.
    pub index: u32,
    /// Bytes of its code as uploaded.
    pub code_bytes: u64,
    /// Bytes of stack that one call takes (docs/METERING.md, 7).
    pub frame_bytes: u64,
}

/// What a module holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Its sections, in order; up to where the file can be read.
    pub sections: Vec<Section>,
    /// Features of the profile that it uses.
    pub features: Vec<&'static str>,
    /// Its own functions, in order; empty for a module outside the profile.
    pub functions: Vec<FunctionSize>,
    /// Names of functions by index, as the compiler wrote them; empty for a module that was stripped.
    pub function_names: BTreeMap<u32, String>,
}

/// Looks at a module, also at one that the profile does not accept, of which there is less to say. Takes some ten times as
/// long as validating it.
#[must_use]
pub fn inspect(wasm: &[u8]) -> Inspection {
    let (sections, function_names) = read_sections(wasm);
    let mut functions = Vec::new();
    let walked = scan::scan(wasm, false, |shape, body| {
        let index = shape.imported().saturating_add(u32::try_from(functions.len()).unwrap_or(u32::MAX));
        let code_bytes = length(body.code.len());
        functions.push(FunctionSize { index, code_bytes, frame_bytes: body.frame_bytes() });
        Ok(())
    });
    if walked.is_err() {
        functions.clear();
    }
    Inspection { sections, features: profile::used(wasm).0, functions, function_names }
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
    profile::used(wasm).1.into_iter().for_each(&mut add);
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

fn read_sections(wasm: &[u8]) -> (Vec<Section>, BTreeMap<u32, String>) {
    let mut sections = Vec::new();
    let mut names = BTreeMap::new();
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        let Some((id, range)) = payload.as_section() else { continue };
        // The code section comes by in parts, of which the first has all of its range.
        if matches!(payload, Payload::CodeSectionEntry(_)) {
            continue;
        }
        let size_bytes = range.end.saturating_sub(range.start);
        let name = match &payload {
            Payload::CustomSection(custom) => {
                if let KnownCustom::Name(_) = custom.as_known() {
                    read_names(custom.data(), &mut names);
                }
                custom.name().chars().take(64).collect()
            }
            _ => section_name(id).to_owned(),
        };
        sections.push(Section { name, is_custom: matches!(payload, Payload::CustomSection(_)), size_bytes });
    }
    (sections, names)
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
