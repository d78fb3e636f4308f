"""Holding slices against the bytes that they name: pure, fed with bytes as they come.

Slices that overlap are read apart, each with those that follow it, so that whatever an index says
no byte is looked at more often than it is named.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b, sha3_256, sha3_512, sha256, sha512
from typing import Any, Final

from taijitu.ipld.cid import link_with
from taijitu.wire.sharded_index import Slice

GAP_MAX: Final = 256 * 1024
"""Bytes between two slices that are read over; where more lie between them reading begins anew."""

HASHES: Final[dict[int, Callable[[], Any]]] = {
    0x12: sha256,
    0x13: sha512,
    0x14: sha3_512,
    0x16: sha3_256,
    0xB220: lambda: blake2b(digest_size=32),
}
"""Hash functions by their code in a multihash. What another one names cannot be checked."""


class Mismatch(Exception):
    """The bytes at a slice are not those that it names."""

    def __init__(self, wrong: Slice) -> None:
        super().__init__(wrong)
        self.wrong = wrong


def can_be_checked(multihash: bytes) -> bool:
    return link_with(multihash).hash_code in HASHES


def runs(slices: Iterable[Slice]) -> list[list[Slice]]:
    """The same slices (none of them empty) in as few rows as may be: in each they follow one
    another without overlap, and not far apart."""
    rows: list[list[Slice]] = []
    ends: list[tuple[int, int]] = []
    """Where the rows that may go on end, and which they are."""
    for each in sorted(slices, key=lambda each: each[1:]):
        end = each.offset + each.length
        while ends and ends[0][0] < each.offset - GAP_MAX:
            heapq.heappop(ends)
        if ends and ends[0][0] <= each.offset:
            row = ends[0][1]
            heapq.heapreplace(ends, (end, row))
        else:
            row = len(rows)
            rows.append([])
            heapq.heappush(ends, (end, row))
        rows[row].append(each)
    return rows


class Check:
    """One row of slices against the bytes from its first offset on."""

    def __init__(self, row: Sequence[Slice]) -> None:
        self.row = row
        self.passed = 0
        """How many are known to be right."""
        self.start = self.position = row[0].offset
        self.length = row[-1].offset + row[-1].length - self.start
        self.hash: Any = None
        """Of the bytes of the slice that has begun to come."""

    @property
    def is_over(self) -> bool:
        return self.passed == len(self.row)

    def feed(self, chunk: bytes) -> Sequence[Slice]:
        """More bytes. Answers those slices that they complete. Raises `Mismatch`."""
        before, came, view = self.passed, self.position, memoryview(chunk)
        self.position = came + len(chunk)
        while self.passed < len(self.row):
            each = self.row[self.passed]
            end = each.offset + each.length
            if each.offset >= self.position:
                break
            if self.hash is None:
                self.hash = hash_for(each)
            self.hash.update(view[max(each.offset - came, 0) : end - came])
            if end > self.position:
                break
            judge(each, self.hash)
            self.passed += 1
            self.hash = None
        return self.row[before : self.passed]


def check_empty(each: Slice) -> None:
    """A slice of no bytes. Raises `Mismatch`."""
    judge(each, hash_for(each))


def hash_for(each: Slice) -> Any:
    return HASHES[link_with(each.multihash).hash_code]()


def judge(each: Slice, made: Any) -> None:
    if link_with(each.multihash).digest != made.digest():
        raise Mismatch(each)
