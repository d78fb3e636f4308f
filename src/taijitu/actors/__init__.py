"""Who carries out what machines ask of the world: one actor a file, which knows no rules."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from taijitu.actors.agent import AgentActor
from taijitu.actors.bucket import BucketActor, Read
from taijitu.actors.facts import Note
from taijitu.actors.indexer import Indexer
from taijitu.actors.mailer import Deliver, MailerActor, nowhere
from taijitu.actors.operator import OperatorActor
from taijitu.actors.scanner import SCANNED_AT_ONCE, Scanner
from taijitu.actors.timer import TimerActor
from taijitu.buckets.port import Bucket
from taijitu.engine.actor import Actors
from taijitu.engine.storage import Storage
from taijitu.machines.world import Alarm

WIDTHS: Final[Mapping[str, int]] = MappingProxyType({"contents/scan": SCANNED_AT_ONCE})
"""How many tasks of an ability are carried out at once, where that are few."""


def actors(
    bucket: Bucket,
    read: Read,
    now: Callable[[], int],
    tell: Callable[[Alarm], None],
    storage: Storage,
    *,
    note: Note,
    deliver: Deliver = nowhere,
) -> Actors:
    """Every actor of the service, by ability. `read` looks at cells, `now` is in ms since 1970. Of
    `storage` the actors know what lies where within bytes, and nothing else; `note` writes such
    facts down. `deliver`: letters."""
    storing = BucketActor(bucket, read, now, storage.forget_slices)
    return {
        "s3/stat": storing,
        "s3/presign": storing,
        "s3/delete": storing,
        "s3/put": AgentActor(bucket),
        "task/sleep": TimerActor(now),
        "operator/alarm": OperatorActor(tell),
        "index/examine": Indexer(bucket, read, storage, note),
        "contents/scan": Scanner(bucket, note),
        "login/mail": MailerActor(deliver),
    }
