//! Cost table, version 1. What a piece of code costs depends on nothing but the original operators.
//!
//! One unit is about a quarter of a nanosecond in the reference interpreter on the machine of docs/METERING.md: a
//! `local.get`, an addition. What the rewriting itself adds (checks, frames, canonical NaNs) is in the prices.
//! docs/METERING.md holds the same table; change both or neither.

use wasmparser::Operator;

/// Version of this table.
pub const COST_TABLE_VERSION: u32 = 1;
/// Every segment, for its check.
pub const SEGMENT: u64 = 24;
/// Entering a function.
pub const FUNCTION_ENTRY: u64 = 24;
/// This many locals (parameters not counted) cost one unit when a function is entered: they are zeroed.
pub const LOCALS_PER_GAS: u64 = 4;
/// This many bytes of `memory.fill`, `memory.copy`, `memory.init` cost one unit, rounded up.
pub const BYTES_PER_GAS: u64 = 8;
/// One element of `table.fill`, `table.copy`, `table.init`, `table.grow`.
pub const TABLE_ELEMENT: u64 = 1;
/// One page of `memory.grow`.
pub const MEMORY_PAGE: u64 = 16_384;
/// One page of the initial memory, which hosts give as zeros without touching it.
pub const INITIAL_PAGE: u64 = 4_096;
/// Every instantiation.
pub const INSTANTIATE: u64 = 10_000;
/// One byte of the metered module's code, data and element sections.
pub const MODULE_BYTE: u64 = 1;

/// What one operator costs, before anything that depends on its operands.
#[must_use]
pub fn operator(op: &Operator<'_>) -> u64 {
    use Operator as O;
    match op {
        O::End | O::Else | O::Drop => 0,
        O::Block { .. } | O::Loop { .. } | O::Nop | O::Unreachable => 1,
        O::If { .. } | O::Br { .. } | O::BrIf { .. } | O::Return => 2,
        O::BrTable { .. } => 8,
        O::Call { .. } => 16,
        O::CallIndirect { .. } => 24,
        O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. } => 1,
        O::GlobalGet { .. } | O::GlobalSet { .. } => 3,
        O::Select | O::TypedSelect { .. } => 2,
        O::MemorySize { .. } | O::TableSize { .. } => 3,
        O::MemoryGrow { .. } | O::TableGrow { .. } => 200,
        O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => 80,
        O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => 80,
        O::DataDrop { .. } | O::ElemDrop { .. } => 4,
        O::TableGet { .. } | O::TableSet { .. } | O::RefFunc { .. } => 4,
        O::I32Popcnt | O::I64Popcnt => 8,
        op if is_load_or_store(op) => 2,
        op if is_integer_division(op) => 12,
        op => float(op).unwrap_or(1),
    }
}

fn is_load_or_store(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::I32Load { .. }
            | O::I64Load { .. }
            | O::F32Load { .. }
            | O::F64Load { .. }
            | O::I32Load8S { .. }
            | O::I32Load8U { .. }
            | O::I32Load16S { .. }
            | O::I32Load16U { .. }
            | O::I64Load8S { .. }
            | O::I64Load8U { .. }
            | O::I64Load16S { .. }
            | O::I64Load16U { .. }
            | O::I64Load32S { .. }
            | O::I64Load32U { .. }
            | O::I32Store { .. }
            | O::I64Store { .. }
            | O::F32Store { .. }
            | O::F64Store { .. }
            | O::I32Store8 { .. }
            | O::I32Store16 { .. }
            | O::I64Store8 { .. }
            | O::I64Store16 { .. }
            | O::I64Store32 { .. }
    )
}

const fn is_integer_division(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(op, O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU | O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU)
}

/// Float operators; the price of canonical NaNs is included. `None` for every other operator.
const fn float(op: &Operator<'_>) -> Option<u64> {
    use Operator as O;
    Some(match op {
        O::F32Add | O::F32Sub | O::F32Mul | O::F64Add | O::F64Sub | O::F64Mul => 12,
        O::F32Div | O::F64Div => 24,
        O::F32Sqrt | O::F64Sqrt => 24,
        O::F32Min | O::F32Max | O::F64Min | O::F64Max => 20,
        O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest => 16,
        O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest => 16,
        O::F32DemoteF64 | O::F64PromoteF32 => 6,
        O::F32Copysign | O::F64Copysign => 8,
        O::F32ConvertI32S | O::F32ConvertI32U | O::F32ConvertI64S | O::F32ConvertI64U => 3,
        O::F64ConvertI32S | O::F64ConvertI32U | O::F64ConvertI64S | O::F64ConvertI64U => 3,
        O::I32TruncF32S | O::I32TruncF32U | O::I32TruncF64S | O::I32TruncF64U => 10,
        O::I64TruncF32S | O::I64TruncF32U | O::I64TruncF64S | O::I64TruncF64U => 10,
        O::I32TruncSatF32S | O::I32TruncSatF32U | O::I32TruncSatF64S | O::I32TruncSatF64U => 8,
        O::I64TruncSatF32S | O::I64TruncSatF32U | O::I64TruncSatF64S | O::I64TruncSatF64U => 8,
        _ => return None,
    })
}
