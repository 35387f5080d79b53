//! Which engine ran a job cannot be told from what it settled for, and whoever checks it takes the other one.

use assay_executor::config::EngineName;
use assay_sdk::{
    PostedJob,
    verify::{self, Engine, EngineKind, ExecutedTask, RunOptions, TaskInput},
};

use crate::{
    jobs::{prints, small},
    support::{EXECUTOR, Net, assert_settled_once, until, until_paid},
};

/// Runs a job again from what the chain and the content node hold.
async fn run_again(net: &Net, posted: &PostedJob, engine: Engine) -> ExecutedTask {
    let view = posted.handle.status().await.expect("a view");
    let content = net.network.client().content().expect("a content node");
    let entries = content.fetcher.fetch(&view.job_cid()).await.expect("the job directory");
    let input = TaskInput { spec: view.task, entries };
    let options = RunOptions { engine, ..RunOptions::default() };
    let run = tokio::task::spawn_blocking(move || verify::execute(&input, &options));
    run.await.expect("no panic").expect("an outcome")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i_08_m_08_a_job_that_one_engine_ran_is_verified_in_the_other() {
    let net = Net::start(2).await;
    for (number, ran, other) in
        [(0, EngineKind::Wasmtime, EngineKind::Wasmi), (1, EngineKind::Wasmi, EngineKind::Wasmtime)]
    {
        let poster = net.poster().await;
        let mut executor = net.executor(number);
        executor.config.worker.engine = EngineName(ran.into());
        executor.only_for(&poster);
        let process = executor.start(EXECUTOR, &[]);
        // The same module twice: what was compiled for the first job serves the second.
        for posting in 0..2 {
            let posted = net.post_guest(&poster, 2 * posting, (&prints(1), small())).await;
            until_paid(&poster, &posted.handle, &executor.address()).await;
            assert_settled_once(&poster, &posted.handle, &executor.address()).await;
            let again = run_again(&net, &posted, Engine::Unlike(Some(ran))).await;
            assert_eq!(again.run.and_then(|run| run.engine), Some(other));
            assert_eq!(Some(again.outcome), posted.handle.status().await.expect("a view").outcome);
        }
        let log = process.log();
        assert_eq!(log.matches(&format!("engine=\"{}\"", ran.name())).count(), 2, "{log}");
        let hits = process.metric("assay_executor_compiled_hits_total").await.expect("metrics");
        let bytes = process.metric("assay_executor_compiled_bytes").await.expect("metrics");
        let compiles = ran == EngineKind::Wasmtime;
        // So small a run is made when the job is prepared, but not by whoever wants it compiled.
        assert_eq!(log.matches("ahead=true").count(), if compiles { 0 } else { 2 }, "{log}");
        assert_eq!((hits >= 1.0, bytes > 0.0), (compiles, compiles), "{hits} {bytes}");
        assert_eq!(executor.path("data/compiled").exists(), compiles);
        process.drain().await;
        if compiles {
            // The next one has it ready before any job asks for it, also when what the last one kept is gone.
            std::fs::remove_dir_all(executor.path("data/compiled")).expect("removed");
            let process = executor.start(EXECUTOR, &[]);
            let in_memory = "assay_executor_compiled_bytes{in=\"memory\"}";
            until("the popular module", async || (process.metric(in_memory).await? > 0.0).then_some(())).await;
            assert!(!process.log().contains("task_ran"), "{}", process.log());
            process.drain().await;
        }
    }
    net.stop().await;
}
