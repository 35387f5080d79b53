//! How long a compiler may take for a function, at most: an estimate for hosts and no part of the profile (W-03).
//!
//! A compiler that makes fast code is linear in the operators and not in control flow: it looks for every local in every
//! block, carries what loops use in and out, and goes through all blocks for each. What is counted here was found by
//! modules that hurt one (`crates/runtime/tests/corpus/bombs.rs`) and is weighted so that they take no longer than it says,
//! on the machine of docs/benchmarks.md.

use wasmparser::Operator;

use crate::analyze::Variables;

/// A function, entering and leaving it, and how others than its module call it, ns.
const FUNCTION_NS: u64 = 130_000;
/// A parameter or result.
const SIGNATURE_NS: u64 = 6_000;
/// A local, which is set up whether it is used or not.
const LOCAL_NS: u64 = 90;
/// A call as variant L has it: the counter and the stack's height go out and come back.
const CALL_NS: u64 = 9_000;
/// What is called has to be looked up, and set up when it is the first time.
const INDIRECT_NS: u64 = 45_000;
/// An element of a table.
const ELEMENT_NS: u64 = 25_000;
/// What works on many bytes or elements.
const BULK_NS: u64 = 25_000;
const REFERENCE_NS: u64 = 6_000;
const CONVERSION_NS: u64 = 4_000;
/// One label of a `br_table`.
const TARGET_NS: u64 = 65_000;
/// Operators times the globals and tables that they may concern.
const REGION_NS: u64 = 5;
/// Segments, squared; and for each global and table.
const SEGMENT_SQUARE_NS: u64 = 2;
const REGION_SEGMENT_SQUARE_NS: u64 = 4;
/// A local in a segment before the last that names it.
const LOCAL_SEGMENT_NS: u64 = 170;
/// A value on the operand stack behind a segment.
const HELD_NS: u64 = 16;
/// A value that comes along an edge to a place where control flow meets.
const CARRIED_NS: u64 = 250;
/// Values that places take, squared: all of a function, those of each place, those of each loop.
const MET_SQUARE_NS: u64 = 2;
const PLACE_SQUARE_NS: u64 = 7;
const LOOP_SQUARE_NS: u64 = 25;

/// Counts what a function has.
#[derive(Debug, Default)]
pub(crate) struct Compiling {
    /// Weighted operators, ns.
    weight: u64,
    operators: u64,
    segments: u64,
    /// By local: the last segment that names it.
    named: Vec<u64>,
    /// Sum of those, and what loops add.
    local_segments: u64,
    names: u64,
    assignments: u64,
    globals: Regions,
    tables: Regions,
    held: u64,
    carried: u64,
    met: u64,
    place_squares: u64,
    loop_squares: u64,
    open: Vec<Open>,
}

/// What loads and stores may concern, of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Regions {
    /// One more than the largest index.
    indices: u64,
    /// How often any is named.
    names: u64,
}

impl Regions {
    fn name(&mut self, index: u32) {
        self.indices = self.indices.max(u64::from(index).saturating_add(1));
        self.names = self.names.saturating_add(1);
    }

    /// At most so many.
    fn count(self) -> u64 {
        self.indices.min(self.names)
    }
}

/// What there was when a label was opened.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    names: u64,
    assignments: u64,
    segments: u64,
    /// Values that it takes or gives.
    values: u64,
}

impl Compiling {
    pub(crate) fn new(Variables { params, locals, results }: Variables) -> Self {
        let signature = params.saturating_add(results).saturating_mul(SIGNATURE_NS);
        let weight = FUNCTION_NS.saturating_add(signature).saturating_add(locals.saturating_mul(LOCAL_NS));
        let variables = usize::try_from(params.saturating_add(locals)).unwrap_or_default();
        Self { weight, named: vec![0; variables], open: vec![Open::default()], ..Self::default() }
    }

    pub(crate) fn operator(&mut self, op: &Operator<'_>) {
        use Operator as O;
        self.operators = self.operators.saturating_add(1);
        let (weight, hidden_segments) = match op {
            O::LocalGet { local_index } => {
                self.name(*local_index);
                return;
            }
            O::LocalSet { local_index } | O::LocalTee { local_index } => {
                self.assignments = self.assignments.saturating_add(1);
                self.name(*local_index);
                return;
            }
            O::GlobalGet { global_index } | O::GlobalSet { global_index } => {
                self.globals.name(*global_index);
                return;
            }
            O::Call { .. } => (CALL_NS, 0),
            O::CallIndirect { table_index, .. } => {
                self.tables.name(*table_index);
                (INDIRECT_NS, 4)
            }
            O::TableGet { table } | O::TableSet { table } => {
                self.tables.name(*table);
                (ELEMENT_NS, 3)
            }
            O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => (BULK_NS, 1),
            O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => (BULK_NS, 1),
            O::MemoryGrow { .. } | O::TableGrow { .. } | O::RefFunc { .. } => (REFERENCE_NS, 0),
            O::DataDrop { .. } | O::ElemDrop { .. } => (REFERENCE_NS, 0),
            O::I32TruncF32S | O::I32TruncF32U | O::I32TruncF64S | O::I32TruncF64U => (CONVERSION_NS, 0),
            O::I64TruncF32S | O::I64TruncF32U | O::I64TruncF64S | O::I64TruncF64U => (CONVERSION_NS, 0),
            O::I32TruncSatF32S | O::I32TruncSatF32U | O::I32TruncSatF64S | O::I32TruncSatF64U => (CONVERSION_NS, 0),
            O::I64TruncSatF32S | O::I64TruncSatF32U | O::I64TruncSatF64S | O::I64TruncSatF64U => (CONVERSION_NS, 0),
            _ => return,
        };
        self.weight = self.weight.saturating_add(weight);
        self.segments = self.segments.saturating_add(hidden_segments);
    }

    fn name(&mut self, local: u32) {
        self.names = self.names.saturating_add(1);
        if let Some(last) = usize::try_from(local).ok().and_then(|local| self.named.get_mut(local)) {
            self.local_segments = self.local_segments.saturating_add(self.segments.saturating_sub(*last));
            *last = self.segments;
        }
    }

    /// Code goes on behind something that may branch, with so many values on the operand stack.
    pub(crate) fn segment(&mut self, held: u64) {
        self.segments = self.segments.saturating_add(1);
        self.held = self.held.saturating_add(held);
    }

    /// What branches behind operators that do not say so.
    pub(crate) fn hidden_segments(&mut self, count: u64) {
        self.segments = self.segments.saturating_add(count);
    }

    pub(crate) fn open(&mut self, values: u64) {
        let Self { names, assignments, segments, .. } = *self;
        self.open.push(Open { names, assignments, segments, values });
    }

    /// A label that a `br_table` names.
    pub(crate) fn target(&mut self) {
        self.weight = self.weight.saturating_add(TARGET_NS);
    }

    /// The end of a label that this many edges lead to.
    pub(crate) fn close(&mut self, is_loop: bool, edges: u64) {
        let Some(open) = self.open.pop() else { return };
        let variables = self.variables();
        let (names, values) = if is_loop {
            (self.names.saturating_sub(open.names), open.values)
        } else if edges > 1 {
            (self.assignments.saturating_sub(open.assignments), open.values)
        } else {
            return;
        };
        let named = names.min(variables);
        let met = named.saturating_add(values);
        self.met = self.met.saturating_add(met);
        self.carried = self.carried.saturating_add(met.saturating_mul(edges));
        let square = met.saturating_mul(met);
        if !is_loop {
            self.place_squares = self.place_squares.saturating_add(square);
        } else {
            self.loop_squares = self.loop_squares.saturating_add(square);
            // They live until the loop turns back.
            let segments = self.segments.saturating_sub(open.segments);
            self.local_segments = self.local_segments.saturating_add(named.saturating_mul(segments));
        }
    }

    fn variables(&self) -> u64 {
        u64::try_from(self.named.len()).unwrap_or(u64::MAX)
    }

    /// The estimate, ns, beside what the bytes take.
    pub(crate) fn ns(&self) -> u64 {
        let square = |count: u64| count.saturating_mul(count);
        let regions = self.globals.count().saturating_add(self.tables.count());
        let counts = [
            (regions.saturating_mul(self.operators), REGION_NS),
            (square(self.segments), SEGMENT_SQUARE_NS),
            (square(self.segments).saturating_mul(regions), REGION_SEGMENT_SQUARE_NS),
            (self.local_segments.min(self.variables().saturating_mul(self.segments)), LOCAL_SEGMENT_NS),
            (self.held, HELD_NS),
            (self.carried, CARRIED_NS),
            (square(self.met), MET_SQUARE_NS),
            (self.place_squares, PLACE_SQUARE_NS),
            (self.loop_squares, LOOP_SQUARE_NS),
        ];
        counts.into_iter().fold(self.weight, |all, (count, ns)| all.saturating_add(count.saturating_mul(ns)))
    }
}
