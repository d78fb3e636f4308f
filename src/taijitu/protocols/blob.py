"""`space/blob/*`: any bytes of a space, by their multihash. The other face of the machine behind
`store/*`: what `add` answers is a promise, and the tasks that keep it (see `promises`)."""

from typing import Any, Final

from taijitu.buckets.names import UnknownHash, digest_of
from taijitu.engine.engine import Engine
from taijitu.ipld import multibase
from taijitu.ipld.cid import Link
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.machines import entry
from taijitu.machines.entry import Add, Face, Remove, entry_at, list_of
from taijitu.protocols.capabilities import (
    SPACE_BLOB_ADD,
    SPACE_BLOB_GET,
    SPACE_BLOB_LIST,
    SPACE_BLOB_REMOVE,
    BlobDigest,
    SpaceBlobAdd,
    SpaceBlobList,
    blob_of,
)
from taijitu.protocols.durable import Durable
from taijitu.protocols.entries import held, iso, name_of, page
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.promises import Promise, Promises, Request
from taijitu.protocols.settled import Settled, Settling, blob_faces, request_of
from taijitu.protocols.spaces import Spaces
from taijitu.ucan.receipt import Receipt

FACE: Final = "blob"


class Blobs:
    """The four abilities. `size_max` is the size of the largest blob that is taken, in bytes."""

    def __init__(self, durable: Durable, spaces: Spaces, settling: Settling, size_max: int) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.spaces = spaces
        self.settling = settling
        self.promises: Promises = settling.promises
        self.size_max = size_max

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(SPACE_BLOB_ADD, self.add),
            Provider(SPACE_BLOB_GET, self.get),
            Provider(SPACE_BLOB_LIST, self.list),
            Provider(SPACE_BLOB_REMOVE, self.remove),
        )

    async def add(self, invocation: Invocation[SpaceBlobAdd]) -> Outcome:
        """Ask for room for some bytes: the answer promises a site, once they have come."""
        space, blob = invocation.resource, blob_of(invocation.nb.blob)
        if (refused := named_wrong(blob.digest)) is not None:
            return refused
        if (refused := await self.spaces.admit(space)) is not None:
            return refused
        name = name_of(blob.digest)
        asked = Request(space, blob.digest, blob.size, invocation.link)
        if blob.size > self.size_max and not await is_stored(self.engine, space, name):
            return await self.turn_away(invocation, asked)
        message = Add(
            at=self.engine.now(),
            invocation=invocation.link,
            space=space,
            multihash=name,
            agent=invocation.issuer,
            size=blob.size,
            face=FACE,
        )

        def answer(state: State, reply: kernel.Receipt) -> Ok | Error | None:
            return self.answer_to_add(asked, state, reply)

        return await self.durable.carry_out(invocation, entry_at(space, name), message, answer)

    def answer_to_add(
        self, asked: Request, state: State, reply: kernel.Receipt
    ) -> Ok | Error | None:
        """What the entry's state means to who asked."""
        if (refused := refusal(state, reply)) is not None:
            return refused
        match state:
            case entry.Receiving():
                return self.wait(asked, state)
            case entry.Stored(attempt):
                return self.promise(self.promises.of(asked), self.settling.stored(asked, attempt))
            case _:
                return None

    def wait(self, asked: Request, state: entry.Receiving) -> Ok:
        """Whoever joins an upload that is under way waits for the put and the accept that were
        promised before. What was allocated is said to each of his own: to him, no more bytes."""
        face = face_of(asked.cause, state)
        before = self.promises.of(request_of(state.attempt, face))
        promise = Promise(self.promises.of(asked).allocate, before.put, before.accept)
        return self.promise(promise, self.settling.allocated(asked, state))

    async def turn_away(self, invocation: Invocation[SpaceBlobAdd], asked: Request) -> Outcome:
        """It is too large: all three tasks are over, and say so."""
        why = too_large(asked.size, self.size_max)
        settled = self.settling.refused(asked, why.value)
        promise = self.promise(self.promises.of(asked), settled, failed=why.name)
        path = entry_at(asked.space, name_of(asked.multihash))
        return await self.durable.observe(invocation, path, lambda _: promise) or promise

    def promise(self, promise: Promise, settled: Settled, *, failed: str = "") -> Ok:
        """The tasks that were promised, and reports of those that are over."""
        tasks = {task.link: task for task in promise.tasks}
        blocks = {task.link: task.data for task in promise.tasks}
        fork = [*blocks]
        for receipt in settled.receipts:
            ran = tasks[receipt.ran]
            company = {ran.link: ran.data, **mentioned(settled, receipt)}
            said, brought = self.promises.conclude(receipt, company)
            fork.append(said.link)
            blocks.update(brought)
        receipts = {receipt.ran: receipt.data for receipt in settled.receipts}
        return Ok({"site": promise.site}, tuple(fork), blocks=blocks, tasks=receipts, failed=failed)

    async def get(self, invocation: Invocation[BlobDigest]) -> Outcome:
        """What is known of one blob of the space."""
        space, digest = invocation.resource, invocation.nb.digest
        if (refused := named_wrong(digest)) is not None:
            return refused
        head = await self.engine.read(entry_at(space, name_of(digest)))
        found = shown(head.state)
        return not_found(digest) if found is None else Ok(found)

    async def list(self, invocation: Invocation[SpaceBlobList]) -> Outcome:
        """A page of the blobs of the space, the newest first."""
        nb, name = invocation.nb, list_of(invocation.resource, FACE)
        return await page(
            self.engine, name, shown, cursor=nb.cursor, size=nb.size, pre=bool(nb.pre)
        )

    async def remove(self, invocation: Invocation[BlobDigest]) -> Outcome:
        """Let go of a blob, there or not. Its bytes go once nobody holds them."""
        space, digest = invocation.resource, invocation.nb.digest
        if (refused := named_wrong(digest)) is not None:
            return refused

        def answer(_: State, reply: kernel.Receipt) -> Ok | Error:
            size = 0 if isinstance(reply, kernel.Error) else reply.value["size"]
            return Ok({"size": size})

        message = Remove(self.engine.now(), FACE)
        path = entry_at(space, name_of(digest))
        return await self.durable.carry_out(invocation, path, message, answer)


def face_of(cause: Link, state: entry.Receiving) -> Face:
    """The face that an invocation came in through, or else the one that came last."""
    faces = blob_faces(state)
    return next((face for face in faces if face.cause == cause), faces[-1])


def mentioned(settled: Settled, receipt: Receipt) -> dict[Link, bytes]:
    return {link: block for link, block in settled.blocks.items() if link in receipt.fork}


def shown(state: State) -> dict[str, object] | None:
    """The entry as this face shows it, if it does."""
    found = held(state, FACE)
    if found is None:
        return None
    face, attempt = found
    blob = {"digest": multibase.decode(attempt.multihash), "size": attempt.size}
    return {"blob": blob, "cause": face.cause, "insertedAt": iso(face.since)}


def named_wrong(digest: bytes) -> Error | None:
    try:
        digest_of(digest)
    except UnknownHash as why:
        return Error("Error", str(why))
    return None


def not_found(digest: bytes) -> Error:
    return Error("BlobNotFound", f"blob not found: {name_of(digest)}")


def refusal(state: State, reply: kernel.Receipt) -> Error | None:
    """Why an entry does not take what it was asked to take, if it said so."""
    if isinstance(reply, kernel.Error):
        return Error(reply.value["name"], reply.value["message"])
    match state:
        case entry.ExceedsLimit(_, why):
            return Error("InsufficientStorage", why)
        case entry.SizeMismatch(attempt, found):
            why = f"{attempt.multihash} has {found} bytes, not {attempt.size} as was declared"
            return Error("SizeMismatch", why)
        case _:
            return None


async def is_stored(engine: Engine, space: str, name: str) -> bool:
    return isinstance((await engine.read(entry_at(space, name))).state, entry.Stored)


def too_large(size: int, size_max: int) -> Error:
    return Error(
        "BlobSizeOutsideOfSupportedRange",
        f"Blob size {size} exceeded maximum size limit: {size_max}, "
        "consider splitting it into blobs that fit limit.",
        {"maxUploadSize": size_max, "blobSize": size},
    )
