//! Small programs for the golden vectors, each about one way in which a run begins or ends, or about bytes that one could
//! take for wrong.

use assay_metering::bounds::CONSTANT_OPERATORS_MAX;
use assay_protocol::{TaskLimits, Trap};
use assay_runtime::{End, EntryPoint};

/// One of them.
pub struct Ending {
    pub name: String,
    /// Under this name the module is recorded.
    pub file: &'static str,
    pub text: String,
    pub entry: EntryPoint,
    pub limits: TaskLimits,
    pub end: End,
}

/// All of them.
pub fn all() -> Vec<Ending> {
    let text = traps();
    let trapping = TRAPS.iter().map(|(trap, _)| Ending {
        entry: EntryPoint::Function(format!("{trap:?}")),
        ..command(&format!("trap, {trap:?}"), "traps", &text, End::Trapped(*trap))
    });
    different().into_iter().chain(trapping).collect()
}

/// A command within the usual limits.
fn command(name: &str, file: &'static str, text: &str, end: End) -> Ending {
    let (name, text, limits) = (name.to_owned(), text.to_owned(), TaskLimits::default());
    Ending { name, file, text, entry: EntryPoint::Command, limits, end }
}

fn reactor(name: &str, file: &'static str, text: &str, end: End) -> Ending {
    Ending { entry: EntryPoint::Reactor, ..command(name, file, text, end) }
}

/// Those that have a module of their own.
fn different() -> Vec<Ending> {
    let limits = TaskLimits::default;
    vec![
        command("start function", "start", START, End::Exited(3)),
        command("start function that exits", "start-exits", START_EXITS, End::Exited(4)),
        reactor("reactor with a code", "reactor", REACTOR, End::Exited(42)),
        Ending {
            limits: TaskLimits { gas_limit: 10_000, ..limits() },
            ..reactor("gas below that of instantiation", "reactor", REACTOR, End::OutOfGas)
        },
        Ending {
            limits: TaskLimits { output_bytes: 19, ..limits() },
            ..reactor("output too large", "writes", WRITES, End::OutputTooLarge(7))
        },
        Ending {
            limits: TaskLimits { memory_bytes: 2 * 65_536, ..limits() },
            ..command("initial memory over the limit", "three-pages", THREE_PAGES, End::Trapped(Trap::MemoryLimit))
        },
        command("data that does not fit", "data-outside", DATA_OUTSIDE, End::Trapped(Trap::MemoryOutOfBounds)),
        command("elements that do not fit", "elements-outside", ELEMENTS_OUTSIDE, End::Trapped(Trap::TableOutOfBounds)),
        Ending {
            entry: EntryPoint::Function("answer".into()),
            ..command(
                "input of no bytes at an address outside",
                "alloc-outside",
                ALLOC_OUTSIDE,
                End::Trapped(Trap::AbiViolation),
            )
        },
        command("growing, and elements", "elements", ELEMENTS, End::Exited(0)),
        command("constant expressions", "constants", &constants(), End::Exited(32)),
        command("long numbers", "long-numbers", &long_numbers(), End::Exited(0)),
        command("long function references", "long-references", &long_references(), End::Exited(0)),
    ]
}

const START: &str = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (global $code (mut i32) (i32.const 0)) (func $start i32.const 3 global.set $code) (start $start)
    (func (export "_start") global.get $code call $exit))"#;

const START_EXITS: &str = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (func $start i32.const 4 call $exit) (start $start) (func (export "_start") unreachable))"#;

const REACTOR: &str = r#"(module (global $code (mut i32) (i32.const 0))
    (func (export "_initialize") i32.const 40 global.set $code)
    (func (export "run") (result i32) global.get $code i32.const 2 i32.add))"#;

/// Twenty bytes.
const WRITES: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\14\00\00\00") (data (i32.const 16) "twenty bytes exactly")
    (func (export "run") (result i32) i32.const 1 i32.const 0 i32.const 1 i32.const 8 call $write i32.const 7 i32.add))"#;

const THREE_PAGES: &str = r#"(module (memory 3) (func (export "_start")))"#;

const DATA_OUTSIDE: &str = r#"(module (memory 1) (data (i32.const 65535) "ab") (func (export "_start")))"#;

const ELEMENTS_OUTSIDE: &str =
    r#"(module (table 1 funcref) (elem (i32.const 1) func $f) (func $f) (func (export "_start")))"#;

const ALLOC_OUTSIDE: &str = r#"(module (memory (export "memory") 1)
    (func (export "alloc") (param i32) (result i32) i32.const 70000)
    (func (export "answer") (param i32 i32) (result i64) i64.const 0))"#;

/// What each answers is written.
const ELEMENTS: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1 4) (data (i32.const 0) "\20\00\00\00\40\00\00\00")
    (table $bounded 2 5 funcref) (table $free 3 funcref) (elem $two func $f $f) (func $f)
    (func (export "_start")
      i32.const 32 i32.const 0 memory.grow i32.store
      i32.const 36 i32.const 2 memory.grow i32.store
      i32.const 40 i32.const 2 memory.grow i32.store
      i32.const 44 memory.size i32.store
      i32.const 48 ref.null func i32.const 2 table.grow $bounded i32.store
      i32.const 52 ref.null func i32.const 2 table.grow $bounded i32.store
      i32.const 56 ref.func $f i32.const 4 table.grow $free i32.store
      i32.const 60 ref.null func i32.const 0 table.grow $free i32.store
      i32.const 64 table.size $free i32.store
      i32.const 0 ref.null func i32.const 2 table.fill $free
      i32.const 1 i32.const 0 i32.const 2 table.init $bounded $two elem.drop $two
      i32.const 1 i32.const 1 i32.const 2 table.copy $free $bounded
      i32.const 68 i32.const 0 table.get $free ref.is_null i32.store
      i32.const 72 i32.const 1 table.get $free ref.is_null i32.store
      i32.const 1 i32.const 0 i32.const 1 i32.const 8 call $write drop))"#;

/// Each is as long as it may be.
fn constants() -> String {
    let ones = usize::try_from(CONSTANT_OPERATORS_MAX.div_ceil(2)).unwrap();
    let sum = format!("i32.const 1 {}", "i32.const 1 i32.add ".repeat(ones - 1));
    format!(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1) (table 64 funcref)
            (global $code i32 {sum}) (data (offset {sum}) "\20") (elem (offset {sum}) func $f) (func $f)
            (func (export "_start") i32.const 32 i32.load8_u table.get 0 ref.is_null br_if 0 global.get $code call $exit))"#
    )
}

/// Numbers longer than they have to be, also where later texts have a memory's index.
fn long_numbers() -> String {
    const ZEROS: [u8; 6] = [0x41, 0, 0x41, 0, 0x41, 0x80];
    let fill = [&ZEROS[..], &[0, 0xfc, 0x0b, 0x80, 0]].concat();
    let copy = [&ZEROS[..], &[0, 0xfc, 0x8a, 0, 0x80, 0, 0x80, 0x80, 0]].concat();
    let init = [&ZEROS[..], &[0, 0xfc, 8, 0x80, 0, 0x80, 0]].concat();
    let load = [0x41, 0, 0x28, 0x82, 0, 0x80, 0, 0x1a, 0x0b];
    let code = [&[0x80, 0][..], &fill, &copy, &init, &load].concat();
    binary(&[
        (1, vec![0x81, 0, 0x60, 0x80, 0, 0]),
        (3, vec![1, 0x80, 0]),
        (5, vec![1, 0, 0x81, 0]),
        (7, b"\x01\x86\0_start\0\x80\0".to_vec()),
        (12, vec![0x81, 0]),
        (10, [&[1, u8::try_from(code.len()).unwrap()][..], &code].concat()),
        (11, vec![1, 1, 0x81, 0, b'a']),
    ])
}

/// `funcref` in the long form of later texts, wherever a type stands; the type of `table.grow`'s function is there already.
fn long_references() -> String {
    const LONG: [u8; 2] = [0x63, 0x70];
    const NULL: [u8; 2] = [0xd0, 0x70];
    let block = [&[0x02][..], &LONG, &NULL, &[0x0b, 0x1a]].concat();
    let select = [&NULL[..], &NULL, &[0x41, 0, 0x1c, 1], &LONG, &[0x1a]].concat();
    let grow = [&NULL[..], &[0x41, 1, 0xfc, 0x0f, 0, 0x1a]].concat();
    let code = [&[1, 1][..], &LONG, &block, &select, &grow, &[0x0b]].concat();
    binary(&[
        (1, [&[2, 0x60, 0, 0, 0x60, 2][..], &LONG, &[0x7f, 1, 0x7f]].concat()),
        (3, vec![1, 0]),
        (4, [&[1][..], &LONG, &[0, 1]].concat()),
        (6, [&[1][..], &LONG, &[0], &NULL, &[0x0b]].concat()),
        (7, b"\x01\x06_start\0\0".to_vec()),
        (9, [&[1, 5][..], &LONG, &[1], &NULL, &[0x0b]].concat()),
        (10, [&[1, u8::try_from(code.len()).unwrap()][..], &code].concat()),
    ])
}

/// A module of these sections, as text.
fn binary(sections: &[(u8, Vec<u8>)]) -> String {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    for (id, contents) in sections {
        bytes.extend([*id, u8::try_from(contents.len()).unwrap()]);
        bytes.extend(contents);
    }
    let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(module binary \"{text}\")")
}

/// Every trap that code can have, and code that has it and leaves nothing.
const TRAPS: &[(Trap, &str)] = &[
    (Trap::Unreachable, "unreachable"),
    (Trap::MemoryOutOfBounds, "i32.const -4 i32.load drop"),
    (Trap::TableOutOfBounds, "i32.const 9 call_indirect"),
    (Trap::IndirectCallToNull, "i32.const 0 call_indirect"),
    (Trap::BadSignature, "i32.const 3 i32.const 1 call_indirect (param i32)"),
    (Trap::IntegerDivisionByZero, "i32.const 1 i32.const 0 i32.div_s drop"),
    (Trap::IntegerOverflow, "i32.const 0x80000000 i32.const -1 i32.div_s drop"),
    (Trap::BadConversionToInteger, "f32.const nan i32.trunc_f32_s drop"),
    (Trap::StackExhausted, "call $deep"),
    (Trap::MemoryLimit, "i32.const 2000 memory.grow drop"),
    (Trap::TableLimit, "ref.null func i32.const 200000 table.grow 0 drop"),
    (Trap::HostPointerOutOfBounds, "i32.const -1 i32.const 8 call $random drop"),
];

/// All of them in one module, each in a function entry of its name.
fn traps() -> String {
    let functions = TRAPS
        .iter()
        .map(|(trap, code)| format!(r#"(func (export "{trap:?}") (param i32 i32) (result i64) {code} i64.const 0)"#));
    format!(
        r#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (memory (export "memory") 1) (table 2 funcref) (elem (i32.const 1) func $nothing)
            (func $nothing) (func $deep call $deep) (func (export "alloc") (param i32) (result i32) i32.const 1024)
            {})"#,
        functions.collect::<String>()
    )
}
