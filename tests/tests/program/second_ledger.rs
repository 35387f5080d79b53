//! The same lifecycle on solana-program-test, whose bank is the validator's own: every account ends byte-equal to
//! LiteSVM's, so that what the other tests hold is not a property of the ledger they run on.

use assay_tests::{
    assay,
    call::Call,
    calls::create_sink,
    party::{Party, exited, sink, terms},
    scenario::GAS_USED,
    world::{PROGRAM_SO, SOL, World},
};
use solana_account::Account;
use solana_clock::Clock;
use solana_keypair::Keypair;
use solana_program_test::{ProgramTest, ProgramTestContext};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::Transaction;

/// Owner of programs that cannot be upgraded.
const LOADER: Pubkey = solana_pubkey::pubkey!("BPFLoader2111111111111111111111111111111111");

/// A bank that holds the committed program and the wallets of a LiteSVM world.
async fn bank(world: &World) -> ProgramTestContext {
    let mut test = ProgramTest::default();
    // The line above turns every log line of every program on.
    log::set_max_level(log::LevelFilter::Error);
    let data = std::fs::read(PROGRAM_SO).expect("programs/artifacts/assay.so");
    let program = Account { lamports: 10 * SOL, data, owner: LOADER, executable: true, rent_epoch: 0 };
    test.add_account(assay::ID, program);
    for (key, account) in world.snapshot() {
        test.add_account(key, account);
    }
    test.start_with_context().await
}

/// Sends a call on the bank at the world's time.
async fn send(context: &mut ProgramTestContext, world: &World, calls: &[Call]) -> Result<(), String> {
    let mut clock: Clock = context.banks_client.get_sysvar().await.expect("a clock");
    (clock.slot, clock.unix_timestamp) = (world.slot(), world.now());
    context.set_sysvar(&clock);
    let instructions: Vec<_> = calls.iter().map(|call| call.instruction.clone()).collect();
    let mut transaction = Transaction::new_with_payer(&instructions, Some(&context.payer.pubkey()));
    let needed = usize::from(transaction.message.header.num_required_signatures);
    let keys = transaction.message.account_keys[1..needed].iter();
    let signers: Vec<Keypair> = keys.map(|key| world.keypair(key).expect("a key of the world")).collect();
    let mut all = vec![&context.payer];
    all.extend(&signers);
    let blockhash = context.banks_client.get_latest_blockhash().await.expect("a blockhash");
    transaction.sign(&all, blockhash);
    context.banks_client.process_transaction(transaction).await.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_lifecycle_gives_the_same_accounts_on_a_validators_bank() {
    let mut world = World::new();
    let payer = world.wallet(SOL);
    let party = Party::new(&mut world);
    let mut context = bank(&world).await;
    let outcome = exited(GAS_USED);
    type Step<'a> = (i64, &'a dyn Fn(&World) -> Vec<Call>);
    let steps: [Step<'_>; 8] = [
        (0, &|_| vec![create_sink(payer), party.create_market(&terms()), party.register_provider()]),
        (1, &|_| vec![party.create_job()]),
        (1, &|world| vec![party.accept_job(world)]),
        (1, &|world| vec![party.decline_job(3), party.accept_job(world)]),
        (5, &|_| vec![party.submit_results(&outcome)]),
        (160, &|_| vec![party.finalize_job(), party.settle_execution(), party.close_job()]),
        (1, &|_| vec![party.claim_reward(), party.claim_market_fees()]),
        (1, &|_| vec![party.unstake(SOL), party.stake(5)]),
    ];
    for (seconds, calls) in steps {
        world.advance(seconds);
        let calls = calls(&world);
        let names: Vec<_> = calls.iter().map(|call| call.name).collect();
        let instructions: Vec<_> = calls.iter().map(|call| call.instruction.clone()).collect();
        world.send_all(&instructions).unwrap_or_else(|refusal| panic!("{names:?} on LiteSVM: {refusal}"));
        send(&mut context, &world, &calls).await.unwrap_or_else(|error| panic!("{names:?} on the bank: {error}"));
    }
    let people = [party.poster, party.authority, party.node_key, party.market_authority];
    let accounts = [party.market, party.provider, party.job, party.execution, sink()];
    for key in people.iter().chain(&accounts) {
        let there = context.banks_client.get_account(*key).await.expect("an answer");
        let essence = |account: Account| (account.lamports, account.owner, account.data);
        assert_eq!(world.account(key).map(essence), there.map(essence), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_has_the_same_number_on_a_validators_bank() {
    let mut world = World::new();
    let party = Party::new(&mut world);
    let mut context = bank(&world).await;
    world.ok(&party.create_market(&terms()));
    send(&mut context, &world, &[party.create_market(&terms())]).await.expect("a market");
    let call = party.propose_market_authority(party.poster).with("authority", party.poster);
    let here = world.send(&call).expect_err("not the authority").error.to_string();
    let there = send(&mut context, &world, &[call]).await.expect_err("not the authority");
    assert!(there.contains(&here), "{here} on LiteSVM, {there} on the bank");
}
