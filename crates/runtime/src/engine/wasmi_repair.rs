//! Around two faults of wasmi 2.0.0, whose translator keeps a `local.get` on its operand stack as the local itself and
//! has to copy the value away before the local changes.
//!
//! - It drops an `i32.eqz` (also `i32.eq` and `i32.ne` with zero) in front of a `select` and then, if what was compared is
//!   a local, selects by whatever the register held before. A value that goes through a local of its own in between is
//!   not dropped, so a `local.tee` is put there.
//! - Where a block, loop or `if` with parameters begins, it leaves as many locals alone as there are parameters, also
//!   when the parameters are no locals and the ones left alone lie below. Such a value is then copied where the local is
//!   next set: on one of two ways, or in every turn. An empty block without parameters in front has all locals copied.
//!
//! So the interpreter is given a module that does exactly what the metered module does: gas, stack and memory are counted
//! by what stands in the module.
//!
//! The tests `w_09_the_reference_still_needs_its_repair_of_…` fail with the first version that does not need one of these.

use std::borrow::Cow;

use wasm_encoder::{CodeSection, Encode, Instruction, Module, RawSection, ValType};
use wasmparser::{BinaryReaderError, BlockType, FunctionBody, Operator, Parser, Payload};

/// A module that the interpreter translates correctly; the module itself if it does so already.
pub(super) fn repaired(wasm: &[u8]) -> Result<Cow<'_, [u8]>, BinaryReaderError> {
    let mut parameters = Vec::new();
    let mut types = Vec::new();
    let mut module = Module::new();
    let mut code = CodeSection::new();
    let mut repairs = 0_usize;
    let mut bodies_left = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::TypeSection(section) => {
                for ty in section.clone().into_iter_err_on_gc_types() {
                    parameters.push(u32::try_from(ty?.params().len()).unwrap_or(u32::MAX));
                }
            }
            Payload::FunctionSection(section) => {
                for index in section.clone() {
                    types.push(usize::try_from(index?).unwrap_or(usize::MAX));
                }
                // Handed out from the end.
                types.reverse();
            }
            Payload::CodeSectionStart { count, .. } => bodies_left = *count,
            Payload::CodeSectionEntry(body) => {
                let params = types.pop().and_then(|index| parameters.get(index)).copied().unwrap_or_default();
                repairs = repairs.saturating_add(repair(body, params, &parameters, &mut code)?);
                bodies_left = bodies_left.saturating_sub(1);
                if bodies_left == 0 {
                    module.section(&code);
                }
                continue;
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section()
            && !matches!(payload, Payload::CodeSectionStart { .. })
        {
            let range =
                usize::try_from(range.start).unwrap_or(usize::MAX)..usize::try_from(range.end).unwrap_or(usize::MAX);
            module.section(&RawSection { id, data: wasm.get(range).unwrap_or_default() });
        }
    }
    Ok(if repairs == 0 { Cow::Borrowed(wasm) } else { Cow::Owned(module.finish()) })
}

/// What is put in front of an operator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repair {
    /// A `local.tee`, in front of a `select`.
    Tee,
    /// An empty block, in front of one with parameters.
    Block,
}

/// Appends a body with its repairs; how many there are. `parameters`: of every type.
fn repair(
    body: &FunctionBody<'_>,
    params: u32,
    parameters: &[u32],
    code: &mut CodeSection,
) -> Result<usize, BinaryReaderError> {
    let bytes = body.as_bytes();
    let start = body.range().start;
    let offset = |position: u64| usize::try_from(position.saturating_sub(start)).unwrap_or(usize::MAX);
    let repairs = repairs(body, parameters)?;
    if repairs.is_empty() {
        code.raw(bytes);
        return Ok(0);
    }
    let mut locals = body.get_locals_reader()?;
    let groups = locals.get_count();
    let groups_start = offset(locals.original_position());
    let mut local = params;
    for _ in 0..groups {
        local = local.saturating_add(locals.read()?.0);
    }
    let mut copied = offset(locals.original_position());
    let mut out = Vec::with_capacity(bytes.len().saturating_add(repairs.len().saturating_mul(4)));
    groups.saturating_add(1).encode(&mut out);
    out.extend_from_slice(bytes.get(groups_start..copied).unwrap_or_default());
    1_u32.encode(&mut out);
    ValType::I32.encode(&mut out);
    for (position, repair) in &repairs {
        let at = offset(*position);
        out.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
        match repair {
            Repair::Tee => Instruction::LocalTee(local).encode(&mut out),
            Repair::Block => {
                Instruction::Block(wasm_encoder::BlockType::Empty).encode(&mut out);
                Instruction::End.encode(&mut out);
            }
        }
        copied = at;
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    code.raw(&out);
    Ok(repairs.len())
}

/// Where what has to be put, in order.
fn repairs(body: &FunctionBody<'_>, parameters: &[u32]) -> Result<Vec<(u64, Repair)>, BinaryReaderError> {
    let mut repairs = Vec::new();
    let mut safe = false;
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        let position = reader.original_position();
        let op = reader.read()?;
        match op {
            // Behind anything that is not known to be translated correctly.
            Operator::Select | Operator::TypedSelect { .. } if !safe => repairs.push((position, Repair::Tee)),
            Operator::Block { blockty: BlockType::FuncType(ty) }
            | Operator::Loop { blockty: BlockType::FuncType(ty) }
            | Operator::If { blockty: BlockType::FuncType(ty) } => {
                let parameters = usize::try_from(ty).ok().and_then(|index| parameters.get(index)).copied();
                if parameters.is_none_or(|count| count > 0) {
                    repairs.push((position, Repair::Block));
                }
            }
            _ => {}
        }
        safe = is_safe_before_select(&op);
    }
    Ok(repairs)
}

/// Operators whose result is no comparison of an i32 with zero, whatever stands before them.
const fn is_safe_before_select(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::LocalGet { .. }
            | O::GlobalGet { .. }
            | O::I32Const { .. }
            | O::Call { .. }
            | O::CallIndirect { .. }
            | O::I32Load { .. }
            | O::I32Load8U { .. }
            | O::I32Load8S { .. }
            | O::I32Load16U { .. }
            | O::I32Load16S { .. }
            | O::F32Eq
            | O::F32Ne
            | O::F32Lt
            | O::F32Gt
            | O::F32Le
            | O::F32Ge
            | O::F64Eq
            | O::F64Ne
            | O::F64Lt
            | O::F64Gt
            | O::F64Le
            | O::F64Ge
    )
}
