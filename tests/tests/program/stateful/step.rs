//! What can be tried, and how it is drawn: the act, the place it is aimed at, and who signs for it, each on its own.

use assay_protocol::MarketTerms;
use assay_tests::world::SOL;
use proptest::prelude::*;

/// Markets, each with an authority of its own.
pub const MARKETS: usize = 2;
/// Providers; provider `i` works in market `i % MARKETS`.
pub const PROVIDERS: usize = 5;
/// Posters; each may post in every market.
pub const POSTERS: usize = 2;
/// Jobs that a poster may have in one market at a time.
pub const IDS: u64 = 2;
/// Keys in the play that may sign for anything.
pub const CAST: usize = 22;

/// One thing that somebody tries.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    CreateSink,
    CreateMarket,
    UpdateMarket {
        term: usize,
        value: usize,
    },
    PauseMarket {
        seconds: i64,
    },
    ProposeAuthority {
        heir: usize,
    },
    AcceptAuthority,
    ClaimFees,
    Register {
        node: usize,
        stake_lamports: u64,
    },
    UpdateProvider {
        cap_lamports: Option<u64>,
        capacity: Option<u16>,
        node: Option<usize>,
    },
    Stake {
        lamports: u64,
    },
    Unstake {
        lamports: u64,
    },
    UnstakeAll,
    Withdraw,
    CloseProvider,
    Claim,
    Create {
        gas_limit: u64,
        surplus_lamports: i64,
        expires_s: i64,
    },
    Cancel,
    Accept,
    Decline,
    Submit {
        gas: u64,
    },
    Finalize,
    Settle,
    ExpireOpen,
    ExpireAssigned,
    Close,
    /// Somebody sends lamports to an account of the program.
    Donate {
        account: usize,
        lamports: u64,
    },
    /// Time passes.
    Wait {
        seconds: i64,
    },
    /// Time passes until a deadline of an account, or a second before or after it.
    Jump {
        deadline: usize,
        offset_s: i64,
    },
}

/// Where an act is aimed at.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The provider, and with it the market.
    pub provider: usize,
    /// The poster.
    pub poster: usize,
    /// The job's id.
    pub id: u64,
    /// Aim at one of the jobs for which the act is due instead, if there is any: this one of them.
    pub due: Option<usize>,
}

/// An act, where, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What.
    pub act: Act,
    /// Where.
    pub place: Place,
    /// Whose signature stands in the place of the rightful one; `None` is the rightful one.
    pub actor: Option<usize>,
}

/// A term, and values at and beyond its edges.
type Term = (fn(&mut MarketTerms, u64), [u64; 4]);

/// Every term.
pub const TERMS: [Term; 28] = [
    (|terms, value| terms.fee_bps = narrow(value), [0, 250, 1_000, 1_001]),
    (|terms, value| terms.stake_min_lamports = value, [0, SOL, 5 * SOL, u64::MAX]),
    (|terms, value| terms.bond_min_lamports = value, [50_000, 10_000_000, 100_000_000, 0]),
    (|terms, value| terms.bond_rate_bps = narrow(value), [10_000, 15_000, 100_000, 9_999]),
    (|terms, value| terms.miss_rate_bps = narrow(value), [1_000, 5_000, 10_000, 999]),
    (|terms, value| terms.delay_fee_lamports = value, [0, 1_000_000, 100_000_000, 100_000_001]),
    (|terms, value| terms.decline_fee_lamports = value, [5_000, 10_000, 1_000_000, 4_999]),
    (|terms, value| terms.attempts_max = narrow(value), [1, 3, 5, 6]),
    (|terms, value| terms.queue_timeout_s = narrow(value), [1, 600, 1_000, 604_801]),
    (|terms, value| terms.execution_base_s = narrow(value), [0, 60, 300, 604_800]),
    (|terms, value| terms.challenge_base_s = narrow(value), [0, 60, 300, 604_800]),
    (|terms, value| terms.job_total_s = narrow(value), [4_000, 3_600, 86_400, 2_592_001]),
    (|terms, value| terms.unbonding_s = narrow(value), [14_000, 86_400, 2_592_000, 2_592_001]),
    (|terms, value| terms.verify_rate_gas_per_s = value, [10_000_000, 1_000_000_000, 10_000_000_000, 10_000_000_001]),
    (|terms, value| terms.gas_limit_max = value, [1_000_000, 1_000_000_000, 10_000_000_000, 0]),
    (|terms, value| terms.profiles = narrow(value), [1, 1, 0, 3]),
    (|terms, value| terms.quorum_bps = narrow(value), [5_001, 6_667, 10_000, 5_000]),
    (|terms, value| terms.executions_max = narrow(value), [1, 5, 9, 10]),
    (|terms, value| terms.ticket_lamports = value, [100_000_000, 100_000_000, 1_000_000, 0]),
    (|terms, value| terms.widen_s = narrow(value), [1, 10, 600, 0]),
    (|terms, value| terms.reveal_s = narrow(value), [1, 60, 600, 604_801]),
    (|terms, value| terms.jury_lambda = narrow(value), [9, 12, 16, 17]),
    (|terms, value| terms.jury_quorum_bps = narrow(value), [3_334, 5_000, 6_667, 6_668]),
    (|terms, value| terms.juror_bond_lamports = value, [10_000, 5_000_000, 100_000_000, 100_000_001]),
    (|terms, value| terms.duty_rate_bps = narrow(value), [100, 500, 5_000, 99]),
    (|terms, value| terms.audit_one_in_min = narrow(value), [2, 10, 50, 51]),
    (|terms, value| terms.audit_one_in_max = narrow(value), [10, 50, 100, 1]),
    (|terms, value| terms.jail_s = narrow(value), [1, 86_400, 604_800, 604_801]),
];

fn narrow<T: TryFrom<u64>>(value: u64) -> T {
    T::try_from(value).unwrap_or_else(|_| panic!("{value} fits its term"))
}

/// Any step.
pub fn step() -> impl Strategy<Value = Step> {
    let actor = prop_oneof![6 => Just(None), 1 => (0..CAST).prop_map(Some)];
    (prop_oneof![16 => job(), 3 => provider(), 3 => market(), 3 => time()], place(), actor)
        .prop_map(|(act, place, actor)| Step { act, place, actor })
}

fn place() -> impl Strategy<Value = Place> {
    let due = prop_oneof![1 => Just(None), 6 => (0..8usize).prop_map(Some)];
    (0..PROVIDERS, 0..POSTERS, 1..=IDS, due).prop_map(|(provider, poster, id, due)| Place { provider, poster, id, due })
}

fn job() -> impl Strategy<Value = Act> {
    let gas_limit = prop_oneof![1 => Just(1), 8 => Just(1_000_000_000), 1 => Just(10_000_000_000), 1 => Just(u64::MAX)];
    let expires_s = prop_oneof![12 => Just(0), 2 => 1..4_000i64, 1 => Just(-1), 1 => Just(i64::MAX / 2)];
    let create = (gas_limit, prop_oneof![12 => Just(0), 1 => Just(-1), 2 => 0..1_000i64], expires_s);
    prop_oneof![
        2 => create.prop_map(|(gas_limit, surplus_lamports, expires_s)| Act::Create { gas_limit, surplus_lamports, expires_s }),
        1 => Just(Act::Cancel),
        9 => Just(Act::Accept),
        3 => Just(Act::Decline),
        6 => prop_oneof![4 => 0..=1_000_000_000u64, 1 => Just(u64::MAX)].prop_map(|gas| Act::Submit { gas }),
        4 => Just(Act::Finalize),
        5 => Just(Act::Settle),
        1 => Just(Act::ExpireOpen),
        4 => Just(Act::ExpireAssigned),
        3 => Just(Act::Close),
    ]
}

fn provider() -> impl Strategy<Value = Act> {
    let lamports = || prop_oneof![Just(0), Just(1), Just(u64::MAX), 0..2 * SOL, SOL..20 * SOL];
    let cap = prop_oneof![2 => Just(None), 1 => Just(Some(u64::MAX)), 1 => (0..5 * SOL).prop_map(Some)];
    let capacity = prop_oneof![2 => Just(None), 1 => (0..20u16).prop_map(Some)];
    let node = prop_oneof![1 => Just(None), 1 => (0..CAST).prop_map(Some)];
    prop_oneof![
        2 => (0..CAST, lamports()).prop_map(|(node, stake_lamports)| Act::Register { node, stake_lamports }),
        2 => (cap, capacity, node)
            .prop_map(|(cap_lamports, capacity, node)| Act::UpdateProvider { cap_lamports, capacity, node }),
        4 => lamports().prop_map(|lamports| Act::Stake { lamports }),
        1 => lamports().prop_map(|lamports| Act::Unstake { lamports }),
        2 => Just(Act::UnstakeAll),
        4 => Just(Act::Withdraw),
        3 => Just(Act::CloseProvider),
        2 => Just(Act::Claim),
    ]
}

fn market() -> impl Strategy<Value = Act> {
    let seconds = prop_oneof![Just(0), 0..1_000i64, Just(259_200), Just(259_201)];
    prop_oneof![
        1 => Just(Act::CreateSink),
        1 => Just(Act::CreateMarket),
        5 => (0..TERMS.len(), 0..4usize).prop_map(|(term, value)| Act::UpdateMarket { term, value }),
        2 => seconds.prop_map(|seconds| Act::PauseMarket { seconds }),
        4 => (0..CAST).prop_map(|heir| Act::ProposeAuthority { heir }),
        4 => Just(Act::AcceptAuthority),
        5 => Just(Act::ClaimFees),
    ]
}

fn time() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => (0..4usize, 1..5u64).prop_map(|(account, lamports)| Act::Donate { account, lamports }),
        2 => prop_oneof![6 => 0..30i64, 2 => 0..4_000i64, 1 => Just(14_000), 1 => Just(86_400)].prop_map(|seconds| Act::Wait { seconds }),
        5 => (0..64usize, -1..=1i64).prop_map(|(deadline, offset_s)| Act::Jump { deadline, offset_s }),
    ]
}
