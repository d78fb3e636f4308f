"""What is not given out: what the operator denied, and what only blocked spaces hold.

There is no index from bytes to the spaces that hold them. How many do is counted with the bytes,
and which of the few blocked ones do can be looked up: if those are all, nobody else does. Whoever
comes to hold some bytes, or lets go of them, changes the cell of the blob: so what was found stands
as long as that cell does, and no space is blocked or let in.
"""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from taijitu.buckets.names import link_of
from taijitu.engine.cell import path_text, read_head
from taijitu.engine.engine import Engine
from taijitu.ipld import multibase
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.machines.allocation import Allocated
from taijitu.machines.blob import Kept, Sweeping, blob_at
from taijitu.machines.denial import LIST, Allow, Denied, Deny, denial_at

PAGE: Final = 500
"""Cells that are read at a time."""

PLACES_TOLD_MAX: Final = 1_000
"""Objects in which some bytes lie that are looked at, to be told to the operator."""

VERDICTS_MAX: Final = 10_000
"""Of how many objects it is remembered whether somebody who is not blocked holds them."""

LOOKED_UP_AT_ONCE: Final = 50
"""Spaces that are asked about before others have their turn: a millisecond or two."""


class Denial(Record):
    """Bytes that are not given out since `since` (ms since 1970), by the name that was denied."""

    cid: Link
    why: str
    since: int


class Spaces(Protocol):
    """Whoever knows which spaces are blocked."""

    async def all_blocked(self) -> frozenset[str]: ...

    async def is_blocked(self, space: str) -> bool: ...


Look: TypeAlias = asyncio.Task[frozenset[str]]
"""A look for blocked spaces."""


class Verdict(NamedTuple):
    """Whether some bytes were held, as of the head of their blob and of a look."""

    head: Link | None
    look: Look
    held: bool


class Denials:
    """Asked for every block that is given out. While nothing is denied it costs nothing. Let
    `look_again` be told of spaces that are blocked or let in."""

    def __init__(self, engine: Engine, spaces: Spaces) -> None:
        self.engine = engine
        self.spaces = spaces
        self.any: bool | None = None
        """Whether anything was ever denied; `None` until somebody has looked."""
        self.blocked: Look | None = None
        """The look that all wait for; `None` until somebody asks."""
        self.verdicts: dict[bytes, Verdict] = {}

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
        if not await self.has_any():
            return None
        state = (await self.engine.read(denial_at(name_of(multihash)))).state
        return denial(state) if isinstance(state, Denied) else None

    async def has_any(self) -> bool:
        """Whether anything was ever denied."""
        if self.any is None:
            found = bool(await self.engine.storage.scan("denial/", limit=1))
            self.any = found or bool(self.any)  # one may have come while we looked
        return self.any

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

    def look_again(self, space: str) -> None:
        """A space was blocked, or let in again: the next who asks sees it."""
        if self.blocked is not None:
            self._begin(self._corrected(self.blocked, space))

    async def is_held(self, multihash: bytes) -> bool:
        """Whether a space that is not blocked holds an object, or has room set aside for it."""
        look = self.blocked or self._begin(self.spaces.all_blocked())
        # Whoever gives up waiting does not end the look of the others.
        blocked = await asyncio.shield(look)
        name = name_of(multihash)
        head = await self.engine.read(blob_at(name))
        holders = head.state.references if isinstance(head.state, Kept | Sweeping) else 0
        if holders == 0 or not blocked:
            return holders > 0
        known = self.verdicts.get(multihash)
        if known is None or (known.head, known.look) != (head.cid, look):
            held = await self._among(blocked, name) < holders
            known = self._remember(multihash, Verdict(head.cid, look, held))
        return known.held

    async def _among(self, spaces: Collection[str], name: str) -> int:
        """How many of some spaces hold an object. There may be very many of them that do not, and
        so these cells are read past those that are kept at hand."""
        found = 0
        for number, space in enumerate(spaces, 1):
            row = await self.engine.storage.head(path_text(("allocation", space, name)))
            if row is not None:
                found += isinstance(read_head(self.engine.machines, row)[0].state, Allocated)
            if number % LOOKED_UP_AT_ONCE == 0:
                await asyncio.sleep(0)
        return found

    def _remember(self, multihash: bytes, verdict: Verdict) -> Verdict:
        if len(self.verdicts) >= VERDICTS_MAX:
            self.verdicts.clear()
        self.verdicts[multihash] = verdict
        return verdict

    def _begin(self, looking: Coroutine[Any, Any, frozenset[str]]) -> Look:
        """A look that is shared by all who ask from now on."""
        self.blocked = look = asyncio.create_task(looking)
        look.add_done_callback(self._over)
        return look

    def _over(self, look: Look) -> None:
        """One that failed is begun anew by the next who asks."""
        failed = look.cancelled() or look.exception() is not None
        if failed and self.blocked is look:
            self.blocked = None

    async def _corrected(self, before: Look, space: str) -> frozenset[str]:
        """What an earlier look found, but for one space that is looked at again."""
        found = await before
        return found | {space} if await self.spaces.is_blocked(space) else found - {space}


def denial(state: Denied) -> Denial:
    return Denial(state.link, state.why, state.since)


def name_of(multihash: bytes) -> str:
    return multibase.encode(multibase.BASE58BTC, multihash)
