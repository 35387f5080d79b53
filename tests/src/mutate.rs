//! The mutation suite's engine. For every instruction of the IDL and every account it takes, the account is replaced
//! or spoiled in each way listed in [`Mutation`]. A cell is refused with the error that its table states, and leaves
//! every account byte-equal, or stands in the table as harmless with a reason.

use std::{collections::BTreeMap, fmt};

use solana_account::Account;
use solana_pubkey::Pubkey;

use crate::{assay, call::Call, idl, invariants, party::SYSTEM_PROGRAM, world::World};

/// A program that owns what this one does not.
const FOREIGN_PROGRAM: Pubkey = Pubkey::new_from_array([0xfe; 32]);

/// An instruction that would go through, and the same instruction by others.
#[derive(Clone)]
pub struct Fixture {
    /// The instruction, and after a colon the state it starts from when there are several.
    pub name: String,
    /// A ledger in which each of the calls would go through.
    pub world: World,
    /// What is mutated.
    pub call: Call,
    /// The same by another party of the same market, and by a party of another market.
    pub twins: [(&'static str, Call); 2],
    /// One account of every type the program has, by type.
    pub types: Vec<(&'static str, Pubkey)>,
}

/// What is done to one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// Another address: empty, or a funded stranger that signs where a signature is asked for.
    WrongKey,
    /// The same bytes, owned by another program.
    WrongOwner,
    /// No signature.
    SignerOff,
    /// Not writable.
    WritableOff,
    /// The account that a twin would pass here.
    Twin(&'static str),
    /// An account of another type.
    Type(&'static str),
    /// The account that the same instruction passes under this other name.
    Duplicate(String),
    /// Closed before the instruction ran.
    Closed,
    /// Half of the data.
    Truncated,
    /// All data, none of the type's discriminator.
    Zeroed,
    /// An optional account left out.
    Absent,
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKey => f.write_str("wrong_key"),
            Self::WrongOwner => f.write_str("wrong_owner"),
            Self::SignerOff => f.write_str("signer_off"),
            Self::WritableOff => f.write_str("writable_off"),
            Self::Twin(name) => write!(f, "twin={name}"),
            Self::Type(name) => write!(f, "type={name}"),
            Self::Duplicate(name) => write!(f, "duplicate={name}"),
            Self::Closed => f.write_str("closed"),
            Self::Truncated => f.write_str("truncated"),
            Self::Zeroed => f.write_str("zeroed"),
            Self::Absent => f.write_str("absent"),
        }
    }
}

/// Result of every cell, by `instruction account mutation`.
pub type Table = BTreeMap<String, String>;

/// How a cell that changes nothing it should not is marked; a reason follows.
pub const HARMLESS: &str = "harmless: ";

/// Every cell of one instruction.
///
/// # Panics
/// When the unchanged call is refused, a refused cell changes an account, or a harmless one breaks an invariant.
#[must_use]
pub fn run(fixture: &Fixture) -> Table {
    let name = &fixture.name;
    for call in std::iter::once(&fixture.call).chain(fixture.twins.iter().map(|(_, call)| call)) {
        fixture.world.clone().ok(call);
    }
    let slots = idl::account_slots(fixture.call.name);
    let mut table = Table::new();
    for slot in &slots {
        for mutation in mutations(fixture, &slots, slot) {
            let cell = format!("{name} {} {mutation}", slot.name);
            let result = play(fixture, slot, &mutation, &cell);
            table.insert(cell, result);
        }
    }
    table
}

fn mutations(fixture: &Fixture, slots: &[idl::AccountSlot], slot: &idl::AccountSlot) -> Vec<Mutation> {
    let key = fixture.call.key(&slot.name);
    let account = fixture.world.account(&key);
    let has_data = account.as_ref().is_some_and(|account| !account.data.is_empty());
    let mut all = vec![Mutation::WrongKey];
    // Programs belong to the runtime: they can be replaced, not spoiled. This one stands for an account left out.
    if key != SYSTEM_PROGRAM && key != assay::ID {
        all.push(Mutation::WrongOwner);
        all.extend(account.is_some().then_some(Mutation::Closed));
        all.extend(has_data.then_some(Mutation::Truncated));
        all.extend(has_data.then_some(Mutation::Zeroed));
    }
    all.extend(slot.signer.then_some(Mutation::SignerOff));
    all.extend((slot.writable && key != assay::ID).then_some(Mutation::WritableOff));
    all.extend((slot.optional && key != assay::ID).then_some(Mutation::Absent));
    let mut seen = vec![key];
    for (name, call) in &fixture.twins {
        let twin = call.key(&slot.name);
        if !seen.contains(&twin) {
            seen.push(twin);
            all.push(Mutation::Twin(name));
        }
    }
    for (name, address) in &fixture.types {
        if !seen.contains(address) && !slots.iter().any(|other| fixture.call.key(&other.name) == *address) {
            all.push(Mutation::Type(name));
        }
    }
    for other in slots.iter().filter(|other| fixture.call.key(&other.name) != key) {
        all.push(Mutation::Duplicate(other.name.clone()));
    }
    all
}

fn play(fixture: &Fixture, slot: &idl::AccountSlot, mutation: &Mutation, cell: &str) -> String {
    let mut world = fixture.world.clone();
    let mut call = mutate(&mut world, fixture, slot, mutation);
    // Nobody can sign for an address of the program: the strongest attacker leaves the signature out.
    if slot.signer && world.keypair(&call.key(&slot.name)).is_none() {
        call = call.unsigned(&slot.name);
    }
    let before = world.snapshot();
    match world.send(&call) {
        Err(refusal) => {
            world.assert_unchanged(&before);
            refusal.to_string()
        }
        Ok(_) => {
            // Spoiling an account on purpose may leave a broken one behind; what the program wrote must still hold.
            if !matches!(mutation, Mutation::WrongOwner | Mutation::Closed) {
                invariants::check(&world);
            }
            let total_before = before.values().map(|account| u128::from(account.lamports)).sum::<u128>();
            assert_eq!(invariants::lamports_total(&world), total_before, "{cell} created or destroyed lamports");
            HARMLESS.to_owned()
        }
    }
}

fn mutate(world: &mut World, fixture: &Fixture, slot: &idl::AccountSlot, mutation: &Mutation) -> Call {
    let (call, name) = (fixture.call.clone(), slot.name.as_str());
    let key = call.key(name);
    let mut spoil = |edit: &dyn Fn(&mut Account)| {
        let mut account = world.account(&key).unwrap_or_else(|| Account { lamports: 1, ..Account::default() });
        edit(&mut account);
        world.set_account(key, account);
    };
    match mutation {
        Mutation::WrongKey if slot.signer => {
            let stranger = world.wallet(crate::world::SOL);
            call.with(name, stranger)
        }
        Mutation::WrongKey => call.with(name, Pubkey::new_from_array([0xab; 32])),
        Mutation::WrongOwner => {
            spoil(&|account| account.owner = FOREIGN_PROGRAM);
            call
        }
        Mutation::Closed => {
            spoil(&|account| *account = Account::default());
            call
        }
        Mutation::Truncated => {
            spoil(&|account| account.data.truncate(account.data.len() / 2));
            call
        }
        Mutation::Zeroed => {
            spoil(&|account| account.data.fill(0));
            call
        }
        Mutation::SignerOff => call.unsigned(name),
        Mutation::WritableOff => call.readonly(name),
        Mutation::Absent => call.with(name, assay::ID),
        Mutation::Twin(twin) => {
            let (_, other) = fixture.twins.iter().find(|(name, _)| name == twin).expect("a twin of the fixture");
            call.with(name, other.key(name))
        }
        Mutation::Type(kind) => {
            let (_, address) = fixture.types.iter().find(|(name, _)| name == kind).expect("a type of the fixture");
            call.with(name, *address)
        }
        Mutation::Duplicate(other) => {
            let address = call.key(other);
            call.with(name, address)
        }
    }
}
