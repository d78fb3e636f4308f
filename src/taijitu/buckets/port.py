"""What a bucket is: a place for bytes, each object named by the hash of what it holds.

Law: an object is either whole, durable and of the right digest, or it is not there. Bytes are
verified when they arrive, so whoever finds an object need not hash it again.

Names are sha2-256 *multihashes* (bytes `12 20` and the digest), never paths and never keys from
outside. When the world does not answer, every verb raises a `Fault`: "I could not look" is not
"it is absent".
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from enum import Enum
from typing import Final, Literal, Protocol, runtime_checkable

from taijitu.kernel.failures import Fault
from taijitu.kernel.record import Record

READ_CHUNK: Final = 256 * 1024
"""Bytes a `read` hands over at a time, at most."""


class Pending(Enum):
    """The answer of `stat_now` and `read_now` where looking means waiting."""

    PENDING = "pending"

    def __repr__(self) -> str:
        return "PENDING"


PENDING: Final = Pending.PENDING
"""The one value of `Pending`."""


class Upload(Record):
    """Leave to put one object in its place, once or more often, until a time."""

    url: str
    """Where to `PUT` the bytes. The signature binds method, path, size, digest and expiry."""

    headers: dict[str, str]
    """What to send with them, verbatim."""

    expires: int
    """From then on no `PUT` may begin (ms since the epoch). It is the time that was signed."""

    closes: int
    """From then on no `PUT` that began in time can still succeed (ms since the epoch)."""


class Missing(Fault):
    """The object is not in the bucket."""


class WrongBytes(Exception):
    """What arrived is not what was announced. Nothing of it was kept."""

    def __init__(self, what: Literal["size", "digest"], sentence: str) -> None:
        super().__init__(sentence)
        self.what: Literal["size", "digest"] = what


class TooLate(Exception):
    """The time to put these bytes in their place was over. Nothing of them was kept."""


class Bucket(Protocol):
    """The port. What passes `taijitu.testing.bucket_contract` is a bucket."""

    async def stat(self, multihash: bytes) -> int | None:
        """The size in bytes of an object that is there, whole and verified; else `None`."""
        ...

    def stat_now(self, multihash: bytes) -> int | Pending | None:
        """As `stat`, without waiting: for use inside a transaction. `PENDING`: not here, ask."""
        ...

    def read_now(self, multihash: bytes, size_max: int) -> bytes | Pending | None:
        """All bytes of an object of no more than `size_max`, without waiting: for use inside a
        transaction. `None` if there is none, or more of it. `PENDING`: not here, use `read`."""
        ...

    def presign(self, multihash: bytes, size: int, at_ms: int) -> Upload:
        """Leave to upload `size` bytes of that digest, as of `at_ms`. Pure: it does no I/O."""
        ...

    async def delete(self, multihash: bytes) -> None:
        """After it the object is not there. Deleting what is absent is no error."""
        ...

    def objects(self) -> AsyncIterator[tuple[bytes, int]]:
        """Every object as (multihash, size in bytes), in no order; a listing need not be one
        moment's truth. For audits."""
        ...

    def read(
        self, multihash: bytes, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """`length` bytes from `start` (all that follow when `None`) in chunks of at most
        `READ_CHUNK`. Raises `Missing` at the first step when the object is not there. A range
        that reaches past the end gives what there is."""
        ...

    async def read_at(self, multihash: bytes, start: int, length: int) -> bytes:
        """The same at once: for what is short, and will be held as a whole anyway. Raises
        `Missing`."""
        ...


class Arrival(Protocol):
    """One object on its way in. An async context: leaving it unfinished keeps nothing."""

    async def write(self, chunk: bytes) -> None:
        """More bytes, in order. Raises `WrongBytes` as soon as there are too many."""
        ...

    async def finish(self, open_still: Callable[[], bool] = ...) -> None:
        """Verify, make durable, put in place. Returns once a crash cannot take it back.

        `open_still` is asked at the last moment, in one step with the object's appearing: when
        it says no, `TooLate` is raised. A `delete` that starts after `open_still` would have
        said no therefore leaves nothing that could come back. It may be called from another
        thread. Raises `WrongBytes` when size or digest are not as announced.
        """
        ...

    async def __aenter__(self) -> "Arrival": ...

    async def __aexit__(self, *exc: object) -> None: ...


@runtime_checkable
class LocalBucket(Bucket, Protocol):
    """A bucket that takes bytes in through this process, not at a door of its own."""

    def arrive(self, multihash: bytes, size: int) -> Arrival:
        """Begin to take in `size` bytes with that digest."""
        ...
