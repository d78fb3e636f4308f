"""Who carries out what machines ask of the world: one actor a file, which knows no rules."""

from collections.abc import Callable, Sequence

from taijitu.actors.agent import AgentActor
from taijitu.actors.bucket import BucketActor, Read
from taijitu.actors.indexer import Indexer
from taijitu.actors.mailer import Deliver, MailerActor, nowhere
from taijitu.actors.operator import OperatorActor
from taijitu.actors.scanner import Note, Scanner
from taijitu.actors.timer import TimerActor
from taijitu.buckets.port import Bucket
from taijitu.engine.actor import Actors
from taijitu.engine.storage import Batch, SliceRow, Storage
from taijitu.machines.world import Alarm


def actors(
    bucket: Bucket,
    read: Read,
    now: Callable[[], int],
    tell: Callable[[Alarm], None],
    storage: Storage,
    *,
    deliver: Deliver = nowhere,
    note: Note | None = None,
) -> Actors:
    """Every actor of the service, by ability. `read` looks at cells, `now` is in ms since 1970. Of
    `storage` the actors know what lies where within bytes, and nothing else. `deliver`: letters.
    `note` writes such facts down, if that is not done by commits of their own."""

    async def commit(slices: Sequence[SliceRow]) -> None:
        await storage.commit(Batch(slices=[*slices]))

    storing = BucketActor(bucket, read, now, storage.forget_slices)
    return {
        "s3/stat": storing,
        "s3/presign": storing,
        "s3/delete": storing,
        "s3/put": AgentActor(bucket),
        "task/sleep": TimerActor(now),
        "operator/alarm": OperatorActor(tell),
        "index/examine": Indexer(bucket, read, storage),
        "contents/scan": Scanner(bucket, note or commit, storage.forget_slices),
        "login/mail": MailerActor(deliver),
    }
