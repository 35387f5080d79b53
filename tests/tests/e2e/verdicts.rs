//! How disputes end that do not end at once: on appeal, for a minority, without a quorum, without content.

use assay_executor::Habit;
use assay_localnet::NetworkConfig;
use assay_protocol::{Ballot, DisputeStatus, JobStatus, Outcome, Verdict};
use assay_sdk::{
    Event, PostedJob,
    instructions::{self, Juror, Secret, VoteTickets},
    pda::dispute_address,
    program::accounts::{Dispute, Job, Provider},
};
use solana_signer::Signer as _;

use crate::{
    court::{Court, LIAR, WATCHER, drain, events, lie, send},
    support::{EXECUTOR, EXECUTOR_WITH_FAULTS, Process, until},
};

/// What transactions may cost in these stories, lamports.
const FEES_LAMPORTS: u64 = 400_000;

/// Whether a balance changed by this much, but for the fees of some transactions.
fn changed_by(before: u64, after: u64, lamports: u64) -> bool {
    let most = before + lamports;
    (most - FEES_LAMPORTS..=most).contains(&after)
}

/// Nothing of a provider's is held any more, and nothing was lost or earned.
fn assert_untouched(before: &Provider, after: &Provider) {
    assert_eq!((after.stake_lamports, after.earnings_lamports), (before.stake_lamports, 0));
    assert_eq!((after.active, after.votes_open, after.locked_lamports), (0, 0, before.locked_lamports));
    assert_eq!((after.trust.failed, after.trust.completed), (before.trust.failed, before.trust.completed));
}

/// What the rounds of a dispute found, in order.
async fn verdicts(court: &Court, job: &PostedJob) -> Vec<u8> {
    let tallied = |event: &Event| match event {
        Event::RoundTallied(event) => Some(event.verdict),
        _ => None,
    };
    events(court, job, tallied).await
}

/// A juror that runs nothing, and says what somebody else does.
struct Parrot<'a> {
    court: &'a Court,
    number: usize,
}

impl Parrot<'_> {
    fn place(&self, job: &PostedJob, round: u8) -> Juror {
        let (dispute, provider) = (dispute_address(&job.handle.address()), self.court.executors[self.number].address());
        Juror { dispute, round, provider, node_key: self.court.node_key(self.number).pubkey() }
    }

    /// Votes in this round with all that it has in it, and shows its vote when its time has come.
    async fn says(&self, job: &PostedJob, dispute: &Dispute, outcome: &Outcome) {
        let (client, node) = (self.court.client(), self.court.node_key(self.number));
        let (juror, provider) = (self.place(job, dispute.round), self.court.provider(self.number).await);
        let drawn = dispute.drawn_tickets(&juror.provider, &provider);
        let tickets = if dispute.is_last() { VoteTickets::All(provider.tickets) } else { VoteTickets::Drawn(drawn) };
        let (secret, ballot) = (Secret::random(dispute.job_uid), Ballot::Outcome(*outcome));
        send(client, &node, instructions::commit_vote(&juror, secret.vote(&juror, &ballot), tickets)).await;
        self.court.travel_past(dispute.commit_deadline_unix).await;
        send(client, &node, instructions::reveal_vote(&juror, &ballot, secret.salt)).await;
    }
}

/// The whole jury is one provider with so few tickets that a first round draws most of them.
const PARROT: usize = 2;
const PARROT_LAMPORTS: u64 = 1_000_000_000;
const LAMBDA: u16 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_18_an_appeal_turns_a_verdict_that_was_copied_from_the_liar_and_the_appellant_is_paid() {
    let stakes_lamports = vec![5_000_000_000, 5_000_000_000, PARROT_LAMPORTS];
    let change = |config| NetworkConfig { stakes_lamports, jury_lambda: LAMBDA, ..config };
    let mut court = Court::start_with(3, &[PARROT], change).await;
    court.executors[WATCHER].config.watch.sample_rate_bps = 10_000;
    let (before, balance) = (court.providers().await, court.balance(WATCHER).await);
    let job = court.lie().await;
    let watcher = court.executors[WATCHER].start(EXECUTOR, &[]);
    let dispute = until("the dispute to be opened", || async { court.dispute(&job).await }).await;
    court.travel_past(dispute.entry_deadline_unix).await;
    let parrot = Parrot { court: &court, number: PARROT };
    // Challengers are hidden: there is nobody to copy from but the liar.
    let first = court.dispute_in(&job, 0, DisputeStatus::Voting).await;
    assert!(!first.is_last());
    let tickets = first.drawn_tickets(&court.executors[PARROT].address(), &court.provider(PARROT).await).len();
    parrot.says(&job, &first, &lie()).await;
    let second = court.dispute_in(&job, 1, DisputeStatus::Voting).await;
    assert!(second.is_last(), "a jury four times as large is everybody");
    let shown = events(&court, &job, |event| match event {
        Event::OutcomeRevealed(event) => Some(event.outcome),
        _ => None,
    });
    let [truth] = shown.await[..] else { panic!("one challenger") };
    parrot.says(&job, &second, &Outcome::decode(&truth, second.gas_limit).expect("an outcome")).await;
    court.dispute_in(&job, 1, DisputeStatus::Tallied).await;
    court.drive(&job).await;

    assert_eq!(verdicts(&court, &job).await, [Verdict::Outcome as u8; 2]);
    let view = job.handle.status().await.expect("a view of a closed job");
    assert_eq!((view.status, view.outcome.map(|outcome| outcome.encode())), (JobStatus::Resolved, Some(truth)));
    let appellants = events(&court, &job, |event| match event {
        Event::VerdictAppealed(event) => Some((event.round, event.appellant, event.ballot)),
        _ => None,
    });
    assert_eq!(appellants.await, [(0, court.node_key(WATCHER).pubkey(), truth)]);
    let after = court.providers().await;
    let bond_lamports = first.bond_lamports;
    assert_eq!(before[LIAR].stake_lamports - after[LIAR].stake_lamports, bond_lamports);
    // The bonds of its challenge and of its appeal came back, and half of what the liar lost beside them.
    assert!(changed_by(balance, court.balance(WATCHER).await, bond_lamports / 2));
    // What it said first cost it the bonds of its votes; what it said then earned it a juror's share.
    let lost_lamports = first.juror_bond_lamports * u64::try_from(tickets).expect("few");
    assert_eq!(before[PARROT].stake_lamports - after[PARROT].stake_lamports, lost_lamports);
    assert!(after[PARROT].earnings_lamports > 0 && after[PARROT].votes_open == 0);
    watcher.drain().await;
    court.net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_04_a_minority_of_one_disputes_what_two_liars_agreed_on_and_wins() {
    let mut court = Court::start(6, &[3, 4, 5]).await;
    let (honest, liars) = (0, [1, 2]);
    for seat in 0..3 {
        court.executors[seat].config.policy.posters_allowed.clear();
    }
    // One juror does not run.
    (court.jurors, court.absent) = (vec![3, 4], vec![5]);
    let before = court.providers().await;
    let (balance, wallet) = (court.balance(honest).await, authority_balance(&court, honest).await);
    let job = court.net.post_for(court.client(), 1, 3).await;
    let mut processes = vec![court.executors[honest].start(EXECUTOR, &[])];
    for liar in liars {
        let habit = ("ASSAY_HABIT", Habit::Wrong.name().to_owned());
        processes.push(court.executors[liar].start(EXECUTOR_WITH_FAULTS, &[habit]));
    }
    processes.extend([3, 4].map(|juror| court.executors[juror].start(EXECUTOR, &[])));
    let bond_lamports = court.client().fetch::<Job>(&job.handle.address()).await.expect("it is open").bond_lamports;
    court.drive(&job).await;

    let view = job.handle.status().await.expect("a view of a closed job");
    assert_eq!(view.status, JobStatus::Resolved);
    assert_eq!(job.handle.logs().await.expect("the right result").stdout, "job 1\n");
    let after = court.providers().await;
    for liar in liars {
        assert_eq!(before[liar].stake_lamports - after[liar].stake_lamports, bond_lamports);
        assert_eq!((after[liar].trust.failed, after[liar].trust.disputes_lost), (1, 1));
    }
    assert_eq!(before[honest].stake_lamports, after[honest].stake_lamports);
    assert_eq!((after[honest].trust.completed, after[honest].trust.disputes_won), (1, 1));
    until("the pay to be claimed", || async {
        let paid = wallet + view.pay_lamports;
        (authority_balance(&court, honest).await == paid).then_some(())
    })
    .await;
    // Half of the pot: two bonds, and the duty lock of whoever was drawn and not there.
    let slashed = before[5].stake_lamports - after[5].stake_lamports;
    let pot_lamports = 2 * bond_lamports + slashed;
    assert!(changed_by(balance, court.balance(honest).await, pot_lamports / 2));
    assert_eq!(after[5].duty_lock_lamports, before[5].duty_lock_lamports - slashed);
    drain(processes).await;
    court.net.stop().await;
}

async fn authority_balance(court: &Court, number: usize) -> u64 {
    court.client().balance(&court.executors[number].authority).await.expect("a balance")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i_04_two_seats_that_disagree_and_a_jury_that_never_comes_leave_everybody_with_what_they_had() {
    let change = |config| NetworkConfig { executions_max: 2, ..config };
    let mut court = Court::start_with(5, &[2, 3, 4], change).await;
    for seat in 0..2 {
        court.executors[seat].config.policy.posters_allowed.clear();
    }
    (court.jurors, court.absent) = (Vec::new(), vec![2, 3, 4]);
    let before = court.providers().await;
    let habit = ("ASSAY_HABIT", Habit::Wrong.name().to_owned());
    let processes: Vec<Process> =
        vec![court.executors[0].start(EXECUTOR_WITH_FAULTS, &[habit]), court.executors[1].start(EXECUTOR, &[])];
    let poster = court.client().signer_address().expect("a signer");
    let poster_before = court.client().balance(&poster).await.expect("a balance");
    let job = court.net.post_for(court.client(), 1, 2).await;
    court.drive(&job).await;

    assert_eq!(job.handle.status().await.expect("a view of a closed job").status, JobStatus::Expired);
    // Nine tickets on average, 36, 144, everybody: nobody ever votes.
    assert_eq!(verdicts(&court, &job).await, [Verdict::None as u8; 4]);
    let settled = events(&court, &job, |event| match event {
        Event::DisputeSettled(event) => Some(event.verdict),
        _ => None,
    });
    assert_eq!(settled.await, [Verdict::NoQuorum as u8]);
    let poster_after = court.client().balance(&poster).await.expect("a balance");
    assert!(changed_by(poster_before, poster_after, 0), "all of the escrow came back");
    let after = court.providers().await;
    (0..2).for_each(|seat| assert_untouched(&before[seat], &after[seat]));
    // Those who stayed away lost their duty locks once, shown by the seats' bots.
    let slashed = events(&court, &job, |event| match event {
        Event::AbsentSlashed(event) => Some(event.lamports),
        _ => None,
    });
    let slashed = slashed.await;
    assert_eq!(slashed.len(), 3);
    for (juror, lamports) in (2..5).zip(slashed) {
        assert_eq!(before[juror].duty_lock_lamports, lamports);
        assert_eq!(before[juror].stake_lamports - after[juror].stake_lamports, lamports);
        assert!(!after[juror].is_on_duty());
    }
    drain(processes).await;
    court.net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_26_a_jury_that_cannot_have_the_content_says_so_and_everybody_gets_back_what_is_theirs() {
    let mut court = Court::start_watched(5, &[2, 3, 4]).await;
    for juror in 2..5 {
        court.cut_off(juror).await;
    }
    let poster = court.client().signer_address().expect("a signer");
    let poster_before = court.client().balance(&poster).await.expect("a balance");
    let (before, balance) = (court.providers().await, court.balance(WATCHER).await);
    let job = court.lie().await;
    let processes: Vec<Process> = court.executors[1..].iter_mut().map(|bot| bot.start(EXECUTOR, &[])).collect();
    court.drive(&job).await;

    assert_eq!(job.handle.status().await.expect("a view of a closed job").status, JobStatus::Expired);
    let found = verdicts(&court, &job).await;
    assert_eq!(found.last(), Some(&(Verdict::Unavailable as u8)), "{found:?}");
    let (after, poster_after) = (court.providers().await, court.client().balance(&poster).await.expect("a balance"));
    (0..5).for_each(|number| assert_untouched(&before[number], &after[number]));
    assert!(changed_by(balance, court.balance(WATCHER).await, 0), "its bond came back");
    assert!(changed_by(poster_before, poster_after, 0), "all of the escrow came back");
    assert!(after.iter().all(|provider| provider.trust.disputes_lost == 0));
    drain(processes).await;
    court.net.stop().await;
}
