//! The reference engine: wasmi, an interpreter.

use assay_metering::{Import, ValueType, export, profile, trace};
use assay_protocol::{TaskLimits, Trap};
use wasmi::{
    AsContextMut, Caller, CompilationMode, Config, Engine, Error, Func, FuncType, Global, Linker, Memory, Module,
    Nullable, Ref, Store, StoreLimits, StoreLimitsBuilder, TrapCode, Val, ValType,
    errors::{ErrorKind, InstantiationError},
};

use super::{
    HOST_PARAMETERS_MAX, Halt, HostCall, Instance, Interruption, NotMade, Program, STACK_FACTOR, STACK_SLACK_BYTES,
    Stopped, wasmi_repair,
};
use crate::{
    HostFault,
    trace::Trace,
    wasi::{self, Gas, Handler, Wasi},
};

/// Native stack of the thread. The engine leaves a frame of about 200 bytes behind at each `memory.grow`, of which the
/// metered module allows one per page: 3 MiB at most. The guest's frames are elsewhere.
pub(super) const NATIVE_STACK_BYTES: usize = 32 << 20;
/// Least bytes that the stack rule counts for one call.
const FRAME_BYTES_MIN: usize = 64;

impl wasmi::errors::HostError for Stopped {}

/// What host functions and the limiter see.
struct State {
    wasi: Wasi,
    gas_left: Option<Global>,
    memory: Option<Memory>,
    /// The limits were enforced by the module itself: what still reaches these and fails is the host's failing.
    limits: StoreLimits,
}

/// An instance in wasmi.
pub(crate) struct WasmiInstance {
    store: Store<State>,
    instance: wasmi::Instance,
}

/// The features of the profile and nothing else.
fn config(limits: &TaskLimits) -> Config {
    let stack_bytes = usize::try_from(limits.stack_bytes).unwrap_or(usize::MAX);
    let features = profile::features();
    let mut config = Config::default();
    config
        .compilation_mode(CompilationMode::Eager)
        .consume_fuel(false)
        .ignore_custom_sections(true)
        .allow_start_fn(false)
        .wasm_mutable_global(features.mutable_global())
        .wasm_sign_extension(features.sign_extension())
        .wasm_saturating_float_to_int(features.saturating_float_to_int())
        .wasm_multi_value(features.multi_value())
        .wasm_bulk_memory(features.bulk_memory())
        .wasm_reference_types(features.reference_types())
        .wasm_extended_const(features.extended_const())
        .wasm_multi_memory(features.multi_memory())
        .wasm_tail_call(features.tail_call())
        .wasm_custom_page_sizes(features.custom_page_sizes())
        .wasm_wide_arithmetic(features.wide_arithmetic())
        .set_max_cached_stacks(1)
        .set_max_recursion_depth((stack_bytes / FRAME_BYTES_MIN).saturating_mul(STACK_FACTOR).saturating_add(1_024))
        .set_max_stack_height(stack_bytes.saturating_mul(STACK_FACTOR).saturating_add(STACK_SLACK_BYTES));
    config
}

/// Where a trace of the calls goes.
#[derive(Clone, Copy)]
pub(crate) struct Hooks<'a> {
    pub trace: &'a Trace,
    /// The module's imports, in order: what a host call is called in the trace.
    pub imports: &'a [Import],
}

fn linker(engine: &Engine, hooks: Option<Hooks<'_>>) -> Result<Linker<State>, HostFault> {
    let mut linker = Linker::new(engine);
    let convert = |ty: &ValueType| match ty {
        ValueType::I64 => ValType::I64,
        _ => ValType::I32,
    };
    for function in profile::WASI_FUNCTIONS {
        let handler = wasi::handler(function.name)
            .ok_or_else(|| HostFault::Engine(format!("no handler for {}", function.name)))?;
        let ty = FuncType::new(function.params.iter().map(convert), function.results.iter().map(convert));
        let traced = hooks.and_then(|hooks| {
            let place = hooks.imports.iter().position(|import| import.name == function.name)?;
            Some((hooks.trace.clone(), u32::try_from(place).ok()?))
        });
        let added = match traced {
            None => linker.func_new(profile::WASI_MODULE, function.name, ty, move |mut caller, params, results| {
                host_call(&mut caller, handler, params, results)
            }),
            Some((trace, place)) => {
                linker.func_new(profile::WASI_MODULE, function.name, ty, move |mut caller, params, results| {
                    trace.enter(place, gas_left(&caller));
                    let answer = host_call(&mut caller, handler, params, results);
                    trace.leave(gas_left(&caller));
                    answer
                })
            }
        };
        added.map_err(|error| HostFault::Engine(error.to_string()))?;
    }
    Ok(linker)
}

fn gas_left(caller: &Caller<'_, State>) -> i64 {
    caller.data().gas_left.and_then(|gas_left| gas_left.get(caller).i64()).unwrap_or(-1)
}

/// A value's bits; of a reference, whether it is one.
fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(value.cast_unsigned()),
        Val::I64(value) => value.cast_unsigned(),
        Val::F32(value) => u64::from(value.to_bits()),
        Val::F64(value) => value.to_bits(),
        Val::FuncRef(function) => u64::from(!function.is_null()),
        _ => 0,
    }
}

/// The value of a type with these bits; of a reference, none.
fn value(ty: ValType, bits: u64) -> Val {
    let low = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
    match ty {
        ValType::I32 => Val::I32(low.cast_signed()),
        ValType::I64 => Val::I64(bits.cast_signed()),
        ValType::F32 => Val::F32(wasmi::F32::from_bits(low)),
        ValType::F64 => Val::F64(wasmi::F64::from_bits(bits)),
        reference => Val::default_for_ty(reference),
    }
}

/// One host call: gas comes from the module's own counter and goes back to it.
fn host_call(
    caller: &mut Caller<'_, State>,
    handler: Handler,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let mut args = [0_u64; HOST_PARAMETERS_MAX];
    for (arg, param) in args.iter_mut().zip(params) {
        *arg = bits(param);
    }
    // Before the instance is known nothing can call; a start function does not run then either.
    let gas_left = caller.data().gas_left.ok_or_else(|| Error::new("host call before instantiation"))?;
    let mut gas = Gas { left: gas_left.get(&*caller).i64().unwrap_or(-1) };
    let (memory, state) = match caller.data().memory {
        Some(memory) => memory.data_and_store_mut(&mut *caller),
        None => (&mut [][..], caller.data_mut()),
    };
    let answer = HostCall { handler, wasi: &mut state.wasi, memory, gas: &mut gas, args: &args }.run();
    gas_left.set(&mut *caller, Val::I64(gas.left))?;
    let errno = answer.map_err(|stop| Error::host(Stopped(stop)))?;
    if let Some(result) = results.first_mut() {
        *result = Val::I32(errno);
    }
    Ok(())
}

impl WasmiInstance {
    /// Compiles and instantiates a module; runs none of its code.
    pub(crate) fn new(program: Program<'_>, limits: &TaskLimits, wasi: Wasi) -> Result<Self, NotMade> {
        Self::make(program, limits, wasi, None)
    }

    /// The same for a module with hooks.
    pub(crate) fn with_hooks(
        program: Program<'_>,
        limits: &TaskLimits,
        wasi: Wasi,
        hooks: Hooks<'_>,
    ) -> Result<Self, NotMade> {
        let mut made = Self::make(program, limits, wasi, Some(hooks))?;
        match made.hook(hooks.trace) {
            Some(()) => Ok(made),
            None => {
                let fault = HostFault::Engine("the program has no hooks".into());
                Err(Box::new((fault.into(), made.store.into_data().wasi)))
            }
        }
    }

    fn hook(&mut self, trace: &Trace) -> Option<()> {
        let table = self.instance.get_table(&self.store, export::HOOKS)?;
        let (entered, left) = (trace.clone(), trace.clone());
        let enter = Func::wrap(&mut self.store, move |caller: Caller<'_, State>, function: i32| {
            entered.enter(function.cast_unsigned(), gas_left(&caller));
        });
        let leave = Func::wrap(&mut self.store, move |caller: Caller<'_, State>, _: i32| left.leave(gas_left(&caller)));
        for (element, hook) in [(trace::ENTER, enter), (trace::LEAVE, leave)] {
            table.set(&mut self.store, u64::from(element), Ref::Func(Nullable::Val(hook))).ok()?;
        }
        Some(())
    }

    fn make(program: Program<'_>, limits: &TaskLimits, wasi: Wasi, hooks: Option<Hooks<'_>>) -> Result<Self, NotMade> {
        let engine = Engine::new(&config(limits));
        let compiled = linker(&engine, hooks).and_then(|linker| {
            let wasm = wasmi_repair::repaired(program.wasm).map_err(|error| HostFault::Engine(error.to_string()))?;
            let module = Module::new(&engine, &wasm).map_err(|error| HostFault::Engine(error.to_string()))?;
            Ok((linker, module))
        });
        let (linker, module) = match compiled {
            Ok(parts) => parts,
            Err(fault) => return Err(Box::new((fault.into(), wasi))),
        };
        let memory_bytes = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
        let store_limits = StoreLimitsBuilder::new().memory_size(memory_bytes).trap_on_grow_failure(true).build();
        let mut store = Store::new(&engine, State { wasi, gas_left: None, memory: None, limits: store_limits });
        store.limiter(|state| &mut state.limits);
        match linker.instantiate_and_start(&mut store, &module) {
            Ok(instance) => Ok(Self { store, instance }),
            Err(error) => Err(Box::new((instantiation_interruption(&error), store.into_data().wasi))),
        }
    }
}

impl Instance for WasmiInstance {
    fn has_function(&mut self, name: &str) -> bool {
        self.instance.get_func(&self.store, name).is_some()
    }

    fn call(&mut self, name: &str, args: &[u64]) -> Result<Vec<u64>, Interruption> {
        let function = self.instance.get_func(&self.store, name);
        let function =
            function.ok_or_else(|| HostFault::Engine(format!("the metered module does not export {name}")))?;
        let ty = function.ty(&self.store);
        let mut results = vec![Val::I32(0); ty.results().len()];
        let args: Vec<_> = ty.params().iter().zip(args).map(|(ty, bits)| value(*ty, *bits)).collect();
        function.call(&mut self.store, &args, &mut results).map_err(|error| interruption(&error))?;
        Ok(results.iter().map(bits).collect())
    }

    fn global(&mut self, name: &str) -> Option<u64> {
        let global = self.instance.get_global(&self.store, name)?;
        Some(bits(&global.get(&self.store)))
    }

    fn set_global(&mut self, name: &str, bits: u64) -> Option<()> {
        let global = self.instance.get_global(&self.store, name)?;
        let value = value(global.ty(&self.store).content(), bits);
        global.set(self.store.as_context_mut(), value).ok()
    }

    fn open_host_calls(&mut self) -> Option<()> {
        let gas_left = self.instance.get_global(&self.store, export::GAS_LEFT)?;
        let memory = self.instance.get_memory(&self.store, "memory");
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
    match (error.as_trap_code(), error.kind()) {
        (Some(code), _) => trap(code),
        (None, ErrorKind::Memory(_) | ErrorKind::Table(_)) => HostFault::OutOfMemory.into(),
        _ => HostFault::Engine(error.to_string()).into(),
    }
}

/// Instantiation makes the memory and the tables, and touches them only to put segments there.
fn instantiation_interruption(error: &Error) -> Interruption {
    match error.kind() {
        ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) => {
            Halt::Trap(Trap::TableOutOfBounds).into()
        }
        // The limits were checked before.
        ErrorKind::Instantiation(
            InstantiationError::FailedToInstantiateMemory(_) | InstantiationError::FailedToInstantiateTable(_),
        ) => HostFault::OutOfMemory.into(),
        _ => interruption(error),
    }
}

fn trap(code: TrapCode) -> Interruption {
    let trap = match code {
        TrapCode::UnreachableCodeReached => Trap::Unreachable,
        TrapCode::MemoryOutOfBounds => Trap::MemoryOutOfBounds,
        TrapCode::TableOutOfBounds => Trap::TableOutOfBounds,
        TrapCode::IndirectCallToNull => Trap::IndirectCallToNull,
        TrapCode::IntegerDivisionByZero => Trap::IntegerDivisionByZero,
        TrapCode::IntegerOverflow => Trap::IntegerOverflow,
        TrapCode::BadConversionToInteger => Trap::BadConversionToInteger,
        TrapCode::BadSignature => Trap::BadSignature,
        TrapCode::StackOverflow => return HostFault::EngineStack.into(),
        TrapCode::OutOfSystemMemory | TrapCode::GrowthOperationLimited => return HostFault::OutOfMemory.into(),
        other => return HostFault::Engine(other.to_string()).into(),
    };
    Halt::Trap(trap).into()
}
