//! Host calls that nobody would make, from bytes.

use arbitrary::{Result, Unstructured};
use assay_metering::{
    ValueType,
    profile::{WASI_FUNCTIONS, WasiFunction},
};

use super::script::{RIGHTS, Script};

/// Most calls.
const CALLS_MAX: usize = 60;
/// Around the end of the memory, of addresses and of signs, and what is checked.
const EDGES: [u64; 20] = [
    16,
    32,
    64,
    127,
    255,
    256,
    1_024,
    1_025,
    4_096,
    59_999,
    65_528,
    65_535,
    65_536,
    65_537,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_0000,
    0xffff_fff0,
    0xffff_fff8,
    0xffff_ffff,
];
const WIDE_EDGES: [u64; 5] = [1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];

/// The addresses of what stands ready: paths, and vectors of buffers of all kinds.
struct Ready(Vec<u64>);

impl Ready {
    fn new(script: &mut Script) -> Self {
        let paths = [&b"output/file"[..], b"data/hello.txt", b"data/sub/..", b"output", b"/../x\0", b"tmp/open"];
        let mut ready: Vec<u64> = paths.into_iter().map(|bytes| script.bytes(bytes).0).collect();
        // One that is in order, empty ones at and behind the end, one that wraps, all of memory, and ones over themselves.
        let buffers = [(100, 64), (65_536, 0), (65_537, 0), (0xffff_fff0, 32), (0, 65_536), (0, 0)];
        ready.extend(buffers.map(|(at, length)| script.vector(at, length)));
        let own = script.bytes(&[0; 16]).0;
        script.overwrite(own, &[(own, 16), (own + 4, 12)]);
        let next = script.bytes(&[0; 32]).0;
        script.overwrite(next, &[(next + 16, 16), (next, 32), (8, 8), (8, 8)]);
        ready.extend([own, next]);
        Self(ready)
    }
}

fn argument(from: &mut Unstructured<'_>, ready: &Ready) -> Result<u64> {
    Ok(match from.int_in_range(0..=15)? {
        0..5 => from.int_in_range(0..=11)?,
        5..10 => *from.choose(&ready.0)?,
        10..13 => *from.choose(&EDGES)?,
        13 => RIGHTS,
        _ => u64::from(from.arbitrary::<u32>()?),
    })
}

fn call(from: &mut Unstructured<'_>, ready: &Ready) -> Result<(&'static WasiFunction, Vec<u64>)> {
    let function = from.choose(WASI_FUNCTIONS)?;
    let args = function.params.iter().map(|ty| match ty {
        ValueType::I64 if from.ratio(1, 8)? => Ok(*from.choose(&WIDE_EDGES)?),
        ValueType::I64 if from.ratio(1, 8)? => from.arbitrary(),
        _ => argument(from, ready),
    });
    Ok((function, args.collect::<Result<_>>()?))
}

/// A script of the calls that bytes make; `proc_exit` is none of them.
pub fn script(bytes: &[u8]) -> Script {
    let mut script = Script::new();
    let ready = Ready::new(&mut script);
    script.open("output/open", 1, RIGHTS).open("data", 2, RIGHTS & !(1 << 6)).open("tmp/open", 1, RIGHTS);
    let mut from = Unstructured::new(bytes);
    while script.len() < CALLS_MAX && !from.is_empty() {
        let Ok((function, args)) = call(&mut from, &ready) else { break };
        if function.name != "proc_exit" {
            script.call(function.name, &args);
        }
    }
    script
}
