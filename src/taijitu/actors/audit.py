"""The audit: now and then, what the bucket holds is held against what the cells say.

An object that nobody refers to gets a sweep (a URL that outlived its time may have brought it), and
so does one that has vanished and of which something is known still. Bytes that an entry counts on
and that are gone make the entry Lost, and an alarm. CARs in which nobody has looked yet, or no
version that would find all that this one does, are described at last, one after the other: whoever
stores one meanwhile does not wait behind all of them. What is found is only a reason to ask: the
machines decide, as of what was read.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from taijitu.buckets.port import Bucket
from taijitu.engine.cell import Head, read_head
from taijitu.engine.engine import Engine
from taijitu.ipld import multibase
from taijitu.kernel.record import Record
from taijitu.machines import blob, contents, entry
from taijitu.machines.blob import Sweep, blob_at
from taijitu.machines.contents import Describe, contents_at
from taijitu.machines.entry import undescribed

PAGE: Final = 200
"""Cells that are read at once."""

PAUSE_SECONDS: Final = 0.01
"""Between two pages or objects, so that an audit never gets in the way."""


DESCRIBED_MS_MAX: Final = 60_000
"""How long the next CAR waits for one that somebody looks through."""


class Audited(Record):
    """What an audit looked at, and what it set in motion."""

    objects: int = 0
    entries: int = 0
    swept: int = 0
    lost: int = 0
    described: int = 0


class Audit:
    def __init__(self, engine: Engine, bucket: Bucket) -> None:
        self.engine = engine
        self.bucket = bucket

    async def run(self) -> Audited:
        """Look at everything once."""
        objects = swept = entries = lost = unread = described = 0
        async for multihash, _ in self.bucket.objects():
            objects += 1
            swept += await self._sweep_if_unclaimed(multibase.encode("z", multihash))
            await asyncio.sleep(PAUSE_SECONDS)
        async for multihash in self._known():
            swept += await self._sweep_if_unclaimed(multihash)
        async for head, state in self._stored():
            entries += 1
            if await self.bucket.stat(multibase.decode(state.attempt.multihash)) is None:
                lost += await self._lose(head)
            else:
                unread += await self._is_unread(state)
        if unread:
            async for _, state in self._stored():
                described += await self._describe_if_unread(state)
        return Audited(objects, entries, swept, lost, described)

    async def _sweep_if_unclaimed(self, multihash: str) -> bool:
        path, now = blob_at(multihash), self.engine.now()
        match (await self.engine.read(path)).state:
            case blob.Kept(0, live_until) if live_until <= now:
                done = await self.engine.transact(path, Sweep(multihash, now))
                return isinstance(done.state, blob.Sweeping)
            case _:
                return False

    async def _lose(self, head: Head) -> bool:
        message = entry.Fail(self.engine.now(), "the bytes are no longer in the bucket")
        done = await self.engine.transact(head.path, message, as_of=head.cid)
        return done.heard and isinstance(done.state, entry.Lost)

    async def _is_unread(self, state: entry.Stored) -> bool:
        """Whether nobody tells what is in these bytes, and nobody of our version has looked."""
        if not undescribed(state.attempt, state.faces):
            return False
        match (await self.engine.read(contents_at(state.attempt.multihash))).state:
            case contents.Read() | contents.Refused() as known:
                return contents.may_hold_more(known)
            case known:
                return isinstance(known, contents.Unread)

    async def _describe_if_unread(self, state: entry.Stored) -> bool:
        """Have a CAR looked through, and wait for it. If the bytes go just now, whoever looks
        finds nothing, and all is as before."""
        if not await self._is_unread(state):
            return False
        path = contents_at(state.attempt.multihash)
        done = await self.engine.transact(path, Describe(state.attempt.multihash))
        until = self.engine.now() + DESCRIBED_MS_MAX
        head = await self.engine.read(path)
        while isinstance(head.state, contents.Reading) and self.engine.now() < until:
            head = await self.engine.changed(path, head.cid, until)
        return not isinstance(done.state, contents.Unread)

    async def _stored(self) -> AsyncIterator[tuple[Head, entry.Stored]]:
        async for head in self._heads("entry/"):
            if isinstance(head.state, entry.Stored):
                yield head, head.state

    async def _known(self) -> AsyncIterator[str]:
        """Of whose bytes somebody said what lies in them, or tries to."""
        async for head in self._heads("contents/"):
            if not isinstance(head.state, contents.Unread):
                yield head.path[1]

    async def _heads(self, prefix: str) -> AsyncIterator[Head]:
        after = ""
        while rows := await self.engine.storage.scan(prefix, after=after, limit=PAGE):
            for row in rows:
                head, _ = read_head(self.engine.machines, row)
                yield head
            after = rows[-1].path
            await asyncio.sleep(PAUSE_SECONDS)
