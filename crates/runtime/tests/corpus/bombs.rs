//! Families of modules that grow up to the bounds of docs/METERING.md, 3, each in another way: do they hurt whoever
//! compiles them (W-03)?

use std::fs;

use assay_metering::{
    bounds::{
        BR_TABLE_MAX, BR_TABLE_TOTAL_MAX, DATA_SEGMENTS_MAX, ELEMENT_SEGMENTS_MAX, ELEMENTS_MAX, EXPORTS_MAX,
        FUNCTIONS_MAX, GLOBALS_MAX, IMPORTS_MAX, LOCALS_MAX, METERED_CODE_BYTES_MAX, NAME_BYTES_MAX, NESTING_MAX,
        OPERANDS_MAX, PARAMS_MAX, RESULTS_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX, TYPES_MAX,
    },
    meter, meter_with_fast,
};
use assay_protocol::limits::{GAS_LIMIT_MAX, MODULE_BYTES_MAX};
use assay_runtime::{End, EngineKind, RunOptions, Variant, compile_effort, run_with};
use rustix::time::{ClockId, clock_gettime};
use wasm_encoder::{BlockType, InstructionSink};

use super::{bomb_parts::Parts, request::request_wasm};

/// A family of modules.
pub struct Bomb {
    pub name: &'static str,
    /// The largest count of a function, or of a module if it is not one: one more is refused, for a bound of its own or
    /// for the size of a body.
    pub most: u64,
    /// Adds so many of it.
    add: fn(&mut Parts, u64),
    /// Whether that is one function, of which a module can have many.
    is_function: bool,
}

/// A module of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub functions: u64,
    /// How much of it each has.
    pub count: u64,
}

/// How a module runs.
pub type Way = (EngineKind, Variant);

/// What a module did to the process that ran it.
#[derive(Clone, Copy, Debug)]
pub struct Harm {
    /// Processor time of checking and rewriting, both variants, ms.
    pub metering_ms: f64,
    /// Processor time of compiling, instantiating and running nothing, ms.
    pub compiling_ms: f64,
    /// Most resident memory of the whole process, MiB.
    pub peak_mib: f64,
}

/// Every family.
pub fn all() -> Vec<Bomb> {
    let module = |(name, most, add)| Bomb { name, most, add, is_function: false };
    let function = |(name, most, add)| Bomb { name, most, add, is_function: true };
    let modules = declarations().into_iter().map(module);
    let functions = [straight(), calling(), branching(), living(), carrying()].into_iter().flatten();
    modules.chain(functions.map(function)).collect()
}

impl Bomb {
    /// A module of it.
    pub fn build(&self, size: Size) -> Vec<u8> {
        let mut parts = Parts::default();
        (0..size.functions).for_each(|_| (self.add)(&mut parts, size.count));
        parts.finish()
    }

    /// What the compiler may take for one, by its estimate.
    pub fn effort(&self, size: Size) -> u64 {
        compile_effort(&meter_with_fast(&self.build(size)).unwrap())
    }

    /// Its largest module, or that part of it: as many functions as a module that small may hold, and so much smaller ones.
    pub fn largest(&self, part: u64) -> Size {
        let count = self.most.div_ceil(part);
        if !self.is_function {
            return Size { functions: 1, count };
        }
        // All are alike: what the second adds to the module, and to the metered one, every other adds, too.
        let lengths = |functions| {
            let wasm = self.build(Size { functions, count });
            [wasm.len(), meter(&wasm).unwrap().wasm.len()].map(|length| u64::try_from(length).unwrap())
        };
        let ([one, metered_one], [two, metered_two]) = (lengths(1), lengths(2));
        let room = |bytes_max: u64, one, two| (bytes_max / part).saturating_sub(one) / (two - one);
        let more = room(MODULE_BYTES_MAX, one, two).min(room(METERED_CODE_BYTES_MAX, metered_one, metered_two));
        // Not all of a metered module is code: there may be room for one more.
        let functions = (2 + more).min(FUNCTIONS_MAX - Parts::FUNCTIONS);
        let is_accepted = |functions: &u64| self.is_accepted(Size { functions: *functions, count });
        Size { functions: (1..=functions).rev().find(is_accepted).unwrap(), count }
    }

    fn is_accepted(&self, size: Size) -> bool {
        meter(&self.build(size)).is_ok()
    }

    /// Modules that the compiler may take just as long for, by its estimate: one function, and many that each have a part.
    pub fn within(&self, effort: u64) -> Vec<Size> {
        let is_within = |size| self.is_accepted(size) && self.effort(size) <= effort;
        let one = most(self.most, |count| is_within(Size { functions: 1, count }));
        let mut sizes = vec![Size { functions: 1, count: one }];
        let count = one.div_ceil(64);
        if self.is_function && count < one {
            let [single, double] = [1, 2].map(|functions| self.effort(Size { functions, count }));
            let more = effort.saturating_sub(single) / (double - single).max(1);
            let functions = (more + 1).min(FUNCTIONS_MAX - Parts::FUNCTIONS);
            sizes.push(Size { functions: most(functions, |functions| is_within(Size { functions, count })), count });
        }
        sizes
    }

    /// Runs a module, whose entry point does nothing, in this process, and says what that took.
    pub fn explode(&self, size: Size, (engine, variant): Way) -> Harm {
        let wasm = self.build(size);
        let began = processor_ms();
        let mut request = request_wasm(&wasm);
        let metered = processor_ms();
        request.limits.gas_limit = GAS_LIMIT_MAX;
        let options = RunOptions { engine: engine.into(), variant, ..RunOptions::default() };
        // L can be over a bound where G is not; then there is none.
        let variant = if request.metered.fast.is_some() { variant } else { Variant::Canonical };
        let run = run_with(&request, &options).unwrap_or_else(|fault| panic!("{} {size:?}: {fault}", self.name));
        assert_eq!((run.report.end, run.engine, run.variant), (End::Exited(0), Some(engine), variant), "{}", self.name);
        let (metering_ms, compiling_ms) = (metered - began, processor_ms() - metered);
        Harm { metering_ms, compiling_ms, peak_mib: peak_mib() }
    }
}

/// The largest number up to `limit` of which this is true, as it is of all below; 1 at least.
fn most(limit: u64, is: impl Fn(u64) -> bool) -> u64 {
    // From below: what is too large takes long to try.
    let mut low = 1;
    while low < limit && is((2 * low).min(limit)) {
        low = (2 * low).min(limit);
    }
    let mut high = (2 * low).min(limit);
    while low + 1 < high {
        let middle = low.midpoint(high);
        if is(middle) { low = middle } else { high = middle }
    }
    low
}

/// A family's name, its largest count, and what adds so many.
type Family = (&'static str, u64, fn(&mut Parts, u64));

/// Many of what a module declares.
fn declarations() -> Vec<Family> {
    vec![
        ("types", TYPES_MAX - Parts::TYPES, |p, n| (0..n).for_each(|_| p.ty(PARAMS_MAX, RESULTS_MAX))),
        ("functions, empty", FUNCTIONS_MAX - Parts::FUNCTIONS, |p, n| {
            (0..n).for_each(|_| p.function(Parts::NOTHING, 0, |_| {}));
        }),
        ("functions, small", FUNCTIONS_MAX - Parts::FUNCTIONS, |p, n| {
            (0..n).for_each(|_| p.function(Parts::NOTHING, 2, |s| (0..24).for_each(|_| _ = add(s, 0, 1))));
        }),
        ("functions of 10,000 locals", FUNCTIONS_MAX - Parts::FUNCTIONS, |p, n| {
            (0..n).for_each(|_| p.function(Parts::NOTHING, LOCALS_MAX, |_| {}));
        }),
        ("functions of 128 parameters", FUNCTIONS_MAX - Parts::FUNCTIONS, |p, n| {
            (0..n).for_each(|_| p.function(Parts::WIDE, 0, |s| _ = s.unreachable()));
        }),
        ("functions in a table", FUNCTIONS_MAX - Parts::FUNCTIONS, |p, n| {
            (0..n).for_each(|_| p.function(Parts::NOTHING, 0, |_| {}));
            p.mentions(n);
        }),
        ("functions of 128 parameters in a table", FUNCTIONS_MAX - Parts::FUNCTIONS, |p, n| {
            (0..n).for_each(|_| p.function(Parts::WIDE, 0, |s| _ = s.unreachable()));
            p.mentions(n);
        }),
        ("functions that call each other", FUNCTIONS_MAX - Parts::FUNCTIONS, |p, n| {
            let callee = |at, k| index(Parts::FUNCTIONS + (at * 7 + k) % n);
            (0..n).for_each(|at| p.function(Parts::NOTHING, 0, |s| (0..8).for_each(|k| _ = s.call(callee(at, k)))));
        }),
        ("imports", IMPORTS_MAX, |p, n| p.imports(n)),
        ("exports with long names", EXPORTS_MAX - 2, |p, n| (0..n).for_each(|at| p.export(at, NAME_BYTES_MAX))),
        ("globals", GLOBALS_MAX, |p, n| p.globals(n)),
        ("constant expressions", GLOBALS_MAX + ELEMENT_SEGMENTS_MAX + DATA_SEGMENTS_MAX, |p, n| p.constants(n)),
        ("tables", TABLES_MAX - 1, |p, n| (0..n).for_each(|_| p.table(TABLE_ELEMENTS_MAX))),
        ("element segments", ELEMENT_SEGMENTS_MAX, |p, n| {
            (0..n).for_each(|_| p.elements(ELEMENTS_MAX / ELEMENT_SEGMENTS_MAX));
        }),
        ("data segments", DATA_SEGMENTS_MAX, |p, n| (0..n).for_each(|_| p.data(1_000))),
    ]
}

/// A function of so many times that code; what it calculates is stored.
fn body(p: &mut Parts, n: u64, code: impl Fn(&mut InstructionSink<'_>)) {
    p.function(Parts::NOTHING, 2, |s| {
        load(s, 2);
        (0..n).for_each(|_| code(s));
        s.i32_const(0).local_get(0).i64_store(Parts::AT);
    });
}

/// Long functions that calculate.
fn straight() -> Vec<Family> {
    vec![
        ("additions", 149_793, |p, n| body(p, n, |s| _ = add(s, 0, 1))),
        ("shifts by what was shifted", 80_657, |p, n| {
            body(p, n, |s| {
                _ = s.local_get(0).local_get(0).i64_const(7).i64_rotl().local_get(1).i64_xor().i64_mul().local_set(0)
            });
        }),
        ("loads and stores", 104_855, |p, n| {
            body(p, n, |s| _ = s.i32_const(8).i32_const(0).i64_load(Parts::AT).i64_store(Parts::AT));
        }),
        ("divisions", 149_793, |p, n| body(p, n, |s| _ = s.local_get(0).local_get(1).i64_div_s().local_set(0))),
        ("floats", 149_793, |p, n| {
            body(p, n, |s| _ = s.local_get(0).f64_convert_i64_u().f64_sqrt().i64_reinterpret_f64().local_set(0));
        }),
        ("floats to integers", 149_793, |p, n| {
            body(p, n, |s| _ = s.local_get(0).f64_reinterpret_i64().i64_trunc_sat_f64_u().local_set(0));
        }),
        ("globals set", 210_277, |p, n| {
            p.globals(GLOBALS_MAX);
            p.function(Parts::NOTHING, 0, |s| {
                (0..n).for_each(|at| _ = s.i64_const(1).global_set(index(at % GLOBALS_MAX)))
            });
        }),
    ]
}

/// Long functions of what compilers call others for, or hold values over.
fn calling() -> Vec<Family> {
    const HELD: u64 = OPERANDS_MAX - 2;
    vec![
        ("copies of memory", 104_855, |p, n| {
            body(p, n, |s| _ = s.i32_const(0).i32_const(0).i32_const(0).memory_copy(0, 0));
        }),
        ("growing memory", 209_710, |p, n| body(p, n, |s| _ = s.i32_const(0).memory_grow(0).drop())),
        ("calls", 524_275, |p, n| body(p, n, |s| _ = s.call(0))),
        ("calls with 128 parameters", 3_826, |p, n| {
            body(p, n, |s| {
                (0..PARAMS_MAX).for_each(|_| _ = s.i64_const(1));
                s.call(Parts::WIDE_FUNCTION);
                (0..RESULTS_MAX).for_each(|_| _ = s.drop());
            });
        }),
        ("calls through a table", 209_710, |p, n| {
            body(p, n, |s| _ = s.i32_const(0).call_indirect(0, Parts::NOTHING));
        }),
        ("elements of a table got and set", 131_068, |p, n| {
            body(p, n, |s| _ = s.i32_const(0).i32_const(1).table_get(0).table_set(0));
        }),
        ("references to functions", 262_137, |p, n| body(p, n, |s| _ = s.ref_func(0).ref_is_null().drop())),
        ("locals, each got, none dropped", LOCALS_MAX - 2, |p, n| {
            p.function(Parts::NOTHING, n, |s| {
                (0..n).for_each(|at| _ = s.local_get(index(at)));
                (0..n).for_each(|_| _ = s.drop());
            });
        }),
        ("values held at once", 14, |p, n| {
            body(p, n, |s| {
                hold(s, HELD);
                let_go(s, HELD);
            });
        }),
        ("values held over calls", 13, |p, n| {
            body(p, n, |s| {
                hold(s, HELD);
                (0..4_000).for_each(|_| _ = s.call(0));
                let_go(s, HELD);
            });
        }),
    ]
}

/// Where control flow parts and meets.
fn branching() -> Vec<Family> {
    vec![
        ("nested blocks", NESTING_MAX - 1, |p, n| {
            p.function(Parts::NOTHING, 1, |s| {
                (0..n).for_each(|_| _ = s.block(BlockType::Empty));
                (0..n).for_each(|_| _ = condition(s, 0).br_if(0).end());
            });
        }),
        ("nested ifs that assign", NESTING_MAX - 1, |p, n| {
            p.function(Parts::NOTHING, 1_000, |s| {
                (0..n).for_each(|at| _ = begin_if(s, 0).i64_const(1).local_set(index(at % 1_000)));
                (0..n).for_each(|_| _ = s.end());
            });
        }),
        ("nested loops that assign", NESTING_MAX - 1, |p, n| {
            p.function(Parts::NOTHING, 1_000, |s| {
                (0..n).for_each(|_| _ = s.loop_(BlockType::Empty));
                (0..1_000).for_each(|at| _ = add(s, index(at), index(at)));
                (0..n).for_each(|_| _ = condition(s, 0).br_if(0).end());
            });
        }),
        ("ifs in a row", 174_760, |p, n| {
            p.function(Parts::NOTHING, 1, |s| (0..n).for_each(|_| _ = begin_if(s, 0).end()));
        }),
        ("ifs in a row that assign", 79_870, |p, n| {
            p.function(Parts::NOTHING, 1_000, |s| {
                for at in 0..n {
                    begin_if(s, at % 900).local_get(index(at % 800)).local_set(index(at % 700)).end();
                }
            });
        }),
        ("one loop", LOCALS_MAX, |p, n| {
            p.function(Parts::NOTHING, LOCALS_MAX, |s| {
                s.loop_(BlockType::Empty);
                (0..n).for_each(|at| _ = add(s, index(at), index(at)));
                condition(s, 0).br_if(0).end();
                store(s, n);
            });
        }),
        ("one block", LOCALS_MAX, |p, n| {
            p.function(Parts::NOTHING, LOCALS_MAX, |s| {
                condition(s.block(BlockType::Empty), 0).br_if(0);
                (0..n).for_each(|at| _ = add(s, index(at), index(at)));
                s.end();
                store(s, n);
            });
        }),
        ("branches to one label", 95_557, |p, n| {
            p.function(Parts::NOTHING, LOCALS_MAX, |s| {
                s.block(BlockType::Empty);
                for at in 0..n {
                    s.i64_const(1).local_set(index(at % LOCALS_MAX));
                    condition(s, at % LOCALS_MAX).br_if(0);
                }
                s.end();
            });
        }),
    ]
}

/// What lives while control flow parts and meets: compilers look for it in every block.
fn living() -> Vec<Family> {
    // More make one loop take seconds.
    const LOOP_LOCALS: u64 = LOCALS_MAX / 4;
    vec![
        ("locals that live through branches", 144_223, |p, n| {
            p.function(Parts::NOTHING, LOCALS_MAX, |s| {
                load(s, LOCALS_MAX);
                (0..n).for_each(|_| _ = begin_if(s, 0).end());
                store(s, LOCALS_MAX);
            });
        }),
        ("locals that live through a loop", 144_221, |p, n| {
            p.function(Parts::NOTHING, LOOP_LOCALS, |s| {
                load(s, LOOP_LOCALS);
                s.loop_(BlockType::Empty);
                store(s, LOOP_LOCALS);
                (0..n).for_each(|_| _ = begin_if(s, 0).end());
                condition(s, 0).br_if(0).end();
            });
        }),
        ("locals that live through exits", 160_440, |p, n| {
            p.function(Parts::NOTHING, LOCALS_MAX, |s| {
                load(s, LOCALS_MAX);
                (0..n).for_each(|_| _ = condition(s, 0).br_if(0));
                store(s, LOCALS_MAX);
            });
        }),
        ("locals behind branches", 144_223, |p, n| {
            p.function(Parts::NOTHING, LOCALS_MAX, |s| {
                (0..n).for_each(|_| _ = begin_if(s, 0).end());
                load(s, LOCALS_MAX);
                store(s, LOCALS_MAX);
            });
        }),
        ("globals set in branches", 82_262, |p, n| {
            p.globals(GLOBALS_MAX);
            p.function(Parts::NOTHING, 1, |s| {
                let global = |at| index(at % GLOBALS_MAX);
                (0..n).for_each(|at| _ = begin_if(s, 0).i64_const(1).global_set(global(at)).end());
            });
        }),
        ("values that live through branches", 162_810, |p, n| {
            p.function(Parts::NOTHING, 1, |s| {
                hold(s, OPERANDS_MAX - 4);
                (0..n).for_each(|_| _ = begin_if(s, 0).end());
                let_go(s, OPERANDS_MAX - 4);
            });
        }),
        ("values that live through exits", 179_240, |p, n| {
            p.function(Parts::NOTHING, 1, |s| {
                hold(s, OPERANDS_MAX - 4);
                (0..n).for_each(|_| _ = condition(s, 0).br_if(0));
                let_go(s, OPERANDS_MAX - 4);
            });
        }),
    ]
}

/// What control flow carries along.
fn carrying() -> Vec<Family> {
    vec![
        ("loops that take 128 values", 116_480, |p, n| {
            p.function(Parts::NOTHING, 0, |s| {
                for _ in 0..n.div_ceil(64) {
                    (0..PARAMS_MAX).for_each(|_| _ = s.i64_const(1));
                    (0..64).for_each(|_| _ = s.loop_(BlockType::FunctionType(Parts::TAKES_128)));
                    (0..PARAMS_MAX).for_each(|_| _ = s.drop());
                    (0..64).for_each(|_| _ = s.end());
                }
            });
        }),
        ("blocks in a row that carry 16 values", 149_789, |p, n| {
            p.function(Parts::NOTHING, 0, |s| {
                (0..RESULTS_MAX).for_each(|_| _ = s.i64_const(1));
                let ty = BlockType::FunctionType(Parts::CARRIES_16);
                (0..n).for_each(|_| _ = s.block(ty).i32_const(0).br_if(0).end());
                (0..RESULTS_MAX).for_each(|_| _ = s.drop());
            });
        }),
        ("targets of br_table", BR_TABLE_TOTAL_MAX, |p, n| {
            let depth = NESTING_MAX - 2;
            p.function(Parts::NOTHING, 1, |s| {
                (0..depth).for_each(|_| _ = s.block(BlockType::Empty));
                for targets in tables_of(n) {
                    let targets = (0..targets).map(|at| index(at % depth));
                    condition(s.block(BlockType::Empty), 0).br_table(targets.collect::<Vec<_>>(), 0).end();
                }
                (0..depth).for_each(|_| _ = add(s, 0, 0).end());
            });
        }),
        ("targets of br_table that carry 16 values", BR_TABLE_TOTAL_MAX, |p, n| {
            p.function(Parts::NOTHING, 0, |s| {
                for targets in tables_of(n) {
                    s.block(BlockType::FunctionType(Parts::GIVES_16));
                    (0..RESULTS_MAX).for_each(|_| _ = s.i64_const(1));
                    s.i32_const(0).br_table(vec![0; usize::try_from(targets).unwrap()], 0).end();
                    (0..RESULTS_MAX).for_each(|_| _ = s.drop());
                }
            });
        }),
    ]
}

/// Targets in tables as large as they may be.
fn tables_of(targets: u64) -> impl Iterator<Item = u64> {
    (0..targets.div_ceil(BR_TABLE_MAX)).map(move |at| BR_TABLE_MAX.min(targets - at * BR_TABLE_MAX))
}

type Sink<'a, 'b> = &'a mut InstructionSink<'b>;

fn add<'a, 'b>(s: Sink<'a, 'b>, to: u32, what: u32) -> Sink<'a, 'b> {
    s.local_get(to).local_get(what).i64_add().local_set(to)
}

fn condition<'a, 'b>(s: Sink<'a, 'b>, local: u64) -> Sink<'a, 'b> {
    s.local_get(index(local)).i32_wrap_i64()
}

fn begin_if<'a, 'b>(s: Sink<'a, 'b>, local: u64) -> Sink<'a, 'b> {
    condition(s, local).if_(BlockType::Empty)
}

fn load(s: Sink<'_, '_>, locals: u64) {
    (0..locals).for_each(|at| _ = s.i32_const(signed(at)).i64_load(Parts::AT).local_set(index(at)));
}

fn store(s: Sink<'_, '_>, locals: u64) {
    (0..locals).for_each(|at| _ = s.i32_const(signed(at)).local_get(index(at)).i64_store(Parts::AT));
}

fn hold(s: Sink<'_, '_>, values: u64) {
    (0..values).for_each(|at| _ = s.i32_const(signed(at)).i64_load(Parts::AT));
}

fn let_go(s: Sink<'_, '_>, values: u64) {
    (1..values).for_each(|_| _ = s.i64_add());
    s.drop();
}

fn index(number: u64) -> u32 {
    u32::try_from(number).unwrap()
}

fn signed(number: u64) -> i32 {
    i32::try_from(number).unwrap()
}

/// Processor time of this process so far, of all its threads.
#[allow(clippy::cast_precision_loss, reason = "milliseconds of a process")]
fn processor_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Most memory that this process had at once. Not what `getrusage` says: that counts what was there before `exec`.
fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1_024.0
}
