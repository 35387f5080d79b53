//! Which NaNs anybody could tell apart, for variant L.
//!
//! A float goes through locals, `select` and the like until something looks at its bits: a store, a call, a branch that
//! carries it. If all of them, wherever the value may have gone, only calculate, compare or convert to an integer, its
//! NaN need not be made canonical. Values that may be in the same local belong together, whatever the order in time.

use wasmparser::{FuncValidator, Operator, ValType, WasmModuleResources};

use crate::analyze::{Edit, Splice, absorbs_nan, nan_result};

/// Values that go the same ways; an index. [`NONE`]: nothing to know about.
type Class = usize;

const NONE: Class = 0;

/// Follows the floats of one function.
#[derive(Default)]
pub(crate) struct Nans {
    /// One per operand.
    stack: Vec<Class>,
    /// One per local that a float went through.
    locals: Vec<Class>,
    /// Sets of classes: the parent, and whether anybody looks at the bits.
    sets: Vec<(Class, bool)>,
    /// The latest result of an operator whose NaN is to be made canonical.
    latest: Class,
    /// Edits that make a NaN canonical.
    edits: Vec<(usize, Class)>,
}

impl Nans {
    pub(crate) fn new() -> Self {
        Self { sets: vec![(NONE, false)], ..Self::default() }
    }

    fn class(&mut self) -> Class {
        let class = self.sets.len();
        self.sets.push((class, false));
        class
    }

    fn find(&mut self, mut class: Class) -> Class {
        while let Some((parent, _)) = self.sets.get(class).copied()
            && parent != class
        {
            // Halves the way for whoever asks next.
            let grandparent = self.sets.get(parent).map_or(parent, |set| set.0);
            if let Some(set) = self.sets.get_mut(class) {
                set.0 = grandparent;
            }
            class = grandparent;
        }
        class
    }

    fn unite(&mut self, one: Class, other: Class) -> Class {
        let (one, other) = (self.find(one), self.find(other));
        if one == NONE || one == other {
            return other;
        }
        if other == NONE {
            return one;
        }
        let seen = self.sets.get(one).is_some_and(|set| set.1);
        if let Some(set) = self.sets.get_mut(other) {
            set.1 |= seen;
        }
        if let Some(set) = self.sets.get_mut(one) {
            set.0 = other;
        }
        other
    }

    fn look_at(&mut self, class: Class) {
        let class = self.find(class);
        if class != NONE
            && let Some(set) = self.sets.get_mut(class)
        {
            set.1 = true;
        }
    }

    fn pop(&mut self) -> Class {
        self.stack.pop().unwrap_or(NONE)
    }

    fn local(&mut self, local: u32) -> Class {
        let place = usize::try_from(local).unwrap_or(usize::MAX);
        if self.locals.len() <= place {
            self.locals.resize(place.saturating_add(1), NONE);
        }
        let known = self.locals.get(place).copied().unwrap_or(NONE);
        if known != NONE {
            return known;
        }
        let class = self.class();
        if let Some(entry) = self.locals.get_mut(place) {
            *entry = class;
        }
        class
    }

    /// Follows an operator that is about to be validated.
    pub(crate) fn operator<T: WasmModuleResources>(&mut self, op: &Operator<'_>, validator: &FuncValidator<T>) {
        use Operator as O;
        // Unreachable code may pop what is not there; the validator knows the height.
        self.stack.resize(usize::try_from(validator.operand_stack_height()).unwrap_or(0), NONE);
        let is_float = |local| matches!(validator.get_local_type(local), Some(ValType::F32 | ValType::F64));
        match op {
            O::LocalGet { local_index } => {
                let class = if is_float(*local_index) { self.local(*local_index) } else { NONE };
                self.stack.push(class);
            }
            O::LocalSet { local_index } | O::LocalTee { local_index } => {
                let value = self.pop();
                let is_float = is_float(*local_index);
                let class = if is_float { self.local(*local_index) } else { NONE };
                if is_float {
                    self.unite(value, class);
                }
                if matches!(op, O::LocalTee { .. }) {
                    self.stack.push(class);
                }
            }
            O::Drop => _ = self.pop(),
            O::Select | O::TypedSelect { .. } => {
                self.pop();
                let (one, other) = (self.pop(), self.pop());
                let class = self.unite(one, other);
                self.stack.push(class);
            }
            O::F32Abs | O::F32Neg | O::F64Abs | O::F64Neg => {}
            O::F32Copysign | O::F64Copysign => {
                let sign = self.pop();
                self.look_at(sign);
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
            self.stack.push(self.latest);
        } else {
            let results = usize::try_from(results).unwrap_or(0);
            self.stack.resize(self.stack.len().saturating_add(results), NONE);
        }
    }

    /// The latest result, which nobody took yet, is made canonical by this edit.
    pub(crate) fn made_canonical(&mut self, edit: usize) {
        self.edits.push((edit, self.latest));
    }

    /// Writes into the edits which of them nobody could notice.
    pub(crate) fn settle(mut self, edits: &mut [Edit]) {
        for (edit, class) in core::mem::take(&mut self.edits) {
            let class = self.find(class);
            let seen = class == NONE || self.sets.get(class).is_none_or(|set| set.1);
            if let Some(Edit {
                what: Splice::CanonicalF32 { looked_at } | Splice::CanonicalF64 { looked_at }, ..
            }) = edits.get_mut(edit)
            {
                *looked_at = seen;
            }
        }
    }
}
