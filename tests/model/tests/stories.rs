//! Random stories in the model alone: the promises hold after every step, and a stranger ends everything.

use assay_model::{
    schedule::{
        Keys, Schedule, Step,
        coverage::Coverage,
        crank::{cranks, next_due_unix},
        leaving::{leaving, wait_s},
    },
    state::Model,
};

/// Stories; each is told in milliseconds.
const STORIES: u64 = 600;
/// What these stories need not come to.
const NOT_ASKED: [&str; 3] = [
    // Without a reveal there is nothing new to agree on, and the first reveal closes the commits.
    "a job that is Assigned: Agreed",
    // So few stories have a cap that was lowered before a last round: those that are told to the program as well reach it.
    "a vote whose cap kept it light",
    // Nor three disputes at a time with the same juror.
    "an excuse of a busy juror",
];
/// In one story of so many all providers leave in the end.
const LEAVING: u64 = 4;
/// More rounds than the longest end of a story takes.
const ROUNDS_MAX: usize = 400;

struct Story {
    model: Model,
    coverage: Coverage,
    total: u128,
}

impl Story {
    fn step(&mut self, step: &Step) -> bool {
        let before = self.model.clone();
        let verdict = step.apply(&mut self.model);
        self.model.check_promises();
        if let Step::Act(_) = step {
            assert_eq!(self.model.lamports_total(), self.total, "I-01: {step:?}");
        }
        self.total = self.model.lamports_total();
        if verdict.is_err() {
            assert_eq!(before.lamports, self.model.lamports, "a refusal moved lamports: {step:?}");
        }
        self.model.check_finality(&before);
        self.coverage.note(&before, step, &verdict, &self.model);
        verdict.is_ok()
    }

    /// I-04: with time and strangers alone everything comes to its end.
    fn finish(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.model.jobs.is_empty() {
                break;
            }
            for act in cranks(&self.model) {
                self.step(&Step::Act(act));
            }
            let seconds = next_due_unix(&self.model).map_or(0, |due| due - self.model.now_unix);
            self.step(&Step::Wait { seconds, slots: 6 });
        }
        assert!(
            self.model.jobs.is_empty() && self.model.executions.is_empty() && self.model.disputes.is_empty(),
            "I-04: {:?}",
            self.model.jobs
        );
        for provider in self.model.providers.values() {
            let bound = (provider.locked_lamports - provider.duty_lock_lamports, provider.children_open);
            assert_eq!(bound, (0, 0), "I-04");
        }
    }

    /// I-10: then every provider leaves with all that is its own.
    fn leave(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.model.providers.is_empty() {
                break;
            }
            for act in leaving(&self.model) {
                self.step(&Step::Act(act));
            }
            self.step(&Step::Wait { seconds: wait_s(&self.model), slots: 6 });
        }
        assert!(self.model.providers.is_empty(), "I-10: {:?}", self.model.providers);
    }
}

fn tell(seed: u64) -> Coverage {
    let (mut schedule, model) = Schedule::new(seed, &Keys::PLAIN);
    (schedule.world.adaptive, schedule.world.disputes) = (true, true);
    let total = model.lamports_total();
    let mut story = Story { model, coverage: Coverage::default(), total };
    for step in schedule.world.prologue(seed) {
        story.step(&step);
    }
    // A streak takes longer than a story, so some begin with one.
    for (index, provider) in story.model.providers.values_mut().enumerate() {
        provider.trust.consecutive_valid = if index % 3 == 0 { 12 } else { 0 };
    }
    for _ in 0..schedule.length() {
        let step = schedule.next(&story.model);
        story.step(&step);
    }
    story.finish();
    if seed.is_multiple_of(LEAVING) {
        story.leave();
    }
    story.coverage
}

#[test]
fn i_01_i_02_i_03_i_04_i_05_i_10_promises_hold_after_every_step_of_any_story() {
    let mut all = Coverage::default();
    for seed in 1..=STORIES {
        let told = std::panic::catch_unwind(|| tell(seed));
        all.add(&told.unwrap_or_else(|_| panic!("story {seed} broke a promise")));
    }
    println!("{all}");
    for (name, (done, _)) in &all.acts {
        let seldom = ["close_provider", "withdraw_stake"].contains(name);
        assert!(*done > 0 || seldom, "{name} never went through\n{all}");
    }
    let gaps: Vec<String> = all.gaps().into_iter().filter(|gap| !NOT_ASKED.contains(&gap.as_str())).collect();
    assert!(gaps.is_empty(), "no story had {gaps:#?}\n{all}");
}
