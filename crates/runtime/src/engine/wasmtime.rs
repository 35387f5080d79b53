//! The fast engine: wasmtime, which compiles with Cranelift.
//!
//! One configuration for every job, so that compiled code of one run serves the next.

use core::hash::{Hash, Hasher};
use std::sync::OnceLock;

use assay_metering::{ValueType, bounds::TABLE_ELEMENTS_MAX, export, profile};
use assay_protocol::{Hash32, TaskLimits, Trap};
use sha2::{Digest, Sha256};
use wasmtime::{
    Caller, Config, Engine, Error, FuncType, Global, Linker, Memory, Module, OptLevel, OutOfMemory, ResourceLimiter,
    Store, Val, ValType, WasmFeatures,
};

use super::{
    ENGINE_STACK_BYTES_MAX, HOST_PARAMETERS_MAX, Halt, HostCall, Instance, Interruption, NotMade, Program, Stopped,
};
use crate::{
    COMPILE_EFFORT_MAX, HostFault, artifact,
    wasi::{self, Gas, Handler, Wasi},
};

/// Native stack of the thread: the guest's frames, the host calls', and the compiler's.
pub(super) const NATIVE_STACK_BYTES: usize = ENGINE_STACK_BYTES_MAX + (16 << 20);
/// Address space of a linear memory, whatever its size: with this much, an index needs no check.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;
/// Address space behind it, for the offsets of loads and stores.
const MEMORY_GUARD_BYTES: u64 = 32 << 20;
/// Address space that a run takes beside what it uses, and that nobody backs with memory. A limit on address space
/// must leave room for it.
pub const RESERVED_ADDRESS_BYTES: u64 = MEMORY_RESERVATION_BYTES + MEMORY_GUARD_BYTES;

/// The features of the profile, which metering knows by another version of this type.
fn features() -> WasmFeatures {
    profile::features().iter_names().filter_map(|(name, _)| WasmFeatures::from_name(name)).collect()
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(features(), true)
        .cranelift_opt_level(OptLevel::Speed)
        // The module makes its own NaNs canonical.
        .cranelift_nan_canonicalization(false)
        // Gas ends every run; whoever needs a wall clock kills the process.
        .epoch_interruption(false)
        .consume_fuel(false)
        .max_wasm_stack(ENGINE_STACK_BYTES_MAX)
        // Unused, but it may not be smaller.
        .async_stack_size(ENGINE_STACK_BYTES_MAX)
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_guard_size(MEMORY_GUARD_BYTES)
        .guard_before_linear_memory(false)
        .memory_may_move(false)
        // It would write to a file in memory, which processes that may write no files cannot.
        .memory_init_cow(false)
        // Nobody reads traces of guests; artefacts are smaller without.
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(cfg!(windows))
        .generate_address_map(false);
    config
}

/// What all runs of this process share.
struct Shared {
    engine: Engine,
    linker: Linker<State>,
    identity: Hash32,
}

fn shared() -> Result<&'static Shared, HostFault> {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let make = || {
        let engine = Engine::new(&config())?;
        let (linker, identity) = (linker(&engine)?, identity(&engine));
        Ok(Shared { engine, linker, identity })
    };
    let shared = SHARED.get_or_init(|| make().map_err(|error: Error| format!("{error:#}")));
    shared.as_ref().map_err(|message| HostFault::Engine(message.clone()))
}

/// Names everything that compiled code depends on beside the module: engine, version, configuration, instruction set
/// and the processor features that the compiler uses. Code compiled under another identity is never loaded (W-11).
///
/// # Errors
/// [`HostFault::Engine`] on a platform that the engine does not support.
pub fn compiled_code_identity() -> Result<Hash32, HostFault> {
    shared().map(|shared| shared.identity)
}

fn identity(engine: &Engine) -> Hash32 {
    struct Collect(Sha256);
    impl Hasher for Collect {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut collect = Collect(Sha256::new_with_prefix(b"assay:compiled:wasmtime:v1\0"));
    super::EngineKind::Wasmtime.version().hash(&mut collect);
    engine.precompile_compatibility_hash().hash(&mut collect);
    collect.0.finalize().into()
}

fn linker(engine: &Engine) -> Result<Linker<State>, Error> {
    let mut linker = Linker::new(engine);
    let convert = |ty: &ValueType| match ty {
        ValueType::I64 => ValType::I64,
        _ => ValType::I32,
    };
    for function in profile::WASI_FUNCTIONS {
        let handler =
            wasi::handler(function.name).ok_or_else(|| Error::msg(format!("no handler for {}", function.name)))?;
        let ty = FuncType::new(engine, function.params.iter().map(convert), function.results.iter().map(convert));
        linker.func_new(profile::WASI_MODULE, function.name, ty, move |caller, params, results| {
            host_call(caller, handler, params, results)
        })?;
    }
    Ok(linker)
}

/// The host did not give what the job's limits allow.
#[derive(Debug)]
struct NoMemory;

impl core::fmt::Display for NoMemory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the host has no memory")
    }
}

impl core::error::Error for NoMemory {}

/// What host functions and the limiter see.
struct State {
    wasi: Wasi,
    gas_left: Option<Global>,
    memory: Option<Memory>,
    memory_bytes: usize,
}

/// The limits were enforced by the module itself: what still reaches these and fails is the host's failing.
impl ResourceLimiter for State {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        if desired <= self.memory_bytes { Ok(true) } else { Err(Error::new(NoMemory)) }
    }

    fn memory_grow_failed(&mut self, _: Error) -> Result<(), Error> {
        Err(Error::new(NoMemory))
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        let allowed = u64::try_from(desired).is_ok_and(|desired| desired <= TABLE_ELEMENTS_MAX);
        if allowed { Ok(true) } else { Err(Error::new(NoMemory)) }
    }

    fn table_grow_failed(&mut self, _: Error) -> Result<(), Error> {
        Err(Error::new(NoMemory))
    }
}

/// A value's bits; of a reference, whether it is one.
fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(value.cast_unsigned()),
        Val::I64(value) => value.cast_unsigned(),
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        Val::FuncRef(function) => u64::from(function.is_some()),
        _ => 0,
    }
}

/// The value of a type with these bits; of a reference, none.
fn value(ty: &ValType, bits: u64) -> Val {
    let low = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
    match ty {
        ValType::I32 => Val::I32(low.cast_signed()),
        ValType::I64 => Val::I64(bits.cast_signed()),
        ValType::F32 => Val::F32(low),
        ValType::F64 => Val::F64(bits),
        _ => Val::FuncRef(None),
    }
}

/// One host call: gas comes from the module's own counter and goes back to it.
fn host_call(
    mut caller: Caller<'_, State>,
    handler: Handler,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let mut args = [0_u64; HOST_PARAMETERS_MAX];
    for (arg, param) in args.iter_mut().zip(params) {
        *arg = bits(param);
    }
    // Before the instance is known nothing can call; a start function does not run then either.
    let gas_left = caller.data().gas_left.ok_or_else(|| Error::msg("host call before instantiation"))?;
    let mut gas = Gas { left: gas_left.get(&mut caller).i64().unwrap_or(-1) };
    let (memory, state) = match caller.data().memory {
        Some(memory) => memory.data_and_store_mut(&mut caller),
        None => (&mut [][..], caller.data_mut()),
    };
    let answer = HostCall { handler, wasi: &mut state.wasi, memory, gas: &mut gas, args: &args }.run();
    gas_left.set(&mut caller, Val::I64(gas.left))?;
    let errno = answer.map_err(|stop| Error::new(Stopped(stop)))?;
    if let Some(result) = results.first_mut() {
        *result = Val::I32(errno);
    }
    Ok(())
}

/// Compiled code from the store if it has some that fits, else from the compiler.
fn module(shared: &Shared, program: Program<'_>) -> Result<Module, HostFault> {
    if let Some(place) = program.compiled
        && let Some(kept) = place.load()
    {
        if let Some(code) = artifact::open(&kept, program.hash, &shared.identity) {
            #[expect(unsafe_code, reason = "loading native code cannot be made safe by types")]
            // SAFETY: the bytes are whole by their SHA-256, and said to be made by `serialize` below for this program,
            // engine, version, configuration and processor. Whether that is true is up to who could write to the store.
            // A store of this process's own has a directory that this user alone can write to, and who can do that
            // can replace this program as well. A sandbox child is handed code of an earlier child that compiled this
            // module and ran no guest: if the very module took that one over, such code can do in here what that module
            // could do without it, and stands behind the same fences (docs/ARCHITECTURE.md, "With sandbox children").
            let module = unsafe { Module::deserialize(&shared.engine, code) };
            if let Ok(module) = module {
                return Ok(module);
            }
        }
        place.forget();
    }
    if program.compile_effort > COMPILE_EFFORT_MAX {
        return Err(HostFault::CompileEffort);
    }
    if program.compiled_elsewhere {
        return Err(HostFault::NotCompiled(program.variant));
    }
    let module = Module::new(&shared.engine, program.wasm).map_err(|error| fault(&error))?;
    if let Some(place) = program.compiled
        && let Ok(code) = module.serialize()
    {
        place.keep(artifact::seal(&code, program.hash, &shared.identity));
    }
    Ok(module)
}

/// Compiles a program into its store, if it is not there.
///
/// # Errors
/// A fault when it would take too long, the host has no memory or the engine fails.
pub(crate) fn compile(program: Program<'_>) -> Result<(), HostFault> {
    shared().and_then(|shared| module(shared, program)).map(drop)
}

/// An instance in wasmtime.
pub(crate) struct WasmtimeInstance {
    store: Store<State>,
    instance: wasmtime::Instance,
}

impl WasmtimeInstance {
    /// Compiles or loads, and instantiates, a module; runs none of its code.
    pub(crate) fn new(program: Program<'_>, limits: &TaskLimits, wasi: Wasi) -> Result<Self, NotMade> {
        let compiled = shared().and_then(|shared| Ok((shared, module(shared, program)?)));
        let (shared, module) = match compiled {
            Ok(parts) => parts,
            Err(fault) => return Err(Box::new((fault.into(), wasi))),
        };
        let memory_bytes = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
        let mut store = Store::new(&shared.engine, State { wasi, gas_left: None, memory: None, memory_bytes });
        store.limiter(|state| state);
        match shared.linker.instantiate(&mut store, &module) {
            Ok(instance) => Ok(Self { store, instance }),
            Err(error) => Err(Box::new((interruption(&error), store.into_data().wasi))),
        }
    }
}

impl Instance for WasmtimeInstance {
    fn has_function(&mut self, name: &str) -> bool {
        self.instance.get_func(&mut self.store, name).is_some()
    }

    fn call(&mut self, name: &str, args: &[u64]) -> Result<Vec<u64>, Interruption> {
        let function = self.instance.get_func(&mut self.store, name);
        let function =
            function.ok_or_else(|| HostFault::Engine(format!("the metered module does not export {name}")))?;
        let ty = function.ty(&self.store);
        let mut results = vec![Val::I32(0); ty.results().len()];
        let args: Vec<_> = ty.params().zip(args).map(|(ty, bits)| value(&ty, *bits)).collect();
        function.call(&mut self.store, &args, &mut results).map_err(|error| interruption(&error))?;
        Ok(results.iter().map(bits).collect())
    }

    fn global(&mut self, name: &str) -> Option<u64> {
        let global = self.instance.get_global(&mut self.store, name)?;
        Some(bits(&global.get(&mut self.store)))
    }

    fn set_global(&mut self, name: &str, bits: u64) -> Option<()> {
        let global = self.instance.get_global(&mut self.store, name)?;
        let value = value(global.ty(&self.store).content(), bits);
        global.set(&mut self.store, value).ok()
    }

    fn open_host_calls(&mut self) -> Option<()> {
        let gas_left = self.instance.get_global(&mut self.store, export::GAS_LEFT)?;
        let memory = self.instance.get_memory(&mut self.store, "memory");
        let state = self.store.data_mut();
        (state.gas_left, state.memory) = (Some(gas_left), memory);
        Some(())
    }

    fn memory(&mut self) -> &mut [u8] {
        match self.store.data().memory {
            Some(memory) => memory.data_mut(&mut self.store),
            None => &mut [],
        }
    }

    fn wasi(&mut self) -> &mut Wasi {
        &mut self.store.data_mut().wasi
    }

    fn into_wasi(self: Box<Self>) -> Wasi {
        self.store.into_data().wasi
    }
}

fn interruption(error: &Error) -> Interruption {
    if let Some(Stopped(stop)) = error.downcast_ref::<Stopped>() {
        return (*stop).into();
    }
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(code) => trap(*code),
        None => fault(error).into(),
    }
}

fn fault(error: &Error) -> HostFault {
    if error.is::<NoMemory>() || error.is::<OutOfMemory>() || error.chain().any(is_without_memory) {
        return HostFault::OutOfMemory;
    }
    HostFault::Engine(format!("{error:#}"))
}

/// What the system says when it gives no memory, wherever it stands in an error.
fn is_without_memory(cause: &(dyn core::error::Error + 'static)) -> bool {
    let system = cause.downcast_ref::<std::io::Error>();
    system.is_some_and(|error| error.kind() == std::io::ErrorKind::OutOfMemory)
        || cause.downcast_ref::<rustix::io::Errno>() == Some(&rustix::io::Errno::NOMEM)
}

fn trap(code: wasmtime::Trap) -> Interruption {
    use wasmtime::Trap as T;
    let trap = match code {
        T::UnreachableCodeReached => Trap::Unreachable,
        T::MemoryOutOfBounds => Trap::MemoryOutOfBounds,
        T::TableOutOfBounds => Trap::TableOutOfBounds,
        T::IndirectCallToNull => Trap::IndirectCallToNull,
        T::IntegerDivisionByZero => Trap::IntegerDivisionByZero,
        T::IntegerOverflow => Trap::IntegerOverflow,
        T::BadConversionToInteger => Trap::BadConversionToInteger,
        T::BadSignature => Trap::BadSignature,
        T::StackOverflow => return HostFault::EngineStack.into(),
        T::AllocationTooLarge => return HostFault::OutOfMemory.into(),
        other => return HostFault::Engine(other.to_string()).into(),
    };
    Halt::Trap(trap).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w_11_configuration_and_processor_are_part_of_what_names_compiled_code() {
        let name = |change: &dyn Fn(&mut Config)| {
            let mut config = config();
            change(&mut config);
            identity(&Engine::new(&config).expect("an engine"))
        };
        let own = compiled_code_identity().expect("an engine");
        assert_eq!(name(&|_| {}), own);
        let mut others = vec![
            name(&|config| {
                config.cranelift_opt_level(OptLevel::None);
            }),
            name(&|config| {
                config.memory_guard_size(64 << 20);
            }),
            name(&|config| {
                config.wasm_features(WasmFeatures::EXTENDED_CONST, false);
            }),
            // A processor of this kind without any features of its own.
            name(&|config| {
                config.target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH)).expect("a target");
            }),
        ];
        others.sort_unstable();
        others.dedup();
        assert_eq!(others.len(), 4);
        assert!(!others.contains(&own));
    }

    #[test]
    fn every_feature_of_the_profile_is_one_of_this_engines() {
        let names = |features: WasmFeatures| features.iter_names().map(|(name, _)| name).collect::<Vec<_>>();
        let profile: Vec<_> = profile::features().iter_names().map(|(name, _)| name).collect();
        assert_eq!(names(features()), profile);
        assert!(!profile.is_empty());
    }
}
