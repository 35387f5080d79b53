//! Arguments that are read otherwise than Borsh reads them, from the same bytes. The IDL's builder sees none of it.

use std::io::{Read, Result};

use anchor_lang::prelude::*;

/// Numbers that are read at a time; no memory is set aside for more than are there.
const BLOCK: usize = 64;

/// A list of tickets, a block at a time: Borsh asks the reader for every number, which takes a fifth of what its draw does.
///
/// # Errors
/// The reader's, when the bytes end before the list does.
pub fn read_tickets<R: Read>(reader: &mut R) -> Result<Vec<u32>> {
    let mut left = usize::try_from(u32::deserialize_reader(reader)?).unwrap_or(usize::MAX);
    let mut tickets = Vec::with_capacity(left.min(BLOCK));
    let mut block = [0_u32; BLOCK];
    while left > 0 {
        let count = left.min(BLOCK);
        let (numbers, _) = block.split_at_mut(count);
        reader.read_exact(bytemuck::cast_slice_mut(numbers))?;
        numbers.iter_mut().for_each(|number| *number = u32::from_le(*number)); // Nothing to do on chain.
        tickets.extend_from_slice(numbers);
        left = left.saturating_sub(count);
    }
    Ok(tickets)
}
