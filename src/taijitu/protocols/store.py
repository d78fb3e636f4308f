"""`store/*`: CARs of a space, by their links. Capability in, message to the entry, answer out."""

from typing import Any

from taijitu.engine.engine import Engine
from taijitu.ipld import multibase
from taijitu.ipld.cid import CAR, SHA2_256, Link, link_with
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.machines import entry
from taijitu.machines.entry import Add, Attempt, Remove, entry_at, list_of
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
from taijitu.protocols.entries import held, iso, name_of, page
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.spaces import Spaces


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
        name = name_of(nb.link.multihash)
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
        head = await self.engine.read(entry_at(space, name_of(link.multihash)))
        found = shown(head.state)
        return not_found(space, link) if found is None else Ok(found)

    async def list(self, invocation: Invocation[Page]) -> Outcome:
        """A page of the CARs of the space, the newest first."""
        nb, name = invocation.nb, list_of(invocation.resource, "store")
        return await page(
            self.engine, name, shown, cursor=nb.cursor, size=nb.size, pre=bool(nb.pre)
        )

    async def remove(self, invocation: Invocation[StoreRemove]) -> Outcome:
        """Let go of a CAR. Its bytes go once no space holds them."""
        space, link = invocation.resource, invocation.nb.link

        def answer(_: State, reply: kernel.Receipt) -> Ok | Error:
            if isinstance(reply, kernel.Error):
                return not_found(space, link)
            return Ok({"size": reply.value["size"]})

        path = entry_at(space, name_of(link.multihash))
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


def shown(state: State) -> dict[str, object] | None:
    """The entry as this face shows it, if it does."""
    found = held(state, "store")
    if found is None:
        return None
    face, attempt = found
    origin = {} if face.origin is None else {"origin": face.origin}
    return {
        "link": link_with(multibase.decode(attempt.multihash), CAR),
        "size": attempt.size,
        **origin,
        "insertedAt": iso(face.since),
    }


def not_found(space: str, link: Link) -> Error:
    fields = {"space": space, "link": {"/": str(link)}}
    return Error("StoreItemNotFound", f"{link} not found in {space}", fields)


def too_large(size_max: int) -> str:
    return f"Maximum size exceeded: {size_max}, split DAG into smaller shards."
