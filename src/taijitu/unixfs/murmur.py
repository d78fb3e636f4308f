"""The hash by which names are spread over the shards of a directory: murmur3, x64, first 64 bits.

Law: the same bytes as every other UnixFS implementation makes. It is no cryptographic hash:
whoever wants to can find names that collide.
"""

from typing import Final

HASH_SIZE: Final = 8
"""Bytes."""

_MASK: Final = 2**64 - 1
_C1: Final = 0x87C37B91114253D5
_C2: Final = 0x4CF5AD432745937F
_MIX_1: Final = 0xFF51AFD7ED558CCD
_MIX_2: Final = 0xC4CEB9FE1A85EC53


def murmur3_64(data: bytes) -> bytes:
    """The first half of the 128-bit hash, seed 0, most significant byte first."""
    h1 = h2 = 0
    size = len(data)
    whole = size & ~15
    for at in range(0, whole, 16):
        h1 ^= _first(int.from_bytes(data[at : at + 8], "little"))
        h1 = (h1 << 27 | h1 >> 37) & _MASK
        h1 = ((h1 + h2) * 5 + 0x52DCE729) & _MASK
        h2 ^= _second(int.from_bytes(data[at + 8 : at + 16], "little"))
        h2 = (h2 << 31 | h2 >> 33) & _MASK
        h2 = ((h2 + h1) * 5 + 0x38495AB5) & _MASK
    h2 ^= _second(int.from_bytes(data[whole + 8 :], "little"))
    h1 ^= _first(int.from_bytes(data[whole : whole + 8], "little"))
    h1 ^= size
    h2 ^= size
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    return ((_mixed(h1) + _mixed(h2)) & _MASK).to_bytes(HASH_SIZE, "big")


def _first(lane: int) -> int:
    lane = lane * _C1 & _MASK
    return (lane << 31 | lane >> 33) * _C2 & _MASK


def _second(lane: int) -> int:
    lane = lane * _C2 & _MASK
    return (lane << 33 | lane >> 31) * _C1 & _MASK


def _mixed(lane: int) -> int:
    lane = (lane ^ lane >> 33) * _MIX_1 & _MASK
    lane = (lane ^ lane >> 33) * _MIX_2 & _MASK
    return lane ^ lane >> 33
