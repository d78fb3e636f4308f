"""Which spaces there are, and who may use them: every space capability asks here first."""

from collections.abc import Sequence
from typing import Final

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.kernel.record import Record
from taijitu.machines.ledger import Open, Provision, Provisioned, ledger_at
from taijitu.protocols.execution import Error

PAGE: Final = 500


class Space(Record):
    """How much a space may hold and does, in bytes; `entries` is how many things are stored."""

    space: str
    capacity: int
    reserved: int
    used: int
    entries: int


class Spaces:
    """`open_capacity`: what an unknown space gets on first use, in bytes; `None`: nothing."""

    def __init__(self, engine: Engine, open_capacity: int | None) -> None:
        self.engine = engine
        self.open_capacity = open_capacity

    async def provision(self, space: str, capacity: int) -> Space:
        """Give a space room for `capacity` bytes, now and from now on."""
        message = Provision(self.engine.now(), space, capacity)
        await self.engine.transact(ledger_at(space), message)
        found = await self.find(space)
        assert found is not None
        return found

    async def find(self, space: str) -> Space | None:
        """What is known of a space, or `None` if nobody has provisioned it."""
        state = (await self.engine.read(ledger_at(space))).state
        return described(space, state) if isinstance(state, Provisioned) else None

    async def all(self) -> Sequence[Space]:
        """Every space that was provisioned, ordered by DID."""
        found: list[Space] = []
        after = ""
        while True:
            rows = await self.engine.storage.scan("ledger/", after=after, limit=PAGE)
            for row in rows:
                head, _ = read_head(self.engine.machines, row)
                if isinstance(head.state, Provisioned):
                    found.append(described(head.path[1], head.state))
            if len(rows) < PAGE:
                return found
            after = rows[-1].path

    async def serves(self, space: str) -> bool:
        """Whether the space has room, or would get some on first use."""
        return self.open_capacity is not None or await self.find(space) is not None

    async def admit(self, space: str) -> Error | None:
        """Make sure that a space may be used; where that is allowed, open it on first use."""
        if isinstance(await self.engine.peek(ledger_at(space)), Provisioned):
            return None
        if self.open_capacity is None:
            return Error("InsufficientStorage", f"{space} has no storage provider")
        message = Open(self.engine.now(), space, self.open_capacity)
        await self.engine.transact(ledger_at(space), message)
        return None


def described(space: str, state: Provisioned) -> Space:
    return Space(space, state.capacity, state.reserved, state.used, state.entries)
