"""The agent actor: settles `s3/put`, which the client carries out.

It alone settles that task, and only on what it sees in the bucket. A finished PUT, a receipt of the
agent, an event of the bucket: each merely wakes it to look. While the bytes are not there the task
stays open, so a false hint costs one look and burns nothing.
"""

from collections.abc import Callable

from taijitu.buckets.port import Bucket
from taijitu.engine.actor import Assignment, View
from taijitu.engine.storage import TaskRow
from taijitu.ipld.multibase import decode
from taijitu.kernel.effect import Task, tag
from taijitu.kernel.failures import Bug
from taijitu.kernel.receipt import Ok, Receipt
from taijitu.machines.world import Upload


def glance(bucket: Bucket) -> Callable[[TaskRow], bool]:
    """Whether to wake a task that sleeps: not one that waits for bytes that are not there. After a
    start there may be very many of those, and to look is far cheaper than to open the task."""

    def may_find(row: TaskRow) -> bool:
        return row.ability != tag(Upload) or bucket.stat_now(decode(row.about)) is not None

    return may_find


class AgentActor:
    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        """Never: the bytes cannot be there before the client knows where to put them."""
        return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        match assignment.task:
            case Upload(_, multihash):
                size = await self.bucket.stat(decode(multihash))
                return None if size is None else Ok({"size": size})
            case task:
                raise Bug(f"an agent cannot {task!r}")
