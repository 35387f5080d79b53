//! A module taken apart, to be put together again with something else in it.

use wasm_encoder::{Module, RawSection, SectionId};
use wasmparser::{Parser, Payload};

use crate::{assemble, scan::Raw};

/// Custom sections are nothing that runs.
const CUSTOM: u8 = 0;

/// A module's sections, and what its functions look like.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    sections: [Raw<'a>; 12],
    /// Number of parameters of every type.
    pub params: Vec<u32>,
    /// Type index of every function that is not imported.
    pub functions: Vec<u32>,
    /// Bodies of these functions, without their lengths.
    pub bodies: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    pub(crate) fn section(&self, id: SectionId) -> Raw<'a> {
        self.sections.get(usize::from(u8::from(id)).saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Appends a section as it stands, with what is added behind it: entries that begin with their count.
    pub(crate) fn copy(&self, module: &mut Module, id: SectionId, added: &[u8]) {
        match self.section(id) {
            // It is nothing but a count.
            Raw { entries, .. } if id == SectionId::DataCount => {
                if !entries.is_empty() {
                    module.section(&RawSection { id: id.into(), data: entries });
                }
            }
            raw => assemble::section(module, id, raw, added),
        }
    }
}

/// Takes a module apart; `None` for bytes that are none, or none of the profile.
pub(crate) fn read(wasm: &[u8]) -> Option<Parts<'_>> {
    let mut parts = Parts::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.ok()?;
        match &payload {
            Payload::TypeSection(section) => {
                for ty in section.clone().into_iter_err_on_gc_types() {
                    parts.params.push(u32::try_from(ty.ok()?.params().len()).ok()?);
                }
            }
            Payload::FunctionSection(section) => {
                parts.functions = section.clone().into_iter().collect::<Result<_, _>>().ok()?;
            }
            Payload::CodeSectionEntry(body) => {
                parts.bodies.push(body.as_bytes());
                continue;
            }
            _ => {}
        }
        let Some((id, range)) = payload.as_section().filter(|(id, _)| *id != CUSTOM) else { continue };
        let data = wasm.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
        let raw = if id == u8::from(SectionId::DataCount) {
            Raw { count: 0, entries: data }
        } else {
            let (count, count_bytes) = assemble::read_leb(data);
            Raw { count, entries: data.get(count_bytes..)? }
        };
        *parts.sections.get_mut(usize::from(id).checked_sub(1)?)? = raw;
    }
    Some(parts)
}
