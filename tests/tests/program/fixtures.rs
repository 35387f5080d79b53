//! Ledgers on which an instruction would go through, one for each instruction of the IDL and for each state in which it does
//! another thing. The mutation suite spoils them, and what holds of every instruction is tried on them.

use std::sync::{LazyLock, Mutex};

use assay_protocol::{Mode, tickets::TICKET_SOLO};
use assay_tests::{
    assay::{
        accounts::{Dispute, Job, Provider},
        types::UpdateProviderArgs,
    },
    call::Call,
    calls::{create_sink, job_args},
    idl,
    mutate::Fixture,
    party::{Party, STAKE, exited, sink, terms},
    scenario::GAS_USED,
    trial::{SALT, ballot, said},
    world::{SOL, World},
};

/// States of instructions that do another thing in another state.
const STATES: [&str; 29] = [
    "accept_job:alone",
    "accept_job:audit",
    "accept_job:drawn",
    "appeal:again",
    "commit_result:alone",
    "commit_result:audit",
    "decline_job:alone",
    "decline_job:started",
    "decline_job:waiting",
    "expire_job:arbiter",
    "expire_job:audit",
    "expire_job:deadlock",
    "expire_job:open",
    "expire_job:revealing",
    "open_dispute:deadlock",
    "record_collision:known",
    "record_seed:audit",
    "record_seed:entry",
    "record_seed:jury",
    "reveal_result:alone",
    "reveal_result:audit",
    "settle_challenge:won",
    "settle_execution:audited",
    "settle_execution:disputed",
    "settle_execution:missed",
    "settle_execution:silent",
    "settle_execution:unaudited",
    "settle_execution:wrong",
    "slash_absent:hidden",
];

/// Every instruction of the IDL, and after a colon the state when there are several.
pub fn names() -> impl Iterator<Item = String> {
    idl::instruction_names().into_iter().chain(STATES.map(str::to_owned))
}

/// Somebody with a market, a provider and a job, and two more providers with the same job. In a dispute the first one lies, its own
/// cold key contests that, and the second is the only juror.
#[derive(Clone, Copy)]
struct Side {
    party: Party,
    others: [Party; 2],
}

impl Side {
    fn new(world: &mut World, party: Party) -> Self {
        let mut other = || party.with_provider_of(&party.another(world));
        Self { party, others: [other(), other()] }
    }

    fn juror(&self) -> Party {
        self.others[0]
    }

    fn with_job(self, id: u64) -> Self {
        Self { party: self.party.with_job(id), others: self.others.map(|other| other.with_job(id)) }
    }
}

/// What a side sends.
type Make = fn(&World, &Side) -> Call;

/// What happens before the instruction. All sides take each step together, for they share the clock.
#[derive(Clone, Copy)]
enum Step {
    Each(Make),
    /// The first side of each market sends this.
    Market(Make),
    /// So many seconds pass, and a slot.
    Wait(i64),
    /// The time comes that the first side waits for.
    Until(fn(&World, &Side) -> i64),
    /// Every juror of the market that is drawn sends this, of each side's dispute.
    Jury(fn(&World, &Party) -> Call),
    /// Slots pass; every one had a block.
    Blocks,
    /// What takes months otherwise.
    Given(fn(&mut World, &Side)),
    /// Steps of the same people with a job of its own.
    Aside(&'static [&'static [Step]]),
}

use Step::{Aside, Blocks, Each, Given, Jury, Market, Until, Wait};

const MARKET: &[Step] = &[Market(|_, side| side.party.create_market(&terms()))];
const PROVIDER: &[Step] = &[Each(|_, side| side.party.register_provider())];
const OPEN: &[Step] = &[Each(|_, side| side.party.create_job()), Wait(0)];
const ASSIGNED: &[Step] = &[Each(|world, side| side.party.accept_job(world))];
const SUBMITTED: &[Step] = &[Each(|_, side| side.party.submit_results(&said(1)))];
const FINAL: &[Step] = &[Until(window_deadline), Each(|_, side| side.party.finalize_job())];
const SETTLED: &[Step] = &[Each(|_, side| side.party.settle_execution())];
const UNSTAKED: &[Step] = &[Each(|_, side| side.party.unstake(STAKE)), Wait(86_400)];
const MISSED: &[Step] = &[
    Wait(160),
    Each(|_, side| side.party.expire_assigned_job()),
    Wait(600),
    Each(|_, side| side.party.expire_open_job()),
];

/// Three providers each, their stake mature and enrolled.
const CREW: &[Step] = &[
    Each(|_, side| side.party.register_provider()),
    Each(|_, side| side.others[0].register_provider()),
    Each(|_, side| side.others[1].register_provider()),
    Wait(86_400),
    Each(|_, side| side.party.enroll_stake()),
    Each(|_, side| side.others[0].enroll_stake()),
    Each(|_, side| side.others[1].enroll_stake()),
];

/// Jobs of several seats, until a seed can be recorded and nearly every ticket wins.
const THREE_OPEN: &[Step] =
    &[Each(|_, side| side.party.create_job_with(several(side, Mode::Redundant, 3))), WIDENED, Blocks];
const TWO_OPEN: &[Step] =
    &[Each(|_, side| side.party.create_job_with(several(side, Mode::Redundant, 2))), WIDENED, Blocks];
const WIDENED: Step = Wait(60);
const DRAWN: &[Step] = &[Each(|_, side| side.party.record_seed())];
const OTHERS_TAKEN: &[Step] =
    &[Each(|world, side| side.others[0].accept_job(world)), Each(|world, side| side.others[1].accept_job(world))];
const FIRST_COMMITTED: &[Step] = &[Each(|world, side| hide(world, side.party, 9))];
const OTHER_COMMITTED: &[Step] = &[Each(|world, side| hide(world, side.others[0], 1))];
const OTHERS_COMMITTED: &[Step] =
    &[Each(|world, side| hide(world, side.others[0], 1)), Each(|world, side| hide(world, side.others[1], 1))];
const FIRST_REVEALED: &[Step] = &[Each(|_, side| side.party.reveal_result(&said(9), SALT))];
const OTHER_REVEALED: &[Step] = &[Each(|_, side| side.others[0].reveal_result(&said(1), SALT))];
const OTHERS_REVEALED: &[Step] = &[
    Each(|_, side| side.others[0].reveal_result(&said(1), SALT)),
    Each(|_, side| side.others[1].reveal_result(&said(1), SALT)),
];
/// The first side's provider said something else than the two others, whose result is final.
const OUTVOTED: &[&[Step]] = &[
    THREE_OPEN,
    DRAWN,
    ASSIGNED,
    OTHERS_TAKEN,
    FIRST_COMMITTED,
    OTHERS_COMMITTED,
    FIRST_REVEALED,
    OTHERS_REVEALED,
    FINAL,
];
/// Another job of the same module went so before, and that is on record.
const COLLIDED: &[Step] = &[Aside(OUTVOTED), Aside(&[&[Each(|world, side| side.party.record_collision(world))]])];
/// Two seats disagreed, and a third is looked for.
const ARBITER_WANTED: &[Step] = &[Until(queue_deadline)];
const DEADLOCKED: &[Step] = &[Each(|_, side| side.party.expire_open_job())];

/// A provider that proved itself runs an adaptive job alone.
const ALONE_OPEN: &[Step] = &[
    Given(|world, side| {
        world.edit::<Provider>(&side.party.provider, |provider| provider.trust.consecutive_valid = 50);
    }),
    Each(|_, side| side.party.create_job_with(several(side, Mode::Adaptive, 3))),
    Wait(0),
];
const ALONE: &[Step] = &[Each(|world, side| side.party.accept_job_by(world, TICKET_SOLO))];
/// One in fifty of these is audited, and none of them is.
const UNAUDITED: &[Step] = &[Blocks, Each(|_, side| side.party.record_seed())];
/// The block was lost: it counts as drawn. Then seats are drawn for the audit.
const SEED_LOST: &[Step] = &[Wait(600), Blocks];
const AUDITED: &[Step] = &[Each(|_, side| side.party.record_seed()), WIDENED, Blocks];

/// A lie is submitted, and somebody is on duty to judge it.
const ON_DUTY: &[Step] = &[Each(|_, side| side.juror().set_duty(true))];
const LIED: &[Step] = &[Each(|_, side| side.party.submit_results(&said(9)))];
const OPENED: &[Step] = &[Each(|world, side| {
    side.party.open_dispute(world, side.party.authority, Some(challenge(world, side, side.party.authority)))
})];
const ENTRY_OVER: &[Step] = &[Until(window_deadline)];
const DRAWING: &[Step] = &[Each(|_, side| side.party.record_jury_seed()), Blocks];
const VOTING: &[Step] = &[Each(|_, side| side.party.record_jury_seed())];
const VOTED: &[Step] = &[Jury(|world, juror| vote(world, juror, 1))];
const VOTED_FOR_THE_LIE: &[Step] = &[Jury(|world, juror| vote(world, juror, 9))];
const COMMITS_OVER: &[Step] = &[Until(|world, side| dispute(world, side).commit_deadline_unix)];
const VOTE_SHOWN: &[Step] = &[Jury(|world, juror| juror.reveal_vote(world, &ballot(1), SALT))];
const VOTE_FOR_THE_LIE_SHOWN: &[Step] = &[Jury(|world, juror| juror.reveal_vote(world, &ballot(9), SALT))];
const OUTCOME_SHOWN: &[Step] = &[Each(|_, side| side.party.reveal_outcome(side.party.authority, &said(1), SALT))];
const ROUND_OVER: &[Step] = &[Until(|world, side| dispute(world, side).waits_until_unix().expect("a round waits"))];
const TALLIED: &[Step] = &[Each(|_, side| side.party.tally_round())];
const VERDICT_STANDS: &[Step] = &[Until(|world, side| dispute(world, side).verdict_deadline_unix)];
const DECIDED: &[Step] = &[Each(|_, side| side.party.settle_dispute())];
const CHALLENGE_SETTLED: &[Step] = &[Each(|_, side| side.party.settle_challenge())];
const LIAR_SETTLED: &[Step] = &[Each(|_, side| side.party.settle_disputed())];
const VOTE_SETTLED: &[Step] = &[Jury(|_, juror| juror.settle_vote(0))];

fn window_deadline(world: &World, side: &Side) -> i64 {
    world.read::<Job>(&side.party.job).window_deadline_unix
}

fn queue_deadline(world: &World, side: &Side) -> i64 {
    world.read::<Job>(&side.party.job).queue_deadline_unix
}

fn reveal_deadline(world: &World, side: &Side) -> i64 {
    world.read::<Job>(&side.party.job).reveal_deadline_unix
}

fn dispute(world: &World, side: &Side) -> Dispute {
    world.read(&side.party.dispute())
}

/// A job of several seats, final as soon as they agree.
fn several(side: &Side, mode: Mode, redundancy: u8) -> assay_tests::assay::types::CreateJobArgs {
    let mut args = job_args(side.party.job_id);
    (args.mode, args.redundancy, args.agreement_s) = (mode.code(), redundancy, Some(0));
    args.escrow_lamports *= 9;
    args
}

fn hide(world: &World, seat: Party, which: u8) -> Call {
    seat.commit_result(seat.commitment(world, &said(which), SALT))
}

fn challenge(world: &World, side: &Side, challenger: solana_pubkey::Pubkey) -> [u8; 32] {
    side.party.challenge_commitment(world, challenger, (&said(1), SALT))
}

fn vote(world: &World, juror: &Party, which: u8) -> Call {
    juror.commit_vote(world, juror.vote_commitment(world, &ballot(which), SALT))
}

fn absent(world: &World, side: &Side) -> Call {
    side.juror().slash_absent(0, side.juror().drawn_tickets(world)[0])
}

/// What happens before an instruction, and how it is sent.
type Recipe = (Vec<&'static [Step]>, Make);

/// After the steps of a part, those of the instruction alone.
fn after(part: &[&'static [Step]], more: &[&'static [Step]]) -> Vec<&'static [Step]> {
    [part, more].concat()
}

fn recipe(instruction: &str) -> Recipe {
    let found = of_people(instruction).or_else(|| of_jobs(instruction)).or_else(|| of_several(instruction));
    let found = found.or_else(|| of_adaptive(instruction)).or_else(|| of_disputes(instruction));
    found.unwrap_or_else(|| panic!("the IDL has an instruction {instruction} and no fixture is there for it"))
}

/// Markets and providers.
fn of_people(instruction: &str) -> Option<Recipe> {
    const PROPOSED: &[Step] = &[Market(|_, side| side.party.propose_market_authority(side.party.poster))];
    const WITHDRAWN: &[Step] = &[Each(|_, side| side.party.withdraw_stake())];
    const ENROLLED: &[Step] = &[Each(|_, side| side.party.enroll_stake())];
    let registered = [MARKET, PROVIDER];
    let (steps, call): (Vec<_>, Make) = match instruction {
        "create_sink" => (vec![], |_, side| create_sink(side.party.poster)),
        "create_market" => (vec![], |_, side| side.party.create_market(&terms())),
        "update_market" => (vec![MARKET], |_, side| side.party.update_market(&terms())),
        "pause_market" => (vec![MARKET], |world, side| side.party.pause_market(world.now() + 10)),
        "propose_market_authority" => (vec![MARKET], |_, side| side.party.propose_market_authority(side.party.poster)),
        "accept_market_authority" => {
            (vec![MARKET, PROPOSED], |_, side| side.party.accept_market_authority(side.party.poster))
        }
        "claim_market_fees" => (paid(), |_, side| side.party.claim_market_fees()),
        "register_provider" => (vec![MARKET], |_, side| side.party.register_provider()),
        "update_provider" => (registered.to_vec(), |_, side| {
            let args = UpdateProviderArgs { exposure_cap_lamports: Some(5), capacity: Some(1), endpoint: None };
            side.party.update_provider(args, Some(side.party.poster))
        }),
        "stake" => (registered.to_vec(), |_, side| side.party.stake(SOL)),
        "unstake" => (registered.to_vec(), |_, side| side.party.unstake(SOL)),
        "withdraw_stake" => (after(&registered, &[UNSTAKED]), |_, side| side.party.withdraw_stake()),
        "close_provider" => (after(&registered, &[UNSTAKED, WITHDRAWN]), |_, side| side.party.close_provider()),
        "enroll_stake" => (after(&registered, &[&[Wait(86_400)]]), |_, side| side.party.enroll_stake()),
        "set_duty" => (after(&registered, &[&[Wait(86_400)], ENROLLED]), |_, side| side.party.set_duty(true)),
        "claim_reward" => (paid(), |_, side| side.party.claim_reward()),
        _ => return None,
    };
    Some((steps, call))
}

fn paid() -> Vec<&'static [Step]> {
    vec![MARKET, PROVIDER, OPEN, ASSIGNED, SUBMITTED, FINAL, SETTLED]
}

/// Jobs of one seat.
fn of_jobs(instruction: &str) -> Option<Recipe> {
    let open = [MARKET, PROVIDER, OPEN];
    let (steps, call): (Vec<_>, Make) = match instruction {
        "create_job" => (vec![MARKET, PROVIDER], |_, side| side.party.create_job()),
        "cancel_job" => (open.to_vec(), |_, side| side.party.cancel_job()),
        "accept_job" => (open.to_vec(), |world, side| side.party.accept_job(world)),
        "decline_job" => (after(&open, &[ASSIGNED]), |_, side| side.party.decline_job(1)),
        "submit_results" => (after(&open, &[ASSIGNED]), |_, side| side.party.submit_results(&exited(GAS_USED))),
        "finalize_job" => {
            (after(&open, &[ASSIGNED, SUBMITTED, &[Until(window_deadline)]]), |_, side| side.party.finalize_job())
        }
        "settle_execution" => (after(&open, &[ASSIGNED, SUBMITTED, FINAL]), |_, side| side.party.settle_execution()),
        "expire_job" => (after(&open, &[ASSIGNED, &[Wait(160)]]), |_, side| side.party.expire_assigned_job()),
        "expire_job:open" => (after(&open, &[&[Wait(600)]]), |_, side| side.party.expire_open_job()),
        "settle_execution:missed" => (after(&open, &[ASSIGNED, MISSED]), |_, side| side.party.settle_execution()),
        "close_job" => (paid(), |_, side| side.party.close_job()),
        _ => return None,
    };
    Some((steps, call))
}

/// Jobs of several seats.
fn of_several(instruction: &str) -> Option<Recipe> {
    let open = [MARKET, CREW, THREE_OPEN];
    let outvoted = after(&[MARKET, CREW], OUTVOTED);
    let hidden = after(&open, &[DRAWN, ASSIGNED, OTHERS_TAKEN, FIRST_COMMITTED, OTHERS_COMMITTED]);
    let split = [MARKET, CREW, TWO_OPEN, DRAWN, ASSIGNED, &OTHERS_TAKEN[..1], FIRST_COMMITTED, OTHER_COMMITTED];
    let split = after(&split, &[FIRST_REVEALED, OTHER_REVEALED, ARBITER_WANTED]);
    let (steps, call): (Vec<_>, Make) = match instruction {
        "record_seed" => (open.to_vec(), |_, side| side.party.record_seed()),
        "accept_job:drawn" => (after(&open, &[DRAWN]), |world, side| side.party.accept_job(world)),
        "decline_job:waiting" => (after(&open, &[DRAWN, ASSIGNED]), |_, side| side.party.decline_job(1)),
        "decline_job:started" => (after(&open, &[DRAWN, ASSIGNED, OTHERS_TAKEN]), |_, side| side.party.decline_job(1)),
        "commit_result" => (after(&open, &[DRAWN, ASSIGNED, OTHERS_TAKEN]), |world, side| hide(world, side.party, 1)),
        "reveal_result" => (hidden, |_, side| side.party.reveal_result(&said(9), SALT)),
        "expire_job:revealing" => {
            (after(&hidden, &[OTHERS_REVEALED, &[Until(reveal_deadline)]]), |_, side| side.party.expire_open_job())
        }
        "settle_execution:silent" => {
            const EXPIRED: &[Step] = &[Until(reveal_deadline), Each(|_, side| side.party.expire_open_job())];
            (after(&hidden, &[OTHERS_REVEALED, EXPIRED, FINAL]), |_, side| side.party.settle_execution())
        }
        "expire_job:arbiter" => (split, |_, side| side.party.expire_open_job()),
        "expire_job:deadlock" => {
            (after(&split, &[DEADLOCKED, &[Until(window_deadline)]]), |_, side| side.party.expire_open_job())
        }
        "open_dispute:deadlock" => {
            (after(&split, &[DEADLOCKED]), |world, side| side.party.open_dispute(world, side.party.poster, None))
        }
        "settle_execution:wrong" => (outvoted, |_, side| side.party.settle_execution()),
        "record_collision" => (outvoted, |world, side| side.party.record_collision(world)),
        "record_collision:known" => {
            let aside = after(&[MARKET, CREW, COLLIDED], OUTVOTED);
            (aside, |world, side| side.party.record_collision(world))
        }
        _ => return None,
    };
    Some((steps, call))
}

/// Jobs that a proven provider runs alone, and their audits.
fn of_adaptive(instruction: &str) -> Option<Recipe> {
    let open = [MARKET, CREW, ALONE_OPEN];
    let hidden = after(&open, &[ALONE, FIRST_COMMITTED]);
    let audited = after(&hidden, &[SEED_LOST, AUDITED, DRAWN]);
    let (steps, call): (Vec<_>, Make) = match instruction {
        "accept_job:alone" => (open.to_vec(), |world, side| side.party.accept_job_by(world, TICKET_SOLO)),
        "decline_job:alone" => (after(&open, &[ALONE]), |_, side| side.party.decline_job(1)),
        "commit_result:alone" => (after(&open, &[ALONE]), |world, side| hide(world, side.party, 1)),
        "record_seed:audit" => (after(&hidden, &[SEED_LOST]), |_, side| side.party.record_seed()),
        "reveal_result:alone" => (after(&hidden, &[UNAUDITED]), |_, side| side.party.reveal_result(&said(9), SALT)),
        "settle_execution:unaudited" => {
            (after(&hidden, &[UNAUDITED, FIRST_REVEALED, FINAL]), |_, side| side.party.settle_execution())
        }
        "accept_job:audit" => (audited, |world, side| side.others[0].accept_job(world)),
        "expire_job:audit" => {
            (after(&audited, &[&OTHERS_TAKEN[..1], &[Until(queue_deadline)]]), |_, side| side.party.expire_open_job())
        }
        "commit_result:audit" => (after(&audited, &[OTHERS_TAKEN]), |world, side| hide(world, side.others[0], 1)),
        "reveal_result:audit" => {
            (after(&audited, &[OTHERS_TAKEN, OTHERS_COMMITTED]), |_, side| side.party.reveal_result(&said(9), SALT))
        }
        "settle_execution:audited" => {
            (after(&audited, &[OTHERS_TAKEN, OTHERS_COMMITTED, FIRST_REVEALED, OTHERS_REVEALED, FINAL]), |_, side| {
                side.others[0].settle_execution()
            })
        }
        _ => return None,
    };
    Some((steps, call))
}

fn of_disputes(instruction: &str) -> Option<Recipe> {
    let lied = [MARKET, CREW, ON_DUTY, OPEN, ASSIGNED, LIED];
    let entered = after(&lied, &[OPENED, ENTRY_OVER]);
    let voting = after(&entered, &[DRAWING, VOTING]);
    let voted = after(&voting, &[VOTED, COMMITS_OVER]);
    let shown = after(&voted, &[VOTE_SHOWN, OUTCOME_SHOWN, ROUND_OVER]);
    let decided = after(&shown, &[TALLIED, VERDICT_STANDS, DECIDED]);
    let settled = after(&decided, &[CHALLENGE_SETTLED, LIAR_SETTLED]);
    let unheard = [OUTCOME_SHOWN, ROUND_OVER, TALLIED];
    let (steps, call): (Vec<_>, Make) = match instruction {
        "open_dispute" => (lied.to_vec(), |world, side| {
            side.party.open_dispute(world, side.party.poster, Some(challenge(world, side, side.party.poster)))
        }),
        "enter_dispute" => (after(&lied, &[OPENED]), |world, side| {
            side.party.enter_dispute(side.party.poster, challenge(world, side, side.party.poster))
        }),
        "record_seed:entry" => (entered, |_, side| side.party.record_jury_seed()),
        "record_seed:jury" => (after(&entered, &[DRAWING]), |_, side| side.party.record_jury_seed()),
        "commit_vote" => (voting, |world, side| vote(world, &side.juror(), 1)),
        "reveal_vote" => (voted, |world, side| side.juror().reveal_vote(world, &ballot(1), SALT)),
        "reveal_outcome" => (voted, |_, side| side.party.reveal_outcome(side.party.authority, &said(1), SALT)),
        "tally_round" => (shown, |_, side| side.party.tally_round()),
        "slash_absent" => (after(&after(&voting, &[COMMITS_OVER]), &unheard), absent),
        "slash_absent:hidden" => {
            // Whoever has votes in two disputes is excused.
            const VOTED_HERE: &[Step] = &[Each(|world, side| vote(world, &side.juror(), 1))];
            (after(&after(&voting, &[VOTED_HERE, COMMITS_OVER]), &unheard), absent)
        }
        "appeal" => (after(&shown, &[TALLIED]), |_, side| side.juror().appeal(&ballot(9))),
        "appeal:again" => {
            let captured = [VOTED_FOR_THE_LIE, COMMITS_OVER, VOTE_FOR_THE_LIE_SHOWN];
            (after(&after(&voting, &captured), &unheard), |_, side| side.party.appeal(&ballot(1)))
        }
        "settle_dispute" => (after(&shown, &[TALLIED, VERDICT_STANDS]), |_, side| side.party.settle_dispute()),
        "settle_challenge" => (decided, |_, side| side.party.settle_challenge()),
        "settle_execution:disputed" => (after(&decided, &[CHALLENGE_SETTLED]), |_, side| side.party.settle_disputed()),
        "settle_challenge:won" => (settled, |_, side| side.party.settle_challenge()),
        "settle_vote" => (settled, |_, side| side.juror().settle_vote(0)),
        "close_dispute" => (after(&settled, &[CHALLENGE_SETTLED, VOTE_SETTLED]), |_, side| side.party.close_dispute()),
        _ => return None,
    };
    Some((steps, call))
}

/// The first side and the foreign one have markets of their own; the twin shares the first one's.
fn play(world: &mut World, sides: &[Side], step: &Step) {
    match step {
        Each(make) | Market(make) => {
            let is_of_market = matches!(step, Market(_));
            for (index, side) in sides.iter().enumerate() {
                let is_first = !sides[..index].iter().any(|other| other.party.market == side.party.market);
                if is_first || !is_of_market {
                    let call = make(world, side);
                    world.ok(&call);
                }
            }
        }
        Jury(make) => {
            for (side, other) in sides.iter().flat_map(|side| sides.iter().map(move |other| (side, other))) {
                let juror = side.party.with_provider_of(&other.juror());
                if side.party.market == other.party.market && !juror.drawn_tickets(world).is_empty() {
                    let call = make(world, &juror);
                    world.ok(&call);
                }
            }
        }
        Wait(seconds) => world.advance(*seconds),
        Until(unix) => {
            let unix = unix(world, &sides[0]);
            world.advance(0.max(unix - world.now()));
        }
        Blocks => {
            world.advance(10);
            world.list_slots();
        }
        Given(edit) => sides.iter().for_each(|side| edit(world, side)),
        Aside(parts) => {
            let sides: Vec<Side> = sides.iter().map(|side| side.with_job(2)).collect();
            parts.iter().copied().flatten().for_each(|step| play(world, &sides, step));
        }
    }
}

/// A ledger on which an account of each type stands still while others move: somebody in the middle of a dispute, whose module
/// gave two results before.
fn furnished() -> (World, Side) {
    static FURNISHED: LazyLock<Mutex<(World, Side)>> = LazyLock::new(|| {
        let mut world = World::new();
        let payer = world.wallet(SOL);
        world.ok(&create_sink(payer));
        let party = Party::new(&mut world);
        let side = Side::new(&mut world, party);
        let parts = [MARKET, CREW, ON_DUTY, COLLIDED, OPEN, ASSIGNED, LIED, OPENED, ENTRY_OVER, DRAWING, VOTING, VOTED];
        parts.iter().copied().flatten().for_each(|step| play(&mut world, &[side], step));
        Mutex::new((world, side))
    });
    FURNISHED.lock().expect("no test holds it across a panic").clone()
}

/// A ledger on which the instruction would go through for three sides, two of one market and one of another, and on which every
/// type of account exists.
pub fn fixture(instruction: &str) -> Fixture {
    let (steps, call) = recipe(instruction);
    let (mut world, extra) = match instruction {
        "create_sink" => (World::new(), None),
        _ => {
            let (world, extra) = furnished();
            (world, Some(extra))
        }
    };
    let [side, foreign] = [(); 2].map(|()| {
        let party = Party::new(&mut world);
        Side::new(&mut world, party)
    });
    let neighbour = side.party.another(&mut world);
    let twin = Side::new(&mut world, neighbour);
    for step in steps.into_iter().flatten() {
        play(&mut world, &[side, foreign, twin], step);
    }
    let types = extra.map_or_else(Vec::new, |extra| {
        let party = extra.party;
        vec![
            ("market", party.market),
            ("provider", party.provider),
            ("job", party.job),
            ("execution", party.execution),
            ("dispute", party.dispute()),
            ("challenge", party.challenge(party.authority)),
            ("vote", extra.juror().vote(0)),
            ("module", party.module()),
            ("sink", sink()),
        ]
    });
    // Who inherits a market is one.
    let same = if instruction == "accept_market_authority" { side } else { twin };
    let twins = [("same_market", call(&world, &same)), ("other_market", call(&world, &foreign))];
    Fixture { name: instruction.to_owned(), call: call(&world, &side), twins, world, types }
}
