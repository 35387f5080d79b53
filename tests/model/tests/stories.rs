//! Random stories in the model alone: the promises hold after every step, and a stranger ends everything.

use assay_model::{
    schedule::{
        Keys, Schedule, Step,
        coverage::Coverage,
        stage::{self, Stage},
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
struct Story {
    model: Model,
    coverage: Coverage,
    total: u128,
}

impl Stage for Story {
    fn model(&self) -> &Model {
        &self.model
    }

    fn step(&mut self, step: &Step) {
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
    }

    fn give_streaks(&mut self) {
        for provider in self.model.providers.values_mut().step_by(3) {
            provider.trust.consecutive_valid = 12;
        }
    }
}

fn tell(seed: u64) -> Coverage {
    let (schedule, model) = Schedule::new(seed, &Keys::PLAIN);
    let total = model.lamports_total();
    let mut story = Story { model, coverage: Coverage::default(), total };
    stage::tell(seed, schedule, &mut story);
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
