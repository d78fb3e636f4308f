"""What is not given out: what the operator denied, and what only blocked spaces hold.

There is no index from bytes to the spaces that hold them. How many do is counted with the bytes,
and which of the few blocked ones do can be looked up: if those are all, nobody else does.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from taijitu.buckets.names import link_of
from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.ipld import multibase
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.machines.allocation import Allocated
from taijitu.machines.blob import Kept, Sweeping, blob_at
from taijitu.machines.denial import LIST, Allow, Denied, Deny, denial_at
from taijitu.machines.ledger import Blocked

PAGE: Final = 500
"""Cells that are read at a time."""

PLACES_TOLD_MAX: Final = 1_000
"""Objects in which some bytes lie that are looked at, to be told to the operator."""

HELD_MS: Final = 5_000
"""How long it is believed that somebody who is not blocked holds some bytes."""

HELD_MAX: Final = 10_000
"""Of how many objects that is remembered."""


class Denial(Record):
    """Bytes that are not given out since `since` (ms since 1970), by the name that was denied."""

    cid: Link
    why: str
    since: int


class Denials:
    """Asked for every block that is given out. While nothing is denied it costs nothing."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.any: bool | None = None
        """Whether anything was ever denied; `None` until somebody has looked."""
        self.blocked: asyncio.Task[Sequence[str]] | None = None
        """The look for blocked spaces that all wait for; `None` until somebody asks."""
        self.held_until: dict[bytes, int] = {}

    async def deny(self, link: Link, why: str) -> Denial:
        """Give some bytes out no more."""
        self.any = True
        path = denial_at(name_of(link.multihash))
        done = await self.engine.transact(path, Deny(self.engine.now(), link, why))
        assert isinstance(done.state, Denied)
        return denial(done.state)

    async def allow(self, link: Link) -> Denial | None:
        """Give them out again. Answers what was denied, if it was."""
        path = denial_at(name_of(link.multihash))
        before = (await self.engine.read(path)).state
        await self.engine.transact(path, Allow(self.engine.now()))
        return denial(before) if isinstance(before, Denied) else None

    async def all(self) -> Sequence[Denial]:
        """All that is denied, the newest first."""
        await self.engine.settled()
        found: list[Denial] = []
        older_than: int | None = None
        storage = self.engine.storage
        while rows := await storage.listing(LIST, older_than=older_than, limit=PAGE):
            heads = [read_head(self.engine.machines, row)[0] for _, row in rows]
            found += [denial(head.state) for head in heads if isinstance(head.state, Denied)]
            older_than = rows[-1][0]
        return found

    async def find(self, multihash: bytes) -> Denial | None:
        """Whether some bytes are denied, and why."""
        if self.any is None:
            some = bool(await self.engine.storage.scan("denial/", limit=1))
            self.any = some or self.any
        if not self.any:
            return None
        state = (await self.engine.read(denial_at(name_of(multihash)))).state
        return denial(state) if isinstance(state, Denied) else None

    async def lies_in(self, link: Link) -> Sequence[Link]:
        """The stored objects in which some bytes also lie, as far as they were looked through, and
        that are not denied themselves. Whoever gets one of those has the bytes."""
        found: list[Link] = []
        for row in await self.engine.storage.slices(link.multihash, PLACES_TOLD_MAX):
            if row.shard != link.multihash and await self.find(row.shard) is None:
                found.append(link_of(row.shard))
        return found

    async def may_leave(self, shard: bytes) -> bool:
        """Whether an object may be read: somebody may see it, and it is not denied."""
        return await self.is_held(shard) and await self.find(shard) is None

    # Blocked spaces

    def look_again(self) -> None:
        """A space was blocked, or let in again."""
        self.blocked = None
        self.held_until.clear()

    async def is_held(self, multihash: bytes) -> bool:
        """Whether a space that is not blocked holds a stored object."""
        looking = self._look()
        # Whoever gives up waiting does not end the look of the others.
        blocked = await asyncio.shield(looking)
        now = self.engine.now()
        if self.held_until.get(multihash, 0) > now:
            return True
        held = await self._holders(multihash, blocked) > 0
        if held and blocked and self.blocked is looking:
            if len(self.held_until) >= HELD_MAX:
                self.held_until.clear()
            self.held_until[multihash] = now + HELD_MS
        return held

    async def _holders(self, multihash: bytes, blocked: Sequence[str]) -> int:
        """How many spaces that are not blocked hold an object, or have room set aside for it."""
        name = name_of(multihash)
        state = (await self.engine.read(blob_at(name))).state
        holders = state.references if isinstance(state, Kept | Sweeping) else 0
        for space in blocked:
            if holders <= 0:
                break
            state = (await self.engine.read(("allocation", space, name))).state
            holders -= isinstance(state, Allocated)
        return holders

    def _look(self) -> asyncio.Task[Sequence[str]]:
        """The look for blocked spaces, shared by all who ask until something changes."""
        if self.blocked is None:
            self.blocked = asyncio.create_task(self._blocked())
            self.blocked.add_done_callback(self._over)
        return self.blocked

    def _over(self, look: asyncio.Task[Sequence[str]]) -> None:
        """One that failed is begun anew by the next who asks."""
        failed = look.cancelled() or look.exception() is not None
        if failed and self.blocked is look:
            self.blocked = None

    async def _blocked(self) -> Sequence[str]:
        found: list[str] = []
        after = ""
        while rows := await self.engine.storage.scan("ledger/", after=after, limit=PAGE):
            heads = [read_head(self.engine.machines, row)[0] for row in rows]
            found += [head.path[1] for head in heads if isinstance(head.state, Blocked)]
            after = rows[-1].path
        return found


def denial(state: Denied) -> Denial:
    return Denial(state.link, state.why, state.since)


def name_of(multihash: bytes) -> str:
    return multibase.encode(multibase.BASE58BTC, multihash)
