//! Arguments, environment, exit.

use super::{Args, Call, Errno, Stop, cost, length};

impl Call<'_> {
    pub(super) fn args_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let strings = core::mem::take(&mut self.wasi.args);
        let written = self.write_strings(&strings, args.u32(0), args.u32(1));
        self.wasi.args = strings;
        written
    }

    pub(super) fn args_sizes_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let (count, bytes) = sizes(&self.wasi.args)?;
        self.memory.write_u32(args.u32(0), count)?;
        self.memory.write_u32(args.u32(1), bytes)
    }

    pub(super) fn environ_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let strings = core::mem::take(&mut self.wasi.env);
        let written = self.write_strings(&strings, args.u32(0), args.u32(1));
        self.wasi.env = strings;
        written
    }

    pub(super) fn environ_sizes_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let (count, bytes) = sizes(&self.wasi.env)?;
        self.memory.write_u32(args.u32(0), count)?;
        self.memory.write_u32(args.u32(1), bytes)
    }

    /// Strings one behind the other, and a table of pointers to them.
    fn write_strings(&mut self, strings: &[Vec<u8>], table: u32, buffer: u32) -> Result<(), Stop> {
        let (count, bytes) = sizes(strings)?;
        self.gas.charge(u64::from(count).saturating_mul(cost::ITEM))?;
        self.gas.charge_bytes(u64::from(bytes))?;
        self.memory.read(table, count.saturating_mul(4))?;
        self.memory.read(buffer, bytes)?;
        let (mut slot, mut at) = (table, buffer);
        for string in strings {
            self.memory.write_u32(slot, at)?;
            self.memory.write(at, string)?;
            slot = slot.wrapping_add(4);
            at = at.wrapping_add(u32::try_from(string.len()).map_err(|_| Errno::Overflow)?);
        }
        Ok(())
    }

    pub(super) fn proc_exit(&mut self, args: Args<'_>) -> Result<(), Stop> {
        Err(Stop::Exit(args.u32(0)))
    }
}

fn sizes(strings: &[Vec<u8>]) -> Result<(u32, u32), Stop> {
    let count = u32::try_from(strings.len()).map_err(|_| Errno::Overflow)?;
    let bytes = strings.iter().map(|string| length(string.len())).fold(0, u64::saturating_add);
    Ok((count, u32::try_from(bytes).map_err(|_| Errno::Overflow)?))
}
