//! Bots with one bad habit each, among two honest ones: what it costs them, and that nobody else pays for it.

use assay_executor::Habit;
use assay_protocol::JobStatus;
use assay_sdk::{
    Event, PostedJob,
    program::accounts::{Job, Provider},
};

use crate::{
    court::{Court, LIAR as DEFENDANT, drain},
    support::{EXECUTOR, EXECUTOR_WITH_FAULTS, Executor, Net, until},
};

/// Two honest providers and the liar.
const PROVIDERS: usize = 3;
const LIAR: usize = 2;

async fn providers(net: &Net, executors: &[Executor; PROVIDERS]) -> [Provider; PROVIDERS] {
    let mut found = Vec::new();
    for executor in executors {
        found.push(net.network.client().fetch(&executor.address()).await.expect("an answer"));
    }
    found.try_into().unwrap_or_else(|_| panic!("as many as there are"))
}

/// Waits until the job is closed and everybody is through with it. The clock moves on to the end of whatever only the liar
/// holds up.
async fn settled(net: &Net, executors: &[Executor; PROVIDERS], (posted, habit): (&PostedJob, Habit)) {
    let client = net.network.client();
    loop {
        let job = until("the job to go on", || async {
            let job: Option<Job> = client.fetch_optional(&posted.handle.address()).await.expect("an answer");
            match &job {
                None => providers(net, executors).await.iter().all(|provider| provider.active == 0).then_some(job),
                Some(account) => held_up_until(account, habit).map(|_| job),
            }
        })
        .await;
        let Some(job) = job else { return };
        let deadline_unix = held_up_until(&job, habit).expect("it is held up");
        net.network.ledger().travel_to(deadline_unix + 1).await.expect("time moves on");
        until("the deadline to be noticed", || async {
            let job: Option<Job> = client.fetch_optional(&posted.handle.address()).await.expect("an answer");
            job.is_none_or(|job| held_up_until(&job, habit) != Some(deadline_unix)).then_some(())
        })
        .await;
    }
}

/// The deadline that nothing but this liar's seat waits for.
fn held_up_until(job: &Job, habit: Habit) -> Option<i64> {
    match (habit, job.job_status()?) {
        (Habit::Silent, JobStatus::Assigned) if (job.pending_commits, job.pending_reveals) == (1, 2) => {
            Some(job.execution_deadline_unix)
        }
        (Habit::Copycat | Habit::NoReveal, JobStatus::Revealing) if job.pending_reveals == 1 => {
            Some(job.reveal_deadline_unix)
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_01_p_02_every_bad_habit_costs_its_stake_and_honest_seats_are_paid_for_the_right_result() {
    let net = Net::start(PROVIDERS).await;
    let client = net.network.client();
    let mut executors = [net.executor(0), net.executor(1), net.executor(2)];
    let honest = [executors[0].start(EXECUTOR, &[]), executors[1].start(EXECUTOR, &[])];
    for (number, habit) in (1..).zip(Habit::ALL) {
        let before = providers(&net, &executors).await;
        let liar = executors[LIAR].start(EXECUTOR_WITH_FAULTS, &[("ASSAY_HABIT", habit.name().to_owned())]);
        let posted = net.post_for(client, number, 3).await;
        let bond_lamports = client.fetch::<Job>(&posted.handle.address()).await.expect("it is open").bond_lamports;
        settled(&net, &executors, (&posted, habit)).await;
        let after = providers(&net, &executors).await;
        let change = |index: usize| {
            let (before, after) = (&before[index], &after[index]);
            (before.stake_lamports - after.stake_lamports, after.trust.completed - before.trust.completed)
        };
        assert_eq!((change(0), change(1)), ((0, 1), (0, 1)), "{habit}");
        let (lost_lamports, completed) = change(LIAR);
        // Whoever lies or hides loses the bond; whoever lets the deadline pass, half of it.
        let least_lamports = if habit == Habit::Silent { 1 } else { bond_lamports };
        assert!(lost_lamports >= least_lamports && completed == 0, "{habit} lost {lost_lamports} of {bond_lamports}");
        // A result that was shown and differed is on the module's record, which all of them can see; other liars showed none.
        let history = posted.handle.history().await.expect("a history");
        let recorded = history.iter().filter(|record| matches!(record.event, Event::CollisionRecorded(_))).count();
        let is_shown = matches!(habit, Habit::Wrong | Habit::Lazy);
        assert_eq!(recorded, usize::from(is_shown), "{habit}");
        let logs = posted.handle.logs().await.expect("logs");
        assert_eq!(logs.stdout, format!("job {number}\n"), "{habit}");
        liar.drain().await;
    }
    for process in honest {
        process.drain().await;
    }
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_03_i_03_a_seat_of_its_own_costs_a_bot_that_runs_nothing_its_bond_once_its_result_is_disputed() {
    let mut court = Court::start_watched(5, &[2, 3, 4]).await;
    court.executors[DEFENDANT].config.policy.posters_allowed.clear();
    let before = court.provider(DEFENDANT).await;
    let job = court.net.post(court.net.network.client(), 1).await;
    let lazy = ("ASSAY_HABIT", Habit::Lazy.name().to_owned());
    let mut processes = vec![court.executors[DEFENDANT].start(EXECUTOR_WITH_FAULTS, &[lazy])];
    processes.extend(court.executors[1..].iter_mut().map(|bot| bot.start(EXECUTOR, &[])));
    court.drive(&job).await;
    let after = court.provider(DEFENDANT).await;
    assert!(after.stake_lamports < before.stake_lamports);
    assert_eq!((after.trust.failed, after.trust.completed, after.earnings_lamports), (1, 0, 0));
    let view = job.handle.status().await.expect("a view of a closed job");
    assert_eq!(view.status, JobStatus::Resolved);
    // Nobody but the liar had a seat: the jury's result is in no store, and is what anybody gets who runs the job.
    assert_ne!(view.outcome.expect("an outcome").gas_used, 0);
    drain(processes).await;
    court.net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_binary_that_is_released_can_have_a_habit() {
    let net = Net::start(1).await;
    let mut executor = net.executor(0);
    // It means nothing to the released one, which starts and serves.
    let unheard_of = [("ASSAY_HABIT", "unheard-of".to_owned())];
    let released = executor.start(EXECUTOR, &unheard_of);
    until("the released binary to serve", || async { released.get("/healthz").await }).await;
    assert!(!released.log().contains("habit"), "{}", released.log());
    released.drain().await;
    let mut other = executor.start(EXECUTOR_WITH_FAULTS, &unheard_of);
    assert!(!other.ended().await.success());
    assert!(Habit::ALL.iter().all(|habit| other.log().contains(habit.name())), "{}", other.log());
    net.stop().await;
}
