"""Which promises an entry keeps, and with what: receipts of the tasks that `space/blob/add` named.

Law: a receipt of ours says what a transition made true, and becomes true with it. The engine tells
the witness of every transition; nothing else keeps books of promises.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from taijitu.engine.draft import Testimony, Witness
from taijitu.ipld import multibase
from taijitu.ipld.cid import Link
from taijitu.kernel import codec
from taijitu.kernel.machine import State
from taijitu.kernel.record import Record
from taijitu.machines.entry import ACTIVE_MS_MAX, Active, Attempt, Face, Receiving, Stored
from taijitu.protocols.entries import iso
from taijitu.protocols.execution import Error
from taijitu.protocols.promises import Promises, Request, await_error
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.receipt import Receipt
from taijitu.wire.message import NOTHING

NOT_FOUND: Final = Error("AllocatedMemoryHadNotBeenWrittenTo", "Blob not found")
"""What `accept` says when the bytes did not come."""


class Settled(Record, eq=False):
    """Receipts of promised tasks, in the order of the tasks, and the blocks that they mention."""

    receipts: tuple[Receipt, ...]
    blocks: Mapping[Link, bytes] = NOTHING


class Settling:
    """Makes the receipts. `location` is the URL at which the bytes of a multihash are read."""

    def __init__(self, promises: Promises, location: Callable[[bytes], str]) -> None:
        self.promises = promises
        self.location = location

    def allocated(self, request: Request, state: Receiving) -> Settled:
        """There is room, and an address to put the bytes at."""
        out = allocation(self.charged(state.attempt, request), state)
        task = self.promises.of(request).allocate
        return Settled((self.promises.receipt(task.link, {"ok": out}),))

    def stored(self, request: Request, attempt: Attempt) -> Settled:
        """The bytes are here: all three tasks are over."""
        promise, claim = self.promises.of(request), self.site(request)
        allocated = {"ok": {"size": self.charged(attempt, request)}}
        accepted = {"ok": {"site": claim.link}}
        return Settled(
            (
                self.promises.receipt(promise.allocate.link, allocated),
                self.promises.put(request, {"ok": {}}),
                self.promises.receipt(promise.accept.link, accepted, (claim.link,)),
            ),
            {claim.link: claim.data},
        )

    def refused(self, request: Request, error: Mapping[str, object]) -> Settled:
        """There is no room, and so nothing to wait for."""
        promise = self.promises.of(request)
        put = await_error(promise.allocate, "address.url", error)
        accept = await_error(promise.put, "", put)
        return Settled(
            (
                self.promises.receipt(promise.allocate.link, {"error": dict(error)}),
                self.promises.put(request, {"error": put}),
                self.promises.receipt(promise.accept.link, {"error": accept}),
            )
        )

    def given_up(self, request: Request) -> Settled:
        """The bytes did not come, and no longer can. If whoever asked has no answer yet, this is
        it: the same invocation cannot be promised the same tasks once more."""
        accept, error = self.promises.of(request).accept, {"error": NOT_FOUND.value}
        return Settled(
            (
                self.promises.receipt(accept.link, error),
                self.promises.receipt(request.cause, error),
            )
        )

    def site(self, request: Request) -> Delegation:
        """The commitment that the bytes of a request can be read here."""
        return self.promises.site(request, self.location(request.multihash))

    def charged(self, attempt: Attempt, request: Request) -> int:
        """How many bytes of the space this very request has taken, or its task as we invoked it."""
        ours = (request.cause, self.promises.of(request).allocate.link)
        return attempt.size if attempt.id in ours else 0

    def witness(self) -> Witness:
        """Keeps the promises made to those who came through the face `blob`."""

        def testify(before: State, transition: codec.Transition) -> Testimony | None:
            if transition.machine.name != "entry":
                return None
            settled = list(self._settled(before, transition.state))
            if not settled:
                return None
            receipts = {each.ran: each.data for one in settled for each in one.receipts}
            blocks = {link: block for one in settled for link, block in one.blocks.items()}
            return Testimony(receipts, blocks)

        return testify

    def _settled(self, before: Any, after: State) -> Iterable[Settled]:
        faces = blob_faces(after)
        for face in faces:
            if isinstance(after, Receiving):
                yield self.allocated(request_of(after.attempt, face), after)
            elif isinstance(after, Stored):
                yield self.stored(request_of(after.attempt, face), after.attempt)
        for face in promised(before):
            if face not in faces:
                yield self.given_up(request_of(before.attempt, face))


def blob_faces(state: State) -> tuple[Face, ...]:
    if isinstance(state, Active | Receiving | Stored):
        return tuple([face for face in state.faces if face.name == "blob"])
    return ()


def request_of(attempt: Attempt, face: Face) -> Request:
    return Request(attempt.space, multibase.decode(attempt.multihash), attempt.size, face.cause)


def promised(state: State) -> tuple[Face, ...]:
    """The faces that wait for bytes because they were told where to put them. Whoever came since
    the entry began to look for room (again) was told nothing, and may ask the same once more."""
    match state:
        case Receiving():
            return blob_faces(state)
        case Active(deadline=deadline):
            began = deadline - ACTIVE_MS_MAX
            return tuple([face for face in blob_faces(state) if face.since < began])
        case _:
            return ()


def allocation(size: int, state: Receiving | Stored) -> dict[str, object]:
    """What `allocate` answers: the bytes that were taken, and where to put them, unless they are
    here."""
    if isinstance(state, Stored):
        return {"size": size}
    address = {"url": state.url, "headers": dict(state.headers), "expiresAt": iso(state.expires)}
    return {"size": size, "address": address}
