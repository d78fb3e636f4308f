"""Which tasks are due, and which messages? A pure question about a plan and its receipts.

The scheduler holds no state of its own. After a crash it asks again, with the receipts that were
written down, and gets the same answer.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Any, Literal

from taijitu.kernel.effect import Await, Effect, Not, Ref, Send, Task, Then
from taijitu.kernel.receipt import Ok, Receipt
from taijitu.kernel.record import Record

PLAN_TASKS_MAX = 64
PLAN_PIPELINES_MAX = 64

Outcome = Literal["ok", "error", "pending"]

FLIPPED: dict[Outcome, Outcome] = {"ok": "error", "error": "ok", "pending": "pending"}


class Plan(Record):
    """The effects that one transition asked for: each task once, and pipelines of them."""

    tasks: tuple[Task, ...] = ()
    pipelines: tuple[Effect, ...] = ()


NOTHING = Plan()


class Due(Record):
    """What stands between a plan and its end.

    `tasks` and `messages` are indexes into the plan's tasks and pipelines. `failed` are the
    pipelines that came to an error and send nothing.
    """

    tasks: tuple[int, ...] = ()
    messages: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()


NOTHING_DUE = Due()


def plan(effects: Iterable[Effect]) -> Plan:
    """Gather effects into a plan. Raises `ValueError` for a pipeline that awaits what is not
    run before."""
    index: dict[Task, int] = {}
    pipelines = tuple(_gather(effect, index) for effect in effects)
    if len(index) > PLAN_TASKS_MAX or len(pipelines) > PLAN_PIPELINES_MAX:
        raise ValueError(
            f"a plan of {len(index)} tasks and {len(pipelines)} pipelines is too large"
        )
    for pipeline in pipelines:
        _check(pipeline, tuple(index))
    return Plan(tuple(index), pipelines) if pipelines else NOTHING


def due(
    plan: Plan,
    receipts: Mapping[int, Receipt],
    delivered: Set[int] = frozenset(),
    heard: bool = True,
) -> Due:
    """What a plan still asks for. `heard` is false once another plan has taken its place: then
    only pipelines that send nothing go on."""
    tasks: dict[int, None] = {}
    messages: list[int] = []
    failed: list[int] = []
    for number, pipeline in enumerate(plan.pipelines):
        message = sends(pipeline)
        if message is None:
            if _settle(pipeline, receipts, tasks) == "error":
                failed.append(number)
        elif number in delivered or not heard:
            continue
        elif _settle(pipeline, receipts, tasks) == "ok":
            messages.append(number)
    return Due(tuple(tasks), tuple(messages), tuple(failed))


def sends(pipeline: Effect) -> Send | None:
    """The message at the end of a pipeline, if there is one."""
    while isinstance(pipeline, Then):
        pipeline = pipeline.after
    return pipeline if isinstance(pipeline, Send) else None


def filled(value: Any, receipts: Mapping[int, Receipt]) -> Any:
    """`value`, or what it awaits. Raises `KeyError` when the output has no such field."""
    if not isinstance(value, Await):
        return value
    assert isinstance(value.task, Ref)
    output: Any = receipts[value.task.index].value
    for key in value.selector.split("."):
        output = output[key]
    return output


def _settle(effect: Effect, receipts: Mapping[int, Receipt], tasks: dict[int, None]) -> Outcome:
    match effect:
        case Ref(index):
            receipt = receipts.get(index)
            if receipt is None:
                tasks[index] = None
                return "pending"
            return "ok" if isinstance(receipt, Ok) else "error"
        case Then(first, after):
            outcome = _settle(first, receipts, tasks)
            return _settle(after, receipts, tasks) if outcome == "ok" else outcome
        case Not(inner):
            return FLIPPED[_settle(inner, receipts, tasks)]
        case Send():
            return "ok"
        case _:
            raise TypeError(f"not an effect of a plan: {effect!r}")


def _gather(effect: Effect, index: dict[Task, int]) -> Effect:
    """`effect` with each task replaced by its index; tasks are added to `index` as they come."""
    match effect:
        case Task():
            task = _with_refs(effect, index)
            return Ref(index.setdefault(task, len(index)))
        case Then(first, after):
            return Then(_gather(first, index), _gather(after, index))
        case Not(inner):
            return Not(_gather(inner, index))
        case Send(message, fields):
            return Send(message, tuple((name, _ref(value, index)) for name, value in fields))
        case _:
            raise TypeError(f"not an effect: {effect!r}")


def _with_refs(task: Task, index: dict[Task, int]) -> Task:
    names = task.__struct_fields__
    values = [getattr(task, name) for name in names]
    if not any(isinstance(value, Await) for value in values):
        return task
    return type(task)(*(_ref(value, index) for value in values))


def _ref(value: Any, index: dict[Task, int]) -> Any:
    if not isinstance(value, Await) or isinstance(value.task, Ref):
        return value
    return Await(_gather(value.task, index), value.selector)


def _check(pipeline: Effect, tasks: tuple[Task, ...]) -> None:
    """A pipeline may await only tasks that stand before, and only its end may send."""
    before: set[int] = set()

    def visit(effect: Effect, last: bool) -> None:
        match effect:
            case Ref(index):
                task = tasks[index]
                _check_awaits((getattr(task, name) for name in task.__struct_fields__), before)
                before.add(index)
            case Then(first, after):
                visit(first, False)
                visit(after, last)
            case Not(inner):
                visit(inner, False)
            case Send(_, fields):
                if not last:
                    raise ValueError("a message can only end a pipeline")
                _check_awaits((value for _, value in fields), before)
            case _:
                raise TypeError(f"not an effect of a plan: {effect!r}")

    visit(pipeline, True)


def _check_awaits(values: Iterable[Any], before: Set[int]) -> None:
    for value in values:
        if isinstance(value, Await) and not (
            isinstance(value.task, Ref) and value.task.index in before
        ):
            raise ValueError(f"awaits a task that does not stand before it: {value!r}")
