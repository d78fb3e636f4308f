"""The way of a name through the shards of a directory: which slot it takes at each depth.

Law: the slots are consecutive bits of the name's hash, the first ones first. When a hash is used
up, the name with a number behind it has another one; so the way has no end, and is cut at a depth.
"""

from typing import Final

from taijitu.unixfs.failures import OverLimit
from taijitu.unixfs.murmur import HASH_SIZE, murmur3_64

HASH_TYPE: Final = 0x22
"""The multihash code of murmur3."""
FANOUT_MIN: Final = 8
FANOUT_MAX: Final = 1024
"""Slots of one shard. The specification sets both."""
SHARD_DEPTH_MAX: Final = 32
"""Shards above each other. Names that collide by chance need four."""

_HASH_BITS: Final = 8 * HASH_SIZE


class Way:
    """The slots of one name, in shards with `fanout` slots each."""

    __slots__ = ("_bits", "_hash", "_known", "_name")

    def __init__(self, name: bytes, fanout: int) -> None:
        self._name = name
        self._bits = bits_of(fanout)
        self._hash = int.from_bytes(murmur3_64(name), "big")
        self._known = _HASH_BITS

    def slot(self, depth: int) -> int:
        """The slot at `depth`, counted from 0, the root. Raises `OverLimit`."""
        if depth >= SHARD_DEPTH_MAX:
            raise OverLimit(f"more than {SHARD_DEPTH_MAX} shards of a directory above each other")
        end = (depth + 1) * self._bits
        while end > self._known:
            frame = murmur3_64(self._name + bytes((self._known // _HASH_BITS,)))
            self._hash = self._hash << _HASH_BITS | int.from_bytes(frame, "big")
            self._known += _HASH_BITS
        return self._hash >> self._known - end & (1 << self._bits) - 1


def bits_of(fanout: int) -> int:
    """Bits that tell one slot of `fanout` from the others."""
    return fanout.bit_length() - 1


def width_of(fanout: int) -> int:
    """Characters before a name in a shard: the slot in hexadecimal."""
    return len(f"{fanout - 1:X}")
