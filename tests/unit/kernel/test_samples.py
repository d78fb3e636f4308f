"""Goal: samples differ from the plain one in every single place, and in every two at once."""

from typing import Any, Literal

import pytest

from taijitu.kernel.effect import Await
from taijitu.kernel.record import Record
from taijitu.kernel.samples import DEVIATIONS_MAX, levels, pairs, plain
from unit.kernel.door import DOOR


class Inner(Record):
    size: int
    name: str


class Outer(Record):
    inner: Inner
    inners: tuple[Inner, ...]
    flag: bool
    kind: Literal["x", "y"]
    maybe: int | None
    awaited: str | Await
    names: dict[str, str]
    both: tuple[int, str]
    many: list[str]


def all_of(hint: Any) -> list[Any]:
    return [value for level in levels(hint) for value in level]


def test_in_the_plain_sample_equal_types_hold_equal_values() -> None:
    inner = Inner(1, "a")
    assert plain(Outer) == Outer(inner, (inner,), False, "x", 1, "a", {}, (1, "a"), ["a"])


def test_every_two_places_deviate_together() -> None:
    assert {(outer.inner.size, outer.flag) for outer in all_of(Outer)} == {
        (size, flag) for size in (0, 1, 2, 2**40) for flag in (False, True)
    }


def test_no_more_places_deviate_than_are_counted() -> None:
    base = plain(Inner)
    for count, level in enumerate(levels(Inner)):
        for sample in level:
            assert (sample.size != base.size) + (sample.name != base.name) == count
    assert len(levels(Inner)) == DEVIATIONS_MAX + 1


def test_sequences_are_empty_and_have_one_or_two_elements() -> None:
    assert {len(outer.inners) for outer in all_of(Outer)} == {0, 1, 2}


def test_an_optional_field_is_also_left_empty() -> None:
    assert {outer.maybe for outer in all_of(Outer)} == {None, 0, 1, 2, 2**40}


def test_no_sample_awaits_anything() -> None:
    assert {outer.awaited for outer in all_of(Outer)} == {"a", "b"}


def test_every_pair_of_a_machine_is_sampled() -> None:
    seen = {(type(state), type(message)) for state, message in pairs(DOOR)}
    assert len(seen) == len(DOOR.states) * len(DOOR.messages)


def test_a_type_without_samples_is_refused() -> None:
    with pytest.raises(TypeError, match="no samples of"):
        levels(complex)
