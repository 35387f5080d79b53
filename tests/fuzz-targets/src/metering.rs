//! Modules: any bytes, and generated ones.

use assay_metering::{Metered, ModuleInfo, bounds, meter, meter_with_fast, profile, validate};
use assay_runtime::{Engine, RunOptions, Variant, run_with};
use wasmparser::Validator;

use crate::{
    MESSAGE_BYTES_MAX,
    generators::{generated, request::request_wasm},
};

/// What the metered module may be longer than its code: sections that are copied, and what is added.
const AROUND_CODE_BYTES_MAX: u64 = 1 << 20;
/// Gas of one run.
const GAS_LIMIT: u64 = 100_000;

/// Bytes are refused by name, always alike, or become a program that every engine can read.
pub fn any_bytes(bytes: &[u8]) {
    match meter(bytes) {
        Ok(metered) => check(bytes, &metered),
        Err(error) => {
            assert_eq!(validate(bytes).as_ref(), Err(&error));
            assert_eq!(meter_with_fast(bytes).as_ref(), Err(&error));
            assert!(error.to_string().len() < MESSAGE_BYTES_MAX, "{error}");
        }
    }
}

/// What the generator made: both variants give the same in the interpreter.
pub fn generated_modules(bytes: &[u8]) {
    let Some(program) = generated::program_of(bytes) else { return };
    let metered = meter(&program).expect("the generator gives what is accepted");
    check(&program, &metered);
    let mut request = request_wasm(&program);
    request.limits.gas_limit = metered.instantiation_gas.saturating_add(GAS_LIMIT);
    let [canonical, fast] = [Variant::Canonical, Variant::Fast].map(|variant| {
        let options = RunOptions { engine: Engine::Wasmi, variant, hash_memory: true, ..RunOptions::default() };
        run_with(&request, &options).expect("the reference runs whatever is accepted")
    });
    assert_eq!((fast.report, fast.memory_hash), (canonical.report, canonical.memory_hash));
}

fn check(bytes: &[u8], metered: &Metered) {
    assert_eq!(&meter(bytes).expect("accepted before"), metered);
    assert_eq!(validate(bytes).as_ref(), Ok(&metered.info));
    let both = meter_with_fast(bytes).expect("accepted before");
    // What a compiler may take is estimated of both variants where both are written, and never to be less.
    let estimated = ModuleInfo { compile_ns: metered.info.compile_ns, ..both.info.clone() };
    assert_eq!((&both.wasm, &estimated), (&metered.wasm, &metered.info));
    assert!(both.info.compile_ns >= metered.info.compile_ns);
    let given = u64::try_from(bytes.len()).expect("memory is smaller");
    for wasm in [Some(&both.wasm), both.fast.as_ref().map(|fast| &fast.wasm)].into_iter().flatten() {
        let length = u64::try_from(wasm.len()).expect("memory is smaller");
        assert!(length <= given + bounds::METERED_CODE_BYTES_MAX + AROUND_CODE_BYTES_MAX, "{length}");
        Validator::new_with_features(profile::features()).validate_all(wasm).expect("the output is valid");
        wasmi::Module::new(&wasmi::Engine::default(), wasm).expect("the reference reads the output");
    }
}
