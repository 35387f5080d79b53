//! Every protocol-wide bound, in one place. A market may be stricter, never laxer.

use core::ops::RangeInclusive;

/// Most seats one job may ask for.
pub const REDUNDANCY_MAX: u8 = 9;
/// Most times a job is handed out before it expires.
pub const ATTEMPTS_MAX: u8 = 5;
/// Highest market fee, in basis points of the provider's pay (10 %).
pub const FEE_BPS_MAX: u16 = 1_000;
/// One whole, in basis points.
pub const BPS_ONE: u16 = 10_000;
/// Largest bond rate, in basis points of the maximum pay (k = 10).
pub const BOND_RATE_BPS_MAX: u32 = 100_000;
/// Longest single window (challenge, execution, queue), 7 days.
pub const WINDOW_S_MAX: u32 = 7 * 86_400;
/// Longest time from a job's creation during which it may be handed out, 30 days. One execution and one challenge
/// window may follow, so a job's whole life is at most 44 days.
pub const JOB_TOTAL_S_MAX: u32 = 30 * 86_400;
/// Longest unbonding period, 30 days.
pub const UNBONDING_S_MAX: u32 = 30 * 86_400;
/// Longest pause of a market, 72 hours.
pub const PAUSE_S_MAX: u32 = 72 * 3_600;
/// A market may be paused once in this period, 7 days.
pub const PAUSE_PERIOD_S: u32 = 7 * 86_400;
/// Highest fixed fee of a market: delay, decline. 0.1 SOL.
pub const FIXED_FEE_LAMPORTS_MAX: u64 = 100_000_000;
/// Lowest decline fee: no less than a signature costs, so that taking a seat and giving it back is never free (P-23).
pub const DECLINE_FEE_LAMPORTS_MIN: u64 = 5_000;
/// Lowest share of the bond that a missed deadline costs, in basis points (10 %): a seat is never held for nothing.
pub const MISS_RATE_BPS_MIN: u16 = 1_000;
/// Highest least stake and highest least bond of a market, 1,000,000 SOL in lamports.
pub const STAKE_LAMPORTS_MAX: u64 = 1_000_000_000_000_000;
/// Highest gas per second that a market may expect of whoever runs a job. No machine is faster on one thread, so no
/// window is shorter than the work in it (P-22).
pub const VERIFY_RATE_GAS_PER_S_MAX: u64 = 10_000_000_000;
/// Highest price, in lamports per 10^12 gas. Keeps `gas × price` far inside `u128` and the pay inside `u64`.
pub const PRICE_MAX: u64 = 1_000_000_000_000_000;
/// Highest base fee, 1,000 SOL in lamports.
pub const BASE_FEE_LAMPORTS_MAX: u64 = 1_000_000_000_000;
/// Price is stated per this much gas.
pub const PRICE_UNIT_GAS: u64 = 1_000_000_000_000;

/// Slots from fixing a draw to the block that gives its seed: that block cannot know what it decides about.
pub const SEED_DELAY_SLOTS: u64 = 4;
/// Most times that a lost seed is replaced by a later one; then everybody is drawn.
pub const SEED_REARMS_MAX: u8 = 3;
/// Entries of the chain's list of recent slots when it is full.
pub const SLOT_HASHES_MAX: u64 = 512;
/// Most seconds one draw takes while somebody records it: four times 512 + 4 slots of 400 ms, rounded up. Only bounds use it.
pub const SEED_WAIT_S: u32 = 900;
/// Most tickets of one provider: whoever looks for its own that win goes through all of them, in some milliseconds.
pub const TICKETS_MAX: u32 = 1 << 20;
/// Most tickets of one vote of a drawn round.
pub const VOTE_TICKETS_MAX: u32 = 64;
/// The first threshold of a job's seats expects this many times the seats wanted.
pub const SEATS_START_FACTOR: u64 = 2;
/// Entries of a tally: as many as there are seats at most.
pub const TALLY_ENTRIES: usize = 9;
/// The last round of a dispute, in which everybody votes.
pub const ROUND_LAST: u8 = 3;
/// Share of a dispute's pot for challengers who were right, or of lost bonds for the right seats when none was, basis points.
pub const WINNERS_BPS: u32 = 5_000;
/// Share of the pot for jurors, basis points. The rest, at least 20 %, is burned: disputing with oneself loses that much.
pub const JURORS_BPS: u32 = 3_000;
/// Confirmed results in a row from which a provider may run an adaptive job alone.
pub const TRUSTED_STREAK: u32 = 10;
/// Each further arbiter's least trust is higher by this much, basis points.
pub const ARBITRATION_TRUST_STEP_BPS: u16 = 500;
/// Deadlines missed since the last confirmed result that put a provider in jail.
pub const MISSES_IN_ROW_JAIL: u8 = 3;
/// Confirmed fees that give half of the score's volume, lamports.
pub const TRUST_HALF_FEE_LAMPORTS: u64 = 1_000_000;
/// A result whose fee was lower confirms nothing, lamports: that of 25,000 lamports of pay at 2 %.
pub const TRUST_FEE_LAMPORTS_MIN: u64 = 500;
/// Confirmed results that one failure outweighs in the score's record.
pub const TRUST_WEIGHT_FAILED: u64 = 20;
/// Confirmed results that one missed deadline outweighs.
pub const TRUST_WEIGHT_MISSED: u64 = 2;
/// Least share of all seats' stake that agrees by quorum, basis points: more than half.
pub const QUORUM_BPS_MIN: u16 = 5_001;
/// Stake of one ticket, lamports.
pub const TICKET_LAMPORTS: RangeInclusive<u64> = 1_000_000..=1_000_000_000_000_000;
/// Tickets expected in a dispute's first round. With more, one vote could not show all tickets of a large name in the third.
pub const JURY_LAMBDA: RangeInclusive<u16> = 9..=16;
/// Share of the expected tickets that a verdict needs, basis points.
pub const JURY_QUORUM_BPS: RangeInclusive<u16> = 3_334..=6_667;
/// Share of the enrolled stake that duty locks, basis points.
pub const DUTY_RATE_BPS: RangeInclusive<u16> = 100..=5_000;
/// One in how many results of a job that runs alone is audited.
pub const AUDIT_ONE_IN: RangeInclusive<u16> = 2..=100;

/// Gas limit of a job that states none.
pub const GAS_LIMIT_DEFAULT: u64 = 1_000_000_000;
/// Highest gas limit the protocol knows.
pub const GAS_LIMIT_MAX: u64 = 1_000_000_000_000_000;
/// Bytes in a WebAssembly page.
pub const WASM_PAGE_BYTES: u64 = 65_536;
/// Linear memory of a job that states none, 64 MiB.
pub const MEMORY_BYTES_DEFAULT: u64 = 64 << 20;
/// Most linear memory, 1 GiB.
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Stack of a job that states none, 1 MiB. A deterministic measure, see docs/METERING.md.
pub const STACK_BYTES_DEFAULT: u64 = 1 << 20;
/// Most stack, 4 MiB.
pub const STACK_BYTES_MAX: u64 = 4 << 20;
/// Least stack a job may ask for, 4 KiB.
pub const STACK_BYTES_MIN: u64 = 4 << 10;
/// Largest module, 10 MiB.
pub const MODULE_BYTES_MAX: u64 = 10 << 20;
/// Largest job directory (all files), 64 MiB.
pub const INPUT_BYTES_MAX: u64 = 64 << 20;
/// Result package of a job that states no limit, 64 MiB; also the most.
pub const OUTPUT_BYTES_MAX: u64 = 64 << 20;
/// stdout and stderr, each, of a job that states no limit: 1 MiB. The rest is cut and flagged.
pub const STDIO_BYTES_DEFAULT: u64 = 1 << 20;
/// Most stdout or stderr, 16 MiB.
pub const STDIO_BYTES_MAX: u64 = 16 << 20;
/// Wall clock of one execution, 30 s. Liveness only: reaching it is a host fault, never a result.
pub const WALL_CLOCK_MS_DEFAULT: u64 = 30_000;
/// Seed of a job that states none.
pub const SEED_DEFAULT: u64 = 0;
/// Start of the virtual clock of a job that states none: 2025-01-01T00:00:00Z in nanoseconds.
pub const CLOCK_UNIX_NS_DEFAULT: u64 = 1_735_689_600_000_000_000;
