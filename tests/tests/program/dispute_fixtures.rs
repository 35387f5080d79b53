//! Ledgers on which an instruction of a dispute would go through, for the mutation suite.

use assay_protocol::Ballot;
use assay_tests::{
    assay::accounts::{Dispute, Job},
    call::Call,
    calls::create_sink,
    mutate::Fixture,
    party::{Party, sink, terms},
    trial::{SALT, ballot, said},
    world::{SOL, World},
};

/// Instructions of disputes that do another thing in another state.
pub const STATES: [&str; 3] = ["appeal:again", "settle_challenge:won", "settle_execution:disputed"];

/// How far a dispute has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Enrolled,
    Submitted,
    Opened,
    EntryOver,
    Voting,
    Committed,
    Revealed,
    Tallied,
    Decided,
    Counted,
    Settled,
    Paid,
}

/// Somebody whose lie is contested by its own cold key, and the one juror of that.
#[derive(Clone, Copy)]
struct Side {
    liar: Party,
    juror: Party,
}

/// The stage before the instruction, and who sends it how.
type Recipe = (Stage, fn(&World, &Side) -> Call);

fn recipe(instruction: &str) -> Option<Recipe> {
    Some(match instruction {
        "slash_absent" => {
            (Stage::Tallied, |world, side| side.juror.slash_absent(0, side.juror.drawn_tickets(world)[0]))
        }
        "appeal" => (Stage::Tallied, |_, side| side.juror.appeal(&ballot(9))),
        "appeal:again" => (Stage::Tallied, |_, side| side.liar.appeal(&ballot(1))),
        "settle_dispute" => (Stage::Tallied, |_, side| side.liar.settle_dispute()),
        "settle_challenge" => (Stage::Decided, |_, side| side.liar.settle_challenge()),
        "settle_execution:disputed" => (Stage::Counted, |_, side| side.liar.settle_disputed()),
        "settle_challenge:won" => (Stage::Settled, |_, side| side.liar.settle_challenge()),
        "settle_vote" => (Stage::Settled, |_, side| side.juror.settle_vote(0)),
        "close_dispute" => (Stage::Paid, |_, side| side.liar.close_dispute()),
        _ => return None,
    })
}

/// A ledger on which the instruction would go through for three sides, two of one market and one of another, and in which every
/// type of account exists; nothing for an instruction that is of no dispute.
pub fn fixture(instruction: &str) -> Option<Fixture> {
    let (stage, call) = recipe(instruction)?;
    let mut world = World::new();
    let payer = world.wallet(SOL);
    world.ok(&create_sink(payer));
    let [side, foreign, extra] = [(); 3].map(|()| {
        let liar = Party::new(&mut world);
        world.ok(&liar.create_market(&terms()));
        side_of(&mut world, liar)
    });
    let neighbour = side.liar.another(&mut world);
    let twin = side_of(&mut world, neighbour);
    world.advance(i64::from(terms().unbonding_s));
    for each in [side, foreign, twin, extra] {
        world.ok(&each.juror.enroll_stake());
    }
    // Stands still while the others move, so that an account of each type is there.
    world.ok(&extra.juror.set_duty(true));
    play(&mut world, &[extra], Stage::Committed, instruction);
    if stage > Stage::Enrolled {
        for each in [side, foreign, twin] {
            world.ok(&each.juror.set_duty(true));
        }
        play(&mut world, &[side, foreign, twin], stage, instruction);
    }
    if matches!(instruction, "settle_dispute") {
        world.advance(1_000);
    }
    let types = vec![
        ("market", extra.liar.market),
        ("provider", extra.liar.provider),
        ("job", extra.liar.job),
        ("execution", extra.liar.execution),
        ("dispute", extra.liar.dispute()),
        ("challenge", extra.liar.challenge(extra.liar.authority)),
        ("vote", extra.juror.vote(0)),
        ("sink", sink()),
    ];
    let twins = [("same_market", call(&world, &twin)), ("other_market", call(&world, &foreign))];
    Some(Fixture { name: instruction.to_owned(), call: call(&world, &side), twins, world, types })
}

fn side_of(world: &mut World, liar: Party) -> Side {
    let other = liar.another(world);
    for each in [&liar, &other] {
        world.ok(&each.register_provider());
    }
    Side { liar, juror: liar.with_provider_of(&other) }
}

/// Takes all sides to this stage together, for they share the clock.
fn play(world: &mut World, sides: &[Side], until: Stage, instruction: &str) {
    // Absent jurors are the point of one, a verdict for the lie that of another.
    let votes = instruction != "slash_absent" || until == Stage::Committed;
    let says = if instruction == "appeal:again" { ballot(9) } else { ballot(1) };
    let steps = [
        Stage::Submitted,
        Stage::Opened,
        Stage::EntryOver,
        Stage::Voting,
        Stage::Committed,
        Stage::Revealed,
        Stage::Tallied,
        Stage::Decided,
        Stage::Counted,
        Stage::Settled,
        Stage::Paid,
    ];
    for step in steps.into_iter().take_while(|step| *step <= until) {
        wait(world, &sides[0], step);
        for side in sides {
            take(world, side, step, votes.then_some(&says));
        }
        if step == Stage::Voting {
            // The jury's round was begun; now its block is there.
            world.set_clock(world.slot() + 5, world.now());
            world.list_slots();
            for side in sides {
                world.ok(&side.liar.record_jury_seed());
            }
        }
    }
    if until == Stage::Committed {
        wait(world, &sides[0], Stage::Revealed);
    }
    if until == Stage::Revealed {
        wait(world, &sides[0], Stage::Tallied);
    }
}

fn wait(world: &mut World, side: &Side, step: Stage) {
    let dispute = |world: &World| world.read::<Dispute>(&side.liar.dispute());
    let until = match step {
        Stage::EntryOver => world.read::<Job>(&side.liar.job).window_deadline_unix,
        Stage::Revealed => dispute(world).commit_deadline_unix,
        Stage::Tallied => dispute(world).waits_until_unix().expect("a round waits"),
        Stage::Decided => dispute(world).verdict_deadline_unix,
        _ => world.now(),
    };
    if until > world.now() {
        world.advance_to(until);
    }
}

fn take(world: &mut World, side: &Side, step: Stage, says: Option<&Ballot>) {
    let Side { liar, juror } = side;
    let calls = match step {
        Stage::Submitted => {
            world.ok(&liar.create_job());
            world.next_slot();
            vec![liar.accept_job(world), liar.submit_results(&said(9))]
        }
        Stage::Opened => {
            let hidden = liar.challenge_commitment(world, liar.authority, (&said(1), SALT));
            vec![liar.open_dispute(liar.authority, Some(hidden))]
        }
        Stage::Voting => vec![liar.record_jury_seed()],
        Stage::Committed => {
            says.map(|says| juror.commit_vote(world, juror.vote_commitment(world, says, SALT))).into_iter().collect()
        }
        Stage::Revealed => {
            let vote = says.map(|says| juror.reveal_vote(world, says, SALT));
            vote.into_iter().chain([liar.reveal_outcome(liar.authority, &said(1), SALT)]).collect()
        }
        Stage::Tallied => vec![liar.tally_round()],
        Stage::Decided => vec![liar.settle_dispute()],
        Stage::Counted => vec![liar.settle_challenge()],
        Stage::Settled => vec![liar.settle_disputed()],
        Stage::Paid => vec![liar.settle_challenge(), juror.settle_vote(0)],
        Stage::Enrolled | Stage::EntryOver => Vec::new(),
    };
    for call in calls {
        world.ok(&call);
    }
}
