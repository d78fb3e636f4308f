"""The indexer: settles `index/examine`. It reads an index and holds what it says against bytes.

Law: a slice is written down only after its bytes were hashed, and an index is known to be true only
after all of its slices are written down. So a crash in between leaves facts that stay true, and
that nobody has to find out again: a long examination goes on where it was broken off, and one that
is repeated reads the index alone.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from taijitu.actors.bucket import Read
from taijitu.actors.facts import Note, is_held
from taijitu.actors.slices import Check, Mismatch, can_be_checked, check_empty, runs
from taijitu.buckets.names import UnknownHash, digest_of
from taijitu.buckets.port import Bucket
from taijitu.engine.actor import Assignment, View
from taijitu.engine.storage import SliceRow, Storage
from taijitu.ipld import multibase
from taijitu.kernel.effect import Task
from taijitu.kernel.failures import Bug, Fault
from taijitu.kernel.receipt import Ok, Receipt, failure
from taijitu.machines.entry import Stored, entry_at
from taijitu.machines.index import Examine
from taijitu.wire import sharded_index
from taijitu.wire.sharded_index import INDEX_SIZE_MAX, Index, InvalidIndex, Shard, Slice

EXAMINED_AT_ONCE: Final = 2
"""Indexes that are looked at at the same time; each may take some 130 MB of memory, if it is one
of the largest."""

WAITING_MAX: Final = 16
WAITING_OF_ONE_MAX: Final = 8
"""Examinations that wait for that, of all spaces and of one. Others are tried again later."""

TRY_SECONDS_MAX: Final = 20
"""How long one try may read, so that others have their turn. The next goes on from there."""

OVERLAP_MAX: Final = 2
"""How many slices each byte of a shard may lie in, on average, beside the shard itself."""

WRITTEN_AT_ONCE: Final = 2_000
"""Slices in one commit, so that other commits need not wait long."""

KNOWN_AT_ONCE: Final = 500
"""Slices that are looked up at once."""


class Untrue(Exception):
    """What an index says is not so. `digest` is the multihash of the bytes that it is about."""

    def __init__(self, name: str, why: str, digest: bytes) -> None:
        super().__init__(why)
        self.name = name
        self.digest = digest


class Indexer:
    """`read` looks at cells, `note` writes facts down."""

    def __init__(self, bucket: Bucket, read: Read, storage: Storage, note: Note) -> None:
        self.bucket = bucket
        self.read = read
        self.storage = storage
        self.note = note
        self.turns = asyncio.Semaphore(EXAMINED_AT_ONCE)
        self.admitted: Counter[str] = Counter()
        """How many examinations of each space run or wait."""

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        """Never: to look takes long."""
        return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        match assignment.task:
            case Examine(space, multihash):
                return await self.in_turn(space, multibase.decode(multihash))
            case task:
                raise Bug(f"an indexer cannot {task!r}")

    async def in_turn(self, space: str, multihash: bytes) -> Receipt:
        everybody = self.admitted.total()
        if everybody >= EXAMINED_AT_ONCE + WAITING_MAX or self.admitted[space] > WAITING_OF_ONE_MAX:
            raise Fault("too many indexes are being examined")
        self.admitted[space] += 1
        try:
            async with self.turns:
                return await self.answer(space, multihash)
        finally:
            self.admitted[space] -= 1
            self.admitted += Counter()

    async def answer(self, space: str, multihash: bytes) -> Receipt:
        try:
            return await Examination(self, space).look(multihash)
        except Untrue as why:
            return failure(why.name, str(why), digest=why.digest)
        except InvalidIndex as why:
            return failure(why.name, str(why), digest=multihash)

    async def size_in(self, space: str, multihash: bytes) -> int | None:
        """The size in bytes of what a space holds under a multihash, if it does."""
        try:
            digest_of(multihash)
        except UnknownHash:
            return None
        state = await self.read(entry_at(space, multibase.encode(multibase.BASE58BTC, multihash)))
        return state.attempt.size if isinstance(state, Stored) else None


class Examination:
    """One look at one index."""

    def __init__(self, indexer: Indexer, space: str) -> None:
        self.indexer = indexer
        self.bucket = indexer.bucket
        self.storage = indexer.storage
        self.space = space
        self.until = asyncio.get_running_loop().time() + TRY_SECONDS_MAX
        self.unwritten: list[SliceRow] = []
        self.shards = 0
        self.slices = 0

    async def look(self, multihash: bytes) -> Receipt:
        """Raises `Untrue`, `InvalidIndex`, and a `Fault` when it is to go on at another time."""
        index = await self.index(multihash)
        shards = index.shards()
        while (shard := await asyncio.to_thread(next, shards, None)) is not None:
            await self.examine(shard)
            self.shards += not shard.goes_on
        await self.write()
        return Ok({"content": index.content, "shards": self.shards, "slices": self.slices})

    async def index(self, multihash: bytes) -> Index:
        size = await self.indexer.size_in(self.space, multihash)
        if size is None:
            raise Untrue("IndexNotFound", f"index not found: {named(multihash)}", multihash)
        if size > INDEX_SIZE_MAX:
            why = f"an index of {size} bytes is too large: {INDEX_SIZE_MAX} at most"
            raise Untrue("IndexTooLarge", why, multihash)
        async with aclosing(self.bucket.read(multihash)) as chunks:
            data = b"".join([chunk async for chunk in chunks])
        return await asyncio.to_thread(sharded_index.decode, data)

    async def examine(self, shard: Shard) -> None:
        """Find out whether the slices of a shard are where they are said to be."""
        size = await self.indexer.size_in(self.space, shard.multihash)
        if size is None:
            why = f"shard not found: {named(shard.multihash)}"
            raise Untrue("ShardNotFound", why, shard.multihash)
        slices = await asyncio.to_thread(within, shard, size)
        self.slices += len(slices)
        unknown = await self.unknown(shard.multihash, slices)
        try:
            await self.pass_at_once(shard.multihash, [each for each in unknown if not each.length])
            whole = Slice(shard.multihash, 0, size)
            await self.note(shard.multihash, [each for each in unknown if each == whole])
            rest = [each for each in unknown if each.length and each != whole]
            for row in await asyncio.to_thread(runs, rest):
                await self.check(shard.multihash, row)
        except Mismatch as found:
            wrong = found.wrong
            why = (
                f"the {wrong.length} bytes at {wrong.offset} of {named(shard.multihash)} are not "
                f"those of {named(wrong.multihash)}"
            )
            raise Untrue("SliceMismatch", why, shard.multihash) from None

    async def unknown(self, shard: bytes, slices: Sequence[Slice]) -> Sequence[Slice]:
        """Those that nobody has found out about before."""
        left = {each.multihash: each for each in slices}
        # A large shard comes in parts, in the order in which rows are read.
        after, last = (min(left)[:-1], max(left)) if left else (b"", b"")
        while (
            left
            and after < last
            and (rows := await self.storage.slices_in(shard, after=after, limit=KNOWN_AT_ONCE))
        ):
            for row in rows:
                if left.get(row.multihash) == Slice(row.multihash, row.offset, row.length):
                    del left[row.multihash]
            after = rows[-1].multihash
            await asyncio.sleep(0)
        return [*left.values()]

    async def pass_at_once(self, shard: bytes, empty: Sequence[Slice]) -> None:
        for each in empty:
            check_empty(each)
        await self.note(shard, empty)

    async def check(self, shard: bytes, row: Sequence[Slice]) -> None:
        """Read what a row of slices lies in, and note those that are right."""
        check = Check(row)
        async with aclosing(self.bucket.read(shard, check.start, check.length)) as chunks:
            async for chunk in chunks:
                await self.note(shard, await asyncio.to_thread(check.feed, chunk))
                await self.pause_in_time()
        if not check.is_over:
            raise Fault(f"the bytes of {named(shard)} end too early")

    async def pause_in_time(self) -> None:
        if asyncio.get_running_loop().time() > self.until:
            await self.write()
            raise Fault(f"a long index: {self.slices} slices in {self.shards} shards so far")

    async def note(self, shard: bytes, slices: Sequence[Slice]) -> None:
        self.unwritten += [SliceRow(each.multihash, shard, *each[1:]) for each in slices]
        while len(self.unwritten) >= WRITTEN_AT_ONCE:
            await self.write()

    async def write(self) -> None:
        """Write facts down. Whoever deletes bytes drops what is known of them: so nothing is
        written of those that nobody holds any more."""
        rows, self.unwritten = self.unwritten[:WRITTEN_AT_ONCE], self.unwritten[WRITTEN_AT_ONCE:]
        if not rows:
            return
        names = [multibase.encode("z", shard) for shard in {row.shard for row in rows}]
        if not await self.indexer.note(rows, lambda view: all(is_held(view, it) for it in names)):
            raise Fault("somebody has let go of bytes that an index tells of")


def within(shard: Shard, size: int) -> Sequence[Slice]:
    """Those slices of a shard of `size` bytes that can be checked. Raises `Untrue`."""
    for each in shard.slices:
        if each.offset + each.length > size:
            why = (
                f"the slice {named(each.multihash)} reaches beyond the {size} bytes of "
                f"{named(shard.multihash)}"
            )
            raise Untrue("SliceOutOfRange", why, shard.multihash)
    lengths = sum(each.length for each in shard.slices if each.length < size)
    if lengths > OVERLAP_MAX * size:
        why = f"the slices of {named(shard.multihash)} overlap too much: {lengths} bytes in {size}"
        raise Untrue("SlicesOverlap", why, shard.multihash)
    return [each for each in shard.slices if can_be_checked(each.multihash)]


def named(multihash: bytes) -> str:
    return multibase.encode(multibase.BASE58BTC, multihash)[:80]
