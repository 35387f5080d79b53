//! The module as it was uploaded in the form of a program, so that the price of metering can be measured. No result comes
//! from it: it counts nothing but host calls, and no limit holds.

use sha2::{Digest, Sha256};
use wasm_encoder::{CodeSection, Module, SectionId};

use crate::{MeterError, Metered, meter, parts};

/// Meters a module and puts its own functions back, so that whatever runs programs runs it. `None`: the metered module
/// is not what was expected, which does not happen.
///
/// # Errors
/// As [`meter`].
pub fn unmetered(wasm: &[u8]) -> Result<Option<Metered>, MeterError> {
    let metered = meter(wasm)?;
    Ok(put_back(wasm, &metered).map(|wasm| Metered { hash: Sha256::digest(&wasm).into(), wasm, ..metered }))
}

fn put_back(wasm: &[u8], metered: &Metered) -> Option<Vec<u8>> {
    let (own, metered) = (parts::read(wasm)?, parts::read(&metered.wasm)?);
    let mut code = CodeSection::new();
    for body in own.bodies.iter().chain(metered.bodies.get(own.bodies.len()..)?) {
        code.raw(body);
    }
    let mut module = Module::new();
    for id in [
        SectionId::Type,
        SectionId::Import,
        SectionId::Function,
        SectionId::Table,
        SectionId::Memory,
        SectionId::Global,
        SectionId::Export,
        SectionId::Element,
        SectionId::DataCount,
    ] {
        metered.copy(&mut module, id, &[0]);
    }
    module.section(&code);
    metered.copy(&mut module, SectionId::Data, &[0]);
    Some(module.finish())
}
