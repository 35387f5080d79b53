//! Random stories: honest and byzantine actors, jumps in time, calls repeated and in the wrong order. One number fixes a
//! whole story.

pub mod actors;
pub mod court;
pub mod coverage;
pub mod crank;
mod faults;
pub mod leaving;
pub mod milestones;
pub mod stage;
pub mod world;

use std::collections::{BTreeSet, VecDeque};

use crate::{
    act::{Act, AtSeat},
    odds::Rng,
    state::{DisputeStatus, Job, Key, Model},
};

pub use world::{Keys, Poster, Seat, World};

/// How a provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Runs the job and says what came out.
    Honest,
    /// Says something else, each time its own.
    Wrong,
    /// Says what the last job gave.
    Lazy,
    /// Commits what another committed.
    Copycat,
    /// Takes seats and does nothing.
    Silent,
    /// Commits and shows nothing.
    NoReveal,
    /// Says the false thing that its friends say.
    Ring,
    /// Gives seats back.
    Fickle,
}

impl Habit {
    const ALL: [Self; 8] =
        [Self::Honest, Self::Wrong, Self::Lazy, Self::Copycat, Self::Silent, Self::NoReveal, Self::Ring, Self::Fickle];
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "a story keeps a dozen of them")]
pub enum Step {
    /// Somebody asks for something.
    Act(Act),
    /// Time passes, and slots with it.
    Wait {
        /// Seconds.
        seconds: i64,
        /// Slots.
        slots: u64,
    },
    /// Somebody sends lamports to an account.
    Donate {
        /// To whom.
        to: Key,
        /// How many.
        lamports: u64,
    },
}

/// A story that is being made up.
#[derive(Clone, Debug)]
pub struct Schedule {
    rng: Rng,
    /// Everybody in it.
    pub world: World,
    recent: VecDeque<Act>,
    ready: VecDeque<Act>,
    /// Whether disputes are mostly carried to their end before anything else happens.
    patient: bool,
    /// Whether so many slots pass again and again that nobody records a seed in time.
    sleepy: bool,
}

impl Schedule {
    /// The story of this number, and the chain before it.
    #[must_use]
    pub fn new(seed: u64, keys: &Keys) -> (Self, Model) {
        let mut rng = Rng::new(seed);
        let (world, model) = World::new(&mut rng, keys);
        let (patient, sleepy) = (!seed.is_multiple_of(4), seed.is_multiple_of(10));
        (Self { rng, world, recent: VecDeque::new(), ready: VecDeque::new(), patient, sleepy }, model)
    }

    /// How many steps this story has.
    pub fn length(&mut self) -> u64 {
        80 + self.rng.below(91)
    }

    /// What happens next.
    pub fn next(&mut self, model: &Model) -> Step {
        if let Some(act) = self.ready.pop_front() {
            return self.sent(act);
        }
        let carried = if self.patient && self.rng.below(8) > 1 { self.carry_on(model) } else { None };
        if let Some(step) = carried {
            return step;
        }
        if self.sleepy && self.rng.below(4) == 0 {
            return Step::Wait { seconds: 1, slots: 600 };
        }
        match self.rng.below(100) {
            0..60 => self.due_or_wait(model),
            60..75 => {
                let act = self.implausible(model);
                self.sent(act)
            }
            75..83 if !self.recent.is_empty() => {
                let index = self.rng.below(self.recent.len() as u64);
                Step::Act(self.recent[usize::try_from(index).expect("eight at most")])
            }
            75..88 => self.swapped(model),
            88..92 => self.jump(model),
            92..96 => self.brink(model).unwrap_or_else(|| self.jump(model)),
            _ => self.odd(model),
        }
    }

    fn sent(&mut self, act: Act) -> Step {
        self.recent.push_front(act);
        self.recent.truncate(8);
        Step::Act(act)
    }

    fn due_or_wait(&mut self, model: &Model) -> Step {
        let due = self.due(model);
        match self.pick(&due) {
            Some(act) => self.sent(act),
            None => self.jump(model),
        }
    }

    /// The next step of a dispute that has no verdict yet: what is due, else time until it is; or a new one.
    fn carry_on(&mut self, model: &Model) -> Option<Step> {
        let open = model.disputes.iter().find(|(_, dispute)| dispute.status != DisputeStatus::Final);
        let Some((key, dispute)) = open else {
            let mut acts = self.contests(model);
            acts.retain(|act| model.clone().apply(act).is_ok());
            return self.pick(&acts).map(|act| self.sent(act));
        };
        let ends = [
            dispute.entry_deadline_unix,
            dispute.commit_deadline_unix,
            dispute.reveal_deadline_unix,
            dispute.verdict_deadline_unix,
        ];
        let next = ends.into_iter().filter(|at| *at > model.now_unix).min();
        // Now and then some are kept from what they could do, or do what they should not.
        match (next, self.rng.below(10)) {
            (Some(next), 0) => return self.at_the(model, next),
            (_, 1) => {
                let act = self.contempt(model, *key);
                return Some(self.sent(act));
            }
            _ => {}
        }
        let mut acts = self.proceed(model, *key, dispute);
        acts.retain(|act| model.clone().apply(act).is_ok());
        if let Some(act) = self.pick(&acts) {
            return Some(self.sent(act));
        }
        if dispute.status == DisputeStatus::Drawing {
            return Some(Step::Wait { seconds: 1, slots: if self.sleepy { 600 } else { 5 } });
        }
        if self.rng.below(2) == 0 {
            return self.at_the(model, next?);
        }
        Some(Step::Wait { seconds: next? - model.now_unix, slots: 6 })
    }

    /// To one of the next deadlines, and there at once something that depends on it.
    fn brink(&mut self, model: &Model) -> Option<Step> {
        let mut ahead = deadlines_ahead(model);
        ahead.retain(|at| *at > model.now_unix + 1);
        ahead.truncate(4);
        let deadline = self.pick(&ahead)?;
        self.at_the(model, deadline)
    }

    /// To the second before this deadline or to its own, for an act that comes in time in one of them alone.
    fn at_the(&mut self, model: &Model, deadline_unix: i64) -> Option<Step> {
        let mut acts = Vec::new();
        for offset in [-1, 0] {
            let mut then = model.clone();
            then.pass((deadline_unix + offset - model.now_unix).max(0), 6);
            acts.extend(self.due(&then));
            acts.extend(crank::cranks(&then));
        }
        acts.retain(|act| milestones::depends_on(model, act, deadline_unix));
        // Of each kind as often: there are many to vote, and one to count.
        let kinds: BTreeSet<&str> = acts.iter().map(Act::name).collect();
        let kind = self.pick(&kinds.into_iter().collect::<Vec<_>>())?;
        acts.retain(|act| act.name() == kind);
        let act = self.pick(&acts)?;
        self.ready.push_back(act);
        let early = i64::from(self.rng.below(2) == 0 && deadline_unix > model.now_unix);
        Some(Step::Wait { seconds: deadline_unix - early - model.now_unix, slots: 6 })
    }

    /// Two acts that are due, the later one first.
    fn swapped(&mut self, model: &Model) -> Step {
        let due = self.due(model);
        let Some(first) = self.pick(&due) else { return self.jump(model) };
        let mut after = model.clone();
        // What is refused changes nothing, so that the second is then an act of the same moment.
        let later = if after.apply(&first).is_ok() { self.due(&after) } else { due };
        let second = self.pick(&later).unwrap_or(first);
        self.ready.push_back(first);
        self.sent(second)
    }

    /// To one of the deadlines ahead, to the second before or after it, or anywhere.
    fn jump(&mut self, model: &Model) -> Step {
        let now = model.now_unix;
        let mut ahead = deadlines_ahead(model);
        let offset = i64::try_from(self.rng.below(3)).expect("small") - 1;
        ahead.retain(|at| *at + offset > now);
        let near = ahead.len().min(3) as u64;
        let seconds = if near == 0 || self.rng.below(8) == 0 {
            i64::try_from(1 + self.rng.below(40)).expect("small")
        } else {
            ahead[usize::try_from(self.rng.below(near)).expect("small")] + offset - now
        };
        let slots = (u64::try_from(seconds).expect("ahead") * 5 / 2).min(1_000) + 1;
        Step::Wait { seconds, slots }
    }

    fn odd(&mut self, model: &Model) -> Step {
        let slots = [1, 4, 600][usize::try_from(self.rng.below(3)).expect("small")];
        if self.rng.below(4) > 0 {
            return Step::Wait { seconds: 0, slots };
        }
        let mut keys: Vec<Key> =
            model.jobs.keys().chain(model.providers.keys()).chain(model.markets.keys()).copied().collect();
        // Also where something is not yet, or never will be.
        for job in model.jobs.keys() {
            keys.extend([model.dispute_key(*job), model.challenge_key(*job, self.world.bystanders[0])]);
            let seats = self.world.seats.iter().map(|seat| seat.provider);
            keys.extend(seats.flat_map(|holder| [model.seat(*job, holder), model.vote_key(*job, 0, holder)]));
        }
        match self.pick(&keys) {
            Some(to) => Step::Donate { to, lamports: 1 + self.rng.below(1_000) },
            None => Step::Wait { seconds: 0, slots },
        }
    }

    fn pick<T: Copy>(&mut self, things: &[T]) -> Option<T> {
        let bound = things.len() as u64;
        (bound > 0).then(|| things[usize::try_from(self.rng.below(bound)).expect("an index")])
    }
}

/// Everything that somebody waits for, the next first.
fn deadlines_ahead(model: &Model) -> Vec<i64> {
    let mut ahead: Vec<i64> = model.jobs.values().flat_map(deadlines).collect();
    ahead.extend(model.providers.values().map(|provider| provider.unbonding_until_unix));
    ahead.extend(model.providers.keys().filter_map(|provider| model.released_unix(*provider)));
    ahead.extend(model.markets.values().map(|market| market.pending_from_unix));
    ahead.extend(model.disputes.values().flat_map(|dispute| {
        let own = [dispute.entry_deadline_unix, dispute.commit_deadline_unix];
        own.into_iter().chain([dispute.reveal_deadline_unix, dispute.verdict_deadline_unix])
    }));
    ahead.retain(|at| *at >= model.now_unix);
    ahead.sort_unstable();
    ahead.dedup();
    ahead
}

fn deadlines(job: &Job) -> [i64; 6] {
    [
        job.queue_deadline_unix,
        job.fill_unix + (job.queue_deadline_unix - job.fill_unix) / 2,
        job.execution_deadline_unix,
        job.reveal_deadline_unix,
        job.window_deadline_unix,
        job.total_deadline_unix,
    ]
}

impl Step {
    /// Lets it happen in the model; time itself is never refused.
    ///
    /// # Errors
    /// [`crate::rules::Refusal`].
    pub fn apply(&self, model: &mut Model) -> crate::rules::Verdict {
        match *self {
            Self::Act(act) => return model.apply(&act),
            Self::Wait { seconds, slots } => model.pass(seconds, slots),
            Self::Donate { to, lamports } => {
                *model.lamports.entry(to).or_default() += lamports;
            }
        }
        Ok(())
    }
}

impl Model {
    /// Time and slots pass; each slot leaves its hash.
    pub fn pass(&mut self, seconds: i64, slots: u64) {
        self.now_unix += seconds;
        for _ in 0..slots {
            self.slot_hashes.push_front((self.slot, crate::cast::slot_hash(self.slot)));
            self.slot += 1;
        }
        self.slot_hashes.truncate(crate::draw::SLOT_HASHES_MAX);
    }
}

/// A seat as somebody signs for it.
const fn at(signer: Key, job: Key, provider: Key) -> AtSeat {
    AtSeat { signer, job, provider }
}
