"""`store/*`: CARs of a space, by their links. Capability in, message to the entry, answer out."""

from datetime import UTC, datetime
from typing import Any, Final

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.ipld import multibase
from taijitu.ipld.cid import CAR, SHA2_256, Link, link_with
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.machines import entry
from taijitu.machines.entry import Add, Attempt, Face, Remove, entry_at, list_of
from taijitu.protocols.capabilities import (
    STORE_ADD,
    STORE_GET,
    STORE_LIST,
    STORE_REMOVE,
    AnyLink,
    Page,
    StoreAdd,
    StoreRemove,
)
from taijitu.protocols.durable import Durable
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.spaces import Spaces

LIST_SIZE, LIST_SIZE_MAX = 20, 1000
"""How many items a page holds if nothing is said, and at most."""

CURSOR_MAX: Final = 2**63 - 1


class Store:
    """The four abilities. `size_max` is the size of the largest CAR that is taken, in bytes."""

    def __init__(self, durable: Durable, spaces: Spaces, size_max: int) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.spaces = spaces
        self.size_max = size_max

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(STORE_ADD, self.add),
            Provider(STORE_GET, self.get),
            Provider(STORE_LIST, self.list),
            Provider(STORE_REMOVE, self.remove),
        )

    async def add(self, invocation: Invocation[StoreAdd]) -> Outcome:
        """Ask for room for a CAR: `done` if its bytes are here, else where to put them."""
        space, nb = invocation.resource, invocation.nb
        if nb.size > self.size_max:
            return Error("Error", too_large(self.size_max))
        if nb.link.hash_code != SHA2_256:
            return Error("Error", f"{nb.link} is not named by a sha2-256 hash, as a CAR has to be")
        if (refused := await self.spaces.admit(space)) is not None:
            return refused
        name = name_of(nb.link)
        message = Add(
            at=self.engine.now(),
            invocation=invocation.link,
            space=space,
            multihash=name,
            agent=invocation.issuer,
            size=nb.size,
            origin=nb.origin,
        )

        def answer(state: State, reply: kernel.Receipt) -> Ok | Error | None:
            return answer_to_add(invocation.link, nb.link, state, reply)

        return await self.durable.carry_out(invocation, entry_at(space, name), message, answer)

    async def get(self, invocation: Invocation[AnyLink]) -> Outcome:
        """What is known of one CAR of the space."""
        space, link = invocation.resource, invocation.nb.link
        if link is None:
            return Error("Error", "nb.link must be set")
        head = await self.engine.read(entry_at(space, name_of(link)))
        face, attempt = held(head.state)
        if face is None or attempt is None:
            return not_found(space, link)
        return Ok(item(face, attempt))

    async def list(self, invocation: Invocation[Page]) -> Outcome:
        """A page of the CARs of the space, the newest first."""
        nb = invocation.nb
        size = min(LIST_SIZE if nb.size is None else nb.size, LIST_SIZE_MAX)
        position = position_in(nb.cursor)
        if isinstance(position, Error):
            return position
        if nb.pre and position is None:
            return Ok({"size": 0, "results": []})
        await self.engine.settled()
        where = {"newer_than" if nb.pre else "older_than": position}
        page = await self.engine.storage.listing(
            list_of(invocation.resource, "store"), **where, limit=size
        )
        results: list[dict[str, object]] = []
        for _, row in page:
            head, _ = read_head(self.engine.machines, row)
            face, attempt = held(head.state)
            if face is not None and attempt is not None:
                results.append(item(face, attempt))
        if not results:
            return Ok({"size": 0, "results": []})
        before, after = str(page[0][0]), str(page[-1][0])
        cursor = {"cursor": after, "after": after, "before": before}
        return Ok({"size": len(results), **cursor, "results": results})

    async def remove(self, invocation: Invocation[StoreRemove]) -> Outcome:
        """Let go of a CAR. Its bytes go once no space holds them."""
        space, link = invocation.resource, invocation.nb.link

        def answer(_: State, reply: kernel.Receipt) -> Ok | Error:
            if isinstance(reply, kernel.Error):
                return not_found(space, link)
            return Ok({"size": reply.value["size"]})

        path = entry_at(space, name_of(link))
        return await self.durable.carry_out(invocation, path, Remove(self.engine.now()), answer)


def answer_to_add(
    invocation: Link, link: Link, state: State, reply: kernel.Receipt
) -> Ok | Error | None:
    """What the entry's state means to who asked to add it."""
    if isinstance(reply, kernel.Error):
        return Error(reply.value["name"], reply.value["message"])
    match state:
        case entry.Receiving(attempt, _, url, headers):
            return Ok(
                {
                    "status": "upload",
                    "allocated": allocated(attempt, invocation),
                    "with": attempt.space,
                    "link": link,
                    "url": url,
                    "headers": dict(headers),
                }
            )
        case entry.Stored(attempt):
            return Ok(
                {
                    "status": "done",
                    "allocated": allocated(attempt, invocation),
                    "with": attempt.space,
                    "link": link,
                }
            )
        case entry.ExceedsLimit(_, why):
            return Error("InsufficientStorage", why)
        case entry.SizeMismatch(attempt, found):
            return Error(
                "SizeMismatch", f"{link} has {found} bytes, not {attempt.size} as was declared"
            )
        case _:
            return None


def allocated(attempt: Attempt, invocation: Link) -> int:
    """How many bytes of the space this very invocation has taken."""
    return attempt.size if attempt.id == invocation else 0


def held(state: State) -> tuple[Face, Attempt] | tuple[None, None]:
    """The entry as this face shows it, if it does."""
    match state:
        case (
            entry.Active(attempt, faces)
            | entry.Receiving(attempt, faces)
            | entry.Stored(attempt, faces)
        ):
            for face in faces:
                if face.name == "store":
                    return face, attempt
            return None, None
        case _:
            return None, None


def item(face: Face, attempt: Attempt) -> dict[str, object]:
    since = datetime.fromtimestamp(face.since / 1000, UTC)
    origin = {} if face.origin is None else {"origin": face.origin}
    return {
        "link": link_with(multibase.decode(attempt.multihash), CAR),
        "size": attempt.size,
        **origin,
        "insertedAt": since.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def position_in(cursor: str | None) -> int | Error | None:
    if cursor is None:
        return None
    if cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 and int(cursor) < CURSOR_MAX:
        return int(cursor)
    return Error("Error", f"{cursor[:40]!r} is not a cursor of this list")


def not_found(space: str, link: Link) -> Error:
    fields = {"space": space, "link": {"/": str(link)}}
    return Error("StoreItemNotFound", f"{link} not found in {space}", fields)


def name_of(link: Link) -> str:
    """The name of some bytes among machines: their multihash in base58btc."""
    return multibase.encode(multibase.BASE58BTC, link.multihash)


def too_large(size_max: int) -> str:
    return f"Maximum size exceeded: {size_max}, split DAG into smaller shards."
