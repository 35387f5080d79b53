//! Who takes part in a story, and under which terms.

use super::Habit;
use crate::{
    act::{Act, Posting},
    cast::{SOL, TERMS, exited, plain_address, posting, wallet},
    odds::Rng,
    state::{Address, Key, Mode, Model, Terms},
};

/// A provider and how it behaves.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// Its cold key.
    pub authority: Key,
    /// Its hot key.
    pub node_key: Key,
    /// Its account.
    pub provider: Key,
    /// Its market.
    pub market: Key,
    /// How it behaves.
    pub habit: Habit,
}

/// Somebody who posts jobs.
#[derive(Clone, Copy, Debug)]
pub struct Poster {
    /// Its wallet.
    pub key: Key,
    /// Whether it takes back what it posts.
    pub griefs: bool,
}

/// Where addresses come from.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// The program.
    pub program: Key,
    /// The address of an account of the program.
    pub address: Address,
    /// The address of the wallet with this number, from 1.
    pub wallet: fn(u64) -> Key,
}

impl Keys {
    /// Where there is no ledger.
    pub const PLAIN: Self = Self { program: Key([200; 32]), address: plain_address, wallet };
}

/// Everybody.
#[derive(Clone, Debug)]
pub struct World {
    /// Markets and who runs them.
    pub markets: Vec<(Key, Key)>,
    /// Providers.
    pub seats: Vec<Seat>,
    /// Posters.
    pub posters: Vec<Poster>,
    /// Who has no part in anything.
    pub bystanders: Vec<Key>,
}

/// Job ids of each poster.
pub const IDS: u64 = 2;
/// Gas that every run takes.
const GAS: u64 = 1_200_000_000;

impl World {
    /// Wallets, markets with their terms, providers with mature, enrolled stake.
    pub(super) fn new(rng: &mut Rng, keys: &Keys) -> (Self, Model) {
        let mut model = Model::empty(keys.program, keys.address);
        let mut names = 0;
        let mut person = |model: &mut Model| {
            names += 1;
            let key = (keys.wallet)(names);
            model.lamports.insert(key, 1_000_000 * SOL);
            key
        };
        let bystanders: Vec<Key> = (0..2).map(|_| person(&mut model)).collect();
        let owners: Vec<Key> = (0..1 + rng.below(2)).map(|_| person(&mut model)).collect();
        let markets: Vec<(Key, Key)> =
            owners.iter().map(|owner| (model.at(&[b"market", &owner.0, &[7; 32]]), *owner)).collect();
        let mut posters: Vec<Poster> =
            (0..1 + rng.below(4)).map(|_| Poster { key: person(&mut model), griefs: rng.below(4) == 0 }).collect();
        let idle = rng.below(10) == 0;
        // In some worlds few are honest, so that juries are divided.
        let honest = if rng.below(4) == 0 { 1 } else { 4 };
        let seats = (0..5 + rng.below(9))
            .map(|index| {
                let (authority, node_key) = (person(&mut model), person(&mut model));
                let market = markets[usize::try_from(index % markets.len() as u64).expect("small")].0;
                let provider = model.at(&[b"provider", &market.0, &authority.0]);
                let habit = match rng.below(8) {
                    spin if spin < honest && idle => Habit::Silent,
                    spin if spin < honest => Habit::Honest,
                    _ => Habit::ALL[usize::try_from(rng.below(8)).expect("small")],
                };
                Seat { authority, node_key, provider, market, habit }
            })
            .collect::<Vec<Seat>>();
        if rng.below(3) == 0 {
            // A provider posts, too: of its own jobs it is no juror.
            posters.push(Poster { key: seats[0].authority, griefs: false });
        }
        (Self { markets, seats, posters, bystanders }, model)
    }

    /// What has to happen before a story can begin.
    #[must_use]
    pub fn prologue(&self, rng_seed: u64) -> Vec<super::Step> {
        let rng = &mut Rng::new(rng_seed ^ 0xA55A);
        let mut steps = vec![super::Step::Act(Act::CreateSink { payer: self.bystanders[0] })];
        for (_, owner) in &self.markets {
            let (authority, terms) = (*owner, terms(rng));
            let (name, cluster) = ([7; 32], [9; 32]);
            steps.push(super::Step::Act(Act::CreateMarket { authority, name, cluster, terms }));
        }
        for Seat { authority, node_key, market, .. } in self.seats.iter().copied() {
            let stake_lamports =
                if rng.below(4) == 0 { SOL / 10 + rng.below(SOL / 5) } else { SOL + rng.below(30 * SOL) };
            let cap_lamports = match rng.below(6) {
                0 => SOL / 20,
                1 => stake_lamports / 8,
                _ => u64::MAX,
            };
            let capacity = u16::try_from(1 + rng.below(6)).expect("small");
            let act = Act::RegisterProvider { authority, node_key, market, stake_lamports, cap_lamports, capacity };
            steps.push(super::Step::Act(act));
        }
        steps.push(super::Step::Wait { seconds: 86_400, slots: 700 });
        for seat in self.seats.iter().filter(|_| rng.below(10) > 0) {
            steps.push(super::Step::Act(Act::EnrollStake { signer: seat.node_key, provider: seat.provider }));
        }
        let nobody = rng.below(20) == 0;
        for seat in self.seats.iter().filter(|_| !nobody && rng.below(10) > 0) {
            let act = Act::SetDuty { signer: seat.authority, provider: seat.provider, on: true };
            steps.push(super::Step::Act(act));
        }
        steps
    }

    /// A provider by its account.
    #[must_use]
    pub fn seat(&self, provider: Key) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.provider == provider)
    }

    /// A posting that a poster may mean.
    pub(super) fn posting(&self, model: &Model, market: Key, id: u64, rng: &mut Rng) -> Posting {
        let modes = [Mode::Optimistic, Mode::Redundant, Mode::Redundant, Mode::Quorum, Mode::Adaptive];
        let mode = modes[usize::try_from(rng.below(5)).expect("small")];
        let redundancy = if mode == Mode::Optimistic { 1 } else { u8::try_from(2 + rng.below(3)).expect("small") };
        let mut made = posting(id, mode, redundancy);
        made.task.limits.gas_limit = [1_300_000_000, 2_000_000_000][usize::try_from(rng.below(2)).expect("small")];
        made.task.metered_hash = [4 + u8::from(rng.below(8) == 0); 32];
        if rng.below(12) == 0 {
            // At 2 % the fee on this pay is just enough to confirm something, or not.
            (made.price, made.base_fee_lamports) = (1, 24_999 + rng.below(2));
        }
        made.agreement_s = [None, Some(0), Some(30)][usize::try_from(rng.below(3)).expect("small")];
        made.min_trust_bps = if rng.below(12) == 0 { u16::try_from(1 + rng.below(3_000)).expect("small") } else { 0 };
        made.expires_unix = if rng.below(8) == 0 { model.now_unix + 200 } else { 0 };
        made.escrow_lamports = model.escrow_least(market, &made) + rng.below(2) * 1_000;
        made
    }
}

/// Terms inside the protocol's bounds.
fn terms(rng: &mut Rng) -> Terms {
    let mut one = |values: [u64; 3]| values[usize::try_from(rng.below(3)).expect("small")];
    let ticket_lamports = one([SOL / 100, SOL / 10, SOL]);
    Terms {
        ticket_lamports,
        fee_bps: u16::try_from(one([0, 200, 1_000])).expect("small"),
        stake_min_lamports: one([SOL / 10, SOL / 10, SOL]),
        bond_min_lamports: one([2_000_000, 10_000_000, 100_000_000]),
        bond_rate_bps: u32::try_from(one([10_000, 15_000, 100_000])).expect("small"),
        miss_rate_bps: u16::try_from(one([1_000, 5_000, 10_000])).expect("small"),
        delay_fee_lamports: one([0, 300_000, 1_000_000]),
        attempts_max: u8::try_from(one([1, 2, 3])).expect("small"),
        queue_timeout_s: u32::try_from(one([40, 120, 600])).expect("small"),
        execution_base_s: u32::try_from(one([1, 20, 60])).expect("small"),
        challenge_base_s: u32::try_from(one([1, 20, 60])).expect("small"),
        job_total_s: u32::try_from(one([1_800, 3_600, 7_200])).expect("small"),
        quorum_bps: u16::try_from(one([5_001, 6_667, 10_000])).expect("small"),
        executions_max: u8::try_from(one([4, 5, 9])).expect("small"),
        widen_s: u32::try_from(one([1, 5, 10])).expect("small"),
        reveal_s: u32::try_from(one([1, 10, 60])).expect("small"),
        jail_s: u32::try_from(one([20, 200, 2_000])).expect("small"),
        jury_lambda: u16::try_from(one([9, 9, 16])).expect("small"),
        jury_quorum_bps: u16::try_from(one([3_334, 5_000, 6_667])).expect("small"),
        juror_bond_lamports: one([50_000, 1_000_000, 10_000_000]).min(ticket_lamports / 2),
        duty_rate_bps: u16::try_from(one([100, 500, 5_000])).expect("small"),
        unbonding_s: 86_400,
        gas_limit_max: 2_000_000_000,
        ..TERMS
    }
}

/// What a job gives when it is run.
#[must_use]
pub fn truth(uid: &[u8; 32]) -> [u8; 79] {
    exited(uid[0] | 1, GAS)
}

/// What the ring says instead.
#[must_use]
pub fn ring_lie(uid: &[u8; 32]) -> [u8; 79] {
    exited(uid[0] | 1, GAS - 1)
}

/// What this liar says instead.
#[must_use]
pub fn own_lie(provider: Key) -> [u8; 79] {
    exited(provider.0[0] | 1, GAS - 2 - u64::from(provider.0[1]))
}
