//! One pass over a function's operators: where segments begin and what they cost, what must be rewritten, how much
//! stack a call takes.

use wasmparser::{BinaryReader, BlockType, FuncValidator, Operator, OperatorsReader, WasmModuleResources};

use crate::{
    MeterError,
    bounds::{self, check},
    compiling::Compiling,
    cost,
    debts::{Debts, Edits},
    inject::Injected,
    nans::Nans,
    profile,
};

/// Something to put into the code at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Offset in the function's code.
    pub at: usize,
    /// Bytes of the original that it replaces.
    pub replaces: usize,
    pub what: Splice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Splice {
    /// Charge a segment.
    Charge {
        gas: u64,
        /// Whether it is the head of a loop, where every turn begins.
        loops: bool,
        /// What L does here.
        payment: Payment,
    },
    /// A call, which stands there still. L pays this behind it.
    Call { gas: i64 },
    /// A `br_if`, which stands there still unless L pays this where it is taken.
    Branch { depth: u32, gas: i64 },
    /// A `return` under this many labels.
    Return { labels: u32 },
    /// The float on top of the stack is made canonical.
    Canonical {
        width: Float,
        /// In G: behind what gave it. Otherwise it is a place where only L may do so.
        in_canonical: bool,
        in_fast: bool,
    },
    /// A call of an added function.
    Inject(Injected),
}

/// A float type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Float {
    F32,
    F64,
}

/// What L pays in a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payment {
    /// May be zero, or less.
    pub gas: i64,
    /// Below this, the counter says that the gas is used up.
    pub floor: i64,
}

/// How else L writes a function.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fast {
    /// The counter stays where it is, because others look at it more often than this function pays.
    pub in_global: bool,
    /// Entering needs no check.
    pub unchecked: bool,
    /// The frame is taken around each call and not for as long as the function runs, because few of its runs call.
    pub frame_at_calls: bool,
}

/// What is to be done with a function.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// In order of their offset.
    pub edits: Vec<Edit>,
    /// Locals, parameters not counted.
    pub locals: u64,
    /// Most values on the operand stack.
    pub operands: u64,
    /// Whether it calls anything: if not, its frame is only checked, not kept.
    pub calls: bool,
    /// How many `return`s it has.
    pub returns: u64,
    /// Whether a branch leads out of it, as a `return` does.
    pub branches_out: bool,
    /// What a compiler may take: see [`crate::ModuleInfo::compile_ns`].
    pub compile_ns: u64,
    /// For L, if it is wanted.
    pub fast: Fast,
}

/// Why a function is refused.
pub(crate) enum Refusal {
    Validator(wasmparser::Error),
    Bounds(MeterError),
}

impl From<wasmparser::Error> for Refusal {
    fn from(error: wasmparser::Error) -> Self {
        Self::Validator(error)
    }
}

impl From<MeterError> for Refusal {
    fn from(error: MeterError) -> Self {
        Self::Bounds(error)
    }
}

impl Refusal {
    pub(crate) fn explain(self, wasm: &[u8]) -> MeterError {
        match self {
            Self::Validator(error) => profile::explain(&error, wasm),
            Self::Bounds(error) => error,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    Loop,
    If,
}

struct Label {
    kind: Kind,
    /// Branches that name it; a `br_table` is one, however often it does.
    branches: u64,
    /// The last branch that did.
    branch: u64,
    /// Values that it takes and gives.
    values: u64,
}

/// What L branches on where it makes a NaN canonical, in segments.
const NAN_SEGMENTS: u64 = 3;

/// How many there are of a function.
#[derive(Clone, Copy)]
pub(crate) struct Variables {
    pub params: u64,
    /// Parameters not counted.
    pub locals: u64,
    pub results: u64,
}

#[derive(Default)]
struct Analysis {
    plan: Plan,
    /// The function's own label first.
    labels: Vec<Label>,
    /// Index of the current segment's edit.
    segment: usize,
    /// Index of the edit of the branch or call that is being read, if L can pay there.
    pays: Option<usize>,
    /// A float result whose NaN is not canonical yet, and the offset behind it.
    pending_nan: Option<(usize, Float)>,
    br_table_targets: u64,
    /// Branches so far.
    branches: u64,
    /// Values that the block takes and gives that the operator opens, if it opens one.
    opens: u64,
    compiling: Compiling,
    /// For L, if it is wanted.
    faster: Option<(Debts, Nans)>,
}

/// Validates the operators up to the end of the function and plans its rewriting.
pub(crate) fn function<T: WasmModuleResources>(
    reader: BinaryReader<'_>,
    validator: &mut FuncValidator<T>,
    variables: Variables,
    wants_fast: bool,
) -> Result<Plan, Refusal> {
    let Variables { params, locals, .. } = variables;
    let start = reader.original_position();
    let mut reader = OperatorsReader::new(reader);
    let mut analysis = Analysis { compiling: Compiling::new(variables), ..Analysis::default() };
    analysis.plan.locals = locals;
    analysis.labels.push(Label { kind: Kind::Block, branches: 0, branch: 0, values: variables.results });
    analysis.begin_segment(0, false);
    analysis.faster = wants_fast.then(|| (Debts::new(analysis.segment), Nans::new(params)));
    analysis.charge(cost::FUNCTION_ENTRY.saturating_add(locals.div_ceil(cost::LOCALS_PER_GAS)));
    let offset = |position: u64| usize::try_from(position.saturating_sub(start)).unwrap_or(usize::MAX);
    while !reader.eof() {
        let position = reader.original_position();
        let op = reader.read()?;
        if let Some((_, nans)) = &mut analysis.faster {
            nans.operator(&op, validator);
        }
        validator.op(position, &op)?;
        let at = offset(position);
        let behind = offset(reader.original_position());
        if let Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } = op {
            analysis.opens = arity(blockty, validator.resources());
        }
        let operands = u64::from(validator.operand_stack_height());
        if analysis.operator(&op, at, behind)? {
            analysis.compiling.segment(operands);
        }
        check("number of values on a function's operand stack", operands, bounds::OPERANDS_MAX)?;
        analysis.plan.operands = analysis.plan.operands.max(operands);
    }
    reader.finish()?;
    if let Some((debts, nans)) = analysis.faster {
        nans.settle(&mut analysis.plan.edits);
        let branches = analysis.plan.edits.iter();
        let branches = branches.filter(|edit| matches!(edit.what, Splice::Canonical { in_fast: true, .. })).count();
        analysis.compiling.hidden_segments(bounds::length(branches).saturating_mul(NAN_SEGMENTS));
        analysis.plan.fast = debts.settle(&mut analysis.plan.edits);
    }
    analysis.plan.compile_ns = analysis.compiling.ns();
    Ok(analysis.plan)
}

/// Values that a block takes and gives.
fn arity(ty: BlockType, resources: &impl WasmModuleResources) -> u64 {
    match ty {
        BlockType::Empty => 0,
        BlockType::Type(_) => 1,
        BlockType::FuncType(index) => resources.sub_type_at(index).map_or(0, |ty| {
            let ty = ty.unwrap_func();
            bounds::length(ty.params().len()).saturating_add(bounds::length(ty.results().len()))
        }),
    }
}

impl Analysis {
    /// Plans one; whether a segment begins behind it.
    fn operator(&mut self, op: &Operator<'_>, at: usize, behind: usize) -> Result<bool, Refusal> {
        self.compiling.operator(op);
        self.make_canonical(op, at);
        self.charge(cost::operator(op));
        self.rewrite(op, at, behind);
        let ends = self.control(op)?;
        if ends {
            self.begin_segment(behind, matches!(op, Operator::Loop { .. }));
        }
        if let Some((debts, _)) = &mut self.faster {
            debts.operator(op, Edits { begins: ends.then_some(self.segment), pays: self.pays.take() });
        }
        Ok(ends)
    }

    /// Plans where NaNs are made canonical: behind what gave one, or, in L, before the operator if it looks at the bits.
    fn make_canonical(&mut self, op: &Operator<'_>, at: usize) {
        if let Some((offset, width)) = self.pending_nan.take()
            && !absorbs_nan(op)
        {
            if let Some((debts, nans)) = &mut self.faster {
                nans.at_source(self.plan.edits.len(), debts.weight_here());
            }
            self.edit(offset, 0, Splice::Canonical { width, in_canonical: true, in_fast: true });
        }
        let width = match op {
            Operator::F32Store { .. } | Operator::I32ReinterpretF32 => Float::F32,
            Operator::F64Store { .. } | Operator::I64ReinterpretF64 => Float::F64,
            _ => return,
        };
        if let Some((debts, nans)) = &mut self.faster
            && nans.at_sink(self.plan.edits.len(), debts.weight_here())
        {
            self.edit(at, 0, Splice::Canonical { width, in_canonical: false, in_fast: false });
        }
    }

    /// Plans what the operator itself needs.
    fn rewrite(&mut self, op: &Operator<'_>, at: usize, behind: usize) {
        use Operator as O;
        let width = behind.saturating_sub(at);
        match op {
            O::Return => {
                let labels = u32::try_from(self.labels.len().saturating_sub(1)).unwrap_or(u32::MAX);
                self.plan.returns = self.plan.returns.saturating_add(1);
                self.edit(at, width, Splice::Return { labels });
            }
            O::BrIf { relative_depth } if self.faster.is_some() && self.carries_nothing(*relative_depth) => {
                self.pays = Some(self.plan.edits.len());
                self.edit(at, width, Splice::Branch { depth: *relative_depth, gas: 0 });
            }
            O::Call { .. } | O::CallIndirect { .. } => {
                self.plan.calls = true;
                self.pays = Some(self.plan.edits.len());
                self.edit(at, width, Splice::Call { gas: 0 });
            }
            O::MemoryGrow { .. } => self.edit(at, width, Splice::Inject(Injected::MemoryGrow)),
            O::TableGrow { table } => self.edit(at, width, Splice::Inject(Injected::TableGrow(*table))),
            O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => {
                self.edit(at, 0, Splice::Inject(Injected::ChargeBytes));
            }
            O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => {
                self.edit(at, 0, Splice::Inject(Injected::ChargeElements));
            }
            op => self.pending_nan = nan_result(op).map(|width| (behind, width)),
        }
    }

    /// Follows the labels; `true` when the operator ends its segment and another follows.
    fn control(&mut self, op: &Operator<'_>) -> Result<bool, Refusal> {
        use Operator as O;
        Ok(match op {
            O::Block { .. } => {
                self.open(Kind::Block)?;
                false
            }
            O::Loop { .. } => {
                self.open(Kind::Loop)?;
                true
            }
            O::If { .. } => {
                self.open(Kind::If)?;
                true
            }
            O::Else | O::Return | O::Unreachable => true,
            O::Br { relative_depth } | O::BrIf { relative_depth } => {
                self.branches = self.branches.saturating_add(1);
                self.target(*relative_depth);
                true
            }
            O::BrTable { targets } => {
                check("number of a br_table's targets", targets.len(), bounds::BR_TABLE_MAX)?;
                self.br_table_targets = self.br_table_targets.saturating_add(u64::from(targets.len()));
                check("number of a function's br_table targets", self.br_table_targets, bounds::BR_TABLE_TOTAL_MAX)?;
                self.branches = self.branches.saturating_add(1);
                for target in targets.targets() {
                    if self.target(target?) {
                        self.compiling.target();
                    }
                }
                self.target(targets.default());
                true
            }
            O::End => {
                let label = self.labels.pop();
                let joins = label.is_some_and(|label| {
                    let falls_through = if label.kind == Kind::If { 2 } else { 1 };
                    self.compiling.close(label.kind == Kind::Loop, label.branches.saturating_add(falls_through));
                    // The last one stays: the function's own.
                    self.plan.branches_out = label.branches > 0;
                    match label.kind {
                        Kind::If => true,
                        Kind::Block => label.branches > 0,
                        // A branch to a loop goes to its head.
                        Kind::Loop => false,
                    }
                });
                joins && !self.labels.is_empty()
            }
            _ => false,
        })
    }

    fn open(&mut self, kind: Kind) -> Result<(), Refusal> {
        let values = self.opens;
        self.compiling.open(values);
        self.labels.push(Label { kind, branches: 0, branch: 0, values });
        Ok(check("depth of nested blocks", bounds::length(self.labels.len()), bounds::NESTING_MAX)?)
    }

    /// Where the label that a branch names is among all labels.
    fn label(&self, depth: u32) -> Option<usize> {
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        self.labels.len().checked_sub(1).and_then(|last| last.checked_sub(depth))
    }

    /// Whether a branch takes no values along, for all that is known here.
    fn carries_nothing(&self, depth: u32) -> bool {
        self.label(depth).and_then(|index| self.labels.get(index)).is_some_and(|label| label.values == 0)
    }

    /// Whether the branch names the label for the first time.
    fn target(&mut self, depth: u32) -> bool {
        if let Some(label) = self.label(depth).and_then(|index| self.labels.get_mut(index))
            && label.branch != self.branches
        {
            label.branch = self.branches;
            label.branches = label.branches.saturating_add(1);
            return true;
        }
        false
    }

    fn begin_segment(&mut self, at: usize, loops: bool) {
        self.segment = self.plan.edits.len();
        self.edit(at, 0, Splice::Charge { gas: 0, loops, payment: Payment::default() });
    }

    fn charge(&mut self, gas: u64) {
        if gas == 0 {
            return;
        }
        if let Some(Edit { what: Splice::Charge { gas: total, .. }, .. }) = self.plan.edits.get_mut(self.segment) {
            let fixed = if *total == 0 { cost::SEGMENT } else { 0 };
            *total = total.saturating_add(gas).saturating_add(fixed);
        }
    }

    fn edit(&mut self, at: usize, replaces: usize, what: Splice) {
        self.plan.edits.push(Edit { at, replaces, what });
    }
}

/// The type of a float operator's result that can be a new NaN; `None` when it cannot.
pub(crate) const fn nan_result(op: &Operator<'_>) -> Option<Float> {
    use Operator as O;
    match op {
        O::F32Add | O::F32Sub | O::F32Mul | O::F32Div | O::F32Sqrt | O::F32Min | O::F32Max => Some(Float::F32),
        O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest | O::F32DemoteF64 => Some(Float::F32),
        O::F64Add | O::F64Sub | O::F64Mul | O::F64Div | O::F64Sqrt | O::F64Min | O::F64Max => Some(Float::F64),
        O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest | O::F64PromoteF32 => Some(Float::F64),
        _ => None,
    }
}

/// Whether the operator takes the float on top of the stack and does not let its NaN bits through.
pub(crate) const fn absorbs_nan(op: &Operator<'_>) -> bool {
    use Operator as O;
    nan_result(op).is_some()
        || matches!(
            op,
            O::F32Eq
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
                | O::I32TruncF32S
                | O::I32TruncF32U
                | O::I32TruncF64S
                | O::I32TruncF64U
                | O::I64TruncF32S
                | O::I64TruncF32U
                | O::I64TruncF64S
                | O::I64TruncF64U
                | O::I32TruncSatF32S
                | O::I32TruncSatF32U
                | O::I32TruncSatF64S
                | O::I32TruncSatF64U
                | O::I64TruncSatF32S
                | O::I64TruncSatF32U
                | O::I64TruncSatF64S
                | O::I64TruncSatF64U
        )
}
