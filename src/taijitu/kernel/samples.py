"""Sample values of records, made from their types, to ask a pure function about everything.

One plain sample, and all that differ from it in at most `DEVIATIONS_MAX` places. In the plain
sample equal types hold equal values, so that sizes match, times coincide and names agree; each
deviation breaks one such tie. Two reach every guard that relates two fields.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from taijitu.ipld.cid import Link, link_to
from taijitu.kernel.effect import Await, Message, Request
from taijitu.kernel.machine import Machine, State
from taijitu.kernel.record import Record

DEVIATIONS_MAX = 2
"""In how many places a sample may differ from the plain one."""

LEAVES: dict[Any, tuple[Any, ...]] = {
    int: (1, 0, 2, 2**40),
    float: (1.0, 0.0, 2.0),
    str: ("a", "b"),
    bytes: (b"a", b"b"),
    bool: (False, True),
    Link: (link_to(b"a"), link_to(b"b")),
    NoneType: (None,),
    Any: ("a", 1),
}
"""The plain value of a type, and the others. A number may be a size, a count or a time."""

Levels: TypeAlias = tuple[Sequence[Any], ...]
"""Samples by the number of places in which they differ from the plain one."""


def pairs(machine: Machine) -> Iterator[tuple[State, Message | Request]]:
    """Each state with each message of a machine, in all their samples.

    State and message deviate together: in both at most `DEVIATIONS_MAX` places are not plain.
    """
    for state, message in product(machine.states.values(), machine.messages.values()):
        for level in combined([levels(state), levels(message)], tuple):
            yield from level


def plain(kind: Any) -> Any:
    """The plain sample of a type."""
    return levels(kind)[0][0]


@lru_cache(maxsize=1024)
def levels(hint: Any) -> Levels:
    """Samples of a type. Raises `TypeError` for a type that it knows no sample of."""
    origin, members = get_origin(hint), get_args(hint)
    if hint in LEAVES:
        return _leaf(*LEAVES[hint])
    if origin is Literal:
        return _leaf(*members)
    if origin in (Union, UnionType):
        return _union([member for member in members if member is not Await])
    if origin in (tuple, list) and members[-1:] in ((...,), members):
        return _sequence(levels(members[0]), origin)
    if origin is tuple:
        return combined([levels(member) for member in members], tuple)
    if origin is dict:
        key, value = members
        return _leaf({}, {plain(key): plain(value)})
    if isinstance(hint, type) and issubclass(hint, Record):
        return _record(hint)
    raise TypeError(f"no samples of {hint!r}")


def combined(parts: Sequence[Levels], make: Callable[[tuple[Any, ...]], Any]) -> Levels:
    """Samples of what has several parts: their deviations add up."""
    rows: list[list[tuple[Any, ...]]] = [[()], *([] for _ in range(DEVIATIONS_MAX))]
    for part in parts:
        rows = [
            [
                (*row, value)
                for here in range(total + 1)
                for row in rows[total - here]
                for value in part[here]
            ]
            for total in range(DEVIATIONS_MAX + 1)
        ]
    return tuple([make(row) for row in level] for level in rows)


def _leaf(base: Any, *others: Any) -> Levels:
    return ([base], others, *((),) * (DEVIATIONS_MAX - 1))


def _union(members: Sequence[Any]) -> Levels:
    """The first member is the plain one; to be another member is a deviation."""
    first, *others = (levels(member) for member in members)
    rows = [list(level) for level in first]
    for other in others:
        for total in range(DEVIATIONS_MAX):
            rows[total + 1] += other[total]
    return tuple(rows)


def _sequence(element: Levels, make: Callable[[Any], Any]) -> Levels:
    """One element; or none; or a second one beside it, that is another."""
    base = element[0][0]
    rows = [[make([value]) for value in level] for level in element]
    rows[1] += [make([]), *(make([base, value]) for value in element[1])]
    return tuple(rows)


def _record(kind: type[Record]) -> Levels:
    hints = get_type_hints(kind)
    fields = [levels(hints[name]) for name in kind.__struct_fields__]
    return combined(fields, lambda values: kind(*values))
