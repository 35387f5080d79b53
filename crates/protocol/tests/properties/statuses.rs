//! Statuses: every one has a way out, and what is final stays.

use assay_protocol::{
    limits::{GAS_LIMIT_MAX, JOB_TOTAL_S_MAX, UNBONDING_S_MAX, VERIFY_RATE_GAS_PER_S_MAX, WINDOW_S_MAX},
    ChallengeStatus, DisputeEvent, DisputeStatus, ExecutionEvent, ExecutionStatus, JobEvent, JobStatus, MarketTerms,
    VoteStatus,
};
use proptest::{prelude::*, sample::select};

use crate::golden::base_terms;

/// Events that anybody may cause once a deadline has passed or a block is there; a party can at most be quicker.
const PERMISSIONLESS: [JobEvent; 14] = [
    JobEvent::QueueTimedOut,
    JobEvent::AuditUnderfilled,
    JobEvent::AuditUnfilled,
    JobEvent::ArbiterMissing,
    JobEvent::MissedRequeued,
    JobEvent::MissedLast,
    JobEvent::AuditDrawn,
    JobEvent::Agreed,
    JobEvent::DisagreedRequeued,
    JobEvent::DisagreedLast,
    JobEvent::Finalized,
    JobEvent::NobodyAppealed,
    JobEvent::Judged,
    JobEvent::Voided,
];

#[test]
fn i_04_every_status_has_a_permissionless_way_to_a_final_one() {
    for start in JobStatus::ALL {
        let (mut reached, mut seen) = (vec![start], vec![start]);
        while let Some(status) = reached.pop() {
            let next = PERMISSIONLESS.iter().filter_map(|event| status.transition(*event).ok());
            reached.extend(next.filter(|next| !seen.contains(next)).collect::<Vec<_>>());
            seen.extend(reached.iter().copied());
        }
        assert!(seen.into_iter().any(JobStatus::is_terminal), "{start:?} has no permissionless way out");
    }
}

#[test]
fn i_04_every_status_is_reached_and_every_event_happens_somewhere() {
    let steps = JobStatus::ALL.into_iter().flat_map(|from| JobEvent::ALL.iter().map(move |event| (from, *event)));
    let steps: Vec<_> = steps.filter_map(|(from, event)| Some((event, from.transition(event).ok()?))).collect();
    for event in JobEvent::ALL {
        assert!(steps.iter().any(|(happens, _)| happens == event), "{event:?} never happens");
    }
    for status in JobStatus::ALL.into_iter().filter(|status| *status != JobStatus::Open) {
        assert!(steps.iter().any(|(_, to)| *to == status), "{status:?} is never reached");
    }
}

#[test]
fn i_04_a_dispute_ends_from_every_status_and_its_end_stays() {
    for start in DisputeStatus::ALL {
        let mut status = start;
        for event in [DisputeEvent::VotingOpened, DisputeEvent::Tallied, DisputeEvent::Settled] {
            status = status.transition(event).unwrap_or(status);
        }
        assert_eq!(status, DisputeStatus::Final, "from {start:?}");
    }
    assert!(DisputeEvent::ALL.iter().all(|event| DisputeStatus::Final.transition(*event).is_none()));
}

#[test]
fn p_06_no_result_stands_before_everybody_had_its_time_to_reveal() {
    for from in JobStatus::ALL {
        assert_eq!(
            from.transition(JobEvent::Agreed).is_ok(),
            matches!(from, JobStatus::Assigned | JobStatus::Revealing)
        );
    }
    // What was committed is never taken back: it is revealed or lost.
    for event in ExecutionEvent::ALL.iter().filter(|event| **event != ExecutionEvent::Revealed) {
        assert_eq!(ExecutionStatus::Committed.transition(*event), None, "{event:?}");
    }
}

#[test]
fn i_03_a_final_status_never_changes() {
    for from in JobStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
        for event in JobEvent::ALL {
            let error = from.transition(*event).expect_err("a final status");
            assert_eq!((error.from, error.event), (from, *event));
        }
    }
}

#[test]
fn p_05_a_job_can_be_cancelled_only_while_nobody_holds_a_seat() {
    for from in JobStatus::ALL {
        assert_eq!(from.transition(JobEvent::Cancelled).is_ok(), from == JobStatus::Open, "{from:?}");
    }
}

#[test]
fn a_refused_transition_names_status_and_event() {
    let error = JobStatus::Open.transition(JobEvent::Finalized).expect_err("not submitted");
    assert_eq!(error.to_string(), "a job that is Open does not allow Finalized");
}

#[test]
fn unknown_codes_are_no_statuses() {
    for code in 0..=u8::MAX {
        assert_eq!(JobStatus::from_code(code).is_some(), (1..=9).contains(&code));
        assert_eq!(ExecutionStatus::from_code(code).is_some(), (1..=4).contains(&code));
        assert_eq!(DisputeStatus::from_code(code).is_some(), (1..=5).contains(&code));
        assert_eq!(ChallengeStatus::from_code(code).is_some(), (1..=3).contains(&code));
        assert_eq!(VoteStatus::from_code(code).is_some(), (1..=2).contains(&code));
    }
}

/// Terms of any size inside the protocol's bounds: work of up to a day, and windows around it that reach to the bounds.
fn sound_terms() -> impl Strategy<Value = MarketTerms> {
    const DAY_S: u32 = 86_400;
    let rate = prop_oneof![1..=1_000_000_000u64, 1..=VERIFY_RATE_GAS_PER_S_MAX];
    let work = rate.prop_flat_map(|rate| (Just(rate), 1..=GAS_LIMIT_MAX.min(rate.saturating_mul(u64::from(DAY_S)))));
    // Shares of what is left of each bound: nothing, everything, or some of it.
    let share = prop_oneof![1 => Just(0.0), 1 => Just(1.0), 4 => 0.0..1.0f64];
    (work, prop::array::uniform7(share)).prop_map(|((verify_rate_gas_per_s, gas_limit_max), shares)| {
        let mut terms = MarketTerms { verify_rate_gas_per_s, gas_limit_max, reveal_s: 1, ..base_terms() };
        let between = |least: u64, most: u32, share: f64| {
            let least = u32::try_from(least).expect("inside the bound");
            least + (f64::from(most - least) * share) as u32
        };
        let [queue, execution, challenge, reveal, widen, total, unbonding] = shares;
        (terms.execution_base_s, terms.challenge_base_s) = (0, 0);
        let work_s = u32::try_from(terms.execution_s(gas_limit_max)).expect("inside the bound");
        terms.execution_base_s = between(0, 2 * DAY_S - work_s, execution);
        terms.challenge_base_s = between(0, WINDOW_S_MAX - work_s, challenge);
        terms.queue_timeout_s = between(1, WINDOW_S_MAX, queue);
        terms.widen_s = between(1, terms.queue_timeout_s, widen);
        let exposed_s = terms.execution_s(gas_limit_max) + terms.challenge_s(gas_limit_max);
        terms.job_total_s = between(exposed_s + u64::from(terms.queue_timeout_s), JOB_TOTAL_S_MAX, total);
        // A second to reveal is nine in the time after which all is known.
        let known_s = |terms: &MarketTerms| exposed_s + u64::from(terms.reveal_s) + terms.dispute_s(gas_limit_max);
        let left = u32::try_from(u64::from(UNBONDING_S_MAX) - known_s(&terms) - 1).expect("inside the bound");
        terms.reveal_s = between(1, (1 + left / 9).min(WINDOW_S_MAX), reveal);
        terms.unbonding_s = between(known_s(&terms) + 1, UNBONDING_S_MAX, unbonding);
        terms
    })
}

/// Terms that hardly ever fit together.
fn wild_terms() -> impl Strategy<Value = MarketTerms> {
    let seconds = prop::array::uniform5(prop_oneof![0..100_000u32, any::<u32>()]);
    (seconds, any::<u64>(), any::<u64>()).prop_map(|(seconds, verify_rate_gas_per_s, gas_limit_max)| {
        let [queue_timeout_s, execution_base_s, challenge_base_s, job_total_s, unbonding_s] = seconds;
        MarketTerms {
            queue_timeout_s,
            execution_base_s,
            challenge_base_s,
            job_total_s,
            unbonding_s,
            verify_rate_gas_per_s,
            gas_limit_max,
            ..base_terms()
        }
    })
}

proptest! {
    #[test]
    fn i_02_a_life_of_random_events_resolves_at_most_once(events in prop::collection::vec(select(JobEvent::ALL), 0..64)) {
        let (mut status, mut finals) = (JobStatus::Open, 0);
        for event in events {
            if let Ok(next) = status.transition(event) {
                prop_assert!(!status.is_terminal());
                finals += u32::from(next.is_terminal());
                status = next;
            }
        }
        prop_assert!(finals <= 1);
    }

    #[test]
    fn p_22_terms_that_pass_the_check_bound_every_window(
        terms in prop_oneof![3 => sound_terms(), 1 => wild_terms()],
        gas in any::<prop::sample::Index>(),
    ) {
        if terms.check().is_ok() {
            let gas_limit = u64::try_from(gas.index(usize::MAX)).expect("64 bits") % terms.gas_limit_max + 1;
            let week = u64::from(WINDOW_S_MAX);
            prop_assert!(u64::from(terms.queue_timeout_s) <= week);
            prop_assert!(terms.execution_s(gas_limit) <= week && terms.challenge_s(gas_limit) <= week);
            // P-11: stake and tickets outlive every job and every dispute about it.
            let exposed = terms.execution_s(gas_limit) + terms.challenge_s(gas_limit);
            let known = exposed + u64::from(terms.reveal_s) + terms.dispute_s(gas_limit);
            prop_assert!(u64::from(terms.unbonding_s) > known);
            prop_assert!(u64::from(terms.reveal_s) <= week && terms.widen_s <= terms.queue_timeout_s && terms.widen_s > 0);
            // A job that is taken at the last moment of its first queue is over before it would be queued no more.
            prop_assert!(u64::from(terms.job_total_s) >= u64::from(terms.queue_timeout_s) + exposed);
            // No window is shorter than the work in it, on the fastest machine.
            let work_s = gas_limit / VERIFY_RATE_GAS_PER_S_MAX;
            prop_assert!(terms.challenge_s(gas_limit) >= work_s.max(1) && terms.execution_s(gas_limit) >= work_s.max(1));
        }
    }

    #[test]
    fn p_22_sound_terms_pass_the_check(terms in sound_terms()) {
        prop_assert_eq!(terms.check(), Ok(()));
    }

    #[test]
    fn a_profile_is_allowed_by_its_own_bit_alone(profiles: u32, profile: u32) {
        let terms = MarketTerms { profiles, ..base_terms() };
        let allowed = (1..=32).contains(&profile) && profiles & (1u32 << ((profile.wrapping_sub(1)) % 32)) != 0;
        prop_assert_eq!(terms.allows_profile(profile), allowed);
    }
}
