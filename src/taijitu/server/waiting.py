"""What is not at rest: every open task, what it is for, since when and until when it is waited for,
how often it failed and with what. And the two things a person can do about one.

Reading changes nothing. To retry is to make ready now; to park is to put off until it is retried,
or until what it waits for comes.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from taijitu.engine.cell import path_from, read_head
from taijitu.engine.dispatch import Dispatcher, task_id
from taijitu.engine.engine import Engine
from taijitu.engine.storage import Deferral, TaskRow
from taijitu.kernel import codec
from taijitu.kernel.effect import NEVER
from taijitu.kernel.machine import State
from taijitu.kernel.record import Record
from taijitu.machines.entry import Active, Receiving

PARKED_BY_HAND = "parked by an operator"

Condition: TypeAlias = Literal["parked", "failing", "running", "ready", "later", "asked"]
"""`parked`: nobody tries it. `failing`: it is tried again at `ready_at`. `later`: its time has not
come. `asked`: somebody outside has to do it."""

WORST_FIRST: tuple[Condition, ...] = ("parked", "failing", "running", "ready", "asked", "later")


class Waiting(Record):
    """An open task, and the cell that waits for it. Times in ms since 1970; `since` is when it was
    asked for, `until` when the cell stops waiting, if it does, and `ready_at` when it is tried."""

    task: str
    cell: tuple[str, ...]
    state: str
    ability: str
    condition: Condition
    since: int
    until: int | None
    ready_at: int | None
    tries: int
    trouble: str


class Summary(Record):
    """How many cells and tasks are waiting; the tasks that are told of, the worst first."""

    cells: int
    tasks: int
    parked: int
    failing: int
    told: tuple[Waiting, ...]


async def waiting(engine: Engine, dispatcher: Dispatcher, limit: int) -> Summary:
    """Everything that is open, and up to `limit` tasks in detail."""
    now = engine.now()
    rows = await engine.storage.open_tasks()
    running = dispatcher.running.keys()
    judged: list[tuple[Condition, TaskRow]] = [
        (condition(row, now, row.key in running), row) for row in rows
    ]
    judged.sort(key=lambda each: (WORST_FIRST.index(each[0]), each[1].ready_at))
    conditions = [each for each, _ in judged]
    told = [await described(engine, row, how) for how, row in judged[:limit]]
    return Summary(
        cells=len({row.path for row in rows}),
        tasks=len(rows),
        parked=conditions.count("parked"),
        failing=conditions.count("failing"),
        told=tuple(each for each in told if each is not None),
    )


def condition(row: TaskRow, now: int, is_running: bool) -> Condition:
    """How a task stands."""
    if is_running:
        return "running"
    if row.ready_at >= NEVER:
        return "parked" if row.trouble else "asked"
    if row.trouble:
        return "failing"
    return "ready" if row.ready_at <= now else "later"


async def described(engine: Engine, row: TaskRow, how: Condition) -> Waiting | None:
    """A task in detail; `None` if it is settled by now."""
    plan = await engine.storage.plan(row.plan)
    head = await engine.storage.head(row.path)
    if plan is None or head is None:
        return None
    state = read_head(engine.machines, head)[0].state
    return Waiting(
        task=task_id(row.key),
        cell=path_from(row.path),
        state=type(state).__name__,
        ability=row.ability,
        condition=how,
        since=codec.decode(plan.block, engine.machines).at,
        until=deadline(state, row),
        ready_at=None if row.ready_at >= NEVER else row.ready_at,
        tries=row.tries,
        trouble=row.trouble,
    )


def deadline(state: State, row: TaskRow) -> int | None:
    """Until when a cell in this state waits for a task."""
    if row.ability == "task/sleep":
        return row.ready_at
    match state:
        case Active(deadline=until) | Receiving(expires=until) if row.path.startswith("entry/"):
            return until
        case _:
            return None


async def find(engine: Engine, task: str) -> TaskRow | None:
    """The open task of that name."""
    rows: Sequence[TaskRow] = await engine.storage.open_tasks()
    return next((row for row in rows if task_id(row.key) == task), None)


async def retry(engine: Engine, row: TaskRow) -> None:
    """Make a task ready now, as if it had never failed."""
    await engine.defer(Deferral(*row.key, engine.now(), 0, ""))


async def park(engine: Engine, row: TaskRow) -> None:
    """Put a task aside."""
    await engine.defer(Deferral(*row.key, NEVER, row.tries, row.trouble or PARKED_BY_HAND))
