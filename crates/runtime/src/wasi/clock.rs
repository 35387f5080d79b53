//! Time, waiting, randomness: all of it made up from the request.
//!
//! The clock starts where the request says and advances one nanosecond with every unit of gas, and by as much as the
//! guest waits for. Nothing ever really waits.

use sha2::{Digest, Sha256};

use super::{Args, Call, Errno, Stop, abi::rights, cost};

const REALTIME: u32 = 0;
const CLOCKS: u32 = 4;
const RESOLUTION_NS: u64 = 1;
/// Most subscriptions of one `poll_oneoff`.
const SUBSCRIPTIONS_MAX: u32 = 1_024;
const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;

/// Bytes that follow from a seed: SHA-256 of a domain, the seed and a counter.
pub struct Random {
    seed: u64,
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, counter: 0, block: [0; 32], used: 32 }
    }

    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.used >= self.block.len() {
                let mut hash = Sha256::new();
                hash.update(b"assay:random:v1\0");
                hash.update(self.seed.to_le_bytes());
                hash.update(self.counter.to_le_bytes());
                self.block = hash.finalize().into();
                self.counter = self.counter.wrapping_add(1);
                self.used = 0;
            }
            *byte = self.block.get(self.used).copied().unwrap_or_default();
            self.used = self.used.saturating_add(1);
        }
    }
}

#[derive(Clone, Copy)]
enum Wanted {
    Clock { deadline_ns: u64 },
    Descriptor { tag: u8, ready_bytes: u64 },
    Failed { tag: u8, errno: Errno },
}

impl Call<'_> {
    /// Nanoseconds since the run began.
    fn elapsed_ns(&self) -> u64 {
        let left = u64::try_from(self.gas.left).unwrap_or_default();
        self.wasi.gas_limit.saturating_sub(left).saturating_add(self.wasi.slept_ns)
    }

    fn now_ns(&self, clock: u32) -> Result<u64, Errno> {
        match clock {
            REALTIME => Ok(self.wasi.clock_unix_ns.saturating_add(self.elapsed_ns())),
            clock if clock < CLOCKS => Ok(self.elapsed_ns()),
            _ => Err(Errno::Invalid),
        }
    }

    pub(super) fn clock_res_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        if args.u32(0) >= CLOCKS {
            return Err(Errno::Invalid.into());
        }
        self.memory.write_u64(args.u32(1), RESOLUTION_NS)
    }

    pub(super) fn clock_time_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let now_ns = self.now_ns(args.u32(0))?;
        self.memory.write_u64(args.u32(2), now_ns)
    }

    pub(super) fn random_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let (pointer, length) = (args.u32(0), args.u32(1));
        self.memory.read(pointer, length)?;
        self.gas.charge(u64::from(length).saturating_mul(cost::RANDOM_BYTE))?;
        self.wasi.random.fill(self.memory.room(pointer, length)?);
        Ok(())
    }

    /// Descriptors are always ready. With clocks alone, the clock jumps to the first deadline.
    pub(super) fn poll_oneoff(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let (input, output, count) = (args.u32(0), args.u32(1), args.u32(2));
        if count == 0 || count > SUBSCRIPTIONS_MAX {
            return Err(Errno::Invalid.into());
        }
        self.gas.charge(u64::from(count).saturating_mul(cost::ITEM))?;
        self.memory.read(input, count.saturating_mul(SUBSCRIPTION_BYTES))?;
        self.memory.read(output, count.saturating_mul(EVENT_BYTES))?;
        let mut subscriptions = Vec::new();
        for index in 0..count {
            let at = input.saturating_add(index.saturating_mul(SUBSCRIPTION_BYTES));
            let bytes = self.memory.array::<48>(at)?;
            subscriptions.push((u64::from_le_bytes(field(&bytes, 0)), self.wanted(&bytes)));
        }
        let instant = subscriptions.iter().any(|(_, wanted)| !matches!(wanted, Wanted::Clock { .. }));
        let deadlines = subscriptions.iter().filter_map(|(_, wanted)| match wanted {
            Wanted::Clock { deadline_ns } => Some(*deadline_ns),
            _ => None,
        });
        if let Some(first_ns) = deadlines.min()
            && !instant
        {
            let wait_ns = first_ns.saturating_sub(self.elapsed_ns());
            self.wasi.slept_ns = self.wasi.slept_ns.saturating_add(wait_ns);
        }
        self.write_events(&subscriptions, output, args.u32(3))
    }

    /// What one subscription waits for; deadlines on the clock of [`Self::elapsed_ns`].
    fn wanted(&self, bytes: &[u8; 48]) -> Wanted {
        const ABSOLUTE: u16 = 1;
        let [tag] = field(bytes, 8);
        match tag {
            0 => {
                let clock = u32::from_le_bytes(field(bytes, 16));
                let timeout_ns = u64::from_le_bytes(field(bytes, 24));
                let absolute = u16::from_le_bytes(field(bytes, 40)) & ABSOLUTE != 0;
                match self.now_ns(clock) {
                    Err(errno) => Wanted::Failed { tag, errno },
                    Ok(now_ns) => {
                        let wait_ns = if absolute { timeout_ns.saturating_sub(now_ns) } else { timeout_ns };
                        Wanted::Clock { deadline_ns: self.elapsed_ns().saturating_add(wait_ns) }
                    }
                }
            }
            1 | 2 => {
                let number = u32::from_le_bytes(field(bytes, 16));
                match self.wasi.descriptors.get(number, rights::POLL_FD_READWRITE) {
                    Err(errno) => Wanted::Failed { tag, errno },
                    Ok(_) => Wanted::Descriptor { tag, ready_bytes: if tag == 1 { self.readable(number) } else { 0 } },
                }
            }
            _ => Wanted::Failed { tag, errno: Errno::Invalid },
        }
    }

    fn write_events(&mut self, subscriptions: &[(u64, Wanted)], output: u32, count_at: u32) -> Result<(), Stop> {
        let elapsed_ns = self.elapsed_ns();
        let mut count = 0_u32;
        for (userdata, wanted) in subscriptions {
            let (errno, tag, ready_bytes) = match *wanted {
                Wanted::Clock { deadline_ns } if deadline_ns <= elapsed_ns => (Errno::Success, 0, 0),
                Wanted::Clock { .. } => continue,
                Wanted::Descriptor { tag, ready_bytes } => (Errno::Success, tag, ready_bytes),
                Wanted::Failed { tag, errno } => (errno, tag, 0),
            };
            let at = output.saturating_add(count.saturating_mul(EVENT_BYTES));
            self.memory.room(at, EVENT_BYTES)?.fill(0);
            self.memory.write_u64(at, *userdata)?;
            self.memory.write(at.saturating_add(8), &(errno as u16).to_le_bytes())?;
            self.memory.write(at.saturating_add(10), &[tag])?;
            self.memory.write_u64(at.saturating_add(16), ready_bytes)?;
            count = count.saturating_add(1);
        }
        self.memory.write_u32(count_at, count)
    }
}

/// `N` bytes of a subscription at a fixed offset inside it.
fn field<const N: usize>(bytes: &[u8; 48], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}
