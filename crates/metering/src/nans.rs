//! Which NaNs anybody could tell apart, for variant L.
//!
//! A float goes through locals, `select` and the like until something looks at its bits: a store, a call, a branch that
//! carries it. If all of them, wherever the value may have gone, only calculate, compare or convert to an integer, its
//! NaN need not be made canonical. If stores and reinterpretations alone look, it can be made canonical there instead, as
//! long as nothing else than results of float operators comes along the same ways. Values that may be in the same local
//! belong together, whatever the order in time.

use wasmparser::{FuncValidator, Operator, ValType, WasmModuleResources};

use crate::analyze::{Edit, Splice, absorbs_nan, nan_result};

/// Values that go the same ways; an index.
type Class = usize;

/// Anything whose bits must be left alone, such as what was loaded.
const EXACT: Class = 0;
/// What is no NaN.
const NUMBER: Class = 1;

/// Follows the floats of one function.
#[derive(Default)]
pub(crate) struct Nans {
    params: u32,
    /// Operands that are not [`EXACT`] and how many lie below each. The others, of which there may be many, are not here.
    stack: Vec<(usize, Class)>,
    /// Operands, those others too.
    height: usize,
    /// One per local that a float went through; [`EXACT`]: none did.
    locals: Vec<Class>,
    sets: Vec<Set>,
    /// The latest result of an operator whose NaN is to be made canonical.
    latest: Class,
    /// What the operator stores or reinterprets.
    sink: Class,
    /// Edits that make a NaN canonical where it comes from, and where it is looked at.
    sources: Vec<(usize, Class)>,
    sinks: Vec<(usize, Class)>,
}

#[derive(Clone, Copy, Default)]
struct Set {
    parent: Class,
    /// Whether NaNs must be canonical before anybody looks at them.
    at_source: bool,
    /// Whether values are among them that must be left alone, or whose sign was turned.
    exact: bool,
    /// Whether an operator with an edit of its own looks at them.
    has_sink: bool,
    /// How often its NaNs would be made canonical, about. A guess: it may choose between two right answers and nothing
    /// else.
    source_weight: u64,
    sink_weight: u64,
}

impl Nans {
    /// For a function with so many parameters.
    pub(crate) fn new(params: u64) -> Self {
        let fixed = |parent| Set { parent, ..Set::default() };
        let params = u32::try_from(params).unwrap_or(u32::MAX);
        Self { params, sets: vec![fixed(EXACT), fixed(NUMBER)], ..Self::default() }
    }

    fn class(&mut self) -> Class {
        let parent = self.sets.len();
        self.sets.push(Set { parent, ..Set::default() });
        parent
    }

    /// The set of a class; `None` for those that are none.
    fn set(&mut self, class: Class) -> Option<&mut Set> {
        let class = self.find(class);
        if class > NUMBER { self.sets.get_mut(class) } else { None }
    }

    fn find(&mut self, mut class: Class) -> Class {
        while let Some(Set { parent, .. }) = self.sets.get(class).copied()
            && parent != class
        {
            // Halves the way for whoever asks next.
            let grandparent = self.sets.get(parent).map_or(parent, |set| set.parent);
            if let Some(set) = self.sets.get_mut(class) {
                set.parent = grandparent;
            }
            class = grandparent;
        }
        class
    }

    fn unite(&mut self, one: Class, other: Class) -> Class {
        let (one, other) = (self.find(one), self.find(other));
        match (one, other) {
            _ if one == other => {}
            (NUMBER, _) => {}
            (_, NUMBER) => return one,
            (EXACT, class) | (class, EXACT) => {
                self.keep_exact(class);
                return class;
            }
            _ => {
                let Some(joined) = self.sets.get(one).copied() else { return other };
                if let Some(set) = self.sets.get_mut(other) {
                    set.at_source |= joined.at_source;
                    set.exact |= joined.exact;
                    set.has_sink |= joined.has_sink;
                    set.source_weight = set.source_weight.saturating_add(joined.source_weight);
                    set.sink_weight = set.sink_weight.saturating_add(joined.sink_weight);
                }
                if let Some(set) = self.sets.get_mut(one) {
                    set.parent = other;
                }
            }
        }
        other
    }

    fn look_at(&mut self, class: Class) {
        if let Some(set) = self.set(class) {
            set.at_source = true;
        }
    }

    fn keep_exact(&mut self, class: Class) {
        if let Some(set) = self.set(class) {
            set.exact = true;
        }
    }

    fn top(&self) -> Class {
        let last = self.stack.last().filter(|(below, _)| below.saturating_add(1) == self.height);
        last.map_or(EXACT, |(_, class)| *class)
    }

    fn pop(&mut self) -> Class {
        let class = self.top();
        self.truncate(self.height.saturating_sub(1));
        class
    }

    fn push(&mut self, class: Class) {
        if class != EXACT {
            self.stack.push((self.height, class));
        }
        self.height = self.height.saturating_add(1);
    }

    /// Leaves so many operands.
    fn truncate(&mut self, height: usize) {
        self.height = height;
        while self.stack.last().is_some_and(|(below, _)| *below >= height) {
            self.stack.pop();
        }
    }

    fn local(&mut self, local: u32) -> Class {
        let place = usize::try_from(local).unwrap_or(usize::MAX);
        if self.locals.len() <= place {
            self.locals.resize(place.saturating_add(1), EXACT);
        }
        let known = self.locals.get(place).copied().unwrap_or(EXACT);
        if known != EXACT {
            return known;
        }
        let class = self.class();
        if local < self.params {
            self.keep_exact(class);
        }
        if let Some(entry) = self.locals.get_mut(place) {
            *entry = class;
        }
        class
    }

    /// Follows an operator that is about to be validated.
    pub(crate) fn operator<T: WasmModuleResources>(&mut self, op: &Operator<'_>, validator: &FuncValidator<T>) {
        self.sink = EXACT;
        // Most code has nothing to do with floats.
        if self.stack.is_empty() && !begins_float(op) {
            return;
        }
        self.truncate(usize::try_from(validator.operand_stack_height()).unwrap_or(0));
        self.follow(op, validator);
    }

    fn follow<T: WasmModuleResources>(&mut self, op: &Operator<'_>, validator: &FuncValidator<T>) {
        use Operator as O;
        if let Some(frame) = validator.get_control_frame(0)
            && frame.unreachable
        {
            // What is never run may take what is not there; what lies below is waiting for the end of the block.
            self.truncate(frame.height);
            return;
        }
        let is_float = |local| matches!(validator.get_local_type(local), Some(ValType::F32 | ValType::F64));
        match op {
            O::LocalGet { local_index } => {
                let class = if is_float(*local_index) { self.local(*local_index) } else { EXACT };
                self.push(class);
            }
            O::LocalSet { local_index } | O::LocalTee { local_index } => {
                let value = self.pop();
                let is_float = is_float(*local_index);
                let class = if is_float { self.local(*local_index) } else { EXACT };
                if is_float {
                    self.unite(value, class);
                }
                if matches!(op, O::LocalTee { .. }) {
                    self.push(class);
                }
            }
            O::Drop => _ = self.pop(),
            O::Select | O::TypedSelect { .. } => {
                self.pop();
                let (one, other) = (self.pop(), self.pop());
                let class = self.unite(one, other);
                self.push(class);
            }
            O::F32Abs | O::F64Abs => {}
            O::F32Neg | O::F64Neg => self.turn_sign(),
            O::F32Copysign | O::F64Copysign => {
                let sign = self.pop();
                self.look_at(sign);
                self.turn_sign();
            }
            O::F32Store { .. } | O::F64Store { .. } => {
                self.sink = self.pop();
                self.pop();
            }
            O::I32ReinterpretF32 | O::I64ReinterpretF64 => {
                self.sink = self.pop();
                self.push(EXACT);
            }
            op => self.other(op, validator),
        }
    }

    /// What takes operands and gives others in their place.
    fn other<T: WasmModuleResources>(&mut self, op: &Operator<'_>, validator: &FuncValidator<T>) {
        let (operands, results) = op.operator_arity(validator).unwrap_or_default();
        let calculates = absorbs_nan(op);
        for _ in 0..operands {
            let class = self.pop();
            if !calculates {
                self.look_at(class);
            }
        }
        if nan_result(op).is_some() {
            self.latest = self.class();
            self.push(self.latest);
            return;
        }
        let class = if is_number(op) { NUMBER } else { EXACT };
        (0..results).for_each(|_| self.push(class));
    }

    /// A canonical NaN may become another, so that it must not be made canonical behind this.
    fn turn_sign(&mut self) {
        self.keep_exact(self.top());
    }

    /// The latest result, which nobody took yet, is made canonical by this edit.
    pub(crate) fn at_source(&mut self, edit: usize, weight: u64) {
        self.sources.push((edit, self.latest));
        if let Some(set) = self.set(self.latest) {
            set.source_weight = set.source_weight.saturating_add(weight);
        }
    }

    /// Whether the operator looks at the bits of something that this edit could make canonical before.
    pub(crate) fn at_sink(&mut self, edit: usize, weight: u64) -> bool {
        let class = self.sink;
        let Some(set) = self.set(class) else { return false };
        set.has_sink = true;
        set.sink_weight = set.sink_weight.saturating_add(weight);
        self.sinks.push((edit, class));
        true
    }

    /// Writes into the edits which of them L needs.
    pub(crate) fn settle(mut self, edits: &mut [Edit]) {
        let (sources, sinks) = (core::mem::take(&mut self.sources), core::mem::take(&mut self.sinks));
        for (places, are_sources) in [(sources, true), (sinks, false)] {
            for (edit, class) in places {
                let needed = self.set(class).is_none_or(|set| {
                    let looked_at = set.at_source || set.has_sink;
                    let at_source = set.at_source || set.exact || set.source_weight <= set.sink_weight;
                    looked_at && at_source == are_sources
                });
                if let Some(Edit { what: Splice::Canonical { in_fast, .. }, .. }) = edits.get_mut(edit) {
                    *in_fast = needed;
                }
            }
        }
    }
}

/// Whether an operator may give a float that is followed, or put one where it is, when there is none on the stack.
fn begins_float(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(op, O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. })
        || nan_result(op).is_some()
        || is_number(op)
}

/// Operators that give a float and no NaN.
fn is_number(op: &Operator<'_>) -> bool {
    use Operator as O;
    match op {
        O::F32Const { value } => !f32::from_bits(value.bits()).is_nan(),
        O::F64Const { value } => !f64::from_bits(value.bits()).is_nan(),
        O::F32ConvertI32S | O::F32ConvertI32U | O::F32ConvertI64S | O::F32ConvertI64U => true,
        O::F64ConvertI32S | O::F64ConvertI32U | O::F64ConvertI64S | O::F64ConvertI64U => true,
        _ => false,
    }
}
