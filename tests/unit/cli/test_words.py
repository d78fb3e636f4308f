"""Goal: what a person reads about sizes and times is short and never wrong."""

from hypothesis import given
from hypothesis import strategies as st

from taijitu.cli import words


def test_sizes_have_three_digits_and_a_unit() -> None:
    told = {
        0: "0 B",
        1: "1 B",
        1023: "1023 B",
        1024: "1 KiB",
        1536: "1.5 KiB",
        65_634: "64 KiB",
        10 * 2**30: "10 GiB",
        2**20 + 2**18: "1.25 MiB",
        -1024: "-1 KiB",
    }
    assert {size: words.size(size) for size in told} == told


def test_a_size_is_never_rounded_up_to_the_next_unit() -> None:
    assert words.size(2**30 - 1) == "1023 MiB"
    assert words.size(2 * 2**20 - 1) == "1.99 MiB"


@given(st.integers(0, 2**53 - 1))
def test_a_size_as_told_is_no_more_than_the_size_and_close_to_it(size: int) -> None:
    number, unit = words.size(size).split(" ")
    told = float(number) * 1024 ** words.UNITS.index(unit)
    assert told <= size
    assert told >= size * 0.99


def test_times_are_told_in_utc_to_the_millisecond() -> None:
    assert words.moment(0) == "1970-01-01 00:00:00.000"
    assert words.moment(1_700_000_000_007) == "2023-11-14 22:13:20.007"


def test_spans_are_told_in_the_unit_that_fits() -> None:
    told = {
        0: "0 ms",
        999: "999 ms",
        1_050: "1.05 s",
        59_000: "59 s",
        60_000: "1 min",
        7_199_999: "119 min",
        86_400_000: "24 h",
        7 * 86_400_000: "7 days",
    }
    assert {span: words.span(span) for span in told} == told


def test_one_is_told_apart_from_many() -> None:
    assert words.count(1, "entry", "entries") == "1 entry"
    assert words.count(0, "entry", "entries") == "0 entries"


def test_columns_stand_below_each_other_and_are_as_they_were_given() -> None:
    path = "/a  folder/" + "x y " * 40
    assert words.columns([("a", "x"), ("long", path)]) == f"a     x\nlong  {path}"


def test_sentences_go_on_below_where_they_are_longer_than_a_line() -> None:
    text = words.paragraphs([("a", "x"), ("long", "word " * 20)])
    first, second, third = text.splitlines()
    assert first == "a     x"
    assert second.startswith("long  word")
    assert third.startswith("      word")
    assert max(map(len, (second, third))) <= words.WIDTH
