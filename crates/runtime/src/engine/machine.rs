//! An instance with its limits set, and what its end means.

use assay_metering::export;
use assay_protocol::{TaskLimits, Trap, limits::WASM_PAGE_BYTES};

use super::{Instance, NotMade};
use crate::{
    HostFault,
    wasi::{Gas, Stop, Wasi},
};

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
    /// A result. From an engine, [`Trap::Unreachable`] also stands for what added code stopped.
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

impl From<Stop> for Interruption {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Exit(code) => Halt::Exit(code).into(),
            Stop::Trap(trap) => Halt::Trap(trap).into(),
            Stop::OutOfGas => Halt::OutOfGas.into(),
            Stop::Errno(errno) => HostFault::Engine(format!("{errno:?} left a host call")).into(),
        }
    }
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

/// An instance of a metered module, ready to run.
pub struct Machine {
    instance: Box<dyn Instance>,
}

impl Machine {
    /// Sets the limits of a fresh instance; runs none of its code.
    ///
    /// # Errors
    /// A trap when a data or element segment did not fit; a fault when the engine failed.
    pub fn new<I: Instance + 'static>(
        made: Result<I, NotMade>,
        limits: &TaskLimits,
        gas_left: u64,
    ) -> Result<Self, NotMade> {
        let mut machine = Self { instance: Box::new(made?) };
        match machine.prepare(limits, gas_left) {
            Ok(()) => Ok(machine),
            Err(fault) => Err(Box::new((fault.into(), machine.into_wasi()))),
        }
    }

    fn prepare(&mut self, limits: &TaskLimits, gas_left: u64) -> Result<(), HostFault> {
        self.set(export::GAS_LEFT, gas_left)?;
        self.set(export::STACK_LIMIT, limits.stack_bytes)?;
        self.set(export::MEMORY_LIMIT_PAGES, limits.memory_bytes / WASM_PAGE_BYTES)?;
        self.instance.open_host_calls().ok_or_else(|| unmetered(export::GAS_LEFT))
    }

    fn set(&mut self, name: &str, bits: u64) -> Result<(), HostFault> {
        self.instance.set_global(name, bits).ok_or_else(|| unmetered(name))
    }

    /// Raw bits of an exported global.
    ///
    /// # Errors
    /// A fault when there is none.
    pub fn get(&mut self, name: &str) -> Result<u64, HostFault> {
        self.instance.global(name).ok_or_else(|| unmetered(name))
    }

    fn gas_left(&mut self) -> Result<i64, HostFault> {
        self.get(export::GAS_LEFT).map(u64::cast_signed)
    }

    /// Whether the module exports a function of this name.
    pub fn has(&mut self, name: &str) -> bool {
        self.instance.has_function(name)
    }

    /// Calls an export with raw bits; its results as raw bits.
    ///
    /// # Errors
    /// What stopped it.
    pub fn call(&mut self, name: &str, args: &[u64]) -> Result<Vec<u64>, Interruption> {
        self.instance.call(name, args).map_err(|interruption| match interruption {
            Interruption::Halt(Halt::Trap(Trap::Unreachable)) => self.interpret_unreachable(),
            interruption => interruption,
        })
    }

    /// Takes gas for something the host does for the guest outside a call.
    ///
    /// # Errors
    /// Out of gas.
    pub fn charge_bytes(&mut self, bytes: u64) -> Result<(), Interruption> {
        let mut gas = Gas { left: self.gas_left()? };
        let charged = gas.charge_bytes(bytes);
        self.set(export::GAS_LEFT, gas.left.cast_unsigned())?;
        charged.map_err(|_| Halt::OutOfGas.into())
    }

    /// Bytes of the guest's memory.
    pub fn read(&mut self, pointer: u32, length: u32) -> Option<&[u8]> {
        let start = usize::try_from(pointer).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        self.instance.memory().get(start..end)
    }

    /// Writes to the guest's memory; `None` when it does not fit.
    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Option<()> {
        let start = usize::try_from(pointer).ok()?;
        let end = start.checked_add(bytes.len())?;
        self.instance.memory().get_mut(start..end)?.copy_from_slice(bytes);
        Some(())
    }

    /// The guest's whole memory.
    pub fn memory(&mut self) -> &[u8] {
        self.instance.memory()
    }

    /// State of the host functions.
    pub fn wasi_mut(&mut self) -> &mut Wasi {
        self.instance.wasi()
    }

    /// Figures up to now.
    ///
    /// # Errors
    /// A fault when the module lacks what metering adds.
    pub fn figures(&mut self) -> Result<Figures, HostFault> {
        Ok(Figures {
            gas_left: self.gas_left()?,
            stack_peak_bytes: self.get(export::STACK_PEAK)?,
            memory_bytes: u64::try_from(self.instance.memory().len()).unwrap_or(u64::MAX),
        })
    }

    /// Ends the run.
    pub fn into_wasi(self) -> Wasi {
        self.instance.into_wasi()
    }

    /// `unreachable` of the guest's own, or of what metering added.
    fn interpret_unreachable(&mut self) -> Interruption {
        match self.gas_left().and_then(|gas| Ok((gas, self.get(export::TRAP_CODE)?))) {
            Err(fault) => fault.into(),
            Ok((_, code)) if code == u64::from(export::TRAP_HOST_MEMORY.cast_unsigned()) => {
                HostFault::OutOfMemory.into()
            }
            Ok((gas, _)) if gas < 0 => Halt::OutOfGas.into(),
            Ok((_, code)) => {
                let trap = u16::try_from(code).ok().and_then(Trap::from_code);
                Halt::Trap(trap.unwrap_or(Trap::Unreachable)).into()
            }
        }
    }
}

fn unmetered(name: &str) -> HostFault {
    HostFault::Engine(format!("the metered module does not export {name}"))
}
