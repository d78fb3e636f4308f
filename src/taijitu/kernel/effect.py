"""Effects are values: a `Task` says what should happen, and nothing here makes it happen.

    a >> b    then    run `b` once `a` has succeeded
    ~a        not     succeed when `a` fails, fail when `a` succeeds

`send(Message, ...)` ends a pipeline. Within one plan equal tasks are one task: standing in three
pipelines it runs once, and its one receipt answers all three. The next plan asks afresh.

Data flows by reference: a field may be `Await(task, "url")` instead of a value, and is filled
from that task's output when the message is delivered or the task is started.
"""

from functools import lru_cache
from typing import Any, ClassVar, cast

from taijitu.kernel.record import Record

Path = tuple[str, ...]
"""Where a cell lives. The first segment names its machine; no segment is empty or has a `/`."""

NEVER = 2**53 - 1
"""A time that does not come, in ms. The largest integer that every reader of a block can hold."""


class Effect(Record):
    """Anything that can stand beside an operator."""

    def __rshift__(self, after: "Effect") -> "Then":
        return Then(self, after)

    def __invert__(self) -> "Not":
        return Not(self)


class Then(Effect):
    first: Effect
    after: Effect


class Not(Effect):
    effect: Effect


class Task(Effect, tag_field="can"):
    """One request to one actor: one subclass an ability, named by its tag.

    The first field is what the task is done to (`with`), the other fields are its input (`nb`).
    """

    actor: ClassVar[str]
    queues: ClassVar[bool] = False
    """Whether those that may start at once take their turns in the order in which they were asked
    for. Where there is no queue it does not matter, and no clock that was wrong delays them."""

    def ready_at(self) -> int:
        """When it may start, in ms since 1970. `NEVER` means: only when a hint wakes it."""
        return 0

    def about(self) -> str:
        """What a hint must name to wake this task, or an empty string."""
        return ""


class Request(Task):
    """A task that another cell answers, in the same commit as the transition that asks.

    `machine` and `key` (names of fields) say which cell; its machine hears the request itself as
    the message.
    """

    machine: ClassVar[str]
    key: ClassVar[tuple[str, ...]]

    def cell(self) -> Path:
        """The path of the cell that is asked."""
        return (self.machine, *(getattr(self, name) for name in self.key))


class Ref(Effect):
    """A task of a plan, by its index."""

    index: int


class Await(Record):
    """The output of another task of the same pipeline: `selector` is a dotted path into it."""

    task: Effect
    selector: str


class Message(Record, tag_field="do"):
    """Something that may happen to a cell. `at` is when it was accepted, in ms since 1970."""

    at: int


class Send(Effect):
    """Deliver a message to the cell this plan belongs to. A template: fields may be `Await`s."""

    message: str
    fields: tuple[tuple[str, Any], ...]


def send(message: type[Message], **fields: Any) -> Send:
    """A template of `message`. The engine adds `at` when it delivers it."""
    return Send(tag_of_template(message, frozenset(fields)), tuple(sorted(fields.items())))


@lru_cache(maxsize=1024)
def tag_of_template(message: type[Message], given: frozenset[str]) -> str:
    """The tag of `message`. Raises `TypeError` if a template of it cannot have these fields."""
    missing = set(required(message)) - given - {"at"}
    if missing or given - set(message.__struct_fields__):
        raise TypeError(f"{message.__name__} has fields {message.__struct_fields__}, not {given}")
    return tag(message)


def required(record: type[Record]) -> tuple[str, ...]:
    """The names of the fields that have no default."""
    count = len(record.__struct_fields__) - len(record.__struct_defaults__)
    return record.__struct_fields__[:count]


def tag(record: type[Record]) -> str:
    """How a state, message or task is called on the wire and in charts."""
    return cast(str, record.__struct_config__.tag)
