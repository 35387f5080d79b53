//! Where variant L pays for segments.
//!
//! L need not pay for a segment where it begins, as long as every point of a function knows what is unpaid there: its
//! *debt*, below zero if L paid in advance. Control flow that meets at a point must come with the same debt, and where
//! somebody else looks at the counter (calls, returns) the debt is zero; everything else is free. A segment leads from
//! one point to another, and L pays in it what its price does not explain of their debts. So the segments are the edges
//! of a graph, and along the edges of a spanning tree nothing is paid: a maximum spanning tree, by how often segments
//! are likely to run, leaves the fewest payments (Knuth's placement of counters).

use wasmparser::Operator;

use crate::analyze::{Edit, Fast, Payment, Splice};

/// A place in a function where control flow can meet; an index.
type Point = usize;

/// Where the debt is zero: entry and exit.
const SETTLED: Point = 0;
/// How often a function's body runs, in the unit of weights.
const ONCE: u64 = 1 << 16;
/// How often a loop turns, by guess.
const TURNS: u64 = 8;
/// A function without loops and calls, this cheap in total, needs no check: whoever calls it has one.
const UNCHECKED_GAS_MAX: u64 = 2_000;

/// What lets L be written faster than G.
#[derive(Default)]
pub(crate) struct Debts {
    /// Sets of points whose debts are known relative to each other.
    points: Vec<Relative>,
    labels: Vec<Label>,
    segments: Vec<Segment>,
    current: Current,
    /// How often the counter is looked at, by weight.
    looks: u64,
    /// How often something is called, by weight.
    calls: u64,
    loops: bool,
    is_leaf: bool,
}

#[derive(Clone, Copy)]
struct Relative {
    parent: Point,
    /// The debt here less that of the parent.
    above: i64,
}

/// The edits that belong to an operator.
pub(crate) struct Edits {
    /// Of the segment that begins behind it.
    pub begins: Option<usize>,
    /// Of itself, if L can pay where it branches.
    pub branch: Option<usize>,
}

struct Label {
    /// Where branches to it lead.
    target: Point,
    /// Of an `if` without `else` so far: where the condition was looked at.
    fork: Option<Point>,
    /// How often what is behind it runs.
    weight: u64,
    loops: bool,
}

struct Segment {
    edit: usize,
    from: Point,
    to: Point,
    weight: u64,
    heads: bool,
}

/// The segment that is being read.
#[derive(Default)]
struct Current {
    edit: usize,
    from: Point,
    weight: u64,
    /// Of what comes next: it differs behind a loop's end, where no segment begins.
    next_weight: u64,
    heads: bool,
    /// Whether the counter is looked at in it, and how often.
    looked_at: bool,
    looks: u64,
    calls: u64,
}

impl Debts {
    /// Begins with the function's first segment, whose charge is this edit.
    pub(crate) fn new(edit: usize) -> Self {
        let mut debts = Self { is_leaf: true, ..Self::default() };
        let settled = debts.point();
        debts.labels.push(Label { target: settled, fork: None, weight: ONCE, loops: false });
        debts.begin(edit, settled, ONCE, false);
        debts
    }

    fn point(&mut self) -> Point {
        let point = self.points.len();
        self.points.push(Relative { parent: point, above: 0 });
        point
    }

    fn begin(&mut self, edit: usize, from: Point, weight: u64, heads: bool) {
        self.current = Current { edit, from, weight, next_weight: weight, heads, ..Current::default() };
    }

    fn end(&mut self, to: Point) {
        let Current { edit, from, weight, heads, looked_at, looks, calls, .. } = self.current;
        self.looks = self.looks.saturating_add(looks);
        self.calls = self.calls.saturating_add(calls);
        if looked_at {
            self.relate(SETTLED, to, 0);
        }
        self.segments.push(Segment { edit, from, to, weight, heads });
    }

    /// Follows an operator.
    pub(crate) fn operator(&mut self, op: &Operator<'_>, Edits { begins, branch }: Edits) {
        use Operator as O;
        let weight = self.current.next_weight;
        let edit = begins.unwrap_or_default();
        match op {
            O::Call { .. } | O::CallIndirect { .. } => {
                self.is_leaf = false;
                self.current.calls = self.current.calls.saturating_add(weight);
                self.look(weight);
            }
            O::MemoryGrow { .. } | O::TableGrow { .. } => self.look(weight),
            // What they cost is paid in place, and looked at.
            O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => self.current.looked_at = true,
            O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => self.current.looked_at = true,
            O::Block { .. } => {
                let target = self.point();
                self.labels.push(Label { target, fork: None, weight, loops: false });
            }
            O::Loop { .. } => {
                self.loops = true;
                let target = self.point();
                self.end(target);
                self.labels.push(Label { target, fork: None, weight, loops: true });
                self.begin(edit, target, weight.saturating_mul(TURNS), true);
            }
            O::If { .. } => {
                let (target, fork) = (self.point(), self.point());
                self.end(fork);
                self.labels.push(Label { target, fork: Some(fork), weight, loops: false });
                self.begin(edit, fork, weight / 2, false);
            }
            O::Else => {
                if let Some(label) = self.labels.last_mut() {
                    let (target, fork, weight) = (label.target, label.fork.take(), label.weight);
                    self.end(target);
                    self.begin(edit, fork.unwrap_or(target), weight / 2, false);
                }
            }
            O::End => self.close(begins),
            O::BrIf { relative_depth } => self.branch(*relative_depth, edit, branch),
            O::Br { relative_depth } => {
                let target = self.target(*relative_depth);
                self.leave(target, edit);
            }
            O::BrTable { targets } => {
                let target = self.target(targets.default());
                for other in targets.targets().flatten() {
                    let other = self.target(other);
                    self.relate(target, other, 0);
                }
                self.leave(target, edit);
            }
            O::Return => self.leave(SETTLED, edit),
            O::Unreachable => {
                let nowhere = self.point();
                // What leads here runs at most once: programs end like that.
                (self.current.weight, self.current.looks, self.current.calls) = (0, 0, 0);
                self.leave(nowhere, edit);
            }
            _ => {}
        }
    }

    /// Ends the segment with a branch that may be taken.
    fn branch(&mut self, depth: u32, begins: usize, edit: Option<usize>) {
        let (target, weight) = (self.target(depth), self.current.next_weight);
        let taken = match depth {
            _ if self.loops(depth) => weight.saturating_sub(weight / TURNS),
            0 => weight / 2,
            _ => weight / 4,
        };
        // Where nothing can be paid on the way to the target, the debt here is what it is there.
        let fork = if edit.is_some() { self.point() } else { target };
        self.end(fork);
        if let Some(edit) = edit {
            // Paying there takes a branch more.
            let weight = taken.saturating_mul(2);
            self.segments.push(Segment { edit, from: fork, to: target, weight, heads: false });
        }
        self.begin(begins, fork, weight.saturating_sub(taken), false);
    }

    /// How often what comes next is likely to run.
    pub(crate) const fn weight_here(&self) -> u64 {
        self.current.next_weight
    }

    fn look(&mut self, weight: u64) {
        self.current.looked_at = true;
        self.current.looks = self.current.looks.saturating_add(weight);
    }

    /// Ends the segment for good; what stands behind is never reached.
    fn leave(&mut self, to: Point, edit: usize) {
        self.end(to);
        let from = self.point();
        self.begin(edit, from, 0, false);
    }

    fn close(&mut self, begins: Option<usize>) {
        let Some(label) = self.labels.pop() else { return };
        if self.labels.is_empty() {
            self.end(SETTLED);
            return;
        }
        if let Some(fork) = label.fork {
            self.relate(fork, label.target, 0);
        }
        match begins {
            Some(edit) => {
                self.end(label.target);
                self.begin(edit, label.target, label.weight, false);
            }
            // Behind a loop, or a block that nobody branches to, the segment goes on.
            None => self.current.next_weight = self.current.next_weight.min(label.weight),
        }
    }

    fn label(&self, depth: u32) -> Option<&Label> {
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        let index = self.labels.len().checked_sub(1).and_then(|last| last.checked_sub(depth));
        index.and_then(|index| self.labels.get(index))
    }

    fn target(&self, depth: u32) -> Point {
        self.label(depth).map_or(SETTLED, |label| label.target)
    }

    fn loops(&self, depth: u32) -> bool {
        self.label(depth).is_some_and(|label| label.loops)
    }

    fn relative(&self, point: Point) -> Relative {
        self.points.get(point).copied().unwrap_or(Relative { parent: point, above: 0 })
    }

    /// The set of a point, and its debt relative to the set's.
    fn find(&mut self, point: Point) -> (Point, i64) {
        let (mut root, mut above) = (point, 0_i64);
        loop {
            let step = self.relative(root);
            if step.parent == root {
                break;
            }
            above = above.saturating_add(step.above);
            root = step.parent;
        }
        // Whoever asks again has one step to go.
        let (mut place, mut rest) = (point, above);
        while place != root {
            let step = self.relative(place);
            if let Some(entry) = self.points.get_mut(place) {
                *entry = Relative { parent: root, above: rest };
            }
            rest = rest.saturating_sub(step.above);
            place = step.parent;
        }
        (root, above)
    }

    /// Lets the debt of `to` be that of `from` and `more`, unless both are known relative to each other already.
    fn relate(&mut self, from: Point, to: Point, more: i64) {
        let ((from, from_above), (to, to_above)) = (self.find(from), self.find(to));
        if from != to
            && let Some(entry) = self.points.get_mut(to)
        {
            *entry = Relative { parent: from, above: from_above.saturating_add(more).saturating_sub(to_above) };
        }
    }

    /// Writes into the charges what L pays there, and says how else the function is written.
    pub(crate) fn settle(mut self, edits: &mut [Edit]) -> Fast {
        let mut segments = core::mem::take(&mut self.segments);
        segments.sort_by_key(|segment| core::cmp::Reverse(segment.weight));
        let price = |edits: &[Edit], segment: &Segment| match edits.get(segment.edit).map(|edit| edit.what) {
            Some(Splice::Charge { gas, .. }) => i64::try_from(gas).unwrap_or(i64::MAX),
            _ => 0,
        };
        for segment in &segments {
            self.relate(segment.from, segment.to, price(edits, segment));
        }
        let (mut payments, mut total) = (0_u64, 0_i64);
        let (_, settled) = self.find(SETTLED);
        for segment in &segments {
            let price = price(edits, segment);
            let (before, behind) = (self.find(segment.from).1, self.find(segment.to).1);
            let gas = price.saturating_add(before).saturating_sub(behind);
            let floor = behind.saturating_sub(settled);
            match edits.get_mut(segment.edit).map(|edit| &mut edit.what) {
                Some(Splice::Charge { payment, .. }) => *payment = Payment { gas, floor },
                Some(Splice::Branch { gas: paid, .. }) => *paid = gas,
                _ => {}
            }
            if gas != 0 || segment.heads {
                payments = payments.saturating_add(segment.weight);
            }
            total = total.saturating_add(price);
        }
        let cheap = u64::try_from(total).is_ok_and(|total| total <= UNCHECKED_GAS_MAX);
        Fast {
            // A payment is one instruction in a local and three in the global; every look at a local costs three, and
            // so do entry and exit together.
            in_global: payments.saturating_mul(2) < self.looks.saturating_add(ONCE).saturating_mul(3),
            unchecked: cheap && !self.loops && self.is_leaf,
            frame_at_calls: self.calls <= ONCE,
        }
    }
}
