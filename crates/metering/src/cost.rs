//! Cost table, version 1, frozen. What a piece of code costs depends on nothing but the original operators.
//!
//! One unit is about a fifth of a nanosecond in the reference interpreter and a fortieth in compiled code, on the machine
//! of docs/METERING.md. What the rewriting itself adds (checks, frames, canonical NaNs) is in the prices. A price is about
//! the engine on which the operator is dearer, compared to what whole programs cost there;
//! `cargo bench -p assay-runtime --bench calibration` checks it. docs/METERING.md, 5 holds the same table.

use wasmparser::Operator;

/// Version of this table.
pub const COST_TABLE_VERSION: u32 = 1;
/// Every segment, for its check.
pub const SEGMENT: u64 = 4;
/// Entering a function.
pub const FUNCTION_ENTRY: u64 = 48;
/// This many locals (parameters not counted) cost one unit when a function is entered: they are zeroed.
pub const LOCALS_PER_GAS: u64 = 4;
/// This many bytes of `memory.fill`, `memory.copy`, `memory.init` cost one unit, rounded up.
pub const BYTES_PER_GAS: u64 = 8;
/// One element of `table.fill`, `table.copy`, `table.init`, `table.grow` and of a table at its start.
pub const TABLE_ELEMENT: u64 = 16;
/// One page of `memory.grow`: a unit for every byte that may be zeroed and brought into memory.
pub const MEMORY_PAGE: u64 = 65_536;
/// One page of the initial memory, most of which programs never touch.
pub const INITIAL_PAGE: u64 = 16_384;
/// Every instantiation.
pub const INSTANTIATE: u64 = 10_000;
/// One byte of the module's sections as they stand, of its code as it is metered.
pub const MODULE_BYTE: u64 = 1;

/// What one operator costs, before anything that depends on its operands.
#[must_use]
pub fn operator(op: &Operator<'_>) -> u64 {
    use Operator as O;
    match op {
        // Nothing is left of these in compiled or translated code.
        O::End | O::Else | O::Drop | O::Block { .. } | O::Loop { .. } => 0,
        O::Nop | O::Unreachable | O::RefNull { .. } | O::RefIsNull => 1,
        O::I32Const { .. } | O::I64Const { .. } | O::F32Const { .. } | O::F64Const { .. } => 1,
        O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. } => 1,
        O::If { .. } | O::Br { .. } | O::BrIf { .. } | O::Return => 2,
        O::BrTable { .. } => 16,
        O::Call { .. } => 32,
        O::CallIndirect { .. } => 128,
        O::Select | O::TypedSelect { .. } => 4,
        O::GlobalGet { .. } | O::GlobalSet { .. } | O::TableGet { .. } | O::TableSet { .. } => 4,
        O::MemorySize { .. } | O::TableSize { .. } => 4,
        O::MemoryGrow { .. } | O::TableGrow { .. } => 256,
        O::RefFunc { .. } => 320,
        O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => 128,
        O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => 128,
        O::DataDrop { .. } | O::ElemDrop { .. } => 64,
        O::I32Load { .. } | O::I64Load { .. } | O::F32Load { .. } | O::F64Load { .. } => 6,
        op if is_narrow_load(op) => 8,
        op if is_store(op) => 4,
        op => number(op).unwrap_or(3),
    }
}

const fn is_narrow_load(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::I32Load8S { .. }
            | O::I32Load8U { .. }
            | O::I32Load16S { .. }
            | O::I32Load16U { .. }
            | O::I64Load8S { .. }
            | O::I64Load8U { .. }
            | O::I64Load16S { .. }
            | O::I64Load16U { .. }
            | O::I64Load32S { .. }
            | O::I64Load32U { .. }
    )
}

const fn is_store(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::I32Store { .. }
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

/// Operators on numbers that are no simple integer arithmetic; canonical NaNs are in the price. `None` for every other.
const fn number(op: &Operator<'_>) -> Option<u64> {
    use Operator as O;
    Some(match op {
        O::I32Eqz | O::I32Eq | O::I32Ne | O::I32LtS | O::I32LtU | O::I32GtS | O::I32GtU => 6,
        O::I32LeS | O::I32LeU | O::I32GeS | O::I32GeU => 6,
        O::I64Eqz | O::I64Eq | O::I64Ne | O::I64LtS | O::I64LtU | O::I64GtS | O::I64GtU => 6,
        O::I64LeS | O::I64LeU | O::I64GeS | O::I64GeU => 6,
        O::F32Eq | O::F32Ne | O::F32Lt | O::F32Gt | O::F32Le | O::F32Ge => 6,
        O::F64Eq | O::F64Ne | O::F64Lt | O::F64Gt | O::F64Le | O::F64Ge => 6,
        O::I32And | O::I32Or | O::I32Xor | O::I64And | O::I64Or | O::I64Xor => 4,
        O::I32Shl | O::I32ShrS | O::I32ShrU | O::I32Rotl | O::I32Rotr => 4,
        O::I64Shl | O::I64ShrS | O::I64ShrU | O::I64Rotl | O::I64Rotr => 4,
        O::I32Mul | O::I64Mul | O::I32Popcnt | O::I64Popcnt => 8,
        O::I32ReinterpretF32 | O::I64ReinterpretF64 | O::F32ReinterpretI32 | O::F64ReinterpretI64 => 8,
        O::F32ConvertI32S | O::F32ConvertI32U | O::F32ConvertI64S | O::F32ConvertI64U => 8,
        O::F64ConvertI32S | O::F64ConvertI32U | O::F64ConvertI64S | O::F64ConvertI64U => 8,
        O::F32DemoteF64 | O::F64PromoteF32 | O::F32Copysign | O::F64Copysign => 8,
        O::F32Add | O::F32Sub | O::F32Mul | O::F64Add | O::F64Sub | O::F64Mul => 6,
        O::F32Min | O::F32Max | O::F64Min | O::F64Max => 8,
        O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest => 16,
        O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest => 16,
        O::I32TruncF32S | O::I32TruncF32U | O::I32TruncF64S | O::I32TruncF64U => 16,
        O::I64TruncF32S | O::I64TruncF32U | O::I64TruncF64S | O::I64TruncF64U => 16,
        O::I32TruncSatF32S | O::I32TruncSatF32U | O::I32TruncSatF64S | O::I32TruncSatF64U => 16,
        O::I64TruncSatF32S | O::I64TruncSatF32U | O::I64TruncSatF64S | O::I64TruncSatF64U => 16,
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => 32,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => 32,
        O::F32Div | O::F64Div => 28,
        O::F32Sqrt | O::F64Sqrt => 40,
        _ => return None,
    })
}
