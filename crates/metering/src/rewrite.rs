//! One function's body, rewritten: variant G, the program itself, and variant L, which computes the same faster.
//!
//! Both charge the same segments; they differ in where the counter is. G keeps it in a global and looks at it in every
//! segment. L keeps it in a local, writes it back wherever somebody else could look (calls, returns, added functions)
//! and looks at it where a run could go on for ever: at function entries and at the heads of loops.

use std::collections::BTreeMap;

use assay_protocol::Trap;
use wasm_encoder::{BlockType, Encode, Instruction as I, ValType};

use crate::{
    Signature, ValueType,
    analyze::{Edit, Splice},
    export,
    inject::Injected,
    scan::{Body, Raw, Shape},
};

/// Bytes of stack that a frame takes beside its locals and operands.
pub(crate) const FRAME_BYTES: u64 = 64;
/// Bytes of stack that one local or operand takes.
pub(crate) const SLOT_BYTES: u64 = 8;

/// Which of the two rewritings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// G.
    Canonical,
    /// L.
    Fast,
}

/// Indices of the globals that are added, behind the module's own.
#[derive(Clone, Copy)]
pub(crate) struct Globals {
    pub gas_left: u32,
    stack_height: u32,
    stack_limit: u32,
    stack_peak: u32,
    pub memory_limit_pages: u32,
    pub trap: u32,
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
pub(crate) fn function(body: &Body<'_, '_>, variant: Variant, additions: &mut Additions) -> Vec<u8> {
    let scratch = Scratch::new(body);
    let mut out = Vec::with_capacity(body.code.len().saturating_mul(2).saturating_add(64));
    scratch.declare(body.locals, &mut out);
    Writer { body, variant, scratch, additions, out }.write()
}

struct Writer<'w, 's, 'a> {
    body: &'w Body<'s, 'a>,
    variant: Variant,
    scratch: Scratch,
    additions: &'w mut Additions,
    out: Vec<u8>,
}

impl Writer<'_, '_, '_> {
    fn write(mut self) -> Vec<u8> {
        let Globals { stack_height, .. } = self.additions.globals;
        let code = self.body.code;
        let mut edits = self.body.plan.edits.iter();
        // The first segment's charge comes first, so that a frame is only looked at when its entry is paid.
        if let Some(Edit { what: Splice::Charge { gas, .. }, .. }) = edits.next() {
            self.enter_segment(*gas);
        }
        self.enter_frame();
        if self.is_wrapped() {
            self.open_wrapping();
        }
        let mut copied = 0_usize;
        for edit in edits {
            self.out.extend_from_slice(code.get(copied..edit.at).unwrap_or_default());
            copied = edit.at.saturating_add(edit.replaces);
            self.splice(edit.what, code.get(edit.at..copied).unwrap_or_default());
        }
        self.out.extend_from_slice(code.get(copied..).unwrap_or_default());
        if self.is_wrapped() {
            // The function's own last `end` closed the block that wraps it.
            if self.body.plan.calls {
                let frame = I::I32Const(self.frame_bytes());
                self.emit(&[I::GlobalGet(stack_height), frame, I::I32Sub, I::GlobalSet(stack_height)]);
            }
            self.write_back();
            self.emit(&[I::End]);
        }
        self.out
    }

    /// Whether something is to be done on every way out, so that the body needs a block whose end they all reach.
    fn is_wrapped(&self) -> bool {
        self.body.plan.calls || self.variant == Variant::Fast
    }

    /// The stack rule: what one call of the function takes.
    fn frame_bytes(&self) -> i32 {
        let params = u64::try_from(self.body.signature.params.len()).unwrap_or(u64::MAX);
        let slots = params.saturating_add(self.body.plan.locals).saturating_add(self.body.plan.operands);
        let bytes = slots.saturating_mul(SLOT_BYTES).saturating_add(FRAME_BYTES);
        i32::try_from(bytes).unwrap_or(i32::MAX)
    }

    /// Takes the frame from the stack. A function that calls nothing only checks, because nobody looks at the height
    /// while it runs.
    fn enter_frame(&mut self) {
        let Globals { stack_height, stack_limit, stack_peak, trap, .. } = self.additions.globals;
        let frame = I::I32Const(self.frame_bytes());
        let above = [I::GlobalGet(stack_height), frame, I::I32Add];
        let height: &[I<'_>] = if self.body.plan.calls {
            self.emit(&above);
            self.emit(&[I::GlobalSet(stack_height)]);
            &[I::GlobalGet(stack_height)]
        } else {
            &above
        };
        self.emit(height);
        self.emit(&[I::GlobalGet(stack_peak), I::I32GtU, I::If(BlockType::Empty)]);
        self.emit(height);
        self.emit(&[I::GlobalGet(stack_limit), I::I32GtU, I::If(BlockType::Empty)]);
        self.emit(&raise(trap, i32::from(Trap::StackExhausted.code())));
        self.emit(&[I::End]);
        self.emit(height);
        self.emit(&[I::GlobalSet(stack_peak), I::End]);
    }

    fn open_wrapping(&mut self) {
        let ty = match self.body.signature.results.as_slice() {
            [] => BlockType::Empty,
            [one] => BlockType::Result(val_type(*one)),
            many => BlockType::FunctionType(self.additions.type_index(&[], many)),
        };
        self.emit(&[I::Block(ty)]);
    }

    fn splice(&mut self, what: Splice, replaced: &[u8]) {
        match what {
            Splice::Charge { gas: 0, .. } => {}
            Splice::Charge { gas, loops } => self.charge(gas, loops),
            Splice::Call => self.looked_at(|writer| writer.out.extend_from_slice(replaced)),
            Splice::Return { labels } if self.is_wrapped() => self.emit(&[I::Br(labels)]),
            Splice::Return { .. } => self.emit(&[I::Return]),
            Splice::CanonicalF32 => {
                let local = self.scratch.f32.unwrap_or_default();
                let nan = I::F32Const(f32::from_bits(0x7fc0_0000).into());
                self.emit(&[I::LocalTee(local), nan, I::LocalGet(local), I::LocalGet(local), I::F32Eq, I::Select]);
            }
            Splice::CanonicalF64 => {
                let local = self.scratch.f64.unwrap_or_default();
                let nan = I::F64Const(f64::from_bits(0x7ff8_0000_0000_0000).into());
                self.emit(&[I::LocalTee(local), nan, I::LocalGet(local), I::LocalGet(local), I::F64Eq, I::Select]);
            }
            Splice::Inject(function) => {
                let index = self.additions.function_index(function);
                self.looked_at(|writer| writer.emit(&[I::Call(index)]));
            }
        }
    }

    /// Charges the function's first segment.
    fn enter_segment(&mut self, gas: u64) {
        let Globals { gas_left, .. } = self.additions.globals;
        match self.variant {
            Variant::Canonical => self.charge(gas, false),
            Variant::Fast => {
                self.emit(&[I::GlobalGet(gas_left), gas_const(gas), I::I64Sub, I::LocalTee(self.scratch.gas)]);
                self.emit(&STOP_BELOW_ZERO);
            }
        }
    }

    /// Charges a segment. `loops`: a loop comes back here, so that the counter must be looked at.
    fn charge(&mut self, gas: u64, loops: bool) {
        let (Globals { gas_left, .. }, local) = (self.additions.globals, self.scratch.gas);
        match (self.variant, loops) {
            (Variant::Canonical, _) => {
                self.emit(&[I::GlobalGet(gas_left), gas_const(gas), I::I64Sub]);
                self.emit(&settle(gas_left, local));
                self.emit(&STOP_BELOW_ZERO);
            }
            (Variant::Fast, true) => {
                self.emit(&[I::LocalGet(local), gas_const(gas), I::I64Sub, I::LocalTee(local)]);
                self.emit(&STOP_BELOW_ZERO);
            }
            (Variant::Fast, false) => {
                self.emit(&[I::LocalGet(local), gas_const(gas), I::I64Sub, I::LocalSet(local)]);
            }
        }
    }

    /// Writes something that looks at the counter, and may change it.
    fn looked_at(&mut self, write: impl FnOnce(&mut Self)) {
        self.write_back();
        write(self);
        if self.variant == Variant::Fast {
            self.emit(&[I::GlobalGet(self.additions.globals.gas_left), I::LocalSet(self.scratch.gas)]);
        }
    }

    fn write_back(&mut self) {
        if self.variant == Variant::Fast {
            self.emit(&[I::LocalGet(self.scratch.gas), I::GlobalSet(self.additions.globals.gas_left)]);
        }
    }

    fn emit(&mut self, instructions: &[I<'_>]) {
        emit(&mut self.out, instructions);
    }
}

/// Stops when the gas left, which is on the stack, is below zero.
pub(crate) const STOP_BELOW_ZERO: [I<'static>; 5] =
    [I::I64Const(0), I::I64LtS, I::If(BlockType::Empty), I::Unreachable, I::End];

/// Stores the gas left, which is on the stack and stays there.
pub(crate) const fn settle(gas_left: u32, local: u32) -> [I<'static>; 3] {
    [I::LocalTee(local), I::GlobalSet(gas_left), I::LocalGet(local)]
}

pub(crate) const fn raise(trap: u32, code: i32) -> [I<'static>; 3] {
    [I::I32Const(code), I::GlobalSet(trap), I::Unreachable]
}

pub(crate) fn gas_const(gas: u64) -> I<'static> {
    I::I64Const(i64::try_from(gas).unwrap_or(i64::MAX))
}

pub(crate) fn emit(out: &mut Vec<u8>, instructions: &[I<'_>]) {
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
