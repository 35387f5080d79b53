"""Vectors of draws, tickets, tallies, seats and rounds; by linear search, fractions and dictionaries, unlike the crate."""

import itertools
import struct
from fractions import Fraction
from math import floor

from vectors import ONE, U64_MAX, key, tagged, ticket

# Draws. A list of recent slots is given as ranges, newest first; the hash of a slot is its number four times.
DELAY, REARMS, FULL = 4, 3, 512
PURPOSES = dict(Seats=1, Audit=2, Jury=3)


def slot_hash(slot):
    return struct.pack("<Q", slot) * 4


def look_up(ranges, seed_slot):
    slots = [slot for newest, oldest in ranges for slot in range(newest, oldest - 1, -1)]
    later = [slot for slot in slots if slot >= seed_slot]
    if not later:
        return dict(result="NotReady", slot=None)
    first = min(later)
    certain = first == seed_slot or any(slot < seed_slot for slot in slots) or len(slots) < FULL
    return dict(result="Found" if certain else "Expired", slot=first if certain else None)


def lookup(ranges, seed_slot):
    return dict(slots=ranges, seed_slot=seed_slot, **look_up(ranges, seed_slot))


LISTS = [
    [],
    [[7, 7]],
    [[100, 50]],
    # Skipped slots: alone, in a row, around both ends.
    [[100, 91], [89, 80], [70, 70], [60, 51]],
    [[1000, 490]],  # 511 entries
    [[1000, 489]],  # 512 entries
    [[2000, 1501], [1488, 1477]],  # 512 entries with a gap
    [[3000, 3000], [2900, 2390]],  # 512 entries, the newest alone
    [[U64_MAX, U64_MAX - 511]],
]
LOOKUPS = []
for ranges in LISTS:
    edges = {slot + step for pair in ranges for slot in pair for step in (-1, 0, 1)} | {0, 5, U64_MAX}
    LOOKUPS += [lookup(ranges, slot) for slot in sorted(edges) if 0 <= slot <= U64_MAX]


def seed_of(slot, uid, purpose, round_):
    return tagged("assay:seed:v1", slot_hash(slot), uid, bytes([PURPOSES[purpose], round_]))


SEEDS = [
    dict(slot=slot, job_uid=uid.hex(), purpose=purpose, round=round_, seed=seed_of(slot, uid, purpose, round_).hex())
    for slot, uid, purpose, round_ in [
        (0, bytes(32), "Seats", 0), (1, key(6), "Seats", 0), (1, key(6), "Seats", 1), (1, key(6), "Audit", 0),
        (1, key(6), "Jury", 0), (1, key(6), "Jury", 3), (2**40, key(7), "Jury", 255), (U64_MAX, key(6), "Seats", 8),
    ]
]


def record(purpose, *attempts, uid=key(6), round_=2, armed=(1000, 5_000)):
    """What each attempt leaves. An attempt: what the list says (a slot, "NotReady" or "Expired"), the slot and the time."""
    draw = dict(seed_slot=armed[0] + DELAY, fixed_unix=armed[1], seed=bytes(32).hex(), rearmed=0, state="Armed")
    steps = []
    for said, slot, unix in attempts:
        step = None
        if draw["state"] in ("Recorded", "Everybody"):
            step = "Unchanged"
        elif said == "NotReady":
            step = "SeedNotReady"
        elif said != "Expired":
            step = "Recorded"
            draw |= dict(state=step, seed=seed_of(said, uid, purpose, round_).hex())
        elif purpose == "Audit" or draw["rearmed"] == REARMS:
            step = "Everybody"
            draw |= dict(state=step)
        else:
            step = "Rearmed"
            draw |= dict(seed_slot=slot + DELAY, fixed_unix=unix, rearmed=draw["rearmed"] + 1)
        steps.append(dict(found=said if isinstance(said, int) else None, says=None if isinstance(said, int) else said,
                          slot=slot, unix=unix, step=step, after=dict(draw)))
    return dict(purpose=purpose, job_uid=uid.hex(), round=round_, armed_slot=armed[0], armed_unix=armed[1], steps=steps)


RECORDS = [
    record("Seats", (1004, 1005, 5_002), ("Expired", 2000, 6_000), (1009, 1010, 5_004)),
    record("Jury", ("NotReady", 1003, 5_001), ("NotReady", 1004, 5_001), (1006, 1007, 5_003)),
    record("Seats", ("Expired", 2000, 6_000), ("NotReady", 2001, 6_001), (2004, 2005, 6_002)),
    *[record(purpose, *[("Expired", 1000 + 600 * n, 5_000 + 240 * n) for n in range(1, 7)]) for purpose in PURPOSES],
    record("Jury", *[("Expired", 1000 + 600 * n, 5_000 + 240 * n) for n in range(1, 4)], (2_804, 2_805, 6_000)),
    record("Audit", (1004, 1005, 5_002), ("Expired", 2000, 6_000)),
    record("Seats", ("Expired", U64_MAX, -1), (U64_MAX, U64_MAX, 0), armed=(U64_MAX - 1, -5)),
]
for row in RECORDS:
    for step in row["steps"]:
        step["after"]["seed_slot"] = min(step["after"]["seed_slot"], U64_MAX)
DRAWS = dict(lookups=LOOKUPS, seeds=SEEDS, records=RECORDS)

# Tickets.
TICKETS_MAX, EVERYBODY = 2**20, U64_MAX


def count(stake, unit):
    return dict(stake_lamports=stake, unit_lamports=unit, tickets=min(stake // max(unit, 1), TICKETS_MAX))


def threshold_of(expected, total):
    return min(EVERYBODY, floor(Fraction(2**64 * expected, max(total, 1))))


def threshold(expected, total):
    return dict(expected=expected, total=total, threshold=threshold_of(expected, total))


def fill(now, wanted=3, total=1000, start=100, end=700, widen=10, everybody=False):
    waited = max(now - start, 0)
    if everybody or 2 * waited >= end - start:
        value = EVERYBODY
    else:
        value = min(EVERYBODY, threshold_of(2 * wanted, total) * 2 ** (waited // max(widen, 1)))
    return dict(wanted=wanted, tickets_total=total, fill_unix=start, queue_deadline_unix=end, widen_s=widen,
                is_everybody=everybody, now_unix=now, threshold=value)


def winners(seed, holder, tickets, level):
    wins = [index for index in range(tickets) if level == EVERYBODY or ticket(seed, holder, index) < level]
    return dict(seed=seed.hex(), holder=holder.hex(), tickets=tickets, threshold=level, winners=wins)


def single(index):
    """One ticket, with the least threshold that it wins."""
    return dict(seed=key(30).hex(), holder=key(31).hex(), index=index, least=ticket(key(30), key(31), index) + 1)


TICKETS = dict(
    counts=[count(0, 1), count(1, 1), count(99, 100), count(100, 100), count(199, 100), count(U64_MAX, 1), count(5, 0),
            count(TICKETS_MAX * 10**8 - 1, 10**8), count(TICKETS_MAX * 10**8, 10**8), count((TICKETS_MAX + 1) * 10**8, 10**8),
            count(U64_MAX, 10**15)],
    thresholds=[threshold(*pair) for pair in [
        (0, 0), (0, 5), (1, 0), (1, 1), (1, 2), (1, 3), (2, 3), (3, 3), (4, 3), (6, 1000), (9, 10**6), (144, 143), (144, 145),
        (U64_MAX - 1, U64_MAX), (1, U64_MAX), (U64_MAX, U64_MAX), (U64_MAX, 1), (2**63, U64_MAX)]],
    fills=[fill(now) for now in (0, 99, 100, 109, 110, 119, 120, 173, 174, 180, 399, 400, 401, 699, 700, 10**9)]
    + [fill(150, everybody=True), fill(100, total=6), fill(100, total=7), fill(110, total=7), fill(100, total=0),
       fill(100, wanted=9, total=10**15), fill(399, wanted=9, total=10**15), fill(399, wanted=1, total=10**18, widen=1),
       fill(250, widen=0), fill(100, end=100), fill(100, end=101), fill(50, end=50), fill(399, widen=300),
       fill(0, start=-(2**63), end=2**63 - 1), fill(170, wanted=1, total=2**10, widen=7), fill(163, wanted=1, total=2**10, widen=7)],
    # Sixty, since a list of 64 small numbers looks like a secret key to whoever scans for them.
    winners=[winners(key(30), key(31), 60, level) for level in (0, 2**60, 2**62, 2**63, EVERYBODY)]
    + [winners(key(30), key(32), 60, 2**62), winners(key(33), key(31), 60, 2**62), winners(key(30), key(31), 0, EVERYBODY)],
    singles=[single(index) for index in (0, 1, 255, 256, TICKETS_MAX - 1, 2**32 - 1)],
)

# Tallies.
ENTRIES = 9


def says(n):
    return bytes([n]) * 32


def written(voices):
    """`hash:weight:drawn` of each; all bytes of the hash are the number given."""
    return " ".join(f"{n}:{weight}:{int(drawn)}" for n, weight, drawn in voices)


def leader(entries, measure):
    """The one strictly ahead of all others."""
    best = max((entry[measure] for entry in entries.values()), default=None)
    ahead = [hash_ for hash_, entry in entries.items() if entry[measure] == best]
    return ahead[0] if len(ahead) == 1 else None


def tally(measure, *voices):
    """Voices are (what it says, weight, drawn). Places are numbered, so that bytes can be compared."""
    places, leads = {}, []
    for n, weight, drawn in voices:
        mine = [place for place, (hash_, _) in places.items() if hash_ == n]
        rest = weight
        if not mine and weight and len(places) == ENTRIES:
            taken = min(weight, *[entry["weight"] for _, entry in places.values()])
            rest -= taken
            for _, entry in places.values():
                entry["weight"] -= taken
            places = {place: (hash_, entry) for place, (hash_, entry) in places.items() if entry["weight"]}
        if rest:
            place = mine[0] if mine else min(set(range(ENTRIES)) - set(places))
            entry = places.setdefault(place, (n, dict(weight=0, count=0, drawn=0)))[1]
            entry |= dict(weight=min(entry["weight"] + rest, U64_MAX), count=min(entry["count"] + 1, 255),
                          drawn=min(entry["drawn"] + drawn, 255))
        entries = {hash_: entry for hash_, entry in places.values()}
        leads.append(bool(weight) and leader(entries, measure) == n)
    raw = b""
    for place in range(ENTRIES):
        hash_, entry = places.get(place, (0, dict(weight=0, count=0, drawn=0)))
        raw += says(hash_) + struct.pack("<QBB", entry["weight"], entry["count"], entry["drawn"])
    first = {by: leader({h: e for h, e in places.values()}, by) for by in ("count", "weight")}
    counts = [entry["count"] for _, entry in places.values()]
    return dict(
        measure=measure, voices=written(voices), leads="".join("01"[lead] for lead in leads),
        bytes=raw.hex(), leader_by_count=first["count"] and says(first["count"]).hex(),
        leader_by_weight=first["weight"] and says(first["weight"]).hex(), distinct=len(places), entropy_millibits=entropy(counts),
    )


LOG2 = [None, 0, 1000, 1585, 2000, 2322, 2585, 2807, 3000, 3170]


def entropy(counts):
    total = sum(counts)
    if not 1 <= total <= 9:
        return 0
    return floor(Fraction(total * LOG2[total] - sum(count * LOG2[count] for count in counts), total))


def noise(n, length, kinds, heaviest):
    """Voices without a pattern."""
    stream = b"".join(key(1000 * n + block) for block in range(length))
    chunks = [stream[32 * at : 32 * at + 32] for at in range(length)]
    return [(1 + chunk[0] % kinds, 1 + int.from_bytes(chunk[1:9], "little") % heaviest, chunk[9] & 1) for chunk in chunks]


SPLITS = [split for size in range(1, 10) for split in itertools.combinations_with_replacement(range(1, 10), size) if sum(split) <= 9]
TALLIES = [
    tally("count"),
    tally("count", (1, 5, 1)),
    tally("count", (1, 5, 1), (2, 9, 0)),
    tally("count", (1, 5, 1), (2, 9, 0), (2, 9, 1)),
    tally("weight", (1, 5, 1), (2, 9, 0), (1, 4, 0)),
    tally("weight", (1, 5, 1), (2, 9, 0), (1, 5, 0)),
    tally("count", (1, 0, 1), (1, 1, 0), (2, 0, 1)),
    tally("weight", (1, U64_MAX, 1), (1, U64_MAX, 1), (2, 1, 1)),
    tally("weight", *[(1, 1, 1)] * 256, (2, 3, 0)),
    # Full: the tenth takes from all, the least go, its rest stays or not.
    tally("weight", *[(n, n, 1) for n in range(1, 10)], (10, 1, 1)),
    tally("weight", *[(n, n, 1) for n in range(1, 10)], (10, 4, 1)),
    tally("weight", *[(n, 5, 1) for n in range(1, 10)], (10, 4, 1), (3, 9, 0)),
    tally("weight", *[(n, 5, 1) for n in range(1, 10)], (10, 5, 1), (11, 7, 0)),
    tally("weight", *[(n, 5, 1) for n in range(1, 10)], (10, 8, 1), (11, 7, 0)),
    # Garbage first, then eleven times the same of nineteen: more than 55 %.
    tally("weight", *[(n, 1, 0) for n in range(1, 9)], *[(50, 1, 1)] * 11),
    tally("weight", *[(50, 6, 1)] * 4, *[(n, 1, 0) for n in range(51, 70)]),
    *[tally(measure, *noise(n, 40, kinds, heaviest)) for n, (measure, kinds, heaviest) in enumerate([
        ("weight", 12, 9), ("weight", 30, 9), ("weight", 10, 10**15), ("count", 9, 5), ("weight", 200, 3), ("count", 12, 2)])],
    *[tally("count", *[(n + 1, 7, 1) for n, size in enumerate(split) for _ in range(size)]) for split in SPLITS],
]

# Seats and agreement.
MODES = dict(Optimistic=1, Redundant=2, Quorum=3, Adaptive=4)


def seats(mode, redundancy, most):
    top = 1 if mode == "Optimistic" else min(most, 2 * redundancy - 1)
    paid = {"Optimistic": 1, "Quorum": top}.get(mode, redundancy)
    return dict(mode=mode, redundancy=redundancy, executions_max=most, seats_max=top, seats_paid_max=paid)


def agreement(mode, count_, *voices, total=None, quorum=6_667):
    """Voices are (what it says, stake); seats that say nothing have a stake too."""
    total = sum(weight for _, weight in voices) if total is None else total
    of = {n: [weight for said, weight in voices if said == n] for n, _ in voices}
    if mode == "Quorum":
        right = [n for n, weights in of.items() if Fraction(sum(weights), max(total, 1)) >= Fraction(quorum, ONE)]
    else:
        right = [n for n, weights in of.items() if Fraction(len(weights), count_) > Fraction(1, 2)]
    assert len(right) <= 1
    return dict(mode=mode, seats=count_, weight_total=total, quorum_bps=quorum, agreed=says(right[0]).hex() if right else None,
                voices=written([(n, weight, True) for n, weight in voices]))


def rule(mode, *sizes, of, **changes):
    """So many seats said each thing, of so many in all."""
    return agreement(mode, of, *[(n + 1, 10) for n, size in enumerate(sizes) for _ in range(size)], **changes)


AGREED = [rule("Optimistic", 1, of=1), rule("Adaptive", 1, of=1), rule("Redundant", of=3)]
AGREED += [rule("Redundant", right, wrong, of=of) for of in range(2, 10) for right in range(1, of + 1) for wrong in (0, of - right)]
AGREED += [rule("Adaptive", 2, 1, of=3), rule("Adaptive", 1, 1, 1, of=3)]
AGREED += [
    agreement("Quorum", 3, (1, 6_667), total=ONE), agreement("Quorum", 3, (1, 6_666), total=ONE),
    agreement("Quorum", 3, (1, 3_000), (2, 3_333), (1, 3_667)), agreement("Quorum", 3, (1, 3_000), (2, 3_334), (1, 3_666)),
    agreement("Quorum", 2, (1, 1), total=1, quorum=ONE), agreement("Quorum", 2, (1, 1), total=2, quorum=ONE),
    agreement("Quorum", 2, (1, U64_MAX), total=U64_MAX, quorum=ONE), agreement("Quorum", 2, (1, 5_001), (2, 4_999), quorum=5_001),
    agreement("Quorum", 9, (1, 5_000), (2, 5_000), quorum=5_001),
]

# Rounds of a jury. A total of None: everybody is expected.
LAST = 3


def expected(lam, round_, total):
    size = lam * 4**round_
    return {"lambda": lam, "round": round_, "total": total, "tickets": None if round_ >= LAST or size >= total else size}


def verdict(expected_, quorum, *voices):
    """Voices are (what it says, tickets); 0 says Unavailable."""
    revealed = sum(weight for _, weight in voices)
    said = {}
    for n, weight in voices:
        said[n] = said.get(n, 0) + weight
    most = max(said.items(), key=lambda pair: pair[1], default=None)
    result = "None"
    if expected_ and Fraction(revealed, expected_) >= Fraction(quorum, ONE) and most and 2 * most[1] > revealed:
        result = "Outcome" if most[0] else "Unavailable"
    voices = written([(n, weight, False) for n, weight in voices])
    return dict(expected=expected_, revealed=revealed, quorum_bps=quorum, voices=voices, verdict=result)


ROUNDS = dict(
    expected=[expected(lam, round_, total) for lam in (9, 16) for round_ in (0, 1, 2, 3, 4, 255) for total in (0, lam, lam + 1, 37, 145, 257, 10**9, U64_MAX)],
    verdicts=[
        verdict(9, 5_000), verdict(0, 5_000), verdict(0, 5_000, (1, 5)), verdict(9, 5_000, (1, 4)), verdict(9, 5_000, (1, 5)),
        verdict(10, 5_000, (1, 5)), verdict(9, 5_000, (1, 3), (2, 3)), verdict(9, 5_000, (1, 3), (2, 2)), verdict(9, 5_000, (0, 3), (2, 2)),
        verdict(9, 5_000, (0, 2), (2, 2), (3, 1)), verdict(9, 5_000, (0, 9)), verdict(36, 6_667, (1, 20), (2, 4)),
        verdict(36, 6_667, (1, 20), (2, 5)), verdict(9, 3_334, (1, 3)), verdict(9, 3_334, (1, 4)), verdict(9, 3_334, (1, 64), (0, 64)),
        verdict(9, 3_334, (1, 65), (0, 64)), verdict(U64_MAX, 6_667, (1, U64_MAX)),
    ],
)
SEATS = [seats(mode, n, most) for mode in MODES for n in ((1,) if mode == "Optimistic" else range(2, 10)) for most in {max(n, 2), 9}]
