//! The operators that kernels are made of, by the type that they give, and constants at and around what is special.

use wasm_encoder::{Instruction as I, MemArg, ValType};

use super::Numbers;

type OfMemory = fn(MemArg) -> I<'static>;
const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;
const F32: ValType = ValType::F32;
const F64: ValType = ValType::F64;

/// Two operands of a type make an `i32`.
pub const COMPARISONS: &[(ValType, I<'static>)] = &[
    (I32, I::I32Eq),
    (I32, I::I32Ne),
    (I32, I::I32LtS),
    (I32, I::I32LtU),
    (I32, I::I32GtS),
    (I32, I::I32GtU),
    (I32, I::I32LeS),
    (I32, I::I32LeU),
    (I32, I::I32GeS),
    (I32, I::I32GeU),
    (I32, I::I32And),
    (I32, I::I32Or),
    (I64, I::I64Eq),
    (I64, I::I64Ne),
    (I64, I::I64LtS),
    (I64, I::I64LtU),
    (I64, I::I64GtS),
    (I64, I::I64GtU),
    (I64, I::I64LeS),
    (I64, I::I64LeU),
    (I64, I::I64GeS),
    (I64, I::I64GeU),
    (F32, I::F32Eq),
    (F32, I::F32Ne),
    (F32, I::F32Lt),
    (F32, I::F32Gt),
    (F32, I::F32Le),
    (F32, I::F32Ge),
    (F64, I::F64Eq),
    (F64, I::F64Ne),
    (F64, I::F64Lt),
    (F64, I::F64Gt),
    (F64, I::F64Le),
    (F64, I::F64Ge),
];

/// Two operands of the type make one; and whether it traps when the second is zero.
pub const fn binary(ty: ValType) -> &'static [(I<'static>, bool)] {
    match ty {
        I32 => &[
            (I::I32Add, false),
            (I::I32Sub, false),
            (I::I32Mul, false),
            (I::I32DivS, true),
            (I::I32DivU, true),
            (I::I32RemS, true),
            (I::I32RemU, true),
            (I::I32And, false),
            (I::I32Or, false),
            (I::I32Xor, false),
            (I::I32Shl, false),
            (I::I32ShrS, false),
            (I::I32ShrU, false),
            (I::I32Rotl, false),
            (I::I32Rotr, false),
        ],
        I64 => &[
            (I::I64Add, false),
            (I::I64Sub, false),
            (I::I64Mul, false),
            (I::I64DivS, true),
            (I::I64DivU, true),
            (I::I64RemS, true),
            (I::I64RemU, true),
            (I::I64And, false),
            (I::I64Or, false),
            (I::I64Xor, false),
            (I::I64Shl, false),
            (I::I64ShrS, false),
            (I::I64ShrU, false),
            (I::I64Rotl, false),
            (I::I64Rotr, false),
        ],
        F32 => &[
            (I::F32Add, false),
            (I::F32Sub, false),
            (I::F32Mul, false),
            (I::F32Div, false),
            (I::F32Min, false),
            (I::F32Max, false),
            (I::F32Copysign, false),
        ],
        _ => &[
            (I::F64Add, false),
            (I::F64Sub, false),
            (I::F64Mul, false),
            (I::F64Div, false),
            (I::F64Min, false),
            (I::F64Max, false),
            (I::F64Copysign, false),
        ],
    }
}

/// One operand of the type named makes one of the type asked for. What traps is rare here: it ends the program.
pub const fn unary(ty: ValType) -> &'static [(ValType, I<'static>)] {
    match ty {
        I32 => &[
            (I32, I::I32Clz),
            (I32, I::I32Ctz),
            (I32, I::I32Popcnt),
            (I32, I::I32Extend8S),
            (I32, I::I32Extend16S),
            (I32, I::I32Eqz),
            (I64, I::I64Eqz),
            (I64, I::I32WrapI64),
            (F32, I::I32ReinterpretF32),
            (F32, I::I32TruncSatF32S),
            (F32, I::I32TruncSatF32U),
            (F64, I::I32TruncSatF64S),
            (F64, I::I32TruncSatF64U),
            (F64, I::I32TruncF64S),
        ],
        I64 => &[
            (I64, I::I64Clz),
            (I64, I::I64Ctz),
            (I64, I::I64Popcnt),
            (I64, I::I64Extend8S),
            (I64, I::I64Extend16S),
            (I64, I::I64Extend32S),
            (I32, I::I64ExtendI32S),
            (I32, I::I64ExtendI32U),
            (F64, I::I64ReinterpretF64),
            (F32, I::I64TruncSatF32S),
            (F32, I::I64TruncSatF32U),
            (F64, I::I64TruncSatF64S),
            (F64, I::I64TruncSatF64U),
            (I32, I::I64ExtendI32S),
            (I32, I::I64ExtendI32U),
            (F64, I::I64ReinterpretF64),
            (F32, I::I64TruncF32U),
        ],
        F32 => &[
            (F32, I::F32Abs),
            (F32, I::F32Neg),
            (F32, I::F32Ceil),
            (F32, I::F32Floor),
            (F32, I::F32Trunc),
            (F32, I::F32Nearest),
            (F32, I::F32Sqrt),
            (F64, I::F32DemoteF64),
            (I32, I::F32ConvertI32S),
            (I32, I::F32ConvertI32U),
            (I64, I::F32ConvertI64S),
            (I64, I::F32ConvertI64U),
            (I32, I::F32ReinterpretI32),
        ],
        _ => &[
            (F64, I::F64Abs),
            (F64, I::F64Neg),
            (F64, I::F64Ceil),
            (F64, I::F64Floor),
            (F64, I::F64Trunc),
            (F64, I::F64Nearest),
            (F64, I::F64Sqrt),
            (F32, I::F64PromoteF32),
            (I32, I::F64ConvertI32S),
            (I32, I::F64ConvertI32U),
            (I64, I::F64ConvertI64S),
            (I64, I::F64ConvertI64U),
            (I64, I::F64ReinterpretI64),
        ],
    }
}

/// Loads of the type.
pub const fn loads(ty: ValType) -> &'static [OfMemory] {
    match ty {
        I32 => &[I::I32Load, I::I32Load8S, I::I32Load8U, I::I32Load16S, I::I32Load16U],
        I64 => &[I::I64Load, I::I64Load8S, I::I64Load8U, I::I64Load16S, I::I64Load16U, I::I64Load32S, I::I64Load32U],
        F32 => &[I::F32Load],
        _ => &[I::F64Load],
    }
}

/// Stores of the type.
pub const fn stores(ty: ValType) -> &'static [OfMemory] {
    match ty {
        I32 => &[I::I32Store, I::I32Store8, I::I32Store16],
        I64 => &[I::I64Store, I::I64Store8, I::I64Store16, I::I64Store32],
        F32 => &[I::F32Store],
        _ => &[I::F64Store],
    }
}

/// Zero.
pub fn zero(ty: ValType) -> I<'static> {
    match ty {
        I32 => I::I32Const(0),
        I64 => I::I64Const(0),
        F32 => I::F32Const(0.0.into()),
        _ => I::F64Const(0.0.into()),
    }
}

/// A constant: small, or at the edge of something, or anything.
pub fn constant(ty: ValType, numbers: &mut Numbers) -> I<'static> {
    let any = numbers.below(u64::MAX);
    let small = numbers.below(64);
    let choice = numbers.below(7) as usize;
    match ty {
        I32 => I::I32Const([small as i32, small as i32, -1, i32::MIN, i32::MAX, 1 << (any % 32), any as i32][choice]),
        I64 => I::I64Const([small as i64, small as i64, -1, i64::MIN, i64::MAX, 1 << (any % 64), any as i64][choice]),
        F32 => {
            let near_limits = (2_147_483_648.0_f32 + (any % 512) as f32).to_bits();
            let odd = [1 << 31, 0x7fa0_0001, 0xffc0_0000, 0x7f80_0000, 1, near_limits, any as u32][choice];
            I::F32Const(if any.is_multiple_of(2) { small as f32 * 0.75 } else { f32::from_bits(odd) }.into())
        }
        _ => {
            let near_limits = (9.223_372_036_854_775e18 + (any % 8_192) as f64).to_bits();
            let odd = [1 << 63, 0x7ff4_0000_0000_0001, 0xfff8 << 48, 0x7ff0 << 48, 1, near_limits, any][choice];
            I::F64Const(if any.is_multiple_of(2) { small as f64 * 0.75 } else { f64::from_bits(odd) }.into())
        }
    }
}
