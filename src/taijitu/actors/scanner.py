"""The scanner: settles `contents/scan`. It reads a CAR and writes down where its blocks lie.

Law: a slice is written down only after its bytes were hashed, and before any cell hears of it or in
the same commit. So a crash in between leaves facts that stay true; looking again finds the same
ones.

A small CAR is looked through within the transaction that asks. A long one takes many short tries,
so that others have their turn: each ends at a block, and the next one begins there.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Final

import msgspec

from taijitu.actors.facts import Note, is_held
from taijitu.actors.sections import NoCar, Sections
from taijitu.buckets.port import READ_CHUNK, Bucket, Missing
from taijitu.engine.actor import Assignment, Finding, View
from taijitu.engine.storage import SliceRow
from taijitu.ipld import multibase
from taijitu.kernel.effect import Task
from taijitu.kernel.failures import Bug, Fault
from taijitu.kernel.receipt import Ok, Receipt, failure
from taijitu.machines.contents import Reading, Scan, Tally, contents_at
from taijitu.wire.sharded_index import Slice

SCANNED_AT_ONCE: Final = 2
"""CARs that are read at the same time. The others wait in the lane, the first that came first."""

TRY_SECONDS_MAX: Final = 1
"""How long one try may read."""

WRITTEN_AT_ONCE: Final = 2_000
"""Slices in one commit, so that other commits need not wait long."""

HELD_MAX: Final = 50_000
"""Slices that are held before they are written in the order of their multihashes, and so to far
fewer pages of the database: some 12 MB. Then a try ends too."""

SHORT_STEP: Final = 32 * 1024
MANY: Final = 256
"""Where there were many blocks in the last step, the next one is of so many bytes only. So whoever
shares the interpreter with it waits for a few ms at most."""

AT_ONCE: Final = 4 * 1024
"""Bytes that are looked through here and now: a thread would cost more."""

MULTIHASH: Final = itemgetter(0)
"""Of a slice."""

SMALL: Final = 64 * 1024
"""Bytes of a CAR that is looked through within the transaction that asks for it: a task of its own
would cost many times more."""

FEW: Final = 64
"""Blocks of such a CAR. With more of them everybody would wait."""

GLANCE: Final = 8 * 1024
"""Bytes of it that are looked through before they are counted."""


class Scanner:
    def __init__(self, bucket: Bucket, note: Note) -> None:
        self.bucket = bucket
        self.note = note

    def prompt(self, task: Task, view: View, at: int) -> Finding | None:
        """What is small is looked through at once; what is found becomes true with the answer."""
        match task:
            case Scan(multihash, Tally(end=0)) if is_wanted(view, multihash):
                return self.glance(multibase.decode(multihash))
            case _:
                return None

    def glance(self, multihash: bytes) -> Finding | None:
        """What lies in a CAR that is small and whose bytes are at hand."""
        data = self.bucket.read_now(multihash, SMALL)
        if not isinstance(data, bytes) or not data:
            return None
        try:
            return found_at_once(data, multihash)
        except Exception:
            # A bug of ours does not keep bytes from being stored. Whoever carries the task out has
            # it too, and is parked where an operator sees it.
            return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        match assignment.task:
            case Scan(multihash, tally):
                return await self.answer(multihash, tally)
            case task:
                raise Bug(f"a scanner cannot {task!r}")

    async def answer(self, multihash: str, tally: Tally) -> Receipt:
        name = multibase.decode(multihash)
        size = await self.bucket.stat(name)
        if size is None:
            return gone()
        try:
            return found(await Look(self, name, Sections(size, tally)).go_on())
        except NoCar as why:
            return no_car(why)
        except Missing:
            return gone()


class Look:
    """One try at one CAR."""

    def __init__(self, scanner: Scanner, multihash: bytes, sections: Sections) -> None:
        self.scanner = scanner
        self.multihash = multihash
        self.sections = sections
        self.since = sections.boundary
        self.until = asyncio.get_running_loop().time() + TRY_SECONDS_MAX
        self.unwritten: list[list[SliceRow]] = []
        """Each in the order of multihashes, the last one first."""
        self.held = 0
        self.step = READ_CHUNK

    @property
    def is_over(self) -> bool:
        """All is read; or there is enough for one try, and something came of it."""
        if self.sections.is_over:
            return True
        is_enough = self.held >= HELD_MAX or asyncio.get_running_loop().time() > self.until
        return is_enough and self.sections.begun and self.sections.boundary > self.since

    async def go_on(self) -> Tally:
        """How far it came. Raises `NoCar`, `Missing`, or another `Fault`."""
        while not self.is_over:
            await self.read()
        await self.write()
        if self.sections.flaw is not None:
            raise self.sections.flaw
        return self.sections.tally

    async def read(self) -> None:
        """From the byte that is wanted, until another one is."""
        start = self.sections.wants
        bucket, length = self.scanner.bucket, self.sections.end - start
        async with aclosing(bucket.read(self.multihash, start, length)) as chunks:
            async for chunk in chunks:
                at = 0
                while at < len(chunk):
                    part = chunk[at : at + self.step]
                    await self.look_at(part)
                    at += len(part)
                    if self.is_over or self.sections.wants != start + at:
                        return
                start += at
        raise Fault(f"the bytes of {multibase.encode('z', self.multihash)} end too early")

    async def look_at(self, chunk: bytes) -> None:
        if len(chunk) <= AT_ONCE:
            found = self.found_in(chunk)
        else:
            found = await asyncio.to_thread(self.found_in, chunk)
        self.step = SHORT_STEP if len(found) > MANY else READ_CHUNK
        self.held += len(found)
        if found:
            self.unwritten.append(found)

    def found_in(self, chunk: bytes) -> list[SliceRow]:
        rows = slice_rows(self.sections.feed(chunk), self.multihash)
        return sorted(rows, key=MULTIHASH, reverse=True)

    async def write(self) -> None:
        """Write facts down, if there are any. Raises `Missing` if nobody wants to know any more."""
        name = multibase.encode("z", self.multihash)
        rows = merge(*map(drained, self.unwritten), key=MULTIHASH)
        page = list(islice(rows, WRITTEN_AT_ONCE))
        while True:
            if not await self.scanner.note(page, lambda view: is_wanted(view, name)):
                raise Missing("nobody holds the bytes any more")
            if not (page := list(islice(rows, WRITTEN_AT_ONCE))):
                return


def is_wanted(view: View, multihash: str) -> bool:
    """Whether somebody holds the bytes, and it is still asked what lies in them."""
    return is_held(view, multihash) and isinstance(view(contents_at(multihash)), Reading)


def found_at_once(data: bytes, multihash: bytes) -> Finding | None:
    """What lies in all of the bytes of a CAR; `None` if that is much."""
    sections, slices = Sections(len(data), Tally()), list[Slice]()
    while not sections.is_over:
        part = data[sections.wants : sections.wants + GLANCE]
        if not part:
            return None
        slices += sections.feed(part)
        if len(slices) > FEW:
            return None
    flaw = sections.flaw
    receipt = found(sections.tally) if flaw is None else no_car(flaw)
    return Finding(receipt, slice_rows(slices, multihash))


def slice_rows(slices: Iterable[Slice], shard: bytes) -> list[SliceRow]:
    return [SliceRow(each.multihash, shard, *each[1:]) for each in slices]


def drained(rows: list[SliceRow]) -> Iterator[SliceRow]:
    """From the last one on. None is kept: to let go of all at once would take long."""
    while rows:
        yield rows.pop()


def found(tally: Tally) -> Receipt:
    return Ok({"tally": msgspec.structs.asdict(tally)})


def no_car(why: NoCar) -> Receipt:
    return failure("NoCar", str(why), gone=False)


def gone() -> Receipt:
    return failure("NotFound", "the bytes are not there", gone=True)
