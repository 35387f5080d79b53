//! Functions that are added behind the module's own: charges that depend on operands, and growing.

use assay_protocol::Trap;
use wasm_encoder::{BlockType, Encode, Instruction as I, ValType};

use crate::{
    ValueType,
    bounds::TABLE_ELEMENTS_MAX,
    cost, export,
    rewrite::{Globals, STOP_BELOW_ZERO, emit, gas_const, raise, settle},
    scan::Shape,
};

/// A function that is added behind the module's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Injected {
    ChargeBytes,
    ChargeElements,
    MemoryGrow,
    TableGrow(u32),
}

impl Injected {
    /// Type of the function.
    pub(crate) const fn signature(self) -> (&'static [ValueType], &'static [ValueType]) {
        match self {
            Self::ChargeBytes | Self::ChargeElements | Self::MemoryGrow => (&[ValueType::I32], &[ValueType::I32]),
            Self::TableGrow(_) => (&[ValueType::FuncRef, ValueType::I32], &[ValueType::I32]),
        }
    }

    /// If it only charges: what makes a price of the count on the stack, an i64. L does so in place.
    pub(crate) fn price(self) -> Option<Vec<I<'static>>> {
        let round_up = gas_const(cost::BYTES_PER_GAS.saturating_sub(1));
        match self {
            // Interpreters divide slowly.
            Self::ChargeBytes => {
                let shift = I::I64Const(cost::BYTES_PER_GAS.ilog2().into());
                Some(vec![round_up, I::I64Add, shift, I::I64ShrU])
            }
            Self::ChargeElements => Some(vec![gas_const(cost::TABLE_ELEMENT), I::I64Mul]),
            Self::MemoryGrow | Self::TableGrow(_) => None,
        }
    }

    /// Its body, without its length.
    pub(crate) fn body(self, globals: Globals, shape: &Shape<'_>) -> Vec<u8> {
        match self {
            Self::ChargeBytes => charge_count(globals, cost::BYTES_PER_GAS, 1),
            Self::ChargeElements => charge_count(globals, 1, cost::TABLE_ELEMENT),
            Self::MemoryGrow => {
                let declared = shape.memory.and_then(|memory| memory.maximum_pages);
                let limit = [I::GlobalGet(globals.memory_limit_pages), I::I64ExtendI32U];
                grow(
                    globals,
                    &Grow {
                        delta: 0,
                        size: I::MemorySize(0),
                        maximum: declared.unwrap_or(65_536).min(65_536),
                        limit: &limit,
                        over_limit: Trap::MemoryLimit,
                        unit_gas: cost::MEMORY_PAGE,
                        operands: &[I::LocalGet(0)],
                        operator: I::MemoryGrow(0),
                    },
                )
            }
            Self::TableGrow(table) => {
                let place = usize::try_from(table).unwrap_or(usize::MAX);
                let declared = shape.table_maxima.get(place).copied().flatten();
                let limit = [I::I64Const(i64::try_from(TABLE_ELEMENTS_MAX).unwrap_or(i64::MAX))];
                grow(
                    globals,
                    &Grow {
                        delta: 1,
                        size: I::TableSize(table),
                        maximum: declared.unwrap_or(u64::from(u32::MAX)),
                        limit: &limit,
                        over_limit: Trap::TableLimit,
                        unit_gas: cost::TABLE_ELEMENT,
                        operands: &[I::LocalGet(0), I::LocalGet(1)],
                        operator: I::TableGrow(table),
                    },
                )
            }
        }
    }
}

/// `(n) -> n`: charges n, divided and rounded up, times a price.
fn charge_count(globals: Globals, per_gas: u64, price: u64) -> Vec<u8> {
    let mut out = Vec::new();
    declare(&[ValType::I64], &mut out);
    emit(&mut out, &[I::GlobalGet(globals.gas_left), I::LocalGet(0), I::I64ExtendI32U]);
    emit(&mut out, &[gas_const(per_gas.saturating_sub(1)), I::I64Add, gas_const(per_gas), I::I64DivU]);
    emit(&mut out, &[gas_const(price), I::I64Mul, I::I64Sub]);
    emit(&mut out, &settle(globals.gas_left, 1));
    emit(&mut out, &STOP_BELOW_ZERO);
    emit(&mut out, &[I::LocalGet(0), I::End]);
    out
}

struct Grow<'a> {
    /// Index of the parameter that holds the number of units.
    delta: u32,
    size: I<'a>,
    /// Declared by the module: growing past it answers -1, as everywhere.
    maximum: u64,
    /// Of the job or the profile: growing past it traps, so that it never looks like a host without memory.
    limit: &'a [I<'a>],
    over_limit: Trap,
    unit_gas: u64,
    operands: &'a [I<'a>],
    operator: I<'a>,
}

/// `memory.grow` and `table.grow` with the same order on every engine: declared maximum, limit, gas, growing.
fn grow(globals: Globals, rule: &Grow<'_>) -> Vec<u8> {
    let (wanted, gas) = (rule.delta.saturating_add(1), rule.delta.saturating_add(2));
    let answer = rule.delta.saturating_add(3);
    let delta = [I::LocalGet(rule.delta), I::I64ExtendI32U];
    let mut out = Vec::new();
    declare(&[ValType::I64, ValType::I64, ValType::I32], &mut out);
    // Growing by nothing only asks. The real operator therefore runs at most once per page or element, whatever the
    // guest does: the reference engine leaves a native stack frame behind at each `memory.grow`.
    emit(&mut out, &[I::LocalGet(rule.delta), I::I32Eqz, I::If(BlockType::Empty)]);
    emit(&mut out, &[rule.size.clone(), I::Return, I::End]);
    emit(&mut out, &[rule.size.clone(), I::I64ExtendI32U]);
    emit(&mut out, &delta);
    emit(&mut out, &[I::I64Add, I::LocalTee(wanted), gas_const(rule.maximum), I::I64GtU, I::If(BlockType::Empty)]);
    emit(&mut out, &[I::I32Const(-1), I::Return, I::End, I::LocalGet(wanted)]);
    emit(&mut out, rule.limit);
    emit(&mut out, &[I::I64GtU, I::If(BlockType::Empty)]);
    emit(&mut out, &raise(globals.trap, i32::from(rule.over_limit.code())));
    emit(&mut out, &[I::End, I::GlobalGet(globals.gas_left)]);
    emit(&mut out, &delta);
    emit(&mut out, &[gas_const(rule.unit_gas), I::I64Mul, I::I64Sub]);
    emit(&mut out, &settle(globals.gas_left, gas));
    emit(&mut out, &STOP_BELOW_ZERO);
    emit(&mut out, rule.operands);
    emit(&mut out, &[rule.operator.clone(), I::LocalTee(answer), I::I32Const(-1), I::I32Eq, I::If(BlockType::Empty)]);
    emit(&mut out, &raise(globals.trap, export::TRAP_HOST_MEMORY));
    emit(&mut out, &[I::End, I::LocalGet(answer), I::End]);
    out
}

/// Declares locals, one group each.
fn declare(locals: &[ValType], out: &mut Vec<u8>) {
    u32::try_from(locals.len()).unwrap_or(u32::MAX).encode(out);
    for ty in locals {
        1_u32.encode(out);
        ty.encode(out);
    }
}
