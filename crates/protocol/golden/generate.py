#!/usr/bin/env python3
"""Writes the golden vectors beside it. A second implementation of docs/PROTOCOL.md, with nothing but the standard
library: what the Rust crate and this script agree on was written down twice. Vectors only change with an ADR."""

import base64
import hashlib
import struct
import sys

sys.dont_write_bytecode = True
import draws
import trust
from vectors import ONE, U64_MAX, key, tagged, write

# Tasks.
DEFAULT = dict(gas_limit=10**9, memory_bytes=64 << 20, stack_bytes=1 << 20, output_bytes=64 << 20, stdio_bytes=1 << 20)


def task(profile=1, cid=key(0), metered=key(11), seed=0, clock=1_735_689_600 * 10**9, **changes):
    limits = {**DEFAULT, **changes}
    names = ["gas_limit", "memory_bytes", "stack_bytes", "output_bytes", "stdio_bytes"]
    encoded = struct.pack("<I", profile) + cid + metered + struct.pack("<7Q", *[limits[n] for n in names], seed, clock)
    return dict(
        profile=profile,
        job_cid_digest=cid.hex(),
        metered_hash=metered.hex(),
        limits=limits,
        seed=seed,
        clock_unix_ns=clock,
        encoding=encoded.hex(),
        digest=tagged("assay:task:v1", encoded).hex(),
    )


TASKS = [
    task(),
    task(cid=bytes(32)),
    task(cid=b"\xff" * 32),
    task(metered=bytes(32)),
    task(metered=b"\xff" * 32),
    task(cid=key(11), metered=key(0)),
    task(profile=2),
    task(seed=1),
    task(seed=U64_MAX),
    task(clock=0),
    task(clock=U64_MAX),
    task(gas_limit=10**15),
    task(gas_limit=1),
    task(memory_bytes=1 << 30),
    task(stack_bytes=4096),
    task(output_bytes=1),
    task(stdio_bytes=0),
]

# The same bounds that docs/PROTOCOL.md lists: the least and the most allowed, and one step beyond each.
BOUNDS = []
for field, step, low, high in [
    ("gas_limit", 1, 1, 10**15),
    ("memory_bytes", 65536, 65536, 1 << 30),
    ("stack_bytes", 1, 4096, 4 << 20),
    ("output_bytes", 1, 1, 64 << 20),
    ("stdio_bytes", 1, 0, 16 << 20),
]:
    BOUNDS += [dict(field=field, value=low, ok=True), dict(field=field, value=high, ok=True)]
    BOUNDS += [dict(field=field, value=high + step, ok=False)]
    BOUNDS += [dict(field=field, value=low - step, ok=False)] if low else []
BOUNDS += [dict(field="memory_bytes", value=65537, ok=False), dict(field="memory_bytes", value=131072, ok=True)]

# Ids.
CLUSTERS = [dict(genesis_hash=g.hex(), tag=tagged("assay:cluster:v1", g).hex()) for g in (bytes(32), key(1), b"\xff" * 32)]


def job_uid(program, cluster, job, slot, digest):
    uid = tagged("assay:job_uid:v1", program, cluster, job, struct.pack("<Q", slot), digest)
    return dict(program=program.hex(), cluster=cluster.hex(), job=job.hex(), created_slot=slot, task_digest=digest.hex(), uid=uid.hex())


JOB_UIDS = [job_uid(key(2), key(3), key(4), slot, key(5)) for slot in (0, 1, 256, U64_MAX)]
JOB_UIDS += [job_uid(key(3), key(2), key(4), 1, key(5)), job_uid(key(2), key(3), key(5), 1, key(4))]


def commitment(uid, provider, outcome, trace, salt):
    value = tagged("assay:commit:v1", uid, provider, outcome, trace, salt)
    return dict(job_uid=uid.hex(), provider=provider.hex(), outcome_hash=outcome.hex(), trace_root=trace.hex(), salt=salt.hex(), commitment=value.hex())


COMMITMENTS = [
    commitment(key(6), key(7), key(8), bytes(32), key(9)),
    commitment(key(6), key(8), key(7), bytes(32), key(9)),
    commitment(key(7), key(6), key(8), bytes(32), key(9)),
    commitment(key(6), key(7), key(8), key(9), bytes(32)),
    commitment(*[bytes(32)] * 5),
]


def challenge(uid, challenger, outcome, trace, salt):
    value = tagged("assay:challeng:1", uid, challenger, outcome, trace, salt)
    return dict(job_uid=uid.hex(), challenger=challenger.hex(), outcome_hash=outcome.hex(), trace_root=trace.hex(), salt=salt.hex(), commitment=value.hex())


def vote(uid, round_, provider, ballot, trace, salt):
    value = tagged("assay:vote:v1", uid, bytes([round_]), provider, ballot, trace, salt)
    return dict(job_uid=uid.hex(), round=round_, provider=provider.hex(), ballot_hash=ballot.hex(), trace_root=trace.hex(), salt=salt.hex(), commitment=value.hex())


# The same fields as a seat's, so that only the tag tells them apart.
CHALLENGES = [challenge(key(6), key(7), key(8), bytes(32), key(9)), challenge(key(7), key(6), key(9), key(8), bytes(32)), challenge(*[bytes(32)] * 5)]
VOTES = [vote(key(6), round_, key(7), key(8), bytes(32), key(9)) for round_ in (0, 1, 3, 255)]
VOTES += [vote(key(7), 0, key(6), key(9), key(8), bytes(32)), vote(bytes(32), 0, *[bytes(32)] * 4)]

# Outcomes.
KINDS = dict(Exited=1, Trapped=2, OutOfGas=3, OutputTooLarge=4, Invalid=5)
TRAPS, REASONS = 13, 13
GAS_LIMIT = 1_000_000


def encode_outcome(kind, detail=0, exit_code=0, gas=0, cid=bytes(32), root=bytes(32)):
    return struct.pack("<BHIQ", kind, detail, exit_code, gas) + cid + root


def outcome(kind, detail=0, exit_code=0, gas=0, cid=key(10)):
    encoded = encode_outcome(KINDS[kind], detail, exit_code, gas, cid)
    return dict(
        kind=kind, detail=detail, exit_code=exit_code, gas_used=gas, result_cid_digest=cid.hex(), state_root=bytes(32).hex(),
        gas_limit=GAS_LIMIT, encoding=encoded.hex(), hash=tagged("assay:outcome:v1", encoded).hex(),
    )


OUTCOMES = [
    outcome("Exited"),
    outcome("Exited", exit_code=1, gas=1),
    outcome("Exited", detail=1, exit_code=2**32 - 1, gas=GAS_LIMIT),
    outcome("Exited", detail=2, gas=12345),
    outcome("Exited", detail=3, gas=256, cid=b"\xff" * 32),
    outcome("OutOfGas", gas=GAS_LIMIT),
    outcome("OutOfGas", detail=3, gas=GAS_LIMIT),
    outcome("OutputTooLarge", gas=77),
    outcome("OutputTooLarge", detail=1, exit_code=3, gas=77),
]
OUTCOMES += [outcome("Trapped", detail=code, gas=code * 1000) for code in range(1, TRAPS + 1)]
OUTCOMES += [outcome("Invalid", detail=code, cid=bytes(32)) for code in range(1, REASONS + 1)]

GOOD = dict(kind=1, detail=0, exit_code=0, gas=5, cid=key(10))


def refused(error, why, **changes):
    return dict(why=why, gas_limit=GAS_LIMIT, encoding=encode_outcome(**{**GOOD, **changes}).hex(), error=error)


# What a juror says: an outcome, or zeros.
BALLOTS = [dict(encoding=row["encoding"], hash=row["hash"], unavailable=False) for row in (OUTCOMES[0], OUTCOMES[5])]
BALLOTS += [dict(encoding=bytes(79).hex(), hash=tagged("assay:outcome:v1", bytes(79)).hex(), unavailable=True)]
REFUSED = [
    dict(why="empty", gas_limit=GAS_LIMIT, encoding="", error="Length"),
    dict(why="one byte short", gas_limit=GAS_LIMIT, encoding=encode_outcome(**GOOD)[:-1].hex(), error="Length"),
    dict(why="one byte long", gas_limit=GAS_LIMIT, encoding=encode_outcome(**GOOD).hex() + "00", error="Length"),
    refused("Kind", "kind 0", kind=0),
    refused("Kind", "kind 6", kind=6),
    refused("Kind", "kind 255", kind=255),
    refused("Detail", "an exit with an unknown flag", detail=4),
    refused("Detail", "out of gas with an unknown flag", kind=3, gas=GAS_LIMIT, detail=0x8000),
    refused("Detail", "too large with an unknown flag", kind=4, detail=8),
    refused("Detail", "a trap without a code", kind=2),
    refused("Detail", "a trap past the last code", kind=2, detail=TRAPS + 1),
    refused("Detail", "invalid without a reason", kind=5, gas=0, cid=bytes(32)),
    refused("Detail", "invalid past the last reason", kind=5, detail=REASONS + 1, gas=0, cid=bytes(32)),
    refused("NotZero", "a state root in profile 1", root=key(11)),
    refused("NotZero", "a trap with an exit code", kind=2, detail=1, exit_code=1),
    refused("NotZero", "out of gas with an exit code", kind=3, gas=GAS_LIMIT, exit_code=1),
    refused("NotZero", "invalid with an exit code", kind=5, detail=1, exit_code=1, gas=0, cid=bytes(32)),
    refused("NotZero", "invalid with gas", kind=5, detail=1, cid=bytes(32)),
    refused("NotZero", "invalid with a package", kind=5, detail=1, gas=0),
    refused("Zero", "an exit without a package", cid=bytes(32)),
    refused("Zero", "a trap without a package", kind=2, detail=1, cid=bytes(32)),
    refused("Gas", "more gas than the limit", gas=GAS_LIMIT + 1),
    refused("Gas", "out of gas below the limit", kind=3, gas=GAS_LIMIT - 1),
    refused("Gas", "out of gas above the limit", kind=3, gas=GAS_LIMIT + 1),
]

# Fees. null: the sum does not fit 64 bits and is refused.
UNIT = 10**12


def fits(value):
    return value if value <= U64_MAX else None


def pay(base, price, gas):
    return dict(base_fee_lamports=base, price=price, gas=gas, pay_lamports=fits(base + gas * price // UNIT))


def share(amount, bps):
    return dict(amount_lamports=amount, bps=bps, share_lamports=fits(amount * bps // ONE))


def escrow(max_pay, redundancy, fee_bps):
    total = max_pay * redundancy
    return dict(max_pay_lamports=max_pay, redundancy=redundancy, fee_bps=fee_bps, escrow_lamports=fits(total + total * fee_bps // ONE))


def bond(max_pay, minimum, rate):
    return dict(max_pay_lamports=max_pay, minimum_lamports=minimum, rate_bps=rate, bond_lamports=fits(max(minimum, max_pay * rate // ONE)))


def penalty(bond_lamports, rate, delay):
    total = bond_lamports * rate // ONE
    poster = min(total, delay)
    return dict(bond_lamports=bond_lamports, rate_bps=rate, delay_fee_lamports=delay, poster_lamports=poster, sink_lamports=total - poster)


def decline(bond_lamports, rate, fee, execution, held):
    share = (bond_lamports * rate // ONE) * min(held, max(execution, 1)) // max(execution, 1)
    return dict(bond_lamports=bond_lamports, miss_rate_bps=rate, fee_lamports=fee, execution_s=execution, held_s=held,
                cost_lamports=min(max(share, fee), bond_lamports))


def window(base, gas_limit, rate):
    return dict(base_s=base, gas_limit=gas_limit, verify_rate_gas_per_s=rate, window_s=base + -(-gas_limit // max(rate, 1)))


FEES = dict(
    pay=[pay(0, 0, 0), pay(7, 0, 10**15), pay(0, 1, UNIT - 1), pay(0, 1, UNIT), pay(5, 3, UNIT // 3), pay(5, 3, UNIT // 3 + 1),
         pay(10**12, 10**15, 10**15), pay(0, 10**15, 10**15), pay(U64_MAX, 1, UNIT), pay(U64_MAX, 1, UNIT - 1),
         pay(0, U64_MAX, U64_MAX), pay(5000, 2_000_000_000, 123_456_789)],
    share=[share(0, 10_000), share(1, 9_999), share(1, 10_000), share(9_999, 1), share(10_000, 1), share(U64_MAX, 10_000),
           share(U64_MAX, 10_001), share(U64_MAX, 1), share(123_456_789, 250)],
    escrow=[escrow(0, 1, 0), escrow(10_000, 1, 1), escrow(9_999, 1, 1), escrow(9_999, 3, 1), escrow(1_000_000, 9, 1_000),
            escrow(U64_MAX, 1, 0), escrow(U64_MAX, 1, 1), escrow(U64_MAX // 9, 9, 0), escrow(U64_MAX // 9 + 1, 9, 0)],
    bond=[bond(0, 1, 10_000), bond(100, 1, 10_000), bond(100, 1, 15_000), bond(3, 1, 15_000), bond(100, 1_001, 100_000),
          bond(U64_MAX, 1, 10_000), bond(U64_MAX, 1, 10_001)],
    penalty=[penalty(0, 10_000, 5), penalty(100, 10_000, 5), penalty(100, 10_000, 100), penalty(100, 10_000, 101),
             penalty(100, 0, 5), penalty(9, 5_000, 0), penalty(9, 5_000, 4), penalty(U64_MAX, 10_000, 1)],
    decline=[decline(10**7, 5_000, 10**4, 100, held) for held in (0, 1, 2, 50, 99, 100, 101, U64_MAX)]
    + [decline(100, 10_000, 60, 3, held) for held in (0, 1, 2, 3)]
    + [decline(9, 5_000, 20, 10, 0), decline(0, 10_000, 5, 10, 5), decline(U64_MAX, 10_000, 0, 2**32 - 1, 2**32 - 2),
       decline(10, 10_000, 0, 0, 0), decline(10, 10_000, 0, 0, 1)],
    window=[window(0, 0, 1), window(10, 1, 10**9), window(10, 10**9, 10**9), window(10, 10**9 + 1, 10**9),
            window(2**32 - 1, 10**15, 1), window(1, 5, 0)],
)

# Statuses: for each kind of account its codes, its events in the crate's order, and what each event leads to from where. What
# is not listed is refused.
MACHINES = dict(
    job=(
        dict(Open=1, Assigned=2, Submitted=3, Resolved=4, Cancelled=5, Expired=6, Disputed=7, Revealing=8, Deadlocked=9),
        dict(
            SeatsFilled=dict(Open="Assigned"),
            Cancelled=dict(Open="Cancelled"),
            QueueTimedOut=dict(Open="Expired"),
            AuditUnderfilled=dict(Open="Assigned"),
            AuditUnfilled=dict(Open="Revealing"),
            ArbiterMissing=dict(Open="Deadlocked"),
            Declined=dict(Assigned="Open"),
            MissedRequeued=dict(Assigned="Open"),
            MissedLast=dict(Assigned="Expired"),
            Submitted=dict(Assigned="Submitted"),
            CommitsClosed=dict(Assigned="Revealing"),
            AuditDrawn=dict(Revealing="Open"),
            Agreed=dict(Assigned="Submitted", Revealing="Submitted"),
            DisagreedRequeued=dict(Assigned="Open", Revealing="Open"),
            DisagreedLast=dict(Assigned="Deadlocked", Revealing="Deadlocked"),
            Finalized=dict(Submitted="Resolved"),
            Disputed=dict(Submitted="Disputed", Deadlocked="Disputed"),
            NobodyAppealed=dict(Deadlocked="Expired"),
            Judged=dict(Disputed="Resolved"),
            Voided=dict(Disputed="Expired"),
        ),
    ),
    execution=(
        dict(Accepted=1, Submitted=2, Missed=3, Committed=4),
        dict(
            Submitted=dict(Accepted="Submitted"),
            Missed=dict(Accepted="Missed"),
            Committed=dict(Accepted="Committed"),
            Revealed=dict(Committed="Submitted"),
        ),
    ),
    dispute=(
        dict(Entry=1, Drawing=2, Voting=3, Tallied=4, Final=5),
        dict(
            DrawArmed=dict(Entry="Drawing", Tallied="Drawing"),
            VotingOpened=dict(Entry="Voting", Tallied="Voting", Drawing="Voting"),
            Tallied=dict(Voting="Tallied"),
            Settled=dict(Tallied="Final"),
        ),
    ),
    challenge=(dict(Entered=1, Revealed=2, Won=3), dict(Revealed=dict(Entered="Revealed"), Won=dict(Revealed="Won"))),
    vote=(dict(Committed=1, Revealed=2), dict(Revealed=dict(Committed="Revealed"))),
)
TERMINAL = ("Resolved", "Cancelled", "Expired")
STATUS = {
    name: dict(
        statuses=[dict(name=status, code=code) | (dict(terminal=status in TERMINAL) if name == "job" else {}) for status, code in codes.items()],
        transitions=[{"from": status, "event": event, "to": events[event].get(status)} for status in codes for event in events],
    )
    for name, (codes, events) in MACHINES.items()
}

# Terms: changes to the base, and the first bound they break (null: allowed).
BASE = dict(
    fee_bps=250, stake_min_lamports=10**9, bond_min_lamports=10**7, bond_rate_bps=15_000, miss_rate_bps=5_000,
    delay_fee_lamports=10**6, decline_fee_lamports=10**4, attempts_max=3, queue_timeout_s=600, execution_base_s=60,
    challenge_base_s=60, job_total_s=3_600, unbonding_s=86_400, verify_rate_gas_per_s=10**7, gas_limit_max=10**10, profiles=1,
    quorum_bps=6_667, executions_max=9, ticket_lamports=10**8, widen_s=10, reveal_s=60, jury_lambda=9, jury_quorum_bps=5_000,
    juror_bond_lamports=5 * 10**6, duty_rate_bps=500, audit_one_in_min=10, audit_one_in_max=50, jail_s=86_400,
)
WEEK, MONTH = 7 * 86_400, 30 * 86_400
# One run of the base takes 60 + 1,000 s, and so does its challenge window.
RUN = 60 + 10**10 // 10**7
LIFE = 600 + 2 * RUN


def known(execution=RUN, challenge=RUN, reveal=60):
    """Seconds from taking a seat to the last word about it: four rounds, three draws of 900 s."""
    return execution + reveal + challenge + 4 * 2 * (execution + reveal) + 3 * 900


# The longest run of which the last word is known within a month, with these windows and reveals of one second.
LONGEST = (MONTH - 1 - known(0, RUN, 1)) // 9


def terms(error, **changes):
    return dict(changes=changes, error=error)


TERMS = [
    terms(None),
    terms(None, fee_bps=0), terms(None, fee_bps=1_000), terms("Fee", fee_bps=1_001), terms("Fee", fee_bps=2**16 - 1),
    terms(None, stake_min_lamports=0), terms(None, stake_min_lamports=10**15),
    terms("Stake", stake_min_lamports=10**15 + 1), terms("Stake", stake_min_lamports=U64_MAX),
    # At 5,000 basis points a bond of 20,000 lamports loses exactly the decline fee of 10,000.
    terms("Bond", bond_min_lamports=0), terms("Bond", bond_min_lamports=19_999), terms(None, bond_min_lamports=20_000),
    terms("Bond", bond_min_lamports=20_000, miss_rate_bps=4_999), terms("Bond", bond_min_lamports=20_000, decline_fee_lamports=10_001),
    terms(None, bond_min_lamports=10**15), terms("Bond", bond_min_lamports=10**15 + 1), terms("Bond", bond_min_lamports=U64_MAX),
    terms(None, bond_rate_bps=10_000), terms("Bond", bond_rate_bps=9_999),
    terms(None, bond_rate_bps=100_000), terms("Bond", bond_rate_bps=100_001),
    terms(None, miss_rate_bps=10_000), terms("MissRate", miss_rate_bps=10_001),
    terms(None, miss_rate_bps=1_000), terms("MissRate", miss_rate_bps=999), terms("MissRate", miss_rate_bps=0),
    terms(None, delay_fee_lamports=10**8), terms("FixedFee", delay_fee_lamports=10**8 + 1),
    terms(None, delay_fee_lamports=0),
    terms(None, decline_fee_lamports=10**8, bond_min_lamports=2 * 10**8, juror_bond_lamports=10**8, ticket_lamports=2 * 10**8),
    terms(None, decline_fee_lamports=5_000), terms("FixedFee", decline_fee_lamports=4_999), terms("FixedFee", decline_fee_lamports=0),
    terms("FixedFee", decline_fee_lamports=10**8 + 1, bond_min_lamports=10**9),
    terms("Attempts", attempts_max=0), terms(None, attempts_max=1), terms(None, attempts_max=5), terms("Attempts", attempts_max=6),
    terms("Gas", verify_rate_gas_per_s=0), terms("Gas", verify_rate_gas_per_s=10**10 + 1), terms(None, verify_rate_gas_per_s=10**10),
    terms("Gas", gas_limit_max=0), terms("Gas", gas_limit_max=10**15 + 1), terms(None, gas_limit_max=1),
    terms(None, gas_limit_max=10**15, verify_rate_gas_per_s=10**10, job_total_s=MONTH, unbonding_s=MONTH),
    terms("Window", queue_timeout_s=0), terms(None, queue_timeout_s=WEEK, job_total_s=MONTH), terms("Window", queue_timeout_s=WEEK + 1, job_total_s=MONTH),
    terms("Window", execution_base_s=WEEK), terms("Window", challenge_base_s=2**32 - 1),
    terms("Unbonding", execution_base_s=WEEK - RUN + 60, unbonding_s=MONTH, job_total_s=MONTH),
    terms("Window", execution_base_s=WEEK - RUN + 61, unbonding_s=MONTH, job_total_s=MONTH),
    terms(None, execution_base_s=LONGEST - RUN + 60, reveal_s=1, unbonding_s=MONTH, job_total_s=MONTH),
    terms("Unbonding", execution_base_s=LONGEST - RUN + 61, reveal_s=1, unbonding_s=MONTH, job_total_s=MONTH),
    terms(None, challenge_base_s=WEEK - RUN + 60, unbonding_s=MONTH, job_total_s=MONTH),
    terms("Window", challenge_base_s=WEEK - RUN + 61, unbonding_s=MONTH, job_total_s=MONTH),
    terms(None, execution_base_s=0), terms(None, challenge_base_s=0),
    # The longest queue and challenge, and runs of two days.
    terms(None, queue_timeout_s=WEEK, execution_base_s=2 * 86_400 - RUN + 60, challenge_base_s=WEEK - RUN + 60, unbonding_s=MONTH,
          job_total_s=2 * WEEK + 2 * 86_400),
    terms("Window", queue_timeout_s=WEEK, execution_base_s=2 * 86_400 - RUN + 60, challenge_base_s=WEEK - RUN + 60, unbonding_s=MONTH,
          job_total_s=2 * WEEK + 2 * 86_400 - 1),
    terms(None, job_total_s=MONTH), terms("Window", job_total_s=MONTH + 1),
    terms("Window", job_total_s=0), terms("Window", job_total_s=LIFE - 1), terms(None, job_total_s=LIFE),
    terms(None, unbonding_s=MONTH), terms("Unbonding", unbonding_s=MONTH + 1),
    terms("Unbonding", unbonding_s=known()), terms(None, unbonding_s=known() + 1), terms("Unbonding", unbonding_s=0),
    terms("Unbonding", unbonding_s=known() + 9, reveal_s=61), terms(None, unbonding_s=known() + 10, reveal_s=61),
    terms("Profiles", profiles=0), terms("Profiles", profiles=2), terms("Profiles", profiles=3),
    terms("Profiles", profiles=1 + 2**31),
    terms("Window", verify_rate_gas_per_s=1),
    terms(None, quorum_bps=5_001), terms("Quorum", quorum_bps=5_000), terms(None, quorum_bps=10_000), terms("Quorum", quorum_bps=10_001),
    terms(None, executions_max=1), terms("Quorum", executions_max=0), terms("Quorum", executions_max=10),
    terms(None, ticket_lamports=10**6, juror_bond_lamports=5 * 10**5), terms("Ticket", ticket_lamports=10**6 - 1, juror_bond_lamports=10**4),
    terms(None, ticket_lamports=10**15), terms("Ticket", ticket_lamports=10**15 + 1), terms("Ticket", ticket_lamports=0),
    terms("Window", widen_s=0), terms(None, widen_s=1), terms(None, widen_s=600), terms("Window", widen_s=601),
    terms("Window", reveal_s=0), terms(None, reveal_s=1), terms("Window", reveal_s=WEEK + 1), terms("Unbonding", reveal_s=WEEK),
    terms("Jury", jury_lambda=8), terms(None, jury_lambda=16), terms("Jury", jury_lambda=17),
    terms("Jury", jury_quorum_bps=3_333), terms(None, jury_quorum_bps=3_334), terms(None, jury_quorum_bps=6_667), terms("Jury", jury_quorum_bps=6_668),
    terms("Jury", juror_bond_lamports=9_999), terms(None, juror_bond_lamports=10**4), terms(None, juror_bond_lamports=5 * 10**7),
    terms("Jury", juror_bond_lamports=5 * 10**7 + 1), terms("Jury", juror_bond_lamports=0),
    terms("Jury", duty_rate_bps=99), terms(None, duty_rate_bps=100), terms(None, duty_rate_bps=5_000), terms("Jury", duty_rate_bps=5_001),
    terms(None, audit_one_in_min=0, audit_one_in_max=0), terms("Audit", audit_one_in_min=0), terms("Audit", audit_one_in_max=0),
    terms(None, audit_one_in_min=2, audit_one_in_max=2), terms("Audit", audit_one_in_min=1), terms("Audit", audit_one_in_min=51),
    terms(None, audit_one_in_min=100, audit_one_in_max=100), terms("Audit", audit_one_in_max=101),
    terms("Jail", jail_s=0), terms(None, jail_s=1), terms(None, jail_s=WEEK), terms("Jail", jail_s=WEEK + 1),
]

# Receipts. The signature is RFC 8032's, from its own text.
P25519 = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D25519 = -121665 * pow(121666, -1, P25519) % P25519
BASE_Y = 4 * pow(5, -1, P25519) % P25519


def base_point():
    square = (BASE_Y * BASE_Y - 1) * pow(D25519 * BASE_Y * BASE_Y + 1, -1, P25519) % P25519
    x = pow(square, (P25519 + 3) // 8, P25519)
    if x * x % P25519 != square:
        x = x * pow(2, (P25519 - 1) // 4, P25519) % P25519
    return (P25519 - x if x & 1 else x, BASE_Y)


def plus(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D25519 * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P25519)
    return (x % P25519, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P25519) % P25519)


def times(n, point):
    sum_ = (0, 1)
    while n:
        if n & 1:
            sum_ = plus(sum_, point)
        point, n = plus(point, point), n >> 1
    return sum_


def compressed(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def signer(seed):
    """The public key of a seed, and what signs with it."""
    h = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(h[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    public = compressed(times(scalar, base_point()))

    def sign(message):
        r = int.from_bytes(hashlib.sha512(h[32:] + message).digest(), "little") % ORDER
        big_r = compressed(times(r, base_point()))
        k = int.from_bytes(hashlib.sha512(big_r + public + message).digest(), "little") % ORDER
        return big_r + ((r + k * scalar) % ORDER).to_bytes(32, "little")

    return public, sign


def strings(tag, items):
    digest = tagged(tag)
    for item in items:
        data = item.encode()
        digest = tagged(tag, digest, struct.pack("<Q", len(data)), data)
    return digest


SEED = key(20)
PROVIDER, SIGN = signer(SEED)
POSTING = dict(program=key(2).hex(), cluster=key(3).hex(), job=key(4).hex(), created_slot=256)


def base58(data):
    letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = letters[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def cid(digest):
    """CIDv1, dag-pb, sha2-256, in lower-case base32."""
    return "b" + base64.b32encode(bytes([1, 0x70, 0x12, 32]) + digest).decode().rstrip("=").lower()


def receipt_file(row, engine):
    """`receipt.json`: integers of 64 bits are strings, smaller ones numbers."""
    posting, task, outcome, run, signed = (row[n] for n in ("posting", "task", "outcome", "run", "signature"))
    some = lambda text: None if text == bytes(32).hex() else text
    address = lambda text: base58(bytes.fromhex(text))
    job = posting and dict(
        address=address(posting["job"]), uid=row["job_uid"], program=address(posting["program"]),
        cluster=posting["cluster"], created_slot=str(posting["created_slot"]),
    )
    return dict(
        receipt_version=1,
        job=job,
        task=dict(
            digest=task["digest"], profile=task["profile"], job_cid=cid(bytes.fromhex(task["job_cid_digest"])),
            metered_hash=some(task["metered_hash"]), limits={name: str(value) for name, value in task["limits"].items()},
            seed=str(task["seed"]), clock_unix_ns=str(task["clock_unix_ns"]),
        ),
        outcome=dict(
            kind=outcome["kind"], detail=outcome["detail"], exit_code=outcome["exit_code"], gas_used=str(outcome["gas_used"]),
            result_cid=some(outcome["result_cid_digest"]) and cid(bytes.fromhex(outcome["result_cid_digest"])),
            state_root=some(outcome["state_root"]),
        ),
        run=run and dict(
            module_hash=run["module_hash"], metered_hash=run["metered_hash"], args=row["args"], env=row["env"],
            stack_peak_bytes=str(run["stack_peak_bytes"]), memory_peak_bytes=str(run["memory_peak_bytes"]),
            stdout_hash=run["stdout_hash"], stderr_hash=run["stderr_hash"],
        ),
        provider_key=row["provider_key"] and address(row["provider_key"]),
        signature=signed and address(signed),
        informative=engine and dict(engine=engine[0], engine_version=engine[1]),
    )


def receipt(
    task=TASKS[0], outcome=OUTCOMES[0], posting=None, args=(), env=None, stack=0, memory=0, signed=False, metered=key(11),
    stdout=key(13), stderr=key(14), engine=None,
):
    env = dict(sorted((env or {}).items(), key=lambda pair: pair[0].encode()))
    ran = outcome["kind"] != "Invalid"
    run = dict(
        module_hash=key(12).hex(),
        metered_hash=metered.hex(),
        args_hash=strings("assay:args:v1", args).hex(),
        env_hash=strings("assay:env:v1", [text for pair in env.items() for text in pair]).hex(),
        stack_peak_bytes=stack,
        memory_peak_bytes=memory,
        stdout_hash=stdout.hex(),
        stderr_hash=stderr.hex(),
    )
    hashes = [bytes.fromhex(run[name]) for name in ("module_hash", "metered_hash", "args_hash", "env_hash")]
    hashes = b"".join(hashes) + struct.pack("<2Q", stack, memory) + stdout + stderr
    where = bytes(104)
    if posting:
        where = b"".join(bytes.fromhex(posting[n]) for n in ("program", "cluster", "job")) + struct.pack("<Q", posting["created_slot"])
    encoded = where + bytes.fromhex(task["encoding"]) + bytes.fromhex(outcome["encoding"]) + (hashes if ran else bytes(208))
    encoded += PROVIDER if signed else bytes(32)
    row = dict(
        posting=posting,
        job_uid=job_uid(key(2), key(3), key(4), 256, bytes.fromhex(task["digest"]))["uid"] if posting else None,
        task=task,
        outcome=outcome,
        run=run if ran else None,
        args=list(args),
        env=env,
        provider_key=PROVIDER.hex() if signed else None,
        signature=SIGN(b"assay:receipt:v1" + encoded).hex() if signed else None,
        key_seed=SEED.hex() if signed else None,
        encoding=encoded.hex(),
        hash=tagged("assay:receipt:v1", encoded).hex(),
    )
    return row | dict(file=receipt_file(row, engine))


# Gas limits of 10^6, as the outcomes above have them.
SMALL, UNSTATED = task(gas_limit=GAS_LIMIT), task(gas_limit=GAS_LIMIT, metered=bytes(32))
MUTE = task(gas_limit=GAS_LIMIT, stdio_bytes=0)
EMPTY = hashlib.sha256().digest()
BY_KIND = {row["kind"]: row for row in OUTCOMES}
CUT = {row["detail"]: row for row in OUTCOMES if row["kind"] == "Exited"}
INVALID = {row["detail"]: row for row in OUTCOMES if row["kind"] == "Invalid"}
METERED_HASH_MISMATCH = 11
RECEIPTS = [
    receipt(task=SMALL),
    receipt(task=SMALL, posting=POSTING),
    receipt(task=SMALL, posting=POSTING, signed=True, engine=("wasmi", "2.0.0")),
    receipt(task=UNSTATED, metered=key(15), stack=48, memory=65536),
    receipt(task=SMALL, args=[""]),
    receipt(task=SMALL, args=["", ""]),
    receipt(task=SMALL, args=["ab", "c"], env={"B": "2", "A": "1", "é": ""}, signed=True),
    receipt(task=SMALL, args=["a", "bc"], env={"A": "1B", "2": ""}),
    receipt(task=task(gas_limit=GAS_LIMIT, seed=U64_MAX, clock=U64_MAX), posting=POSTING, signed=True),
    receipt(task=SMALL, outcome=BY_KIND["Trapped"], stack=1 << 20, memory=64 << 20, posting=POSTING, signed=True),
    receipt(task=task(gas_limit=GAS_LIMIT, memory_bytes=1 << 30), outcome=BY_KIND["OutOfGas"], memory=1 << 30),
    receipt(task=SMALL, outcome=BY_KIND["OutputTooLarge"]),
    receipt(task=SMALL, outcome=CUT[2], stdout=EMPTY),
    receipt(task=MUTE, outcome=CUT[3], stdout=EMPTY, stderr=EMPTY),
    receipt(task=SMALL, outcome=BY_KIND["Invalid"], posting=POSTING, signed=True),
    receipt(task=UNSTATED, outcome=INVALID[1]),
    receipt(task=SMALL, outcome=INVALID[METERED_HASH_MISMATCH], posting=POSTING),
]


def unlike(error, why, **changes):
    base = receipt(task=SMALL, posting=POSTING, signed=True)
    names = ("posting", "task", "outcome", "run", "args", "env", "provider_key")
    return dict(why=why, error=error, receipt={**{name: base[name] for name in names}, **changes})


def unlike_run(error, why, task=SMALL, outcome=OUTCOMES[0], **changes):
    return unlike(error, why, task=task, outcome=outcome, run={**RECEIPTS[0]["run"], **changes})


NOT_RECEIPTS = [
    unlike("Limits", "no gas", task=task(gas_limit=0)),
    unlike("Limits", "memory that is no whole number of pages", task=task(gas_limit=GAS_LIMIT, memory_bytes=65537)),
    unlike("Outcome(Gas)", "more gas than the limit", outcome=outcome("Exited", gas=GAS_LIMIT + 1)),
    unlike("Outcome(Gas)", "out of gas with gas left", outcome=outcome("OutOfGas", gas=GAS_LIMIT - 1)),
    unlike("Outcome(Detail)", "a trap that is none", outcome=outcome("Trapped", detail=TRAPS + 1)),
    unlike("Outcome(NotZero)", "a trap with an exit code", outcome=outcome("Trapped", detail=1, exit_code=1)),
    unlike("Outcome(Zero)", "no result", outcome=outcome("Exited", cid=bytes(32))),
    unlike("Posting", "no program", posting={**POSTING, "program": bytes(32).hex()}),
    unlike("Posting", "no cluster", posting={**POSTING, "cluster": bytes(32).hex()}),
    unlike("Posting", "no job", posting={**POSTING, "job": bytes(32).hex()}),
    unlike("Unpromised", "a job that promises no module", task=UNSTATED),
    unlike("Unpromised", "an Invalid job that promises no module", task=UNSTATED, outcome=INVALID[1], run=None),
    unlike("Mismatch", "another module than nobody promised", posting=None, task=UNSTATED, outcome=INVALID[METERED_HASH_MISMATCH], run=None),
    unlike("Run", "an exit that measured nothing", run=None),
    unlike("Run", "an Invalid task that ran", outcome=BY_KIND["Invalid"]),
    unlike_run("MeteredHash", "another program", metered_hash=key(15).hex()),
    unlike("Zero", "no program", posting=None, task=UNSTATED, run={**RECEIPTS[0]["run"], "metered_hash": bytes(32).hex()}),
    *[
        unlike_run("Zero", f"no {name}", **{name: bytes(32).hex()})
        for name in ("module_hash", "metered_hash", "args_hash", "env_hash", "stdout_hash", "stderr_hash")
    ],
    unlike_run("StackPeak", "more stack than the limit", stack_peak_bytes=(1 << 20) + 8),
    unlike_run("MemoryPeak", "more memory than the limit", memory_peak_bytes=(64 << 20) + 65536),
    unlike_run("MemoryPeak", "memory that is no whole number of pages", memory_peak_bytes=65537),
    unlike_run("Stdio", "nothing that was cut", outcome=CUT[1], stdout_hash=EMPTY.hex()),
    unlike_run("Stdio", "nothing on stderr that was cut", outcome=CUT[2], stderr_hash=EMPTY.hex()),
    unlike_run("Stdio", "more than none", task=MUTE, stdout_hash=EMPTY.hex()),
    unlike("ProviderKey", "no key", provider_key=bytes(32).hex()),
]

if __name__ == "__main__":
    write("tasks", "TaskSpec: encoding, digest and bounds of the limits", tasks=TASKS, bounds=BOUNDS)
    write("ids", "Domain-separated ids", clusters=CLUSTERS, job_uids=JOB_UIDS, commitments=COMMITMENTS, challenges=CHALLENGES, votes=VOTES)
    write("outcomes", "Outcome: encoding and hash; bytes that are refused", outcomes=OUTCOMES, refused=REFUSED, ballots=BALLOTS)
    write("fees", "Pay, shares, escrow, bond, penalty, windows; null is an overflow", **FEES)
    write("statuses", "Codes and every transition; null is refused", **STATUS)
    write("terms", "Bounds of a market's terms", base=BASE, checks=TERMS)
    write("receipts", "Receipt: encoding, hash, signature and file; what is none", receipts=RECEIPTS, refused=NOT_RECEIPTS)
    write("draws", "Seed slots in lists of recent slots, seeds, and what recording does", **draws.DRAWS)
    write("tickets", "Tickets of a stake, thresholds, and which tickets win", **draws.TICKETS)
    write("tallies", "Voices counted, agreement of seats, rounds of juries", tallies=draws.TALLIES, seats=draws.SEATS, agreed=draws.AGREED, **draws.ROUNDS)
    write("trust", "Scores, what settling records, audits, locks, duty", **trust.TRUST)
    write("pots", "Bonds of appeals, what is kept of challengers, and what disputes divide; null is an overflow", **trust.POT)
