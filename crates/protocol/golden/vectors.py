"""What the scripts beside it share: preimages, recognisable values, and how a file of vectors is written."""

import hashlib
import itertools
import json
import pathlib

HERE = pathlib.Path(__file__).parent
U64_MAX = 2**64 - 1
# One whole, in basis points.
ONE = 10_000


def tagged(tag, *parts):
    return hashlib.sha256(tag.encode().ljust(16, b"\0") + b"".join(parts)).digest()


def split_mix(state):
    """The numbers of SplitMix64 from this state on."""
    while True:
        state = state + 0x9E3779B97F4A7C15 & U64_MAX
        mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & U64_MAX
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & U64_MAX
        yield mixed ^ mixed >> 31


# What Vigna's splitmix64.c gives from this state.
assert list(itertools.islice(split_mix(1234567), 3)) == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def ticket(seed, holder, index):
    """Where one ticket falls in a draw: below the threshold it wins."""
    shared = int.from_bytes(tagged("assay:ticket:v1", seed, holder)[:8], "little")
    # Each number is a step from the one before.
    return next(split_mix(shared + index * 0x9E3779B97F4A7C15 & U64_MAX))


def key(n):
    """A recognisable 32-byte value."""
    return hashlib.sha256(b"golden %d" % n).digest()


def write(name, about, **groups):
    with open(HERE / f"{name}.json", "w", encoding="ascii") as file:
        json.dump({"about": about, **groups}, file, indent=1)
        file.write("\n")
