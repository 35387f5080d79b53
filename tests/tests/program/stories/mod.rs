//! The program against the model: the same random stories of honest and byzantine actors, and after every step the same
//! answer, the same accounts field by field, the same lamports everywhere.

mod calls;
mod forgery;
mod gaps;
mod shortest;
mod wire;

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use assay_model::{
    act::Act,
    cast::SOL,
    schedule::{
        Keys, Schedule, Step,
        coverage::Coverage,
        stage::{self, Stage},
    },
    state::{Key, Model},
};
use assay_protocol::TaskSpec;
use assay_tests::{assay, refusal::Refusal, world::World};
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_slot_hashes::SlotHashes;

/// Stories in an ordinary run; `ASSAY_STORIES` asks for more, `ASSAY_STORIES_FROM` for later ones, `ASSAY_STORY` for one alone.
const STORIES: u64 = 400;
/// One step of so many is tried with an account of somebody else's first.
const FORGED: usize = 4;
/// The ledger's own addresses.
const KEYS: Keys = Keys { program: Key(assay::ID.to_bytes()), address, wallet };

thread_local! {
    /// Addresses that were searched for; every comparison asks for all of them again.
    static FOUND: RefCell<HashMap<Vec<u8>, Key>> = RefCell::default();
}

fn address(seeds: &[&[u8]]) -> Key {
    let search = || Key(Pubkey::find_program_address(seeds, &assay::ID).0.to_bytes());
    // Seeds of one kind have one length each, so that they may be joined.
    FOUND.with_borrow_mut(|found| *found.entry(seeds.concat()).or_insert_with(search))
}

/// As [`World::wallet`] makes them, of which the fee payer is the first.
fn wallet(number: u64) -> Key {
    let mut secret = [0; 32];
    secret[..8].copy_from_slice(&(number + 1).to_le_bytes());
    Key(Keypair::new_from_array(secret).pubkey().to_bytes())
}

/// A model and a ledger that go through the same.
struct Pair {
    model: Model,
    world: World,
    tasks: BTreeMap<[u8; 32], TaskSpec>,
    /// What the ledger's accounts hold, as far as it was compared.
    compared: BTreeMap<Key, Vec<u8>>,
    coverage: Coverage,
    /// Everything that happened, to be told again.
    told: Vec<Told>,
}

/// What happens in a story.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// A step.
    Step(Step),
    /// An instruction with an account of somebody else's.
    Forged(Act, usize),
    /// A streak takes longer than a story, so some begin with one.
    Streaks,
}

impl Pair {
    fn new(model: Model) -> Self {
        let mut world = World::new();
        for (number, _) in (1..).zip(&model.lamports) {
            let key = world.wallet(1_000_000 * SOL);
            assert_eq!(key.to_bytes(), wallet(number).0);
        }
        let (tasks, compared, coverage) = (BTreeMap::new(), BTreeMap::new(), Coverage::default());
        let mut pair = Self { model, world, tasks, compared, coverage, told: Vec::new() };
        pair.tell_time();
        pair
    }

    fn tell(&mut self, told: &Told) {
        match told {
            Told::Step(step) => self.happen(step),
            Told::Forged(act, turn) => self.forge(act, *turn),
            Told::Streaks => self.give_streaks(),
        }
    }

    fn tell_time(&mut self) {
        self.world.set_clock(self.model.slot, self.model.now_unix);
        let hashes: Vec<(u64, Hash)> =
            self.model.slot_hashes.iter().map(|(slot, hash)| (*slot, Hash::new_from_array(*hash))).collect();
        self.world.svm.set_sysvar(&SlotHashes::new(&hashes));
    }

    fn happen(&mut self, step: &Step) {
        self.told.push(Told::Step(*step));
        let before = self.model.clone();
        let answer = match step {
            Step::Act(act) => Some(self.world.send_all(&[calls::instruction(&self.model, act)])),
            Step::Donate { to, lamports } => {
                self.world.donate(&Pubkey::new_from_array(to.0), *lamports);
                None
            }
            Step::Wait { .. } => None,
        };
        let verdict = step.apply(&mut self.model);
        if let Step::Act(Act::CreateJob { poster, market, posting }) = step {
            let key = self.model.job_key(*market, *poster, posting.id);
            if verdict.is_ok() {
                self.tasks.insert(self.model.jobs[&key].uid, posting.task);
            }
        }
        match (&verdict, &answer) {
            (Ok(()), Some(Err(refusal))) => {
                panic!("{step:?}: only the program refuses it: {refusal}\n{}", refusal.logs.join("\n"))
            }
            (Err(expected), Some(Ok(_))) => panic!("{step:?}: only the model refuses it: {expected:?}"),
            (Err(expected), Some(Err(refusal))) => {
                let name = plain_name(refusal);
                assert!(expected.contains(name.as_str()), "{step:?}: {name}, the model says {expected:?}");
                if let Step::Act(act) = step {
                    self.coverage.note_refusal(act.name(), &name);
                }
            }
            _ => {}
        }
        if let Step::Wait { .. } = step {
            self.tell_time();
        }
        self.model.check_promises();
        self.model.check_finality(&before);
        self.compare(&before);
        self.coverage.note(&before, step, &verdict, &self.model);
    }

    /// What is refused changes nothing: the step that follows shows it.
    fn forge(&mut self, act: &Act, turn: usize) {
        self.told.push(Told::Forged(*act, turn));
        // Of an act that is wrong anyway another account might make a right one.
        let is_right = self.model.clone().apply(act).is_ok();
        let Some(forged) = forgery::forged(&self.model, act, turn).filter(|_| is_right) else { return };
        if self.world.send_all(std::slice::from_ref(&forged)).is_ok() {
            panic!("{act:?}: goes through with an account of somebody else's: {:?}", forged.accounts);
        }
    }

    /// # Panics
    /// When an account or a balance differs.
    fn compare(&mut self, before: &Model) {
        let accounts = wire::accounts(&self.model, before, &self.tasks);
        for (key, changed) in &accounts {
            let account = self.world.account(&Pubkey::new_from_array(key.0));
            let account = account.unwrap_or_else(|| panic!("{key:?} is not on the ledger: {changed:?}"));
            if let Some((type_name, fields)) = changed {
                wire::compare(type_name, *key, &account.data, fields);
                self.compared.insert(*key, account.data);
            } else {
                assert_eq!(self.compared.get(key), Some(&account.data), "{key:?} changed on the ledger alone");
            }
        }
        assert_eq!(self.world.program_accounts().len(), accounts.len(), "the ledger has accounts that nobody made");
        for (key, lamports) in &self.model.lamports {
            assert_eq!(self.world.lamports(&Pubkey::new_from_array(key.0)), *lamports, "lamports of {key:?}");
        }
    }
}

impl Stage for Pair {
    fn model(&self) -> &Model {
        &self.model
    }

    /// Lets it happen on both sides, which have to agree; before it, now and then, with a stolen account.
    fn step(&mut self, step: &Step) {
        let turn = self.told.len() / FORGED;
        if let (Step::Act(act), true) = (step, self.told.len().is_multiple_of(FORGED)) {
            self.forge(act, turn);
        }
        self.happen(step);
    }

    fn give_streaks(&mut self) {
        self.told.push(Told::Streaks);
        for (key, provider) in self.model.providers.iter_mut().step_by(3) {
            provider.trust.consecutive_valid = 12;
            let address = Pubkey::new_from_array(key.0);
            self.world.edit::<assay::accounts::Provider>(&address, |provider| provider.trust.consecutive_valid = 12);
            self.compared.insert(*key, self.world.account(&address).expect("edited").data);
        }
    }
}

/// The error's name without the account's.
fn plain_name(refusal: &Refusal) -> String {
    let name = refusal.to_string();
    name.rsplit_once('.').map_or_else(|| name.clone(), |(_, name)| name.to_owned())
}

/// The story of this number, as far as `last` lets it be told.
fn tell(seed: u64, last: &mut Option<Pair>) {
    let (schedule, model) = Schedule::new(seed, &KEYS);
    stage::tell(seed, schedule, last.insert(Pair::new(model)));
}

/// Tells the stories up to this number, as many at once as the machine can.
fn tell_all(next: &AtomicU64, last: u64) -> Coverage {
    let teller = || {
        let mut all = Coverage::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > last {
                return all;
            }
            let told = std::panic::catch_unwind(|| {
                let mut pair = None;
                tell(seed, &mut pair);
                pair.map_or_else(Coverage::default, |pair| pair.coverage)
            });
            if told.is_err() {
                next.store(last + 1, Ordering::Relaxed);
            }
            all.add(&told.unwrap_or_else(|_| panic!("model and program disagree; ASSAY_STORY={seed} shows why")));
        }
    };
    let tellers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..tellers).map(|_| scope.spawn(teller)).collect();
        let mut all = Coverage::default();
        for told in started {
            all.add(&told.join().expect("every story was told"));
        }
        all
    })
}

#[test]
fn i_01_i_02_i_03_i_04_i_05_i_10_program_and_model_agree_after_every_step_of_any_story() {
    let asked = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    if let Some(one) = asked("ASSAY_STORY") {
        return shortest::tell(one);
    }
    let stories = asked("ASSAY_STORIES").unwrap_or(STORIES);
    let first = asked("ASSAY_STORIES_FROM").unwrap_or(1);
    let all = tell_all(&AtomicU64::new(first), first + stories - 1);
    println!("{all}");
    let gaps = gaps::of(&all, stories);
    assert!(gaps.is_empty() || stories < STORIES, "no story had {gaps:#?}");
}
