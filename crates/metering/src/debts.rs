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
    points: Points,
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
    /// Of itself, if L can pay there: where it branches, or behind a call.
    pub pays: Option<usize>,
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
    /// What it costs; known when all is read.
    price: i64,
    weight: u64,
    heads: bool,
    /// Whether paying costs nothing if the counter is in a local, which is loaded there in any case.
    loads: bool,
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
    /// The edit of the call that looked at it last; `None` if something else did.
    call: Option<usize>,
}

impl Debts {
    /// Begins with the function's first segment, whose charge is this edit.
    pub(crate) fn new(edit: usize) -> Self {
        let mut debts = Self { is_leaf: true, ..Self::default() };
        let settled = debts.points.add();
        debts.labels.push(Label { target: settled, fork: None, weight: ONCE, loops: false });
        debts.begin(edit, settled, ONCE, false);
        debts
    }

    fn begin(&mut self, edit: usize, from: Point, weight: u64, heads: bool) {
        self.current = Current { edit, from, weight, next_weight: weight, heads, ..Current::default() };
    }

    fn end(&mut self, to: Point) {
        let Current { edit, from, weight, next_weight, heads, looked_at, looks, calls, call } = self.current;
        self.looks = self.looks.saturating_add(looks);
        self.calls = self.calls.saturating_add(calls);
        // The function's first segment, at whose beginning the counter is loaded.
        let loads = self.segments.is_empty();
        let before = if looked_at { SETTLED } else { to };
        self.segments.push(Segment { edit, from, to: before, price: 0, weight, heads, loads });
        match call {
            // From here on L may pay for what comes behind, or let it be unpaid.
            Some(edit) => {
                let behind =
                    Segment { edit, from: SETTLED, to, price: 0, weight: next_weight, heads: false, loads: true };
                self.segments.push(behind);
            }
            None if looked_at => self.points.relate(SETTLED, to, 0),
            None => {}
        }
    }

    /// Follows an operator.
    pub(crate) fn operator(&mut self, op: &Operator<'_>, Edits { begins, pays }: Edits) {
        use Operator as O;
        let weight = self.current.next_weight;
        let edit = begins.unwrap_or_default();
        match op {
            O::Call { .. } | O::CallIndirect { .. } => {
                self.is_leaf = false;
                self.current.calls = self.current.calls.saturating_add(weight);
                self.look(weight, pays);
            }
            O::MemoryGrow { .. } | O::TableGrow { .. } => self.look(weight, None),
            // What they cost is paid in place, and looked at.
            O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => self.look(0, None),
            O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => self.look(0, None),
            O::Block { .. } => {
                let target = self.points.add();
                self.labels.push(Label { target, fork: None, weight, loops: false });
            }
            O::Loop { .. } => {
                self.loops = true;
                let target = self.points.add();
                self.end(target);
                self.labels.push(Label { target, fork: None, weight, loops: true });
                self.begin(edit, target, weight.saturating_mul(TURNS), true);
            }
            O::If { .. } => {
                let (target, fork) = (self.points.add(), self.points.add());
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
            O::BrIf { relative_depth } => self.branch(*relative_depth, edit, pays),
            O::Br { relative_depth } => {
                let target = self.target(*relative_depth);
                self.leave(target, edit);
            }
            O::BrTable { targets } => {
                let target = self.target(targets.default());
                for other in targets.targets().flatten() {
                    let other = self.target(other);
                    self.points.relate(target, other, 0);
                }
                self.leave(target, edit);
            }
            O::Return => self.leave(SETTLED, edit),
            O::Unreachable => {
                let nowhere = self.points.add();
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
        let fork = if edit.is_some() { self.points.add() } else { target };
        self.end(fork);
        if let Some(edit) = edit {
            // Paying there takes a branch more.
            let weight = taken.saturating_mul(2);
            self.segments.push(Segment { edit, from: fork, to: target, price: 0, weight, heads: false, loads: false });
        }
        self.begin(begins, fork, weight.saturating_sub(taken), false);
    }

    /// How often what comes next is likely to run.
    pub(crate) const fn weight_here(&self) -> u64 {
        self.current.next_weight
    }

    fn look(&mut self, weight: u64, call: Option<usize>) {
        self.current.looked_at = true;
        self.current.call = call;
        self.current.looks = self.current.looks.saturating_add(weight);
    }

    /// Ends the segment for good; what stands behind is never reached.
    fn leave(&mut self, to: Point, edit: usize) {
        self.end(to);
        let from = self.points.add();
        self.begin(edit, from, 0, false);
    }

    fn close(&mut self, begins: Option<usize>) {
        let Some(label) = self.labels.pop() else { return };
        if self.labels.is_empty() {
            self.end(SETTLED);
            return;
        }
        if let Some(fork) = label.fork {
            self.points.relate(fork, label.target, 0);
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

    /// Writes into the charges what L pays there, and says how else the function is written.
    pub(crate) fn settle(self, edits: &mut [Edit]) -> Fast {
        let Self { points, mut segments, looks, .. } = self;
        segments.sort_by_key(|segment| core::cmp::Reverse(segment.weight));
        let mut total = 0_i64;
        for segment in &mut segments {
            segment.price = match edits.get(segment.edit).map(|edit| edit.what) {
                Some(Splice::Charge { gas, .. }) => i64::try_from(gas).unwrap_or(i64::MAX),
                _ => 0,
            };
            total = total.saturating_add(segment.price);
        }
        let (mut global, global_payments) = solve(points.clone(), &segments, false);
        let (mut local, local_payments) = solve(points, &segments, true);
        // A payment is one instruction in a local and three in the global; every look at a local costs three, and so do
        // entry and exit together.
        let in_local = local_payments.saturating_add(looks.saturating_add(ONCE).saturating_mul(3));
        let in_global = global_payments.saturating_mul(3) < in_local;
        let points = if in_global { &mut global } else { &mut local };
        for segment in &segments {
            let paid = points.payment(segment);
            match edits.get_mut(segment.edit).map(|edit| &mut edit.what) {
                Some(Splice::Charge { payment, .. }) => *payment = paid,
                Some(Splice::Branch { gas, .. } | Splice::Call { gas }) => *gas = paid.gas,
                _ => {}
            }
        }
        let cheap = u64::try_from(total).is_ok_and(|total| total <= UNCHECKED_GAS_MAX);
        Fast { in_global, unchecked: cheap && !self.loops && self.is_leaf, frame_at_calls: self.calls <= ONCE }
    }
}

/// Finds a maximum spanning tree of segments in descending order of their weight, and how much is paid outside it, by weight.
fn solve(mut points: Points, segments: &[Segment], in_local: bool) -> (Points, u64) {
    let is_free = |segment: &&Segment| in_local && segment.loads;
    for segment in segments.iter().filter(|segment| !is_free(segment)).chain(segments.iter().filter(is_free)) {
        points.relate(segment.from, segment.to, segment.price);
    }
    let mut payments = 0_u64;
    for segment in segments.iter().filter(|segment| !is_free(segment)) {
        if segment.heads || points.payment(segment).gas != 0 {
            payments = payments.saturating_add(segment.weight);
        }
    }
    (points, payments)
}

/// Sets of points whose debts are known relative to each other.
#[derive(Clone, Default)]
struct Points(Vec<Relative>);

impl Points {
    fn add(&mut self) -> Point {
        let point = self.0.len();
        self.0.push(Relative { parent: point, above: 0 });
        point
    }

    fn relative(&self, point: Point) -> Relative {
        self.0.get(point).copied().unwrap_or(Relative { parent: point, above: 0 })
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
            if let Some(entry) = self.0.get_mut(place) {
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
            && let Some(entry) = self.0.get_mut(to)
        {
            *entry = Relative { parent: from, above: from_above.saturating_add(more).saturating_sub(to_above) };
        }
    }

    /// What L pays in a segment.
    fn payment(&mut self, segment: &Segment) -> Payment {
        let (before, behind) = (self.find(segment.from).1, self.find(segment.to).1);
        let settled = self.find(SETTLED).1;
        Payment {
            gas: segment.price.saturating_add(before).saturating_sub(behind),
            floor: behind.saturating_sub(settled),
        }
    }
}
