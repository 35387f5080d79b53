//! A ledger of its own for every test: LiteSVM with the committed program, a clock that only the test moves, and a
//! fee payer that takes no other part, so that every other lamport can be accounted for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{LazyLock, Mutex},
};

use anchor_lang::{AccountDeserialize, AccountSerialize};
use litesvm::LiteSVM;
use solana_account::{Account, ReadableAccount};
use solana_clock::Clock;
use solana_hash::Hash;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::{Message, compiled_instruction::CompiledInstruction};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_slot_hashes::SlotHashes;
use solana_transaction::Transaction;

use crate::{
    assay,
    call::Call,
    refusal::{self, Refusal},
};

/// The committed program, never one from a build folder.
pub const PROGRAM_SO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../programs/artifacts/assay.so");
/// When every world starts, seconds since the Unix epoch.
pub const START_UNIX: i64 = 1_800_000_000;
/// Slot in which every world starts.
pub const START_SLOT: u64 = 1_000;
/// One SOL.
pub const SOL: u64 = 1_000_000_000;

/// The hash that tests give to a slot.
#[must_use]
pub fn slot_hash(slot: u64) -> [u8; 32] {
    let mut hash = [0x5a; 32];
    hash[..8].copy_from_slice(&slot.to_le_bytes());
    hash
}

/// A call to another program, spelled out.
fn called(message: &Message, inner: &CompiledInstruction) -> Instruction {
    // Who signs it and what it may write is not recorded.
    let meta = |index: &u8| AccountMeta::new_readonly(message.account_keys[usize::from(*index)], false);
    Instruction {
        program_id: message.account_keys[usize::from(inner.program_id_index)],
        accounts: inner.accounts.iter().map(meta).collect(),
        data: inner.data.clone(),
    }
}

/// Accounts by address, for comparing before and after.
pub type Snapshot = BTreeMap<Pubkey, Account>;

/// What a transaction that went through reports.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Compute units of the whole transaction.
    pub compute_units: u64,
    /// Log lines.
    pub logs: Vec<String>,
    /// Calls that its instructions made to other programs.
    pub calls: Vec<Instruction>,
}

/// A ledger, its clock and the keys of everybody in the test.
#[derive(Clone)]
pub struct World {
    /// The ledger.
    pub svm: LiteSVM,
    keys: HashMap<Pubkey, [u8; 32]>,
    names: u64,
    salt: u64,
    payer: Pubkey,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A ledger with the program and nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self::salted(0)
    }

    /// As [`Self::new`]; another salt gives other keys, hence other addresses and bumps.
    #[must_use]
    pub fn salted(salt: u64) -> Self {
        // Loading the program takes longer than most tests, and a copy of a ledger shares it.
        static LOADED: LazyLock<Mutex<LiteSVM>> = LazyLock::new(|| {
            let mut svm = LiteSVM::new().with_transaction_history(0);
            svm.add_program_from_file(assay::ID, PROGRAM_SO).expect("programs/artifacts/assay.so loads");
            Mutex::new(svm)
        });
        let svm = LOADED.lock().expect("no test holds it across a panic").clone();
        let mut world = Self { svm, keys: HashMap::new(), names: 0, salt, payer: Pubkey::default() };
        world.payer = world.wallet(1_000_000 * SOL);
        world.set_clock(START_SLOT, START_UNIX);
        world
    }

    /// A wallet with this balance whose key the world holds.
    pub fn wallet(&mut self, lamports: u64) -> Pubkey {
        self.names += 1;
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&self.names.to_le_bytes());
        secret[8..16].copy_from_slice(&self.salt.to_le_bytes());
        let key = Keypair::new_from_array(secret).pubkey();
        self.keys.insert(key, secret);
        if lamports > 0 {
            self.set_account(key, Account { lamports, ..Account::default() });
        }
        key
    }

    /// The key pair of a wallet of this world.
    #[must_use]
    pub fn keypair(&self, key: &Pubkey) -> Option<Keypair> {
        self.keys.get(key).map(|secret| Keypair::new_from_array(*secret))
    }

    /// Everybody with a key, the fee payer excepted.
    pub fn wallets(&self) -> impl Iterator<Item = Pubkey> + '_ {
        self.keys.keys().filter(|key| **key != self.payer).copied()
    }

    /// Sends one call in a transaction of its own.
    ///
    /// # Errors
    /// [`Refusal`] with the program's own name for the error.
    pub fn send(&mut self, call: &Call) -> Result<Receipt, Refusal> {
        self.send_all(std::slice::from_ref(&call.instruction))
    }

    /// Sends instructions as one transaction, signed by every key that an account meta asks for and the world holds.
    ///
    /// # Errors
    /// [`Refusal`] with the program's own name for the error.
    pub fn send_all(&mut self, instructions: &[Instruction]) -> Result<Receipt, Refusal> {
        self.svm.expire_blockhash();
        let payer = self.keypair(&self.payer).expect("the fee payer has a key");
        let message = Message::new(instructions, Some(&self.payer));
        let mut transaction = Transaction::new_unsigned(message);
        let needed = usize::from(transaction.message.header.num_required_signatures);
        let signers: Vec<Keypair> =
            transaction.message.account_keys[..needed].iter().filter_map(|key| self.keypair(key)).collect();
        let mut all: Vec<&Keypair> = vec![&payer];
        all.extend(signers.iter().filter(|signer| signer.pubkey() != self.payer));
        transaction.partial_sign(&all, self.svm.latest_blockhash());
        let message = transaction.message.clone();
        match self.svm.send_transaction(transaction) {
            Ok(meta) => Ok(Receipt {
                compute_units: meta.compute_units_consumed,
                logs: meta.logs,
                calls: meta
                    .inner_instructions
                    .iter()
                    .flatten()
                    .map(|inner| called(&message, &inner.instruction))
                    .collect(),
            }),
            Err(failed) => Err(Refusal::new(failed.err, failed.meta.logs)),
        }
    }

    /// Sends a call that must go through.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn ok(&mut self, call: &Call) -> Receipt {
        match self.send(call) {
            Ok(receipt) => receipt,
            Err(refusal) => panic!("{} was refused: {refusal}\n{}", call.name, refusal.logs.join("\n")),
        }
    }

    /// Sends a call that must be refused with this very error, leaving every account as it was.
    ///
    /// # Panics
    /// When it goes through, fails otherwise, or changes anything but the fee payer's balance.
    #[track_caller]
    pub fn refuse(&mut self, call: &Call, error: &str) {
        let before = self.snapshot();
        match self.send(call) {
            Ok(_) => panic!("{} went through, {error} was expected", call.name),
            Err(refusal) => {
                assert_eq!(refusal.to_string(), error, "{}\n{}", call.name, refusal.logs.join("\n"));
            }
        }
        self.assert_unchanged(&before);
        refusal::note(error);
    }

    /// # Panics
    /// When any account differs from the snapshot.
    #[track_caller]
    pub fn assert_unchanged(&self, before: &Snapshot) {
        let after = self.snapshot();
        for (key, account) in before {
            assert_eq!(after.get(key), Some(account), "{key} changed");
        }
        assert_eq!(before.len(), after.len(), "an account appeared");
    }

    /// Every account but the fee payer, the sysvars, the cluster's features and the programs.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let native = [
            solana_pubkey::pubkey!("Sysvar1111111111111111111111111111111111111"),
            solana_pubkey::pubkey!("Feature111111111111111111111111111111111111"),
        ];
        let accounts = self.svm.accounts_db().inner.iter();
        accounts
            .filter(|(key, account)| **key != self.payer && !account.executable() && !native.contains(account.owner()))
            .filter(|(_, account)| account.lamports() > 0)
            .map(|(key, account)| (*key, Account::from(account.clone())))
            .collect()
    }

    /// Accounts of the program with their addresses.
    #[must_use]
    pub fn program_accounts(&self) -> Vec<(Pubkey, Account)> {
        self.svm.get_program_accounts(&assay::ID).into_iter().filter(|(_, account)| account.lamports > 0).collect()
    }

    /// The account at this address, if it has lamports.
    #[must_use]
    pub fn account(&self, key: &Pubkey) -> Option<Account> {
        self.svm.get_account(key).filter(|account| account.lamports > 0)
    }

    /// Balance, zero when there is no such account.
    #[must_use]
    pub fn lamports(&self, key: &Pubkey) -> u64 {
        self.account(key).map_or(0, |account| account.lamports)
    }

    /// The account at this address, decoded.
    ///
    /// # Panics
    /// When it is not there or of another type.
    #[track_caller]
    #[must_use]
    pub fn read<T: AccountDeserialize>(&self, key: &Pubkey) -> T {
        let account = self.account(key).unwrap_or_else(|| panic!("{key} does not exist"));
        T::try_deserialize(&mut account.data.as_slice()).unwrap_or_else(|error| panic!("{key}: {error}"))
    }

    /// Decodes, edits and writes back an account: states that take months to reach.
    pub fn edit<T: AccountDeserialize + AccountSerialize>(&mut self, key: &Pubkey, edit: impl FnOnce(&mut T)) {
        let mut value: T = self.read(key);
        edit(&mut value);
        let mut account = self.account(key).expect("read above");
        let mut data = Vec::with_capacity(account.data.len());
        value.try_serialize(&mut data).expect("a vector takes every byte");
        account.data[..data.len()].copy_from_slice(&data);
        self.set_account(*key, account);
    }

    /// Writes an account as it is.
    pub fn set_account(&mut self, key: Pubkey, account: Account) {
        self.svm.set_account(key, account).expect("a plain account is accepted");
    }

    /// Adds lamports to an account as a stranger's transfer would.
    pub fn donate(&mut self, key: &Pubkey, lamports: u64) {
        let mut account = self.svm.get_account(key).unwrap_or_default();
        account.lamports += lamports;
        self.set_account(*key, account);
    }

    /// Least balance of an account of this size.
    #[must_use]
    pub fn rent(&self, data_bytes: usize) -> u64 {
        self.svm.minimum_balance_for_rent_exemption(data_bytes)
    }

    /// The chain's time.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.svm.get_sysvar::<Clock>().unix_timestamp
    }

    /// The chain's slot.
    #[must_use]
    pub fn slot(&self) -> u64 {
        self.svm.get_sysvar::<Clock>().slot
    }

    /// Moves the chain's time forward, with the slots that such a time takes.
    pub fn advance(&mut self, seconds: i64) {
        let slots = u64::try_from(seconds).expect("time moves forward") * 5 / 2 + 1;
        self.set_clock(self.slot() + slots, self.now() + seconds);
    }

    /// Moves the chain's time to this second.
    pub fn advance_to(&mut self, unix: i64) {
        self.advance(unix - self.now());
    }

    /// The next slot, within the same second.
    pub fn next_slot(&mut self) {
        self.set_clock(self.slot() + 1, self.now());
    }

    /// Sets the chain's list of recent slots: entries newest first, each with a hash that follows from its slot.
    pub fn set_slot_hashes(&mut self, slots: impl IntoIterator<Item = u64>) {
        let entries: Vec<_> = slots.into_iter().map(|slot| (slot, Hash::new_from_array(slot_hash(slot)))).collect();
        self.svm.set_sysvar(&SlotHashes::new(&entries));
    }

    /// The list as it is when every slot has a block: those before the present one, 512 at most.
    pub fn list_slots(&mut self) {
        let slot = self.slot();
        self.set_slot_hashes((slot.saturating_sub(512)..slot).rev());
    }

    /// Sets the clock to any value, backwards too.
    pub fn set_clock(&mut self, slot: u64, unix_timestamp: i64) {
        let mut clock = self.svm.get_sysvar::<Clock>();
        clock.slot = slot;
        clock.unix_timestamp = unix_timestamp;
        self.svm.set_sysvar(&clock);
    }
}
