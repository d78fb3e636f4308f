"""Which tasks are due, and which messages? A pure question about a plan and its receipts.

The scheduler holds no state of its own. After a crash it asks again, with the receipts that were
written down, and gets the same answer.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Literal, cast

from taijitu.kernel.effect import Await, Effect, Not, Ref, Send, Task, Then
from taijitu.kernel.receipt import Ok, Receipt
from taijitu.kernel.record import Record
from taijitu.kernel.shape import NO_SHAPE, Hop, Shape, shaped

Outcome = Literal["ok", "error", "pending"]

FLIPPED: dict[Outcome, Outcome] = {"ok": "error", "error": "ok", "pending": "pending"}


class Plan(Record):
    """The effects that one transition asked for: each task once, and pipelines of them."""

    tasks: tuple[Task, ...] = ()
    shape: Shape = NO_SHAPE

    @property
    def pipelines(self) -> tuple[Effect, ...]:
        return self.shape.pipelines


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


def plan(effects: Sequence[Effect]) -> Plan:
    """Gather effects into a plan. Raises `ValueError` for a pipeline that awaits what is not
    run before, or sends before its end."""
    return Plan(*shaped(effects)) if effects else NOTHING


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
    shape = plan.shape
    for number, (message, hops) in enumerate(zip(shape.ends, shape.hops, strict=True)):
        if message is not None and (not heard or number in delivered):
            continue
        if hops is None:
            outcome = _settle(shape.pipelines[number], receipts, tasks)
        else:
            outcome = _follow(hops, receipts, tasks)
        if outcome == "ok" and message is not None:
            messages.append(number)
        elif outcome == "error" and message is None:
            failed.append(number)
    return Due(tuple(tasks), tuple(messages), tuple(failed))


def filled(value: Any, receipts: Mapping[int, Receipt]) -> Any:
    """`value`, or what it awaits. Raises `KeyError` when the output has no such field."""
    if not isinstance(value, Await):
        return value
    assert isinstance(value.task, Ref)
    output: Any = receipts[value.task.index].value
    for key in value.selector.split("."):
        output = output[key]
    return output


def _follow(
    hops: tuple[Hop, ...], receipts: Mapping[int, Receipt], tasks: dict[int, None]
) -> Outcome:
    """How a chain of tasks stands; the one that it waits for is added to `tasks`."""
    for index, has_to_succeed in hops:
        receipt = receipts.get(index)
        if receipt is None:
            tasks[index] = None
            return "pending"
        if (type(receipt) is Ok) is not has_to_succeed:
            return "error"
    return "ok"


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
