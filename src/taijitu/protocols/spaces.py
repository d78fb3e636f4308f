"""Which spaces there are, and who may use them: every space capability asks here first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.kernel.record import Record
from taijitu.machines.ledger import (
    Block,
    Blocked,
    Open,
    Provision,
    Provisioned,
    Unblock,
    ledger_at,
)
from taijitu.protocols.execution import Error
from taijitu.protocols.limits import Limits
from taijitu.protocols.names import segment

PAGE: Final = 500

LOOKED_AT_ONCE: Final = 100
"""Spaces that are looked at before others have their turn: a millisecond or two."""


class Space(Record, omit_defaults=True):
    """How much a space may hold and does, in bytes; `entries` is how many things are stored.
    `blocked`: nothing new is let in."""

    space: str
    capacity: int
    reserved: int
    used: int
    entries: int
    blocked: bool = False


class Spaces:
    """`open_capacity`: what an unknown space gets on first use, in bytes; `None`: nothing."""

    def __init__(self, engine: Engine, open_capacity: int | None) -> None:
        self.engine = engine
        self.open_capacity = open_capacity
        self.limits = Limits(engine)
        self.limits.observers.append(self._limited)
        self.observers: list[Callable[[str], None]] = []
        """Told of each space that may have been blocked, or let in again."""

    async def provision(self, space: str, capacity: int) -> Space:
        """Give a space room for `capacity` bytes, now and from now on."""
        message = Provision(self.engine.now(), space, capacity)
        await self.engine.transact(ledger_at(space), message)
        found = await self.find(space)
        assert found is not None
        return found

    async def block(self, space: str) -> Space:
        """Let nothing new into a space, known or not. What it holds stays."""
        await self.engine.transact(ledger_at(space), Block(self.engine.now(), space))
        self._tell(space)
        found = await self.find(space)
        assert found is not None
        return found

    async def unblock(self, space: str) -> Space | None:
        """Let a space in again, with the room that it had; `None` if that was none."""
        await self.engine.transact(ledger_at(space), Unblock(self.engine.now(), space))
        await self.limits.unblock(space)
        self._tell(space)
        return await self.find(space)

    async def find(self, space: str) -> Space | None:
        """What is known of a space, or `None` if nobody has provisioned or blocked it."""
        state = (await self.engine.read(ledger_at(space))).state
        known = isinstance(state, Provisioned | Blocked)
        return await self._described(space, state) if known else None

    async def all(self) -> Sequence[Space]:
        """Every space that was provisioned or blocked, ordered by DID."""
        return [space async for page in self.pages() for space in page]

    async def pages(self) -> AsyncIterator[Sequence[Space]]:
        """The same, a page at a time."""
        after = ""
        while rows := await self.engine.storage.scan("ledger/", after=after, limit=PAGE):
            heads = [read_head(self.engine.machines, row)[0] for row in rows]
            yield [
                await self._described(head.path[1], head.state)
                for head in heads
                if isinstance(head.state, Provisioned | Blocked)
            ]
            after = rows[-1].path

    async def is_blocked(self, space: str) -> bool:
        """Whether nothing new is let into a space, known or not. A limit is the other way."""
        state = (await self.engine.read(ledger_at(space))).state
        return isinstance(state, Blocked) or await self.limits.blocked(space)

    async def all_blocked(self) -> frozenset[str]:
        """The spaces into which nothing new is let, known or not."""
        found = {each async for each in self.limits.all_blocked() if may_be_space(each)}
        after, storage = "", self.engine.storage
        while rows := await storage.scan("ledger/", after=after, limit=LOOKED_AT_ONCE):
            heads = [read_head(self.engine.machines, row)[0] for row in rows]
            found.update(head.path[1] for head in heads if isinstance(head.state, Blocked))
            after = rows[-1].path
            await asyncio.sleep(0)
        return frozenset(found)

    async def serves(self, space: str) -> bool:
        """Whether the space has room, or would get some on first use."""
        return self.open_capacity is not None or await self.find(space) is not None

    async def admit(self, space: str) -> Error | None:
        """Make sure that a space may be used; where that is allowed, open it on first use."""
        if await self.limits.blocked(space):
            return Error("InsufficientStorage", f"{space} is blocked")
        match await self.engine.peek(ledger_at(space)):
            case Provisioned():
                return None
            case Blocked():
                return Error("InsufficientStorage", f"{space} is blocked")
            case _:
                return await self._open(space)

    async def _open(self, space: str) -> Error | None:
        if self.open_capacity is None:
            return Error("InsufficientStorage", f"{space} has no storage provider")
        message = Open(self.engine.now(), space, self.open_capacity)
        await self.engine.transact(ledger_at(space), message)
        return None

    async def _described(self, space: str, state: Provisioned | Blocked) -> Space:
        blocked = isinstance(state, Blocked) or await self.limits.blocked(space)
        capacity = state.capacity or 0
        return Space(space, capacity, state.reserved, state.used, state.entries, blocked)

    def _limited(self, subject: str) -> None:
        if may_be_space(subject):
            self._tell(subject)

    def _tell(self, space: str) -> None:
        for observer in self.observers:
            observer(space)


def may_be_space(subject: str) -> bool:
    """Whether a subject of limits can be the name of a space, and not only look like one."""
    return subject.startswith("did:") and segment(subject) == subject
