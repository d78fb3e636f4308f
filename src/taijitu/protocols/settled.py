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
from taijitu.machines.entry import Active, Attempt, Face, Receiving, Stored
from taijitu.protocols.entries import iso
from taijitu.protocols.promises import Promises, Request, await_error
from taijitu.ucan.receipt import Receipt
from taijitu.wire.message import NOTHING

NOT_FOUND: Final[Mapping[str, object]] = {
    "error": {"name": "AllocatedMemoryHadNotBeenWrittenTo", "message": "Blob not found"}
}
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
        address = {
            "url": state.url,
            "headers": dict(state.headers),
            "expiresAt": iso(state.expires),
        }
        task = self.promises.of(request).allocate
        out = {"size": charged(state.attempt, request), "address": address}
        return Settled((self.promises.receipt(task, {"ok": out}),))

    def stored(self, request: Request, attempt: Attempt) -> Settled:
        """The bytes are here: all three tasks are over."""
        promise = self.promises.of(request)
        claim = self.promises.site(request, self.location(request.multihash))
        allocated = {"ok": {"size": charged(attempt, request)}}
        accepted = {"ok": {"site": claim.link}}
        return Settled(
            (
                self.promises.receipt(promise.allocate, allocated),
                self.promises.done(request),
                self.promises.receipt(promise.accept, accepted, (claim.link,)),
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
                self.promises.receipt(promise.allocate, {"error": dict(error)}),
                self.promises.receipt(promise.put, {"error": put}),
                self.promises.receipt(promise.accept, {"error": accept}),
            )
        )

    def given_up(self, request: Request) -> Settled:
        """The bytes did not come, and no longer can."""
        return Settled((self.promises.receipt(self.promises.of(request).accept, NOT_FOUND),))

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
        if isinstance(before, Active | Receiving):
            for face in blob_faces(before):
                if face not in faces:
                    yield self.given_up(request_of(before.attempt, face))


def blob_faces(state: State) -> tuple[Face, ...]:
    if isinstance(state, Active | Receiving | Stored):
        return tuple([face for face in state.faces if face.name == "blob"])
    return ()


def request_of(attempt: Attempt, face: Face) -> Request:
    return Request(attempt.space, multibase.decode(attempt.multihash), attempt.size, face.cause)


def charged(attempt: Attempt, request: Request) -> int:
    """How many bytes of the space this very request has taken."""
    return attempt.size if attempt.id == request.cause else 0
