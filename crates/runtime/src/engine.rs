//! The reference engine, wasmi, around a metered module.

use assay_metering::{Metered, export, profile};
use assay_protocol::{TaskLimits, Trap, limits::WASM_PAGE_BYTES};
use wasmi::{
    AsContext, AsContextMut, Caller, CompilationMode, Config, Engine, Error, FuncType, Global, Instance, Linker,
    Memory, Module, Store, StoreLimits, StoreLimitsBuilder, TrapCode, Val, ValType,
    errors::{ErrorKind, InstantiationError},
};

use crate::{
    HostFault,
    wasi::{self, Args, Call, Gas, Handler, Stop, Wasi},
};

/// The engine's own stack is this many times the deterministic limit, so that the limit is always reached first.
const STACK_FACTOR: usize = 8;
/// Least bytes that the stack rule counts for one call.
const FRAME_BYTES_MIN: usize = 64;
/// Stack that the engine needs whatever the limit is.
const STACK_SLACK_BYTES: usize = 1 << 20;

/// Why the guest stopped before it returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// `proc_exit`.
    Exit(u32),
    /// A trap.
    Trap(Trap),
    /// The gas limit.
    OutOfGas,
}

/// What stopped the guest, or the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// A result.
    Halt(Halt),
    /// No result.
    Fault(HostFault),
}

impl From<HostFault> for Interruption {
    fn from(fault: HostFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Halt> for Interruption {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// [`Stop`] on its way through the engine.
#[derive(Clone, Copy, Debug)]
struct Stopped(Stop);

impl core::fmt::Display for Stopped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl core::error::Error for Stopped {}

impl wasmi::errors::HostError for Stopped {}

/// What host functions and the limiter see.
struct State {
    wasi: Wasi,
    gas_left: Option<Global>,
    memory: Option<Memory>,
    /// The limits were enforced by the module itself: what still reaches these and fails is the host's failing.
    limits: StoreLimits,
    memory_pages: u64,
}

/// An instance of a metered module.
pub struct Machine {
    store: Store<State>,
    instance: Instance,
}

/// Figures of a run, read when it ended.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Gas left; below zero when out of gas.
    pub gas_left: i64,
    /// Most stack.
    pub stack_peak_bytes: u64,
    /// Linear memory.
    pub memory_bytes: u64,
}

fn fault(error: &Error) -> HostFault {
    HostFault::Engine(error.to_string())
}

/// The features of the profile and nothing else.
fn config(limits: &TaskLimits) -> Config {
    let stack_bytes = usize::try_from(limits.stack_bytes).unwrap_or(usize::MAX);
    let mut config = Config::default();
    config
        .compilation_mode(CompilationMode::Eager)
        .consume_fuel(false)
        .ignore_custom_sections(true)
        .allow_start_fn(false)
        .wasm_mutable_global(true)
        .wasm_sign_extension(true)
        .wasm_saturating_float_to_int(true)
        .wasm_multi_value(true)
        .wasm_bulk_memory(true)
        .wasm_reference_types(true)
        .wasm_extended_const(true)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .set_max_cached_stacks(1)
        .set_max_recursion_depth((stack_bytes / FRAME_BYTES_MIN).saturating_mul(STACK_FACTOR).saturating_add(1_024))
        .set_max_stack_height(stack_bytes.saturating_mul(STACK_FACTOR).saturating_add(STACK_SLACK_BYTES));
    config
}

fn linker(engine: &Engine) -> Result<Linker<State>, HostFault> {
    let mut linker = Linker::new(engine);
    let convert = |ty: &assay_metering::ValueType| match ty {
        assay_metering::ValueType::I64 => ValType::I64,
        _ => ValType::I32,
    };
    for function in profile::WASI_FUNCTIONS {
        let handler = wasi::handler(function.name)
            .ok_or_else(|| HostFault::Engine(format!("no handler for {}", function.name)))?;
        let ty = FuncType::new(function.params.iter().map(convert), function.results.iter().map(convert));
        linker
            .func_new(profile::WASI_MODULE, function.name, ty, move |caller, params, results| {
                host_call(caller, handler, params, results)
            })
            .map_err(|error| HostFault::Engine(error.to_string()))?;
    }
    Ok(linker)
}

/// One host call: gas comes from the module's own counter and goes back to it.
fn host_call(
    mut caller: Caller<'_, State>,
    handler: Handler,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let bits = |value: &Val| match value {
        Val::I32(value) => u64::from(value.cast_unsigned()),
        Val::I64(value) => value.cast_unsigned(),
        _ => 0,
    };
    let mut args = [0_u64; 9];
    for (arg, param) in args.iter_mut().zip(params) {
        *arg = bits(param);
    }
    // Before the instance is known nothing can call; a start function does not run then either.
    let gas_left = caller.data().gas_left.ok_or_else(|| Error::new("host call before instantiation"))?;
    let mut gas = Gas { left: gas_left.get(&caller).i64().unwrap_or(-1) };
    let answer = {
        let (bytes, state) = match caller.data().memory {
            Some(memory) => memory.data_and_store_mut(&mut caller),
            None => (&mut [][..], caller.data_mut()),
        };
        let mut call = Call { wasi: &mut state.wasi, memory: wasi::Memory::new(bytes), gas: &mut gas };
        call.run(handler, Args(&args))
    };
    gas_left.set(&mut caller, Val::I64(gas.left))?;
    match answer {
        Ok(errno) => {
            if let Some(result) = results.first_mut() {
                *result = Val::I32(errno.code());
            }
            Ok(())
        }
        Err(stop) => Err(Error::host(Stopped(stop))),
    }
}

impl Machine {
    /// Compiles and instantiates a module; runs none of its code.
    ///
    /// # Errors
    /// A trap when a data or element segment does not fit; a fault when the engine fails.
    pub fn new(
        metered: &Metered,
        limits: &TaskLimits,
        wasi: Wasi,
        gas_left: u64,
    ) -> Result<Self, Box<(Interruption, Wasi)>> {
        let engine = Engine::new(&config(limits));
        let compiled = linker(&engine).and_then(|linker| {
            let module = Module::new(&engine, &metered.wasm).map_err(|error| fault(&error))?;
            Ok((linker, module))
        });
        let (linker, module) = match compiled {
            Ok(parts) => parts,
            Err(fault) => return Err(Box::new((fault.into(), wasi))),
        };
        let memory_bytes = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
        let store_limits = StoreLimitsBuilder::new().memory_size(memory_bytes).trap_on_grow_failure(true).build();
        let memory_pages = limits.memory_bytes / WASM_PAGE_BYTES;
        let state = State { wasi, gas_left: None, memory: None, limits: store_limits, memory_pages };
        let mut store = Store::new(&engine, state);
        store.limiter(|state| &mut state.limits);
        let instance = match linker.instantiate_and_start(&mut store, &module) {
            Ok(instance) => instance,
            Err(error) => {
                let interruption = interpret_instantiation(&error, &store);
                return Err(Box::new((interruption, store.into_data().wasi)));
            }
        };
        let mut machine = Self { store, instance };
        match machine.prepare(limits, gas_left) {
            Ok(()) => Ok(machine),
            Err(fault) => Err(Box::new((fault.into(), machine.store.into_data().wasi))),
        }
    }

    fn prepare(&mut self, limits: &TaskLimits, gas_left: u64) -> Result<(), HostFault> {
        let pages = limits.memory_bytes / WASM_PAGE_BYTES;
        let bits32 = |value: u64| Val::I32(u32::try_from(value).unwrap_or(u32::MAX).cast_signed());
        self.set(export::GAS_LEFT, Val::I64(i64::try_from(gas_left).unwrap_or(i64::MAX)))?;
        self.set(export::STACK_LIMIT, bits32(limits.stack_bytes))?;
        self.set(export::MEMORY_LIMIT_PAGES, bits32(pages))?;
        let gas_left = self.global(export::GAS_LEFT)?;
        let memory = self.instance.get_memory(&self.store, "memory");
        let state = self.store.data_mut();
        (state.gas_left, state.memory) = (Some(gas_left), memory);
        Ok(())
    }

    fn global(&self, name: &str) -> Result<Global, HostFault> {
        let global = self.instance.get_global(&self.store, name);
        global.ok_or_else(|| HostFault::Engine(format!("the metered module does not export {name}")))
    }

    fn set(&mut self, name: &str, value: Val) -> Result<(), HostFault> {
        let global = self.global(name)?;
        global.set(self.store.as_context_mut(), value).map_err(|error| HostFault::Engine(error.to_string()))
    }

    fn get_i32(&self, name: &str) -> Result<i32, HostFault> {
        Ok(self.global(name)?.get(self.store.as_context()).i32().unwrap_or_default())
    }

    fn gas_left(&self) -> Result<i64, HostFault> {
        Ok(self.global(export::GAS_LEFT)?.get(self.store.as_context()).i64().unwrap_or(-1))
    }

    /// Whether the module exports a function of this name.
    pub fn has(&self, name: &str) -> bool {
        self.instance.get_func(&self.store, name).is_some()
    }

    /// Calls an export; the first result as raw bits.
    ///
    /// # Errors
    /// What stopped it.
    pub fn call(&mut self, name: &str, args: &[Val]) -> Result<Option<u64>, Interruption> {
        let function = self.instance.get_func(&self.store, name);
        let function =
            function.ok_or_else(|| HostFault::Engine(format!("the metered module does not export {name}")))?;
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        match function.call(&mut self.store, args, &mut results) {
            Ok(()) => Ok(results.first().map(|value| match value {
                Val::I32(value) => u64::from(value.cast_unsigned()),
                Val::I64(value) => value.cast_unsigned(),
                _ => 0,
            })),
            Err(error) => Err(self.interpret(&error)),
        }
    }

    /// Takes gas for something the host does for the guest outside a call.
    ///
    /// # Errors
    /// Out of gas.
    pub fn charge_bytes(&mut self, bytes: u64) -> Result<(), Interruption> {
        let mut gas = Gas { left: self.gas_left()? };
        let charged = gas.charge_bytes(bytes);
        self.set(export::GAS_LEFT, Val::I64(gas.left))?;
        charged.map_err(|_| Halt::OutOfGas.into())
    }

    /// Bytes of the guest's memory.
    pub fn read(&self, pointer: u32, length: u32) -> Option<&[u8]> {
        let memory = self.store.data().memory?;
        let start = usize::try_from(pointer).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        memory.data(&self.store).get(start..end)
    }

    /// Writes to the guest's memory; `None` when it does not fit.
    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Option<()> {
        let memory = self.store.data().memory?;
        let start = usize::try_from(pointer).ok()?;
        let end = start.checked_add(bytes.len())?;
        memory.data_mut(&mut self.store).get_mut(start..end)?.copy_from_slice(bytes);
        Some(())
    }

    /// State of the host functions.
    pub fn wasi_mut(&mut self) -> &mut Wasi {
        &mut self.store.data_mut().wasi
    }

    /// Figures up to now.
    ///
    /// # Errors
    /// A fault when the module lacks what metering adds.
    pub fn figures(&self) -> Result<Figures, HostFault> {
        let peak = self.get_i32(export::STACK_PEAK)?.cast_unsigned();
        let memory = self.store.data().memory.map_or(0, |memory| memory.data_size(&self.store));
        Ok(Figures {
            gas_left: self.gas_left()?,
            stack_peak_bytes: u64::from(peak),
            memory_bytes: u64::try_from(memory).unwrap_or(u64::MAX),
        })
    }

    /// Ends the run.
    pub fn into_wasi(self) -> Wasi {
        self.store.into_data().wasi
    }

    fn interpret(&self, error: &Error) -> Interruption {
        if let Some(Stopped(stop)) = error.downcast_ref::<Stopped>() {
            return match *stop {
                Stop::Exit(code) => Halt::Exit(code).into(),
                Stop::Trap(trap) => Halt::Trap(trap).into(),
                Stop::OutOfGas => Halt::OutOfGas.into(),
                Stop::Errno(errno) => HostFault::Engine(format!("{errno:?} left a host call")).into(),
            };
        }
        match error.as_trap_code() {
            Some(TrapCode::UnreachableCodeReached) => self.interpret_unreachable(),
            Some(code) => interpret_code(code, &self.store),
            None => interpret_failure(error, &self.store),
        }
    }

    /// `unreachable` of the guest's own, or of what metering added.
    fn interpret_unreachable(&self) -> Interruption {
        let figures = self.gas_left().and_then(|gas| Ok((gas, self.get_i32(export::TRAP_CODE)?)));
        match figures {
            Err(fault) => fault.into(),
            Ok((_, export::TRAP_HOST_MEMORY)) => host_memory(&self.store).into(),
            Ok((gas, _)) if gas < 0 => Halt::OutOfGas.into(),
            Ok((_, code)) => {
                let trap = u16::try_from(code).ok().and_then(Trap::from_code);
                Halt::Trap(trap.unwrap_or(Trap::Unreachable)).into()
            }
        }
    }
}

fn interpret_code(code: TrapCode, store: &Store<State>) -> Interruption {
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
        TrapCode::OutOfSystemMemory | TrapCode::GrowthOperationLimited => return host_memory(store).into(),
        other => return HostFault::Engine(other.to_string()).into(),
    };
    Halt::Trap(trap).into()
}

/// Instantiation touches the memory and the tables only to put segments there.
fn interpret_instantiation(error: &Error, store: &Store<State>) -> Interruption {
    match (error.as_trap_code(), error.kind()) {
        (Some(code), _) => interpret_code(code, store),
        (None, ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. })) => {
            Halt::Trap(Trap::TableOutOfBounds).into()
        }
        _ => interpret_failure(error, store),
    }
}

fn interpret_failure(error: &Error, store: &Store<State>) -> Interruption {
    match error.kind() {
        ErrorKind::Memory(_) | ErrorKind::Table(_) => host_memory(store).into(),
        _ => fault(error).into(),
    }
}

fn host_memory(store: &Store<State>) -> HostFault {
    HostFault::OutOfMemory { pages: store.data().memory_pages }
}
