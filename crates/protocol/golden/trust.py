"""Vectors of trust, duty and the pots of disputes, in fractions."""

from fractions import Fraction
from math import floor

from vectors import ONE, U64_MAX, key, ticket

U32_MAX = 2**32 - 1


def fits(value):
    return value if value <= U64_MAX else None


# Trust.
COUNTERS = ["completed", "failed", "missed", "declined", "disputes_won", "disputes_lost", "consecutive_valid", "latency_ms_avg",
            "confirmed", "confirmed_fee_lamports"]


def vector(**changes):
    return {**dict.fromkeys(COUNTERS, 0), **changes}


def score(**changes):
    v = vector(**changes)
    fees, right = v["confirmed_fee_lamports"], v["confirmed"]
    volume = floor(ONE * Fraction(fees, fees + 10**6))
    record = floor(ONE * Fraction(right, right + 20 * v["failed"] + 2 * v["missed"])) if right else 0
    return dict(trust=v, score_bps=floor(Fraction(volume * record, ONE)))


def paid(count, **changes):
    """So many confirmed results of 0.001 SOL each at a fee of 2 %."""
    return score(confirmed=count, confirmed_fee_lamports=20_000 * count, **changes)


SCORES = [
    score(), score(completed=10**6, disputes_won=9, consecutive_valid=9), score(confirmed_fee_lamports=10**9), score(failed=1, missed=1),
    *[paid(count) for count in (1, 10, 49, 50, 51, 200, 10**4, U32_MAX)],
    *[paid(200, failed=failed) for failed in (1, 2, 10, U32_MAX)],
    *[paid(200, missed=missed) for missed in (1, 20, U32_MAX)],
    paid(200, failed=3, missed=7, declined=50, completed=3, latency_ms_avg=U32_MAX, disputes_lost=3),
    *[score(confirmed=1, confirmed_fee_lamports=fee) for fee in (0, 99, 100, 101, 999_999, 10**6, 10**10 - 10**6, 10**10, 10**15, 10**15 + 1, U64_MAX)],
    score(confirmed=U32_MAX, confirmed_fee_lamports=U64_MAX, failed=U32_MAX, missed=U32_MAX),
]

LATENCIES = [
    dict(latency_ms_avg=latency, verify_rate_gas_per_s=rate,
         score_bps=floor(ONE * Fraction(10**12 // rate, 10**12 // rate + latency)) if latency else None)
    for latency in (0, 1, 100, 1000, U32_MAX) for rate in (1, 10**7, 10**9, 10**10)
]


def record(*events, **start):
    """Events: "wrong", "missed", "declined", "won", "lost", or a right result as a dictionary."""
    v, steps = vector(**start), []
    for event in events:
        confirms = None
        if isinstance(event, dict):
            others = event["drawn_equal"] - event["is_drawn"]
            agreed = others > 0 and (event["is_drawn"] or event["is_audited"])
            confirms = event["fee_lamports"] >= 500 and bool(agreed)
            v["completed"] += 1
            if event["gas_used"] >= 10**9:
                sample = 1_000 * event["elapsed_s"] * 10**9 // event["gas_used"]
                v["latency_ms_avg"] = (7 * v["latency_ms_avg"] + sample) // 8 if v["latency_ms_avg"] else sample
            if confirms:
                v["confirmed"] += 1
                v["consecutive_valid"] += 1
                v["confirmed_fee_lamports"] += event["fee_lamports"]
        else:
            v[dict(wrong="failed", missed="missed", declined="declined", won="disputes_won", lost="disputes_lost")[event]] += 1
            if event in ("wrong", "missed"):
                v["consecutive_valid"] = 0
        for name in COUNTERS:
            v[name] = min(v[name], U64_MAX if name == "confirmed_fee_lamports" else U32_MAX)
        steps.append(dict(event=event if isinstance(event, str) else "right", settled=event if isinstance(event, dict) else None,
                          confirms=confirms, after=dict(v)))
    return dict(start=vector(**start), steps=steps)


def right(fee=20_000, gas=10**9, elapsed=2, drawn=True, audited=False, equal=2):
    return dict(gas_used=gas, elapsed_s=elapsed, fee_lamports=fee, is_drawn=drawn, is_audited=audited, drawn_equal=equal)


RECORDS = [
    record(right(), right(), "wrong", right(), "missed", right(), "declined", right()),
    record("won", "lost", "declined", "missed", "wrong"),
    record(right(fee=500), right(fee=499), right(fee=0)),
    # Alone: an optimistic result, contested or not; an audited one that a drawn seat confirms, and one that none does.
    record(right(drawn=False, equal=0), right(drawn=False, audited=True, equal=1), right(drawn=False, audited=True, equal=0),
           right(drawn=False, equal=1), right(drawn=False, equal=9), "won", right(drawn=False, equal=0), "won"),
    record(right(equal=1), right(equal=2), right(equal=9), right(equal=1), "won", right(equal=1, audited=True)),
    record(right(gas=10**9 - 1, elapsed=100), right(gas=10**9, elapsed=0), right(elapsed=8), right(elapsed=1), right(gas=10**15, elapsed=600)),
    record(right(elapsed=U32_MAX), right(elapsed=U32_MAX, gas=10**15)),
    record(right(), "wrong", "missed", "declined", "won", "lost",
           **{name: U64_MAX - 1 if name == "confirmed_fee_lamports" else U32_MAX for name in COUNTERS if name != "latency_ms_avg"}),
]

FLOORS = [dict(min_trust_bps=least, arbitration=k, floor_bps=min(ONE, least + 500 * k))
          for least in (0, 1, 500, 9_499, 9_500, 9_999, 10_000) for k in (0, 1, 2, 8, 255)]

BOUNDS = [(0, 0), (2, 2), (3, 5), (10, 50), (100, 100)]
AUDITS = [
    dict(streak=streak, one_in_min=least, one_in_max=most,
         one_in=None if streak < 10 or not most else sorted((least, streak, most))[1])
    for least, most in BOUNDS for streak in (0, 9, 10, 11, 50, 51, 2**16 + 3, U32_MAX)
]


def audit(n, one_in, everybody=False):
    """By the seed `n`, for a job with the uid 6."""
    drawn = everybody or ticket(key(n), key(6), 0) < Fraction(2**64, one_in)
    return dict(seed=key(n).hex(), job_uid=key(6).hex(), one_in=one_in, is_everybody=everybody, drawn=drawn)


def audits(one_in):
    """Six seeds that say audit, and six that do not."""
    all_seeds = [audit(n, one_in) for n in range(40, 40 + 20 * one_in)]
    return [seed for drawn in (True, False) for seed in [seed for seed in all_seeds if seed["drawn"] == drawn][:6]]


AUDITED = audits(2) + audits(5) + audits(50) + [audit(40, 50, True), audit(41, 50, True)]
assert [vector["drawn"] for vector in AUDITED].count(True) == 20


def solo(bond, pay, one_in):
    return dict(bond_lamports=bond, pay_max_lamports=pay, one_in=one_in, lock_lamports=None if pay * one_in > U64_MAX else max(bond, pay * one_in))


SOLO = [solo(10**7, 10**6, 10), solo(10**7, 10**6, 9), solo(10**7, 10**6, 11), solo(0, 0, 100), solo(U64_MAX, 1, 2), solo(1, U64_MAX, 1), solo(1, U64_MAX, 2)]

# Duty.
FROM, ON = 1_000, 2**63 - 1


def juror(since, until, tickets, opened=FROM):
    return dict(duty_from_unix=since, duty_until_unix=until, tickets_from_unix=tickets, opened_unix=opened,
                is_juror=since <= opened < until and tickets <= opened)


JURORS = [juror(since, until, tickets) for since in (FROM - 1, FROM, FROM + 1) for until in (0, FROM, FROM + 1, ON) for tickets in (FROM - 1, FROM, FROM + 1)]


def duty(tickets, unit, rate):
    return dict(tickets=tickets, unit_lamports=unit, duty_rate_bps=rate, lock_lamports=floor(Fraction(tickets * unit * rate, ONE)) if tickets * unit <= U64_MAX else None)


DUTIES = [duty(0, 10**8, 500), duty(1, 10**8, 500), duty(7, 10**6 + 1, 333), duty(2**20, 10**8, 5_000), duty(2**20, 10**15, 100), duty(3, 10**6, 10_000)]

# Pots. null: a sum does not fit 64 bits.
APPEALS = [dict(bond_lamports=bond, round=round_, appeal_lamports=fits(bond * 2 ** (round_ + 1)) if round_ < 3 else None)
           for bond in (0, 1, 100, 2**61, 2**62, 2**63, U64_MAX) for round_ in (0, 1, 2, 3, 255)]
KEPT = [dict(bond_lamports=bond, miss_rate_bps=rate, kept_lamports=floor(Fraction(bond * rate, ONE))) for bond in (0, 1, 99, 100, U64_MAX) for rate in (1_000, 5_000, ONE)]


def pot(lost, extra, bonds, right_, votes):
    """Bonds of the challengers who were right; votes of each round: those for the verdict, and the weight of all revealed."""
    total, won, rounds = lost + extra, sum(bonds), len(votes)
    half, jury = total // 2, floor(Fraction(total * 3, 10))
    if total > U64_MAX:
        winners, executor, jurors = [None for _ in bonds], None if not won and lost > U64_MAX else 0, [[None for _ in mine] for mine, _ in votes]
    else:
        winners = [bond + floor(Fraction(half * bond, won)) for bond in bonds]
        executor = floor(Fraction(lost // 2, right_)) if right_ and not won else 0
        jurors = [[weight * (jury // rounds // revealed) for weight in mine] for mine, revealed in votes]
    burned = None if total > U64_MAX else total - sum(win - bond for win, bond in zip(winners, bonds)) - executor * right_ - sum(map(sum, jurors))
    assert burned is None or burned * 5 >= total, (lost, extra, burned)
    return dict(lost_lamports=lost, extra_lamports=extra, won_lamports=won, right=right_, rounds=rounds,
                winners=[dict(bond_lamports=bond, paid_lamports=win) for bond, win in zip(bonds, winners)], executor_lamports=executor,
                jurors=[dict(weight=weight, revealed=revealed, paid_lamports=pay) for (mine, revealed), pays in zip(votes, jurors) for weight, pay in zip(mine, pays)],
                burned_lamports=burned)


ONE_ROUND = [([5, 2, 2], 9)]
POTS = [
    # The cases of docs/PROTOCOL.md with bonds of 100.
    pot(0, 100, [100, 100], 0, ONE_ROUND),
    pot(100, 100, [100], 0, ONE_ROUND),
    pot(100, 0, [], 1, ONE_ROUND),
    pot(100, 100, [], 0, ONE_ROUND),
    pot(200, 100, [100 + 400 + 800], 1, [([9], 9), ([10], 36), ([30, 10], 100), ([400], 700)]),
    pot(0, 400, [], 1, ONE_ROUND),
    pot(0, 200, [100], 1, ONE_ROUND),
    pot(0, 0, [7], 1, ONE_ROUND), pot(0, 0, [], 0, ONE_ROUND), pot(1, 0, [], 3, ONE_ROUND), pot(1, 1, [1, 1, 1], 3, [([1], 3)]),
    pot(10**9 + 7, 10**9 + 9, [10**8 + 1, 3, 10**9], 2, [([1, 63, 5], 77), ([64], 64)]),
    pot(10**9 + 7, 10**9 + 9, [], 9, [([1, 63, 5], 77), ([64], 64), ([1], 1)]),
    pot(2**60, 2**60, [2**59, 1], 1, [([2**20], 2**40)]),
    pot(U64_MAX, 0, [], 1, ONE_ROUND),
    pot(2**63, 2**63, [1], 1, ONE_ROUND),
]
TRUST = dict(scores=SCORES, latencies=LATENCIES, records=RECORDS, floors=FLOORS, audits=AUDITS, audited=AUDITED, solo_locks=SOLO, jurors=JURORS, duty_locks=DUTIES)
POT = dict(appeals=APPEALS, kept=KEPT, pots=POTS)
