"""Which tasks are due, and which messages? A pure question about a plan and its receipts.

The scheduler holds no state of its own. After a crash it asks again, with the receipts that were
written down, and gets the same answer.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Any, Literal, cast

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
REFS = tuple(Ref(number) for number in range(PLAN_TASKS_MAX))


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
    run before, or sends before its end."""
    index: dict[Task, int] = {}
    pipelines = tuple([_gather(effect, index, set(), last=True) for effect in effects])
    if len(index) > PLAN_TASKS_MAX or len(pipelines) > PLAN_PIPELINES_MAX:
        raise ValueError(f"a plan of {len(index)} tasks and {len(pipelines)} pipelines")
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
    end = pipeline
    while type(end) is Then:
        end = end.after
    return end if type(end) is Send else None


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
    kind = type(effect)
    if kind is Ref:
        index = cast(Ref, effect).index
        receipt = receipts.get(index)
        if receipt is None:
            tasks[index] = None
            return "pending"
        return "ok" if type(receipt) is Ok else "error"
    if kind is Then:
        pair = cast(Then, effect)
        outcome = _settle(pair.first, receipts, tasks)
        return _settle(pair.after, receipts, tasks) if outcome == "ok" else outcome
    if kind is Not:
        return FLIPPED[_settle(cast(Not, effect).effect, receipts, tasks)]
    if kind is Send:
        return "ok"
    raise TypeError(f"not an effect of a plan: {effect!r}")


def _gather(effect: Effect, index: dict[Task, int], before: set[int], *, last: bool) -> Effect:
    """`effect` with each task replaced by its place in `index`, where tasks are added as they
    come. `before` are the tasks that stand before it in its pipeline; `last`: it ends there."""
    kind = type(effect)
    if kind is Then:
        pair = cast(Then, effect)
        first = _gather(pair.first, index, before, last=False)
        return Then(first, _gather(pair.after, index, before, last=last))
    if kind is Not:
        return Not(_gather(cast(Not, effect).effect, index, before, last=False))
    if kind is Send:
        if not last:
            raise ValueError("a message can only end a pipeline")
        template = cast(Send, effect)
        fields = [(name, _ref(value, index, before)) for name, value in template.fields]
        return Send(template.message, tuple(fields))
    if isinstance(effect, Task):
        task = _with_refs(effect, index, before)
        number = index.setdefault(task, len(index))
        before.add(number)
        return REFS[number] if number < PLAN_TASKS_MAX else Ref(number)
    raise TypeError(f"not an effect: {effect!r}")


def _with_refs(task: Task, index: dict[Task, int], before: set[int]) -> Task:
    """The task, with what its fields await named by place."""
    values = [getattr(task, name) for name in task.__struct_fields__]
    for value in values:
        if type(value) is Await:
            return type(task)(*[_ref(each, index, before) for each in values])
    return task


def _ref(value: Any, index: dict[Task, int], before: set[int]) -> Any:
    if type(value) is not Await:
        return value
    awaited = value.task
    if isinstance(awaited, Task):
        awaited = Ref(index.get(_with_refs(awaited, index, before), -1))
    if type(awaited) is not Ref or awaited.index not in before:
        raise ValueError(f"awaits a task that does not stand before it: {value!r}")
    return Await(awaited, value.selector)
