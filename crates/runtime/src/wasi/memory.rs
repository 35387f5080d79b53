//! The guest's memory, looked at by the host: every access is checked (W-07).

use assay_protocol::Trap;

use super::{Errno, cost};

/// Why a host call does not return to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `proc_exit`.
    Exit(u32),
    /// A trap.
    Trap(Trap),
    /// The gas limit is reached.
    OutOfGas,
    /// An error number for the guest: the call does return.
    Errno(Errno),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

const OUT_OF_BOUNDS: Stop = Stop::Trap(Trap::HostPointerOutOfBounds);

/// Gas left while a host call runs.
#[derive(Clone, Copy, Debug)]
pub struct Gas {
    /// Gas left; below zero when the limit was passed.
    pub left: i64,
}

impl Gas {
    /// Takes gas for what comes next.
    ///
    /// # Errors
    /// [`Stop::OutOfGas`].
    pub fn charge(&mut self, gas: u64) -> Result<(), Stop> {
        let gas = i64::try_from(gas).unwrap_or(i64::MAX);
        self.left = self.left.saturating_sub(gas);
        if self.left < 0 { Err(Stop::OutOfGas) } else { Ok(()) }
    }

    /// Takes gas for bytes to move.
    ///
    /// # Errors
    /// [`Stop::OutOfGas`].
    pub fn charge_bytes(&mut self, bytes: u64) -> Result<(), Stop> {
        self.charge(bytes.div_ceil(cost::BYTES_PER_GAS))
    }
}

/// The guest's linear memory; empty when it exports none.
pub struct Memory<'a> {
    bytes: &'a mut [u8],
}

/// A buffer in the guest's memory, inside its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    pointer: u32,
    length: u32,
}

impl Buffer {
    /// Length in bytes.
    pub const fn length(self) -> u32 {
        self.length
    }
}

impl<'a> Memory<'a> {
    /// The whole memory.
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes at a pointer.
    ///
    /// # Errors
    /// Trap when they are not all inside the memory.
    pub fn read(&self, pointer: u32, length: u32) -> Result<&[u8], Stop> {
        let start = usize::try_from(pointer).map_err(|_| OUT_OF_BOUNDS)?;
        let end = start.checked_add(usize::try_from(length).map_err(|_| OUT_OF_BOUNDS)?).ok_or(OUT_OF_BOUNDS)?;
        self.bytes.get(start..end).ok_or(OUT_OF_BOUNDS)
    }

    /// Room for bytes at a pointer.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn room(&mut self, pointer: u32, length: u32) -> Result<&mut [u8], Stop> {
        let start = usize::try_from(pointer).map_err(|_| OUT_OF_BOUNDS)?;
        let end = start.checked_add(usize::try_from(length).map_err(|_| OUT_OF_BOUNDS)?).ok_or(OUT_OF_BOUNDS)?;
        self.bytes.get_mut(start..end).ok_or(OUT_OF_BOUNDS)
    }

    /// Writes bytes at a pointer.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Stop> {
        let length = u32::try_from(bytes.len()).map_err(|_| OUT_OF_BOUNDS)?;
        self.room(pointer, length)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes a 32-bit integer.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn write_u32(&mut self, pointer: u32, value: u32) -> Result<(), Stop> {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Writes a 64-bit integer.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn write_u64(&mut self, pointer: u32, value: u64) -> Result<(), Stop> {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Reads `N` bytes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn array<const N: usize>(&self, pointer: u32) -> Result<[u8; N], Stop> {
        let length = u32::try_from(N).map_err(|_| OUT_OF_BOUNDS)?;
        self.read(pointer, length)?.try_into().map_err(|_| OUT_OF_BOUNDS)
    }

    /// Reads a vector of buffers, each checked. At most `count_max`.
    ///
    /// # Errors
    /// Trap as [`Self::read`]; `INVAL` for too many; out of gas.
    pub fn vector(&self, gas: &mut Gas, pointer: u32, count: u32) -> Result<Vec<Buffer>, Stop> {
        const COUNT_MAX: u32 = 1_024;
        if count > COUNT_MAX {
            return Err(Errno::Invalid.into());
        }
        gas.charge(u64::from(count).saturating_mul(cost::ITEM))?;
        let table = self.read(pointer, count.saturating_mul(8))?;
        let mut buffers = Vec::new();
        for pair in table.chunks_exact(8) {
            let (at, length) = pair.split_at(4);
            let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).map_err(|_| OUT_OF_BOUNDS);
            let buffer = Buffer { pointer: number(at)?, length: number(length)? };
            self.read(buffer.pointer, buffer.length)?;
            buffers.push(buffer);
        }
        Ok(buffers)
    }

    /// The bytes of a buffer.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn buffer(&self, buffer: Buffer) -> Result<&[u8], Stop> {
        self.read(buffer.pointer, buffer.length)
    }

    /// Room in a buffer.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn buffer_room(&mut self, buffer: Buffer) -> Result<&mut [u8], Stop> {
        self.room(buffer.pointer, buffer.length)
    }
}
