"""`upload/*`: what clients note about the content of a space: a root, and the CARs that hold it."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

from taijitu.engine.engine import Engine
from taijitu.ipld.cid import InvalidLink, Link
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.machines.upload import Add, Listed, Remove, list_of, upload_at
from taijitu.protocols.capabilities import (
    UPLOAD_ADD,
    UPLOAD_GET,
    UPLOAD_LIST,
    UPLOAD_REMOVE,
    UPLOAD_SHARD_LIST,
    Page,
    UploadAdd,
    UploadGet,
    UploadRemove,
    UploadShardList,
)
from taijitu.protocols.durable import Durable
from taijitu.protocols.entries import LINK_BYTES_MAX, iso, page
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.spaces import Spaces

SHARD_LIST_SIZE_MAX: Final = 1_000
"""How many shards a page holds at most, and if nothing is said."""


class Uploads:
    """The five abilities."""

    def __init__(self, durable: Durable, spaces: Spaces) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.spaces = spaces

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(UPLOAD_ADD, self.add),
            Provider(UPLOAD_GET, self.get),
            Provider(UPLOAD_LIST, self.list),
            Provider(UPLOAD_REMOVE, self.remove),
            Provider(UPLOAD_SHARD_LIST, self.list_shards),
        )

    async def add(self, invocation: Invocation[UploadAdd]) -> Outcome:
        """Note an upload, or more shards of one that is known."""
        space, root, shards = invocation.resource, invocation.nb.root, invocation.nb.shards or []
        if (refused := too_long((root, *shards))) is not None:
            return refused
        if (refused := await self.spaces.admit(space)) is not None:
            return refused
        message = Add(self.engine.now(), invocation.link, space, root, tuple(shards))
        path = upload_at(space, root)
        return await self.durable.carry_out(invocation, path, message, answer_to_add)

    async def get(self, invocation: Invocation[UploadGet]) -> Outcome:
        """What is known of one upload."""
        space, root = invocation.resource, invocation.nb.root
        if root is None:
            return Error("Error", "nb.root must be set")
        found = await self.find(space, root)
        return not_found(space, root) if found is None else Ok(described(found))

    async def list(self, invocation: Invocation[Page]) -> Outcome:
        """A page of the uploads of the space, the newest first."""
        nb, name = invocation.nb, list_of(invocation.resource)
        return await page(
            self.engine, name, shown, cursor=nb.cursor, size=nb.size, pre=bool(nb.pre)
        )

    async def remove(self, invocation: Invocation[UploadRemove]) -> Outcome:
        """Forget an upload. Its shards stay where they are."""
        space, root = invocation.resource, invocation.nb.root

        def answer(_: State, reply: kernel.Receipt) -> Ok | Error:
            return not_found(space, root) if isinstance(reply, kernel.Error) else Ok(reply.value)

        message = Remove(self.engine.now())
        return await self.durable.carry_out(invocation, upload_at(space, root), message, answer)

    async def list_shards(self, invocation: Invocation[UploadShardList]) -> Outcome:
        """A page of the shards of one upload, in order. The last page has no cursor."""
        space, nb = invocation.resource, invocation.nb
        found = await self.find(space, nb.root)
        if found is None:
            return not_found(space, nb.root)
        after = shard_in(nb.cursor)
        if isinstance(after, Error):
            return after
        limit = SHARD_LIST_SIZE_MAX if nb.size is None else min(nb.size, SHARD_LIST_SIZE_MAX)
        start = 0 if after is None else bisect_right(found.shards, after)
        results = found.shards[start : start + limit]
        more = results and start + limit < len(found.shards)
        cursor = {"cursor": str(results[-1])} if more else {}
        return Ok({"size": len(results), **cursor, "results": [*results]})

    async def find(self, space: str, root: Link) -> Listed | None:
        state = (await self.engine.read(upload_at(space, root))).state
        return state if isinstance(state, Listed) else None


def answer_to_add(state: State, reply: kernel.Receipt) -> Ok | Error | None:
    if isinstance(reply, kernel.Error):
        return Error(reply.value["name"], reply.value["message"])
    return (
        Ok({"root": state.root, "shards": [*state.shards]}) if isinstance(state, Listed) else None
    )


def shown(state: State) -> dict[str, object] | None:
    return described(state) if isinstance(state, Listed) else None


def described(upload: Listed) -> dict[str, object]:
    return {
        "root": upload.root,
        "shards": [*upload.shards],
        "insertedAt": iso(upload.since),
        "updatedAt": iso(upload.updated),
    }


def not_found(space: str, root: Link) -> Error:
    fields = {"space": space, "root": {"/": str(root)}}
    return Error("UploadNotFound", f"{root} not found in {space}", fields)


def too_long(links: Sequence[Link]) -> Error | None:
    longest = max(len(link.data) for link in links)
    if longest <= LINK_BYTES_MAX:
        return None
    return Error("Error", f"a link of {longest} bytes is too long: {LINK_BYTES_MAX} at most")


def shard_in(cursor: str | None) -> Link | Error | None:
    try:
        return None if cursor is None else Link.parse(cursor)
    except InvalidLink:
        return Error("Error", f"{cursor:.40} is not a cursor of this list")
