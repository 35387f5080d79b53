"""What the scripts beside it share: preimages, recognisable values, and how a file of vectors is written."""

import hashlib
import json
import pathlib

HERE = pathlib.Path(__file__).parent
U64_MAX = 2**64 - 1
# One whole, in basis points.
ONE = 10_000


def tagged(tag, *parts):
    return hashlib.sha256(tag.encode().ljust(16, b"\0") + b"".join(parts)).digest()


def ticket(seed, holder, index):
    """Where one ticket falls in a draw: below the threshold it wins. Four share a hash."""
    quartet, place = divmod(index, 4)
    hashed = hashlib.sha256(tagged("assay:ticket:v1", seed, holder) + quartet.to_bytes(4, "little")).digest()
    return int.from_bytes(hashed[8 * place:8 * place + 8], "little")


def key(n):
    """A recognisable 32-byte value."""
    return hashlib.sha256(b"golden %d" % n).digest()


def write(name, about, **groups):
    with open(HERE / f"{name}.json", "w", encoding="ascii") as file:
        json.dump({"about": about, **groups}, file, indent=1)
        file.write("\n")
