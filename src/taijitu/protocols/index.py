"""`space/index/add`: an index of some content is believed once somebody has looked into it.

To look takes as long as reading what it is about. Whoever asks waits a little, and is then told to
ask again; the work goes on, also after a crash.
"""

from typing import Any, Final

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.ipld import multibase
from taijitu.ipld.cid import Link
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.machines.entry import Stored, entry_at
from taijitu.machines.index import Add, Known, Refused, index_at, list_of
from taijitu.protocols.capabilities import SPACE_INDEX_ADD, SpaceIndexAdd
from taijitu.protocols.durable import Durable
from taijitu.protocols.entries import name_of
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider

MULTIHASH_SIZE_MAX: Final = 64
"""Bytes of the multihash of an index: bytes are stored under sha2-256 alone, which takes 34."""


class Indexes:
    """The ability, and what is known by it."""

    def __init__(self, durable: Durable) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine

    def providers(self) -> tuple[Provider[Any], ...]:
        return (Provider(SPACE_INDEX_ADD, self.add),)

    async def add(self, invocation: Invocation[SpaceIndexAdd]) -> Outcome:
        """Look whether an index is true. Answers once that is known. Raises `NotReady`."""
        space, multihash = invocation.resource, invocation.nb.index.multihash
        content = invocation.nb.content
        if len(multihash) > MULTIHASH_SIZE_MAX:
            return not_found(multihash)
        name = name_of(multihash)
        held = (await self.engine.read(entry_at(space, name))).state
        if not isinstance(held, Stored):
            return not_found(multihash)

        def answer(state: State, _: kernel.Receipt) -> Ok | Error | None:
            match state:
                case Known(content=found) if content not in (None, found):
                    return Error(
                        "ContentMismatch", f"the index is one of {found}, not of {content}"
                    )
                case Known():
                    return Ok({})
                case Refused(_, _, _, name, why, digest):
                    return Error(name, why, {"digest": digest})
                case _:
                    return None

        message = Add(self.engine.now(), invocation.link, space, name)
        return await self.durable.carry_out(invocation, index_at(space, name), message, answer)

    async def of(self, content: Link, limit: int) -> list[Known]:
        """Indexes that are known to be of some content, whichever space they are in."""
        rows = await self.engine.storage.listing(list_of(content), limit=limit)
        states = [read_head(self.engine.machines, row)[0].state for _, row in rows]
        return [state for state in states if isinstance(state, Known)]


def not_found(multihash: bytes) -> Error:
    name = multibase.encode(multibase.BASE58BTC, multihash[:MULTIHASH_SIZE_MAX])
    return Error("IndexNotFound", f"index not found: {name}", {"digest": multihash})
