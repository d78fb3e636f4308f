"""`admin/*/inspect`: which spaces hold something, for who runs the service and whom they name.

There is no index from content to spaces: it would cost a row with every `store/add`, for a question
that is asked when somebody complains. Every space is looked at instead, without disturbing what
the engine has at hand.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from taijitu.engine.cell import path_text, read_head
from taijitu.engine.engine import Engine
from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Path
from taijitu.kernel.machine import State
from taijitu.kernel.record import Record
from taijitu.machines.entry import Active, Receiving, Stored, entry_at
from taijitu.machines.upload import Listed, upload_at
from taijitu.protocols.entries import iso, name_of
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.spaces import Spaces
from taijitu.ucan.capability import Ability, equal_field
from taijitu.ucan.schema import Fields, did, link

SPACES_MAX: Final = 1_000
"""How many spaces an answer names. It says so if there are `more`."""

SPACES_AT_ONCE: Final = 50
"""How many are looked at before everybody else has a turn."""

Held = Callable[[State], int | None]
"""Since when a state holds what is asked about (ms since 1970), if it does."""


class StoreInspect(Record):
    link: Link


class UploadInspect(Record):
    root: Link


STORE_INSPECT: Final = Ability(
    "admin/store/inspect", did, Fields(StoreInspect, {"link": link}), equal_field("link")
)
UPLOAD_INSPECT: Final = Ability(
    "admin/upload/inspect", did, Fields(UploadInspect, {"root": link}), equal_field("root")
)


class Inspection:
    """The two abilities, over `service` (a DID) alone."""

    def __init__(self, engine: Engine, spaces: Spaces, service: str) -> None:
        self.engine = engine
        self.spaces = spaces
        self.service = service

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(STORE_INSPECT, self.inspect_store),
            Provider(UPLOAD_INSPECT, self.inspect_upload),
        )

    async def inspect_store(self, invocation: Invocation[StoreInspect]) -> Outcome:
        """Who holds these bytes or has room set aside for them, by whatever name."""
        name = name_of(invocation.nb.link.multihash)
        return await self.inspect(invocation, lambda space: entry_at(space, name), stored_since)

    async def inspect_upload(self, invocation: Invocation[UploadInspect]) -> Outcome:
        """Who has an upload with this root."""
        root = invocation.nb.root
        return await self.inspect(invocation, lambda space: upload_at(space, root), listed_since)

    async def inspect(
        self, invocation: Invocation[Any], cell: Callable[[str], Path], held: Held
    ) -> Outcome:
        if invocation.resource != self.service:
            provider = invocation.resource
            return Error("UnknownProvider", f"Provider {provider} not found", {"did": provider})
        found = await self.holders(cell, held)
        more = {"more": True} if len(found) > SPACES_MAX else {}
        return Ok({"spaces": found[:SPACES_MAX], **more})

    async def holders(self, cell: Callable[[str], Path], held: Held) -> list[dict[str, str]]:
        """The spaces that hold something in the cell that they have for it, ordered by DID: at
        most one more than an answer names."""
        found: list[dict[str, str]] = []
        looked = 0
        await self.engine.settled()
        async for page in self.spaces.pages():
            for space in page:
                since = await self.since(cell(space.space), held)
                if since is not None:
                    found.append({"did": space.space, "insertedAt": iso(since)})
                if len(found) > SPACES_MAX:
                    return found
                looked += 1
                if looked % SPACES_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return found

    async def since(self, path: Path, held: Held) -> int | None:
        row = await self.engine.storage.head(path_text(path))
        return None if row is None else held(read_head(self.engine.machines, row)[0].state)


def stored_since(state: State) -> int | None:
    if isinstance(state, Active | Receiving | Stored):
        return min(face.since for face in state.faces)
    return None


def listed_since(state: State) -> int | None:
    return state.since if isinstance(state, Listed) else None
