//! The rewritten module: variant G.

use std::collections::BTreeMap;

use assay_protocol::Trap;
use wasm_encoder::{BlockType, Encode, Instruction as I, ValType};

use crate::{
    Signature, ValueType,
    analyze::{Plan, Splice},
    bounds::TABLE_ELEMENTS_MAX,
    cost, export,
    scan::{Body, Raw, Shape},
};

/// Bytes of stack that a frame takes beside its locals and operands.
pub(crate) const FRAME_BYTES: u64 = 64;
/// Bytes of stack that one local or operand takes.
pub(crate) const SLOT_BYTES: u64 = 8;

/// Indices of the globals that are added, behind the module's own.
#[derive(Clone, Copy)]
pub(crate) struct Globals {
    gas_left: u32,
    stack_height: u32,
    stack_limit: u32,
    stack_peak: u32,
    memory_limit_pages: u32,
    trap: u32,
    instantiation_gas: u32,
}

impl Globals {
    pub(crate) const fn behind(own: u32) -> Self {
        Self {
            gas_left: own,
            stack_height: own.saturating_add(1),
            stack_limit: own.saturating_add(2),
            stack_peak: own.saturating_add(3),
            memory_limit_pages: own.saturating_add(4),
            trap: own.saturating_add(5),
            instantiation_gas: own.saturating_add(6),
        }
    }

    /// Names and indices of the exported ones.
    pub(crate) const fn exports(self) -> [(&'static str, u32); 6] {
        [
            (export::GAS_LEFT, self.gas_left),
            (export::STACK_LIMIT, self.stack_limit),
            (export::STACK_PEAK, self.stack_peak),
            (export::MEMORY_LIMIT_PAGES, self.memory_limit_pages),
            (export::TRAP_CODE, self.trap),
            (export::INSTANTIATION_GAS, self.instantiation_gas),
        ]
    }
}

/// A function that is added behind the module's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Injected {
    ChargeBytes,
    ChargeElements,
    MemoryGrow,
    TableGrow(u32),
}

/// What the rewriting adds beside the bodies themselves, collected while they are rewritten.
pub(crate) struct Additions {
    pub globals: Globals,
    known_types: BTreeMap<(Vec<ValueType>, Vec<ValueType>), u32>,
    pub types: Vec<Signature>,
    types_before: u32,
    functions_before: u32,
    /// In order of their first use.
    pub injected: Vec<Injected>,
}

impl Additions {
    pub(crate) fn new(shape: &Shape<'_>) -> Self {
        let mut known_types = BTreeMap::new();
        for (signature, index) in shape.types.iter().zip(0_u32..) {
            known_types.entry((signature.params.clone(), signature.results.clone())).or_insert(index);
        }
        let functions_before = shape.imported().saturating_add(shape.raw_functions.count);
        Self {
            globals: Globals::behind(shape.globals),
            known_types,
            types: Vec::new(),
            types_before: shape.raw_types.count,
            functions_before,
            injected: Vec::new(),
        }
    }

    /// The index of a type, which is added if the module has none like it.
    pub(crate) fn type_index(&mut self, params: &[ValueType], results: &[ValueType]) -> u32 {
        let added = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        let next = self.types_before.saturating_add(added);
        let index = *self.known_types.entry((params.to_vec(), results.to_vec())).or_insert(next);
        if index == next {
            self.types.push(Signature { params: params.to_vec(), results: results.to_vec() });
        }
        index
    }

    fn function_index(&mut self, function: Injected) -> u32 {
        let found = self.injected.iter().position(|known| *known == function);
        let place = found.unwrap_or_else(|| {
            self.injected.push(function);
            self.injected.len().saturating_sub(1)
        });
        self.functions_before.saturating_add(u32::try_from(place).unwrap_or(u32::MAX))
    }
}

/// Scratch locals of one function, behind its own.
struct Scratch {
    next: u32,
    gas: u32,
    f32: Option<u32>,
    f64: Option<u32>,
}

impl Scratch {
    fn new(body: &Body<'_, '_>) -> Self {
        let params = u64::try_from(body.signature.params.len()).unwrap_or(u64::MAX);
        let own = u32::try_from(params.saturating_add(body.plan.locals)).unwrap_or(u32::MAX);
        let mut scratch = Self { next: own, gas: 0, f32: None, f64: None };
        scratch.gas = scratch.take();
        let uses = |splice| body.plan.edits.iter().any(|edit| edit.what == splice);
        scratch.f32 = uses(Splice::CanonicalF32).then(|| scratch.take());
        scratch.f64 = uses(Splice::CanonicalF64).then(|| scratch.take());
        scratch
    }

    const fn take(&mut self) -> u32 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        index
    }

    /// The declarations of locals: the module's own groups as they stand, then ours.
    fn declare(&self, own: Raw<'_>, out: &mut Vec<u8>) {
        let ours = [Some(ValType::I64), self.f32.map(|_| ValType::F32), self.f64.map(|_| ValType::F64)];
        let added = u32::try_from(ours.iter().flatten().count()).unwrap_or(0);
        own.count.saturating_add(added).encode(out);
        out.extend_from_slice(own.entries);
        for ty in ours.iter().flatten() {
            1_u32.encode(out);
            ty.encode(out);
        }
    }
}

/// The rewritten body of a function, without its length.
pub(crate) fn function(body: &Body<'_, '_>, additions: &mut Additions) -> Vec<u8> {
    let scratch = Scratch::new(body);
    let mut out = Vec::with_capacity(body.code.len().saturating_mul(2).saturating_add(64));
    scratch.declare(body.locals, &mut out);
    let frame_bytes = frame_bytes(body);
    let mut copied = 0_usize;
    let mut edits = body.plan.edits.iter();
    // The first segment's charge comes first, so that a frame is only looked at when its entry is paid.
    if let Some(edit) = edits.next() {
        splice(edit.what, &body.plan, &scratch, additions, &mut out);
    }
    enter(body, frame_bytes, additions, &mut out);
    for edit in edits {
        out.extend_from_slice(body.code.get(copied..edit.at).unwrap_or_default());
        splice(edit.what, &body.plan, &scratch, additions, &mut out);
        copied = edit.at.saturating_add(edit.replaces);
    }
    out.extend_from_slice(body.code.get(copied..).unwrap_or_default());
    if body.plan.calls {
        // The function's own last `end` closed the block that `enter` opened.
        let Globals { stack_height, .. } = additions.globals;
        emit(
            &mut out,
            &[I::GlobalGet(stack_height), I::I32Const(frame_bytes), I::I32Sub, I::GlobalSet(stack_height), I::End],
        );
    }
    out
}

/// The stack rule: what one call of the function takes.
fn frame_bytes(body: &Body<'_, '_>) -> i32 {
    let params = u64::try_from(body.signature.params.len()).unwrap_or(u64::MAX);
    let slots = params.saturating_add(body.plan.locals).saturating_add(body.plan.operands);
    let bytes = slots.saturating_mul(SLOT_BYTES).saturating_add(FRAME_BYTES);
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// Takes the frame from the stack. A function that calls nothing only checks, because nobody looks at the height
/// while it runs.
fn enter(body: &Body<'_, '_>, frame_bytes: i32, additions: &mut Additions, out: &mut Vec<u8>) {
    let Globals { stack_height, stack_limit, stack_peak, trap, .. } = additions.globals;
    let height: &[I<'_>] = if body.plan.calls {
        let keep = [I::GlobalGet(stack_height), I::I32Const(frame_bytes), I::I32Add, I::GlobalSet(stack_height)];
        emit(out, &keep);
        &[I::GlobalGet(stack_height)]
    } else {
        &[I::GlobalGet(stack_height), I::I32Const(frame_bytes), I::I32Add]
    };
    emit(out, height);
    emit(out, &[I::GlobalGet(stack_peak), I::I32GtU, I::If(BlockType::Empty)]);
    emit(out, height);
    emit(out, &[I::GlobalGet(stack_limit), I::I32GtU, I::If(BlockType::Empty)]);
    emit(out, &raise(trap, i32::from(Trap::StackExhausted.code())));
    emit(out, &[I::End]);
    emit(out, height);
    emit(out, &[I::GlobalSet(stack_peak), I::End]);
    if body.plan.calls {
        let results = &body.signature.results;
        let ty = match results.as_slice() {
            [] => BlockType::Empty,
            [one] => BlockType::Result(val_type(*one)),
            many => BlockType::FunctionType(additions.type_index(&[], many)),
        };
        emit(out, &[I::Block(ty)]);
    }
}

fn splice(what: Splice, plan: &Plan, scratch: &Scratch, additions: &mut Additions, out: &mut Vec<u8>) {
    let Globals { gas_left, .. } = additions.globals;
    match what {
        Splice::Charge(0) => {}
        Splice::Charge(gas) => {
            let gas = i64::try_from(gas).unwrap_or(i64::MAX);
            emit(out, &[I::GlobalGet(gas_left), I::I64Const(gas), I::I64Sub]);
            emit(out, &settle(gas_left, scratch.gas));
        }
        Splice::Return { labels } if plan.calls => emit(out, &[I::Br(labels)]),
        Splice::Return { .. } => emit(out, &[I::Return]),
        Splice::CanonicalF32 => {
            let local = scratch.f32.unwrap_or_default();
            let nan = I::F32Const(f32::from_bits(0x7fc0_0000).into());
            emit(out, &[I::LocalTee(local), nan, I::LocalGet(local), I::LocalGet(local), I::F32Eq, I::Select]);
        }
        Splice::CanonicalF64 => {
            let local = scratch.f64.unwrap_or_default();
            let nan = I::F64Const(f64::from_bits(0x7ff8_0000_0000_0000).into());
            emit(out, &[I::LocalTee(local), nan, I::LocalGet(local), I::LocalGet(local), I::F64Eq, I::Select]);
        }
        Splice::ChargeBytes => emit(out, &[I::Call(additions.function_index(Injected::ChargeBytes))]),
        Splice::ChargeElements => emit(out, &[I::Call(additions.function_index(Injected::ChargeElements))]),
        Splice::MemoryGrow => emit(out, &[I::Call(additions.function_index(Injected::MemoryGrow))]),
        Splice::TableGrow(table) => emit(out, &[I::Call(additions.function_index(Injected::TableGrow(table)))]),
    }
}

/// Stores the gas left, which is on the stack, and traps when it is below zero.
const fn settle(gas_left: u32, local: u32) -> [I<'static>; 8] {
    [
        I::LocalTee(local),
        I::GlobalSet(gas_left),
        I::LocalGet(local),
        I::I64Const(0),
        I::I64LtS,
        I::If(BlockType::Empty),
        I::Unreachable,
        I::End,
    ]
}

const fn raise(trap: u32, code: i32) -> [I<'static>; 3] {
    [I::I32Const(code), I::GlobalSet(trap), I::Unreachable]
}

impl Injected {
    /// Type of the function.
    pub(crate) const fn signature(self) -> (&'static [ValueType], &'static [ValueType]) {
        match self {
            Self::ChargeBytes | Self::ChargeElements | Self::MemoryGrow => (&[ValueType::I32], &[ValueType::I32]),
            Self::TableGrow(_) => (&[ValueType::FuncRef, ValueType::I32], &[ValueType::I32]),
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
    let constant = |value: u64| I::I64Const(i64::try_from(value).unwrap_or(i64::MAX));
    let mut out = Vec::new();
    declare(&[ValType::I64], &mut out);
    emit(&mut out, &[I::GlobalGet(globals.gas_left), I::LocalGet(0), I::I64ExtendI32U]);
    emit(&mut out, &[constant(per_gas.saturating_sub(1)), I::I64Add, constant(per_gas), I::I64DivU]);
    emit(&mut out, &[constant(price), I::I64Mul, I::I64Sub]);
    emit(&mut out, &settle(globals.gas_left, 1));
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
    let constant = |value: u64| I::I64Const(i64::try_from(value).unwrap_or(i64::MAX));
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
    emit(&mut out, &[I::I64Add, I::LocalTee(wanted), constant(rule.maximum), I::I64GtU, I::If(BlockType::Empty)]);
    emit(&mut out, &[I::I32Const(-1), I::Return, I::End, I::LocalGet(wanted)]);
    emit(&mut out, rule.limit);
    emit(&mut out, &[I::I64GtU, I::If(BlockType::Empty)]);
    emit(&mut out, &raise(globals.trap, i32::from(rule.over_limit.code())));
    emit(&mut out, &[I::End, I::GlobalGet(globals.gas_left)]);
    emit(&mut out, &delta);
    emit(&mut out, &[constant(rule.unit_gas), I::I64Mul, I::I64Sub]);
    emit(&mut out, &settle(globals.gas_left, gas));
    emit(&mut out, rule.operands);
    emit(&mut out, &[rule.operator.clone(), I::LocalTee(answer), I::I32Const(-1), I::I32Eq, I::If(BlockType::Empty)]);
    emit(&mut out, &raise(globals.trap, export::TRAP_HOST_MEMORY));
    emit(&mut out, &[I::End, I::LocalGet(answer), I::End]);
    out
}

fn declare(locals: &[ValType], out: &mut Vec<u8>) {
    u32::try_from(locals.len()).unwrap_or(u32::MAX).encode(out);
    for ty in locals {
        1_u32.encode(out);
        ty.encode(out);
    }
}

fn emit(out: &mut Vec<u8>, instructions: &[I<'_>]) {
    for instruction in instructions {
        instruction.encode(out);
    }
}

/// The encoder's name of a type.
pub(crate) const fn val_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        ValueType::FuncRef => ValType::FUNCREF,
    }
}
