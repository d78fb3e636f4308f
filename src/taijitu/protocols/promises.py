"""What `space/blob/add` promises: three tasks, named before they are done.

    allocate ── url, headers ──> http/put ── done ──> accept ── site

`allocate` and `accept` are ours; `http/put` is the client's, issued by a key that is made from the
digest, so that anyone who has the digest can say that it is done: a hint, and no proof. All three
follow from the invocation that asked: the same again is promised the same.
(The effects of `space/blob/add` as the published clients read them.)
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import SEED_SIZE, Signer

ALLOCATE: Final = "web3.storage/blob/allocate"
ACCEPT: Final = "web3.storage/blob/accept"
PUT: Final = "http/put"

REMEMBERED_MAX: Final = 1_024
"""Promises that are kept at hand: making one takes three signatures."""


class Request(Record):
    """Who wants room for what: the cause is the invocation that asked. `size` in bytes."""

    space: str
    multihash: bytes
    size: int
    cause: Link


class Promise(Record, eq=False):
    """The tasks that follow from a request."""

    allocate: Delegation
    put: Delegation
    accept: Delegation

    @property
    def site(self) -> dict[str, object]:
        """Where the bytes will be: what `accept` answers."""
        return awaited("site", self.accept)

    @property
    def tasks(self) -> tuple[Delegation, ...]:
        return self.allocate, self.put, self.accept


class Promises:
    """Makes promises in the name of a service."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.of = lru_cache(REMEMBERED_MAX)(self._make)

    def _make(self, request: Request) -> Promise:
        blob = {"digest": request.multihash, "size": request.size}
        allocate = self._ours(ALLOCATE, blob=blob, cause=request.cause, space=request.space)
        key = Signer.from_seed(request.multihash[-SEED_SIZE:])
        put = delegate(
            key,
            key.did,
            [
                {
                    "can": PUT,
                    "with": key.did,
                    "nb": {
                        "body": blob,
                        "url": awaited("address.url", allocate),
                        "headers": awaited("address.headers", allocate),
                    },
                }
            ],
            expiration=None,
            facts=[{"keys": key.archive()}],
        )
        accept = self._ours(ACCEPT, blob=blob, space=request.space, _put=awaited("", put))
        return Promise(allocate, put, accept)

    def _ours(self, can: str, **nb: object) -> Delegation:
        us = self.signer.did
        return delegate(self.signer, us, [{"can": can, "with": us, "nb": nb}], expiration=None)

    def receipt(self, task: Link, out: Mapping[str, object], fork: Sequence[Link] = ()) -> Receipt:
        """How one of our tasks went."""
        return receipts.issue(self.signer, task, out, fx_fork=fork)

    def put(self, request: Request, out: Mapping[str, object]) -> Receipt:
        """How the put went: said in the name of the key made from the digest."""
        key = Signer.from_seed(request.multihash[-SEED_SIZE:])
        return receipts.issue(key, self.of(request).put.link, out)

    def site(self, request: Request, url: str) -> Delegation:
        """The commitment that the bytes of a request are at `url`."""
        claim = {"content": {"digest": request.multihash}, "location": [url]}
        return delegate(
            self.signer,
            request.space,
            [{"can": "assert/location", "with": self.signer.key_did, "nb": claim}],
            expiration=None,
        )

    def conclude(
        self, receipt: Receipt, company: Mapping[Link, bytes]
    ) -> tuple[Delegation, dict[Link, bytes]]:
        """A task that reports a receipt, with all blocks that it brings: those of `company` first.

        They are named in a fact: so they count as belonging to it.
        """
        blocks = {**company, receipt.link: receipt.data}
        said = delegate(
            self.signer,
            self.signer.did,
            [
                {
                    "can": "ucan/conclude",
                    "with": self.signer.key_did,
                    "nb": {"receipt": receipt.link},
                }
            ],
            expiration=None,
            facts=[{str(number): link for number, link in enumerate(blocks)}],
        )
        return said, {**blocks, said.link: said.data}


def awaited(path: str, task: Delegation) -> dict[str, object]:
    """A value that the `ok` of a task will hold, at a dotted path, or all of it."""
    return {"ucan/await": [f".out.ok.{path}" if path else ".out.ok", task.link]}


def await_error(task: Delegation, path: str, cause: Mapping[str, object]) -> dict[str, object]:
    """The error of a task that waited for one that failed."""
    selector = f".out.ok.{path}" if path else ".out.ok"
    why = cause.get("message", "")
    return {
        "name": "AwaitError",
        "message": f"Awaited {task.link} reference at {selector} has failed:\n{why}",
        "at": selector,
        "reference": task.link,
        "cause": dict(cause),
    }
