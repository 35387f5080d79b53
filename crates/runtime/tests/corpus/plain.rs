//! Programs as they would run if nobody metered them: what metering is compared with.

use assay_runtime::RunRequest;
use sha2::{Digest, Sha256};
use wasm_encoder::{CodeSection, Module, RawSection};
use wasmparser::{FunctionBody, Parser, Payload};

/// The request with the module's own bodies put back into the metered module: nothing is counted or checked, NaNs are
/// the engine's. What else was added stays, unused, so that the same runtime with the same host functions runs it.
pub fn plain(request: &RunRequest, own: &[u8]) -> RunRequest {
    let mut request = request.clone();
    let bodies = |wasm| Parser::new(0).parse_all(wasm).filter_map(body).collect::<Vec<_>>();
    let (own, metered) = (bodies(own), bodies(&request.metered.wasm));
    let mut code = CodeSection::new();
    // The added functions stand behind the module's own.
    for body in own.iter().chain(&metered[own.len()..]) {
        code.raw(body.as_bytes());
    }
    let mut module = Module::new();
    let wasm = &request.metered.wasm;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.unwrap();
        match (&payload, payload.as_section()) {
            (Payload::CodeSectionStart { .. }, _) => _ = module.section(&code),
            (_, Some((id, range))) => {
                let data = &wasm[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
                module.section(&RawSection { id, data });
            }
            _ => {}
        }
    }
    let wasm = module.finish();
    wasmparser::validate(&wasm).unwrap();
    request.metered.hash = Sha256::digest(&wasm).into();
    (request.metered.wasm, request.metered.fast) = (wasm, None);
    request
}

fn body(payload: Result<Payload<'_>, wasmparser::BinaryReaderError>) -> Option<FunctionBody<'_>> {
    match payload.unwrap() {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    }
}
