//! The locals that a rewritten function has beside its own.

use wasm_encoder::{Encode, ValType};

use crate::{
    analyze::{Fast, Float, Splice},
    inject::Injected,
    rewrite::Variant,
    scan::{Body, Raw},
};

/// Scratch locals of one function, behind its own.
#[derive(Default)]
pub(crate) struct Scratch {
    next: u32,
    pub gas: Option<u32>,
    pub f32: Option<u32>,
    pub f64: Option<u32>,
    pub room: Option<u32>,
    pub count: Option<u32>,
}

impl Scratch {
    pub(crate) fn new(body: &Body<'_, '_>, variant: Variant) -> Self {
        let params = u64::try_from(body.signature.params.len()).unwrap_or(u64::MAX);
        let own = u32::try_from(params.saturating_add(body.plan.locals)).unwrap_or(u32::MAX);
        let mut scratch = Self { next: own, ..Self::default() };
        let is_fast = variant == Variant::Fast;
        let Fast { in_global, unchecked, frame_at_calls } = body.plan.fast;
        // Locals cost time where functions are entered: L has none that it does not need.
        scratch.gas = (!is_fast || !in_global || !unchecked).then(|| scratch.take());
        let (mut f32, mut f64, mut counts) = (false, false, false);
        for edit in &body.plan.edits {
            match edit.what {
                Splice::Canonical { width, in_canonical, in_fast } if if is_fast { in_fast } else { in_canonical } => {
                    *(if width == Float::F32 { &mut f32 } else { &mut f64 }) = true;
                }
                Splice::Inject(Injected::ChargeBytes | Injected::ChargeElements) => counts = is_fast,
                _ => {}
            }
        }
        scratch.f32 = f32.then(|| scratch.take());
        scratch.f64 = f64.then(|| scratch.take());
        scratch.room = (is_fast && body.plan.calls && !frame_at_calls).then(|| scratch.take());
        scratch.count = counts.then(|| scratch.take());
        scratch
    }

    const fn take(&mut self) -> u32 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        index
    }

    /// The declarations of locals: the module's own groups as they stand, then ours.
    pub(crate) fn declare(&self, own: Raw<'_>, out: &mut Vec<u8>) {
        let (gas, room) = (self.gas.map(|_| ValType::I64), self.room.map(|_| ValType::I32));
        let count = self.count.map(|_| ValType::I32);
        let ours = [gas, self.f32.map(|_| ValType::F32), self.f64.map(|_| ValType::F64), room, count];
        let added = u32::try_from(ours.iter().flatten().count()).unwrap_or(0);
        own.count.saturating_add(added).encode(out);
        out.extend_from_slice(own.entries);
        for ty in ours.iter().flatten() {
            1_u32.encode(out);
            ty.encode(out);
        }
    }
}
