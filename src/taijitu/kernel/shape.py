"""The shape of a plan: its pipelines, with each task named by its place.

A machine makes plans of a few shapes over and over, with other tasks in them. What is to be found
out about a shape (is it well formed, which pipeline sends what, how it is written down) is found
out once.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias, cast, get_args, get_type_hints

from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Await, Effect, Not, Ref, Send, Task, Then

PLAN_TASKS_MAX = 64
PLAN_PIPELINES_MAX = 64

SHAPES_MAX = 1_024
"""Shapes that are remembered."""

SCALARS = frozenset((str, int, bool, type(None), bytes, Link))
"""Types whose values are the same if they are equal and of one type."""

Hop: TypeAlias = tuple[int, bool]
"""A task by its place, and whether it has to succeed (or to fail)."""


class Shape:
    """`pipelines` with what is known of them. `ends` holds the message that each sends, or `None`;
    `hops` the way there, or `None` for a pipeline that is no simple chain."""

    __slots__ = ("ends", "hops", "pipelines", "written")

    def __init__(self, pipelines: tuple[Effect, ...] = ()) -> None:
        self.pipelines = pipelines
        self.ends = tuple([sends(pipeline) for pipeline in pipelines])
        self.hops = tuple([chain(pipeline) for pipeline in pipelines])
        self.written: list[Any] | None = None
        """As the codec writes it, once it has. Not to be changed."""

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Shape) and self.pipelines == other.pipelines)

    def __hash__(self) -> int:
        return hash(self.pipelines)

    def __repr__(self) -> str:
        return f"Shape({self.pipelines!r})"


NO_SHAPE = Shape()
REFS = tuple(Ref(number) for number in range(PLAN_TASKS_MAX))


def shaped(effects: Sequence[Effect]) -> tuple[tuple[Task, ...], Shape]:
    """The tasks of some effects, each once, and their shape. Raises `ValueError` for a pipeline
    that awaits what is not run before, or sends before its end."""
    index: dict[Task, int] = {}
    notes: list[Any] = []
    for effect in effects:
        _note(effect, index, notes)
    if not notes:
        return (), NO_SHAPE
    key = tuple(notes)
    shape = _shapes.get(key)
    if shape is None:
        shape = Shape(_gathered(effects))
        if len(_shapes) >= SHAPES_MAX:
            _shapes.clear()
        _shapes[key] = shape
    return tuple(index), shape


def sends(pipeline: Effect) -> Send | None:
    """The message at the end of a pipeline, if there is one."""
    end = pipeline
    while type(end) is Then:
        end = end.after
    return end if type(end) is Send else None


def chain(pipeline: Effect) -> tuple[Hop, ...] | None:
    """The tasks on the way to the end of a pipeline, one after the other, if it is as simple."""
    kind = type(pipeline)
    if kind is Then:
        pair = cast(Then, pipeline)
        first, after = chain(pair.first), chain(pair.after)
        return None if first is None or after is None else first + after
    if kind is Ref:
        return ((cast(Ref, pipeline).index, True),)
    if kind is Not and type(inner := cast(Not, pipeline).effect) is Ref:
        return ((inner.index, False),)
    return () if kind is Send else None


@lru_cache(maxsize=256)
def awaiting(kind: type[Task]) -> tuple[str, ...]:
    """The names of the fields that may hold an `Await` instead of a value."""
    hints = get_type_hints(kind)
    return tuple(
        name
        for name in kind.__struct_fields__
        if hints[name] in (Any, Await) or Await in get_args(hints[name])
    )


_shapes: dict[tuple[Any, ...], Shape] = {}


def _note(effect: Effect, index: dict[Task, int], notes: list[Any]) -> None:
    """Write down what makes up the shape of an effect, operators last; enter its tasks in `index`.
    Two sequences of effects of which the same is written down have the same shape."""
    kind = type(effect)
    if kind is Then:
        pair = cast(Then, effect)
        _note(pair.first, index, notes)
        _note(pair.after, index, notes)
        notes.append(Then)
    elif kind is Not:
        _note(cast(Not, effect).effect, index, notes)
        notes.append(Not)
    elif kind is Send:
        template = cast(Send, effect)
        notes.append(template.message)
        for name, value in template.fields:
            notes.append(name)
            _note_value(value, index, notes)
        notes.append(Send)
    elif isinstance(effect, Task):
        names = awaiting(kind)
        if names:
            for name in names:
                _note_value(getattr(effect, name), index, notes, whole=False)
            effect = with_refs(effect, index)
        notes.append(index.setdefault(effect, len(index)))
    else:
        raise TypeError(f"not an effect: {effect!r}")


def _note_value(
    value: Any, index: dict[Task, int], notes: list[Any], *, whole: bool = True
) -> None:
    """What an awaited value awaits; of any other its type and (`whole`) what it is."""
    kind = value.__class__
    if kind is Await:
        notes += (Await, place(value, index), value.selector)
    elif whole:
        notes += (kind, value if kind in SCALARS else object())


def with_refs(task: Task, index: dict[Task, int]) -> Task:
    """The task, with what its fields await named by place."""
    names = awaiting(type(task))
    if not any(type(getattr(task, name)) is Await for name in names):
        return task
    values = [getattr(task, name) for name in task.__struct_fields__]
    return type(task)(*[_with_ref(value, index) for value in values])


def _with_ref(value: Any, index: dict[Task, int]) -> Any:
    return Await(Ref(place(value, index)), value.selector) if type(value) is Await else value


def place(value: Await, index: dict[Task, int]) -> int:
    """The place of the task that is awaited, or -1."""
    awaited = value.task
    if isinstance(awaited, Task):
        return index.get(with_refs(awaited, index), -1)
    return awaited.index if type(awaited) is Ref else -1


def _gathered(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """The effects with each task replaced by its place."""
    index: dict[Task, int] = {}
    pipelines = tuple([_gather(effect, index, set(), last=True) for effect in effects])
    if len(index) > PLAN_TASKS_MAX or len(pipelines) > PLAN_PIPELINES_MAX:
        raise ValueError(f"a plan of {len(index)} tasks and {len(pipelines)} pipelines")
    return pipelines


def _gather(effect: Effect, index: dict[Task, int], before: set[int], *, last: bool) -> Effect:
    """`effect` with each task replaced by its place in `index`, where tasks are added as they
    come. `before` are the tasks that stand before it in its pipeline; `last`: it ends there."""
    match effect:
        case Then(first, after):
            first = _gather(first, index, before, last=False)
            return Then(first, _gather(after, index, before, last=last))
        case Not(inner):
            return Not(_gather(inner, index, before, last=False))
        case Send(message, fields):
            if not last:
                raise ValueError("a message can only end a pipeline")
            refs = [(name, _checked(value, index, before)) for name, value in fields]
            return Send(message, tuple(refs))
        case Task():
            for name in awaiting(type(effect)):
                _checked(getattr(effect, name), index, before)
            task = with_refs(effect, index)
            number = index.setdefault(task, len(index))
            before.add(number)
            return REFS[number] if number < PLAN_TASKS_MAX else Ref(number)
        case _:
            raise TypeError(f"not an effect: {effect!r}")


def _checked(value: Any, index: dict[Task, int], before: set[int]) -> Any:
    """A value, with what it awaits named by place: it has to stand before."""
    if type(value) is not Await:
        return value
    if place(value, index) not in before:
        raise ValueError(f"awaits a task that does not stand before it: {value!r}")
    return _with_ref(value, index)
