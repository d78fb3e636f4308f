"""Shards on their way to a space, some at once, and then what says where in them everything is.

Law: whatever ends it, every temporary file is closed and no request goes on. There are never more
shards at hand than are sent at once, and the one that fills.
"""

import asyncio
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Final, NamedTuple, TypeAlias, TypeVar, cast

from taijitu.client.answers import BlobAdded, Put
from taijitu.client.content import Content, in_thread, opened
from taijitu.client.failures import Unusable
from taijitu.client.holdings import Holdings
from taijitu.client.packing import Meter
from taijitu.client.spool import Shard, Spool
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.unixfs.block import Block
from taijitu.wire import sharded_index
from taijitu.wire.sharded_index import SHARDS_MAX, SLICES_MAX, Slice
from taijitu.wire.shards import Position, TooLarge

V = TypeVar("V")

PIECE: Final = 8 * 1024 * 1024
"""Bytes of blocks that are packed at a stretch, before the loop is asked whether to go on."""

BLOCK: Final = 4096
"""Bytes that a block counts at least: small ones take their time as well."""


class Progress(Record):
    """How far a `put` has come."""

    packed: int
    """Bytes of files that were packed."""
    total: int | None
    """And how many there are, if that is known."""
    sent: int
    """Bytes of shards that were sent, or need not be."""
    shards: int
    """Shards that are complete."""
    stored: int
    """And how many of them the service has accepted."""


Told: TypeAlias = Callable[[Progress], object]


class Watch(NamedTuple):
    """Who looks on, and at what."""

    meter: Meter
    total: int | None
    told: Told


class Sending:
    """`async with Sending(…)`: give it blocks with `take`, then `end` it with the root."""

    def __init__(self, space: Holdings, shard_size: int, at_once: int, watch: "Watch") -> None:
        """Like the published client: what is known to be less than a shard becomes one, whatever
        its blocks take besides."""
        self.space = space
        self.watch = watch
        self.shard_size = shard_size
        is_one = watch.total is not None and watch.total < shard_size
        self.spool = Spool(None if is_one else shard_size)
        self.at_once = at_once
        self.free = asyncio.Semaphore(at_once)
        self.group = asyncio.TaskGroup()
        self.slices: list[dict[bytes, Position]] = []
        self.listed = 0
        """How many blocks and shards the index has to list."""
        self.shards: list[Link] = []
        self.added: list[BlobAdded] = []
        self.sent = 0

    async def __aenter__(self) -> "Sending":
        await self.group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        why: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.group.__aexit__(kind, why, trace)
        except BaseExceptionGroup as several:
            raise first_of(several) from None
        finally:
            self.spool.close()

    async def take(self, blocks: Generator[Block, None, V]) -> V:
        """Pack and send; what the generator returns. Raises `Unusable`."""
        outcome: list[V] = []

        def fill() -> Shard | None:
            left = PIECE
            try:
                while left > 0:
                    link, data = next(blocks)
                    if self.has_grown():
                        self.spool.bound(self.shard_size)
                    shard = self.spool.take(link, data)
                    if shard is not None:
                        return shard
                    left -= max(BLOCK, len(data))
            except StopIteration as end:
                outcome.append(end.value)
            except TooLarge as why:
                raise Unusable(str(why)) from None
            return None

        try:
            while not outcome:
                shard = await in_thread(fill)
                if shard is not None:
                    await self.ship(shard)
                self.tell()
            return outcome[0]
        finally:
            blocks.close()

    def has_grown(self) -> bool:
        """Whether there is more than there was when it was looked at."""
        return self.watch.total is not None and self.watch.meter.done > self.watch.total

    async def ship(self, shard: Shard) -> None:
        """Begin to send a shard, once there is room for one more. Raises `Unusable` for one that
        the index has no room for."""
        content = shard.content
        try:
            self.count(shard)
            await self.free.acquire()
        except BaseException:
            content.close()
            raise
        self.shards.append(content.link)
        self.slices.append({**shard.slices, content.link.multihash: Position(0, content.size)})
        self.group.create_task(self.store(content))

    def count(self, shard: Shard) -> None:
        self.listed += len(shard.slices) + 1
        if self.listed > SLICES_MAX or len(self.shards) >= SHARDS_MAX:
            text = f"of {SLICES_MAX:,} blocks in {SHARDS_MAX:,} shards: put less at once"
            raise Unusable(f"that is too much for one upload, {text}")

    async def store(self, content: Content) -> None:
        try:
            told = self.told_of()
            self.added.append(await self.space.blobs.upload(content, told))
            told(content.size)
        finally:
            content.close()
            self.free.release()

    def told_of(self) -> Callable[[int], None]:
        """Told how much of a shard was sent."""
        known = 0

        def told(done: int) -> None:
            nonlocal known
            self.sent += done - known
            known = done
            self.tell()

        return told

    def tell(self) -> None:
        meter, total, told = self.watch
        told(Progress(meter.done, total, self.sent, len(self.shards), len(self.added)))

    async def rest(self, root: Link) -> list[Shard]:
        """The last shards. Raises `Unusable`."""
        try:
            return await in_thread(self.spool.end, root)
        except ValueError as why:
            raise Unusable(str(why)) from None

    async def end(self, root: Link) -> Put:
        """Send the rest and the index, and note the upload."""
        for shard in await self.rest(root):
            await self.ship(shard)
        index = await in_thread(self.index, root)
        async with opened(index) as content:
            added = await self.space.blobs.upload(content)
        for _ in range(self.at_once):  # nothing is under way any more
            await self.free.acquire()
        stored = added.size + sum([each.size for each in self.added])
        await self.space.index(added.link, stored)
        await self.space.uploads.add(root, self.shards)
        return Put(
            root,
            tuple(self.shards),
            added.link,
            self.watch.meter.done,
            stored,
            sum([each.size for each in (*self.added, added) if each.sent]),
        )

    def index(self, root: Link) -> bytes:
        """Where in the shards the blocks lie, the shards themselves included."""
        return sharded_index.encode(
            root,
            [
                sharded_index.Shard(
                    shard.multihash,
                    tuple([Slice(multihash, *at) for multihash, at in slices.items()]),
                )
                for shard, slices in zip(self.shards, self.slices, strict=True)
            ],
        )


def first_of(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """One of the failures, to stand for all."""
    why = several.exceptions[0]
    if isinstance(why, BaseExceptionGroup):
        return first_of(cast("BaseExceptionGroup[BaseException]", why))
    return why
