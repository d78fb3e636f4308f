"""The audit: now and then, what the bucket holds is held against what the cells say.

An object that nobody refers to gets a sweep (a URL that outlived its time may have brought it);
bytes that an entry counts on and that are gone make the entry Lost, and an alarm. What is found is
only a reason to ask: the machines decide, as of what was read.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from taijitu.buckets.port import Bucket
from taijitu.engine.cell import Head, read_head
from taijitu.engine.engine import Engine
from taijitu.ipld import multibase
from taijitu.kernel.record import Record
from taijitu.machines import blob, entry
from taijitu.machines.blob import Sweep, blob_at

PAGE: Final = 200
"""Entries that are read at once."""

PAUSE_SECONDS: Final = 0.01
"""Between two pages or objects, so that an audit never gets in the way."""


class Audited(Record):
    """What an audit looked at, and what it set in motion."""

    objects: int = 0
    entries: int = 0
    swept: int = 0
    lost: int = 0


class Audit:
    def __init__(self, engine: Engine, bucket: Bucket) -> None:
        self.engine = engine
        self.bucket = bucket

    async def run(self) -> Audited:
        """Look at everything once."""
        objects = swept = entries = lost = 0
        async for multihash, _ in self.bucket.objects():
            objects += 1
            swept += await self._sweep_if_unclaimed(multibase.encode("z", multihash))
            await asyncio.sleep(PAUSE_SECONDS)
        async for head in self._stored():
            entries += 1
            lost += await self._lose_if_gone(head)
        return Audited(objects, entries, swept, lost)

    async def _sweep_if_unclaimed(self, multihash: str) -> bool:
        path, now = blob_at(multihash), self.engine.now()
        match (await self.engine.read(path)).state:
            case blob.Kept(0, live_until) if live_until <= now:
                done = await self.engine.transact(path, Sweep(multihash, now))
                return isinstance(done.state, blob.Sweeping)
            case _:
                return False

    async def _lose_if_gone(self, head: Head) -> bool:
        assert isinstance(head.state, entry.Stored)
        multihash = head.state.attempt.multihash
        if await self.bucket.stat(multibase.decode(multihash)) is not None:
            return False
        message = entry.Fail(self.engine.now(), "the bytes are no longer in the bucket")
        done = await self.engine.transact(head.path, message, as_of=head.cid)
        return done.heard and isinstance(done.state, entry.Lost)

    async def _stored(self) -> AsyncIterator[Head]:
        after = ""
        while rows := await self.engine.storage.scan("entry/", after=after, limit=PAGE):
            for row in rows:
                head, _ = read_head(self.engine.machines, row)
                if isinstance(head.state, entry.Stored):
                    yield head
            after = rows[-1].path
            await asyncio.sleep(PAUSE_SECONDS)
