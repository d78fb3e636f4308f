import pytest

from taijitu.unixfs.failures import BadSpan
from taijitu.unixfs.span import Span, parse


@pytest.mark.parametrize(
    ("text", "size", "bounds"),
    [
        ("0:*", 10, (0, 10)),
        ("0:9", 10, (0, 10)),
        ("0:0", 10, (0, 1)),
        ("3:5", 10, (3, 6)),
        ("3:500", 10, (3, 10)),
        ("-4:*", 10, (6, 10)),
        ("-40:*", 10, (0, 10)),
        ("-4:-2", 10, (6, 9)),
        ("4:-1", 10, (4, 10)),
        ("4:-6", 10, (4, 5)),
        ("4:-7", 10, None),
        ("10:*", 10, None),
        ("11:20", 10, None),
        ("5:4", 10, None),
        ("0:-11", 10, None),
        ("0:*", 0, None),
        ("-1:*", 0, None),
    ],
)
def test_a_span_is_inclusive_and_counts_from_either_end(
    text: str, size: int, bounds: tuple[int, int] | None
) -> None:
    assert parse(text).within(size) == bounds


def test_a_span_is_two_numbers_or_a_star() -> None:
    assert parse("-1:*") == Span(-1)
    assert parse("0:-5") == Span(0, -5)


def test_a_number_may_be_as_large_as_64_bits_hold() -> None:
    assert parse("3:9223372036854775807").within(10) == (3, 10)
    assert parse("-9223372036854775807:*").within(10) == (0, 10)
    for text in ("0:9223372036854775808", "0:" + "9" * 10_000, "-" + "9" * 19 + ":*"):
        with pytest.raises(BadSpan, match="is too large"):
            parse(text)


WRONG = [
    *("", "5", ":", "5:", ":5", "*:5", "a:b", "1:2:3", "+1:2", "1.5:2", " 1:2", "١:٢", "1:--2"),
    "9" * 20 + ":*",
]


@pytest.mark.parametrize("text", WRONG)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadSpan):
        parse(text)
