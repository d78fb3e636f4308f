from typing import Any

import pytest

from taijitu.ipld import dagjson
from taijitu.ipld.cid import link_to
from taijitu.ipld.dagcbor import EncodeError

LINK = link_to(b"hello")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ([True, False], "[true,false]"),
        (-(2**64), "-18446744073709551616"),
        (2**64 - 1, "18446744073709551615"),
        ("", '""'),
        ('"\\/\b\f\n\r\t', r'"\"\\/\b\f\n\r\t"'),
        ("\x00\x1f\x7f\u2028", '"\\u0000\\u001f\x7f\u2028"'),
        (b"", '{"/":{"bytes":""}}'),
        (b"\xff\xfe", '{"/":{"bytes":"//4"}}'),
        (LINK, f'{{"/":"{LINK}"}}'),
        ({"b": 1, "aa": [], "a": {}}, '{"a":{},"aa":[],"b":1}'),
        ({"/": 1}, '{"/":1}'),
        ({"/": "x", "a": 1}, '{"/":"x","a":1}'),
        ({"\uffff": 1, "😀": 2, "\ud7ff": 3}, '{"\ud7ff":3,"😀":2,"\uffff":1}'),
        ({"a": 1, "B": "é"}, '{"B":"é","a":1}'),
    ],
)
def test_a_value_is_written_as_javascript_writes_it(value: Any, text: str) -> None:
    assert dagjson.encode(value).decode() == text
    assert dagjson.encode({"x": [value]}).decode() == f'{{"x":[{text}]}}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1e15, "-1000000000000000"),
        (2.0**53 - 1, "9007199254740991"),
        (2.0**53, "9007199254740992.0"),
        (-(2.0**53), "-9007199254740992.0"),
        (1e20, "100000000000000000000.0"),
        (123456789012345680000.0, "123456789012345680000.0"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (0.1, "0.1"),
        (-123.456, "-123.456"),
        (1e-6, "0.000001"),
        (1.25e-6, "0.00000125"),
        (1e-7, "1e-7"),
        (-1.25e-7, "-1.25e-7"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_a_float_is_spelled_as_ecmascript_spells_it(value: float, text: str) -> None:
    assert dagjson.encode(value).decode() == text


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        2**64,
        -(2**64) - 1,
        2**10_000,
        "\ud800",
        {"\ud800": 1},
        {1: 2},
        {"a": 1, 2: 3},
        (1,),
        {1},
        object(),
        {"/": "bafy"},
        {"/": {"bytes": "AA"}},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_cannot_be_written_or_would_read_as_something_else_is_refused(value: object) -> None:
    for whole in (value, [value], {"a": [value, 0.5]}):
        with pytest.raises(EncodeError):
            dagjson.encode(whole)


def test_a_structure_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(EncodeError, match="nested too deep"):
        dagjson.encode(loop)
