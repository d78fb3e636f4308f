"""The bucket actor: answers `s3/stat`, `s3/presign` and `s3/delete`.

While some bytes are being swept nobody is told whether they are there: what is seen then may be
gone a moment later. A bucket that answers without waiting is asked within the transaction.
"""

from collections.abc import Awaitable, Callable

from taijitu.buckets.port import PENDING, Bucket
from taijitu.engine.actor import Assignment, View
from taijitu.ipld.multibase import decode
from taijitu.kernel.effect import Path, Task
from taijitu.kernel.failures import Bug, Fault
from taijitu.kernel.machine import State
from taijitu.kernel.receipt import DONE, Ok, Receipt, failure
from taijitu.machines.blob import Sweeping, blob_at
from taijitu.machines.world import Delete, Presign, Stat

Read = Callable[[Path], Awaitable[State]]
"""Look at the durable state of a cell."""


class BucketActor:
    """`forget` drops what is known to lie within the bytes of a multihash."""

    def __init__(
        self,
        bucket: Bucket,
        read: Read,
        now: Callable[[], int],
        forget: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self.bucket = bucket
        self.read = read
        self.now = now
        self.forget = forget

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        match task:
            case Stat(multihash):
                if isinstance(view(blob_at(multihash)), Sweeping):
                    return None
                size = self.bucket.stat_now(decode(multihash))
                return None if size is PENDING else found(size)
            case Presign(multihash, size):
                return self.presign(multihash, size, at)
            case _:
                return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        match assignment.task:
            case Stat(multihash):
                if isinstance(await self.read(blob_at(multihash)), Sweeping):
                    raise Fault("the bytes are being swept")
                return found(await self.bucket.stat(decode(multihash)))
            case Presign(multihash, size):
                return self.presign(multihash, size, self.now())
            case Delete(multihash):
                await self.bucket.delete(decode(multihash))
                await self.forget(decode(multihash))
                return DONE
            case task:
                raise Bug(f"the bucket cannot {task!r}")

    def presign(self, multihash: str, size: int, at: int) -> Ok:
        upload = self.bucket.presign(decode(multihash), size, at)
        return Ok(
            {
                "url": upload.url,
                "headers": dict(upload.headers),
                "expires": upload.expires,
                "closes": upload.closes,
            }
        )


def found(size: int | None) -> Receipt:
    return failure("NotFound", "the bytes are not there") if size is None else Ok({"size": size})
