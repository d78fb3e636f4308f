"""What happened to one cell, and why: its chain of transitions, read back from storage.

Reading needs no engine and changes nothing. A URL is shown only where it still stands: in the
message and the state of the head. Everywhere else a secret is replaced, receipts included: the
URL of a plan that was superseded is nobody's business.
"""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Literal, TypeAlias, cast

from taijitu.engine.cell import Machines, Progress, decode_progress, path_from, path_text
from taijitu.engine.chain import transitions
from taijitu.engine.draft import complete
from taijitu.engine.storage import HeadRow, Storage, TaskKey, TaskRow
from taijitu.ipld.cid import Link
from taijitu.kernel import codec
from taijitu.kernel.effect import Path, Task, tag
from taijitu.kernel.failures import BlockMissing
from taijitu.kernel.notation import pipelines_as_text
from taijitu.kernel.plain import plain
from taijitu.kernel.plan import NOTHING, Plan, due
from taijitu.kernel.receipt import Error, Ok
from taijitu.kernel.record import Record

STEPS_MAX = 1000
"""How many transitions are read back at most, if nothing else is said."""

SECRETS = frozenset(("url", "headers", "signature"))
"""Fields that let whoever knows them act."""

SUPERSEDED = "(superseded)"

Fate: TypeAlias = Literal["ok", "error", "open", "waiting", "dropped"]
"""How a task stands: settled (`ok`, `error`), asked for (`open`), or not asked for, while its plan
is current (`waiting`) or because it no longer is (`dropped`)."""


class TaskSeen(Record):
    """A task of a plan. `input` holds what it awaits, filled in once that is known.

    `value` is what its receipt says. For an open task `ready_at` is when it may start (ms since
    1970), `tries` how often it was tried, and `trouble` what went wrong last.
    """

    ability: str
    actor: str
    subject: Any
    input: dict[str, Any]
    fate: Fate
    value: dict[str, Any] | None = None
    ready_at: int | None = None
    tries: int = 0
    trouble: str = ""


class PipelineSeen(Record):
    """A pipeline in the notation of the machine; `delivered` once its message was heard."""

    text: str
    delivered: bool


class StepSeen(Record):
    """One transition. `at` in ms since 1970; `cause` is the invocation that asked, if one did.

    `amended`: the plan before went on, so this one has none of its own. `is_current`: its plan
    is the one that the cell is following.
    """

    seq: int
    cid: Link
    at: int
    cause: Link | None
    message: dict[str, Any]
    state: dict[str, Any]
    state_name: str
    amended: bool
    is_current: bool
    pipelines: tuple[PipelineSeen, ...] = ()
    tasks: tuple[TaskSeen, ...] = ()


class History(Record):
    """The steps of a cell, oldest first. `is_whole` is false if there are older ones."""

    path: Path
    machine: str
    steps: tuple[StepSeen, ...]
    is_whole: bool


async def history(
    storage: Storage, machines: Machines, path: Path, *, limit: int = STEPS_MAX
) -> History | None:
    """The last `limit` steps of a cell, or `None` if nothing ever happened there.

    Raises `UnknownVersion` for what another version of a machine wrote, and `BlockMissing`.
    """
    if limit < 1:
        raise ValueError(f"a history of {limit} steps is none")
    row = await storage.head(path_text(path))
    if row is None:
        return None
    rows = await storage.open_tasks(row.path)
    reader = Reader(storage, machines, row, {task.key: task for task in rows})
    return await reader.read(limit)


class Reader:
    """Walks one chain back. `opened` are the tasks of the cell that are open."""

    def __init__(
        self,
        storage: Storage,
        machines: Machines,
        head: HeadRow,
        opened: Mapping[TaskKey, TaskRow],
    ) -> None:
        self.storage = storage
        self.machines = machines
        self.head = head
        self.opened = opened

    async def read(self, limit: int) -> History:
        steps: list[StepSeen] = []
        machine, is_whole = "", True
        async with aclosing(transitions(self.storage, self.machines, self.head)) as chain:
            async for cid, transition in chain:
                machine = machine or transition.machine.name
                steps.append(await self.step(cid, transition))
                is_whole = transition.previous is None
                if len(steps) == limit:
                    break
        return History(path_from(self.head.path), machine, tuple(reversed(steps)), is_whole)

    async def step(self, cid: Link, transition: codec.Transition) -> StepSeen:
        shown = as_it_is if cid.data == self.head.cid else redacted
        planned = transition.plan.data if isinstance(transition.plan, Link) else cid.data
        pipelines, tasks = await self.plan(cid, transition)
        return StepSeen(
            transition.seq,
            cid,
            transition.at,
            transition.cause,
            shown(codec.encode_message(transition.message)),
            shown(plain(transition.state)),
            type(transition.state).__name__,
            isinstance(transition.plan, Link),
            planned == self.head.plan,
            pipelines,
            tasks,
        )

    async def plan(
        self, cid: Link, transition: codec.Transition
    ) -> tuple[tuple[PipelineSeen, ...], tuple[TaskSeen, ...]]:
        plan = transition.plan
        if isinstance(plan, Link) or plan == NOTHING:
            return (), ()
        progress = await self.progress(cid, transition.path, plan)
        texts = pipelines_as_text(plan)
        pipelines = tuple(
            PipelineSeen(text, number in progress.delivered) for number, text in enumerate(texts)
        )
        is_current = cid.data == self.head.plan
        open_now = due(plan, progress.receipts, progress.delivered, is_current).tasks
        tasks = tuple(
            self.task(cid, progress, index, is_due=index in open_now, is_current=is_current)
            for index in range(len(plan.tasks))
        )
        return pipelines, tasks

    async def progress(self, cid: Link, path: Path, plan: Plan) -> Progress:
        row = await self.storage.plan(cid.data)
        if row is None:
            raise BlockMissing(f"no plan {cid} of {self.head.path}")
        return decode_progress(path, plan, row.version, row.progress)

    def task(
        self, cid: Link, progress: Progress, index: int, *, is_due: bool, is_current: bool
    ) -> TaskSeen:
        task = complete(progress, index) if is_due else progress.plan.tasks[index]
        seen = redacted(codec.encode_task(task))
        receipt = progress.receipts.get(index)
        fate: Fate = "open" if is_due else "waiting" if is_current else "dropped"
        match receipt:
            case Ok(value):
                return task_seen(task, seen, "ok", value)
            case Error(value):
                return task_seen(task, seen, "error", value)
            case None:
                row = self.opened.get(TaskKey(cid.data, index)) if is_due else None
                return task_seen(task, seen, fate, row=row)


def task_seen(
    task: Task,
    encoded: dict[str, Any],
    fate: Fate,
    value: dict[str, Any] | None = None,
    row: TaskRow | None = None,
) -> TaskSeen:
    return TaskSeen(
        tag(type(task)),
        task.actor,
        encoded["with"],
        encoded["nb"],
        fate,
        None if value is None else redacted(value),
        None if row is None else row.ready_at,
        0 if row is None else row.tries,
        "" if row is None else row.trouble,
    )


def as_it_is(value: dict[str, Any]) -> dict[str, Any]:
    return value


def redacted(value: Any) -> Any:
    """A value with every secret in it replaced, however deep it lies."""
    match value:
        case dict():
            fields = cast(dict[str, Any], value)
            return {
                name: SUPERSEDED if name in SECRETS else redacted(item)
                for name, item in fields.items()
            }
        case list() | tuple():
            return [redacted(item) for item in cast(list[Any], value)]
        case _:
            return value
