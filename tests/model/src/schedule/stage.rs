//! A story from its beginning to its end, told to the model alone or to a ledger beside it.

use super::{
    Schedule, Step,
    crank::{cranks, next_due_unix},
    leaving::{leaving, wait_s},
};
use crate::{act::Act, state::Model};

/// In one story of so many all providers leave in the end.
const LEAVING: u64 = 4;
/// More rounds than the longest end of a story takes.
const ROUNDS_MAX: usize = 400;

/// Where a story happens.
pub trait Stage {
    /// What the model says by now.
    fn model(&self) -> &Model;
    /// Lets it happen, and checks what has to hold after it.
    fn step(&mut self, step: &Step);
    /// Gives a third of the providers a streak: earning one takes longer than a story.
    fn give_streaks(&mut self);
}

/// Tells the story of this number.
///
/// # Panics
/// With a promise's id, when the end does not come or is not what it should be.
pub fn tell(seed: u64, mut schedule: Schedule, stage: &mut impl Stage) {
    for step in schedule.world.prologue(seed) {
        stage.step(&step);
    }
    stage.give_streaks();
    for _ in 0..schedule.length() {
        let step = schedule.next(stage.model());
        stage.step(&step);
    }
    finish(stage);
    if seed.is_multiple_of(LEAVING) {
        leave(stage);
    }
}

/// I-04: with time and strangers alone everything comes to its end.
fn finish(stage: &mut impl Stage) {
    let wait_s = |model: &Model| next_due_unix(model).map_or(0, |due| due - model.now_unix);
    go_on(stage, |model| model.jobs.is_empty(), cranks, wait_s);
    let model = stage.model();
    let over = model.jobs.is_empty() && model.executions.is_empty() && model.disputes.is_empty();
    assert!(over && model.challenges.is_empty() && model.votes.is_empty(), "I-04: {:?}", model.jobs);
    for provider in model.providers.values() {
        let bound = (provider.locked_lamports - provider.duty_lock_lamports, provider.children_open);
        assert_eq!(bound, (0, 0), "I-04");
    }
}

/// I-10: then every provider leaves with all that is its own.
fn leave(stage: &mut impl Stage) {
    go_on(stage, |model| model.providers.is_empty(), leaving, wait_s);
    assert!(stage.model().providers.is_empty(), "I-10: {:?}", stage.model().providers);
}

/// Everything that is to be done, then the time until there is more, until it is over.
fn go_on(
    stage: &mut impl Stage,
    is_over: impl Fn(&Model) -> bool,
    acts: impl Fn(&Model) -> Vec<Act>,
    wait_s: impl Fn(&Model) -> i64,
) {
    for _ in 0..ROUNDS_MAX {
        if is_over(stage.model()) {
            break;
        }
        for act in acts(stage.model()) {
            stage.step(&Step::Act(act));
        }
        let seconds = wait_s(stage.model());
        stage.step(&Step::Wait { seconds, slots: 6 });
    }
}
