//! One function's body, rewritten: variant G, the program itself, and variant L, which computes the same faster.
//!
//! Both count the same gas; they differ in where and when. G keeps the counter in a global, and charges and looks at it in
//! every segment. L keeps it in a local where that is faster, writes it back wherever somebody else could look (calls,
//! returns, added functions), pays where [`crate::debts`] says, and looks at it where a run could go on for ever: at
//! function entries and at the heads of loops.

use std::collections::BTreeMap;

use assay_protocol::Trap;
use wasm_encoder::{BlockType, Encode, Instruction as I, ValType};

use crate::{
    Signature, ValueType,
    analyze::{Edit, Fast, Float, Payment, Plan, Splice},
    export,
    inject::Injected,
    scan::{Body, Shape},
    scratch::Scratch,
};

/// A function with no more `return`s than this may have what is done on the way out before each.
const RETURNS_MAX: u64 = 8;

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
    /// In L it is how much it can grow without a new peak.
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

/// The rewritten body of a function, without its length.
pub(crate) fn function(body: &Body<'_, '_>, variant: Variant, additions: &mut Additions) -> Vec<u8> {
    let scratch = Scratch::new(body, variant);
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
        let code = self.body.code;
        let mut edits = self.body.plan.edits.iter();
        // The first segment's charge comes first, so that a frame is only looked at when its entry is paid.
        if let Some(Edit { what: Splice::Charge { gas, payment, .. }, .. }) = edits.next() {
            match self.variant {
                Variant::Canonical => self.charge(*gas),
                Variant::Fast => self.enter_segment(*payment),
            }
        }
        match self.variant {
            Variant::Canonical => self.enter_frame(),
            Variant::Fast => self.enter_room(),
        }
        if self.has_block() {
            self.open_wrapping();
        }
        let mut copied = 0_usize;
        for edit in edits {
            self.out.extend_from_slice(code.get(copied..edit.at).unwrap_or_default());
            copied = edit.at.saturating_add(edit.replaces);
            self.splice(edit.what, code.get(edit.at..copied).unwrap_or_default());
        }
        // The function's own last `end` closes the block that wraps it, if there is one.
        let end = code.len().saturating_sub(usize::from(!self.has_block()));
        self.out.extend_from_slice(code.get(copied..end).unwrap_or_default());
        self.leave();
        self.emit(&[I::End]);
        self.out
    }

    /// Whether what is to be done on every way out stands at the end of a block that they all lead to. L does without where
    /// it can, and does it before each `return`.
    fn has_block(&self) -> bool {
        let Plan { returns, branches_out, .. } = self.body.plan;
        let shares = self.variant == Variant::Canonical || branches_out || returns > RETURNS_MAX;
        self.is_wrapped() && shares
    }

    /// What is to be done on the way out; the results are on the stack.
    fn leave(&mut self) {
        let Signature { params, results } = self.body.signature;
        // The interpreter returns a single result where the first local is, and has to bring it to safety from what comes
        // here otherwise.
        let in_local = self.is_wrapped()
            && self.variant == Variant::Fast
            && results.len() == 1
            && params.first() == results.first();
        if in_local {
            self.emit(&[I::LocalSet(0)]);
        }
        self.leave_frame();
        self.write_back();
        if in_local {
            self.emit(&[I::LocalGet(0)]);
        }
    }

    /// Whether something is to be done on every way out.
    fn is_wrapped(&self) -> bool {
        self.keeps_frame() || self.counts_in_local()
    }

    /// Whether the frame is taken for as long as the function runs.
    fn keeps_frame(&self) -> bool {
        self.body.plan.calls && (self.variant == Variant::Canonical || !self.body.plan.fast.frame_at_calls)
    }

    /// Whether the counter is in a local between two looks at it.
    fn counts_in_local(&self) -> bool {
        self.variant == Variant::Fast && !self.body.plan.fast.in_global
    }

    fn gas(&self) -> u32 {
        self.scratch.gas.unwrap_or_default()
    }

    fn frame_bytes(&self) -> i32 {
        i32::try_from(self.body.frame_bytes()).unwrap_or(i32::MAX)
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

    /// The same in L, where the global holds how far below the peak the height is: only a frame that does not fit there
    /// has more to do.
    fn enter_room(&mut self) {
        let Globals { stack_height: room, stack_limit, stack_peak, .. } = self.additions.globals;
        let frame = I::I32Const(self.frame_bytes());
        let new_peak = [I::I32Sub, I::GlobalSet(stack_peak), I::GlobalGet(stack_peak), I::GlobalGet(stack_limit)];
        let new_peak = |writer: &mut Self| {
            writer.emit(&new_peak);
            writer.emit(&[I::I32GtU, I::If(BlockType::Empty), I::Unreachable, I::End]);
        };
        if let Some(left) = self.scratch.room {
            self.emit(&[I::GlobalGet(room), frame, I::I32Sub, I::LocalTee(left), I::GlobalSet(room)]);
            self.emit(&[I::LocalGet(left), I::I32Const(0), I::I32LtS, I::If(BlockType::Empty)]);
            self.emit(&[I::GlobalGet(stack_peak), I::LocalGet(left)]);
            new_peak(self);
            self.emit(&[I::I32Const(0), I::GlobalSet(room), I::End]);
        } else {
            self.emit(&[I::GlobalGet(room), frame.clone(), I::I32LtS, I::If(BlockType::Empty)]);
            self.emit(&[I::GlobalGet(stack_peak), I::GlobalGet(room), frame.clone(), I::I32Sub]);
            new_peak(self);
            self.emit(&[frame, I::GlobalSet(room), I::End]);
        }
    }

    /// Gives the frame back, if it was taken.
    fn leave_frame(&mut self) {
        if self.keeps_frame() {
            self.move_height(if self.variant == Variant::Fast { I::I32Add } else { I::I32Sub });
        }
    }

    fn move_height(&mut self, operator: I<'_>) {
        let height = self.additions.globals.stack_height;
        self.emit(&[I::GlobalGet(height), I::I32Const(self.frame_bytes()), operator, I::GlobalSet(height)]);
    }

    /// A call as it stands, in the frame.
    fn call(&mut self, call: &[u8]) {
        let takes_frame = !self.keeps_frame();
        if takes_frame {
            self.move_height(I::I32Sub);
        }
        self.out.extend_from_slice(call);
        if takes_frame {
            self.move_height(I::I32Add);
        }
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
            Splice::Charge { loops, payment, .. } if self.variant == Variant::Fast => self.pay(payment, loops),
            Splice::Charge { gas: 0, .. } => {}
            Splice::Charge { gas, .. } => self.charge(gas),
            Splice::Call { gas } => {
                let gas = if self.variant == Variant::Fast { gas } else { 0 };
                self.looked_at(gas, |writer| writer.call(replaced));
            }
            Splice::Branch { depth, gas } if self.variant == Variant::Fast && gas != 0 => {
                self.emit(&[I::If(BlockType::Empty)]);
                self.pay(Payment { gas, floor: 0 }, false);
                self.emit(&[I::Br(depth.saturating_add(1)), I::End]);
            }
            Splice::Branch { .. } => self.out.extend_from_slice(replaced),
            Splice::Return { labels } if self.has_block() => self.emit(&[I::Br(labels)]),
            Splice::Return { .. } => {
                self.leave();
                self.emit(&[I::Return]);
            }
            Splice::Canonical { width, in_canonical, in_fast } => {
                if if self.variant == Variant::Fast { in_fast } else { in_canonical } {
                    self.make_canonical(width);
                }
            }
            Splice::Inject(function) => match function.price() {
                Some(price) if self.variant == Variant::Fast => self.pay_count(&price),
                _ => {
                    let index = self.additions.function_index(function);
                    self.looked_at(0, |writer| writer.emit(&[I::Call(index)]));
                }
            },
        }
    }

    /// L chooses with a branch that is never taken: compilers then need the constant nowhere else.
    fn make_canonical(&mut self, width: Float) {
        let (local, nan, eq, ne) = match width {
            Float::F32 => (self.scratch.f32, I::F32Const(f32::from_bits(0x7fc0_0000).into()), I::F32Eq, I::F32Ne),
            Float::F64 => {
                (self.scratch.f64, I::F64Const(f64::from_bits(0x7ff8_0000_0000_0000).into()), I::F64Eq, I::F64Ne)
            }
        };
        let local = local.unwrap_or_default();
        let get = || I::LocalGet(local);
        match self.variant {
            Variant::Canonical => self.emit(&[I::LocalTee(local), nan, get(), get(), eq, I::Select]),
            Variant::Fast => {
                self.emit(&[I::LocalTee(local), get(), ne, I::If(BlockType::Empty), nan, I::LocalSet(local)]);
                self.emit(&[I::End, get()]);
            }
        }
    }

    /// Charges a segment.
    fn charge(&mut self, gas: u64) {
        let (Globals { gas_left, .. }, local) = (self.additions.globals, self.gas());
        self.emit(&[I::GlobalGet(gas_left), gas_const(gas), I::I64Sub]);
        self.emit(&settle(gas_left, local));
        self.emit(&STOP_BELOW_ZERO);
    }

    /// Pays in the function's first segment; from here on the counter is where it will be.
    fn enter_segment(&mut self, payment: Payment) {
        let Fast { in_global, unchecked, .. } = self.body.plan.fast;
        if in_global {
            return self.pay(payment, !unchecked);
        }
        self.emit(&[I::GlobalGet(self.additions.globals.gas_left)]);
        self.subtract(payment.gas);
        self.emit(&[I::LocalSet(self.gas())]);
        if !unchecked {
            self.emit(&[I::LocalGet(self.gas())]);
            self.emit(&stop_below(payment.floor));
        }
    }

    fn subtract(&mut self, gas: i64) {
        if gas != 0 {
            self.emit(&[I::I64Const(gas), I::I64Sub]);
        }
    }

    /// Pays in a segment. `checked`: a run could come by here for ever, so that the counter must be looked at.
    fn pay(&mut self, payment: Payment, checked: bool) {
        let (gas_left, local) = (self.additions.globals.gas_left, self.gas());
        let in_global = self.body.plan.fast.in_global;
        if payment.gas != 0 {
            self.emit(&[if in_global { I::GlobalGet(gas_left) } else { I::LocalGet(local) }]);
            self.subtract(payment.gas);
            match (in_global, checked) {
                (true, true) => self.emit(&[I::LocalTee(local), I::GlobalSet(gas_left)]),
                (true, false) => self.emit(&[I::GlobalSet(gas_left)]),
                (false, _) => self.emit(&[I::LocalSet(local)]),
            }
        }
        if checked {
            let unpaid = in_global && payment.gas == 0;
            self.emit(&[if unpaid { I::GlobalGet(gas_left) } else { I::LocalGet(local) }]);
            self.emit(&stop_below(payment.floor));
        }
    }

    /// Pays for the count on the stack, which stays there, after this has made a price of it.
    fn pay_count(&mut self, price: &[I<'_>]) {
        let (count, gas_left, local) =
            (self.scratch.count.unwrap_or_default(), self.additions.globals.gas_left, self.gas());
        let (get, set) = match self.counts_in_local() {
            true => (I::LocalGet(local), I::LocalSet(local)),
            false => (I::GlobalGet(gas_left), I::GlobalSet(gas_left)),
        };
        self.emit(&[I::LocalSet(count), get.clone(), I::LocalGet(count), I::I64ExtendI32U]);
        self.emit(price);
        self.emit(&[I::I64Sub, set, get]);
        self.emit(&STOP_BELOW_ZERO);
        self.emit(&[I::LocalGet(count)]);
    }

    /// Writes something that looks at the counter, and may change it; pays behind it.
    fn looked_at(&mut self, gas: i64, write: impl FnOnce(&mut Self)) {
        self.write_back();
        write(self);
        if self.counts_in_local() {
            self.emit(&[I::GlobalGet(self.additions.globals.gas_left)]);
            self.subtract(gas);
            self.emit(&[I::LocalSet(self.gas())]);
        } else {
            self.pay(Payment { gas, floor: 0 }, false);
        }
    }

    fn write_back(&mut self) {
        if self.counts_in_local() {
            self.emit(&[I::LocalGet(self.gas()), I::GlobalSet(self.additions.globals.gas_left)]);
        }
    }

    fn emit(&mut self, instructions: &[I<'_>]) {
        emit(&mut self.out, instructions);
    }
}

/// Stops when the gas left, which is on the stack, is below zero.
pub(crate) const STOP_BELOW_ZERO: [I<'static>; 5] = stop_below(0);

const fn stop_below(floor: i64) -> [I<'static>; 5] {
    [I::I64Const(floor), I::I64LtS, I::If(BlockType::Empty), I::Unreachable, I::End]
}

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
