from collections.abc import Callable
from enum import IntEnum
from typing import Any

import pytest

from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link, link_to
from taijitu.ipld.dagcbor import NESTING_MAX, SHORT_SIZE_MAX, DecodeError, EncodeError

LINK = link_to(b"hello")
TAGGED = "d82a5825" + "00" + LINK.data.hex()


def nested(levels: int, inside: Any = None) -> Any:
    value = inside
    for level in range(levels):
        value = [value] if level % 2 else {"x": value}
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "f6"),
        (False, "f4"),
        (True, "f5"),
        (0, "00"),
        (24, "1818"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-(2**64), "3bffffffffffffffff"),
        (1.0, "fb3ff0000000000000"),
        ("é", "62c3a9"),
        (b"\x00", "4100"),
        ([], "80"),
        ({}, "a0"),
        ({"b": 1, "aa": 2, "a": 3}, "a361610361620162616102"),
        (LINK, TAGGED),
        ([LINK, LINK.data], "82" + TAGGED + "5824" + LINK.data.hex()),
    ],
)
def test_a_value_has_one_encoding(value: Any, text: str) -> None:
    assert dagcbor.encode(value).hex() == text
    decoded = dagcbor.decode(bytes.fromhex(text))
    assert decoded == value
    assert type(decoded) is type(value)


def test_a_link_and_its_bytes_stay_apart() -> None:
    link, data = dagcbor.decode(dagcbor.encode([LINK, LINK.data]))
    assert type(link) is Link
    assert type(data) is bytes


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("nothing", ""),
        ("an integer in more bytes than needed", "1800"),
        ("an integer in more bytes than needed", "1817"),
        ("an integer in more bytes than needed", "1900ff"),
        ("an integer in more bytes than needed", "1a0000ffff"),
        ("an integer in more bytes than needed", "1b00000000ffffffff"),
        ("a negative integer in more bytes than needed", "3817"),
        ("a text length in more bytes than needed", "780161"),
        ("a bytes length in more bytes than needed", "580100"),
        ("a list length in more bytes than needed", "980100"),
        ("a map length in more bytes than needed", "b801616100"),
        ("a tag in more bytes than needed", "d9002a" + TAGGED[4:]),
        ("keys out of order", "a2616201616101"),
        ("keys ordered bytewise, not by length first", "a262616101616201"),
        ("a repeated key", "a2616101616102"),
        ("a key that is a number", "a10001"),
        ("a key that is bytes", "a1416101"),
        ("a 16-bit float", "f93c00"),
        ("a 32-bit float", "fa3f800000"),
        ("NaN", "fb7ff8000000000000"),
        ("a NaN with a payload", "fb7ff8000000000001"),
        ("infinity", "fb7ff0000000000000"),
        ("minus infinity", "fbfff0000000000000"),
        ("undefined", "f7"),
        ("a simple value", "e0"),
        ("a simple value in a byte", "f8ff"),
        ("true, the long way", "f815"),
        ("break alone", "ff"),
        ("an endless list", "9f00ff"),
        ("an endless map", "bf616100ff"),
        ("endless text", "7f6161ff"),
        ("endless bytes", "5f4100ff"),
        ("reserved additional information", "1c"),
        ("tag 0, a date", "c06161"),
        ("tag 2, a big number", "c24101"),
        ("tag 43", "d82b" + TAGGED[4:]),
        ("a tag inside tag 42", "d82a" + TAGGED),
        ("a link without its leading zero", "d82a5824" + LINK.data.hex()),
        ("a link with another leading byte", TAGGED.replace("582500", "582501")),
        ("a link in text", "d82a6161"),
        ("an empty link", "d82a4100"),
        ("nothing at all in a link", "d82a40"),
        ("a link that is too short", "d82a5824" + "00" + LINK.data[:-1].hex()),
        ("a link that is too long", "d82a5826" + "00" + LINK.data.hex() + "00"),
        ("a link of version 2", "d82a582500" + "02" + LINK.data[1:].hex()),
        ("a link with a long varint", "d82a582600" + "01f100" + LINK.data[2:].hex()),
        ("text that is not UTF-8", "61ff"),
        ("a key that is not UTF-8", "a161ff00"),
        ("a surrogate in text", "63eda080"),
        ("bytes after the value", "0000"),
        ("text that is cut off", "6261"),
        ("a list that is cut off", "8200"),
        ("a map that is cut off", "a16161"),
        ("a link that is cut off", TAGGED[:-2]),
        ("a head that is cut off", "19ff"),
    ],
)
def test_what_is_not_canonical_is_refused(why: str, text: str) -> None:
    data = bytes.fromhex(text)
    with pytest.raises(DecodeError):
        dagcbor.decode(data)
    with pytest.raises(DecodeError):  # and no less so when it stands inside a list
        dagcbor.decode(b"\x81" + data)
    with pytest.raises(DecodeError):  # or after a block so long that it is scanned first
        dagcbor.decode(b"\x82\x5a\x00\x01\x00\x00" + bytes(SHORT_SIZE_MAX) + data)


class Colour(IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**64) - 1,
        float("nan"),
        float("inf"),
        float("-inf"),
        (1, 2),
        {1: 2},
        {1: 2, "a": 3},
        {b"a": 1},
        {None: 1},
        "\ud800",
        {"\ud800": 1},
        {"\ud800": 1, "b": 2},
        Colour.RED,
        Text("a"),
        bytearray(b"a"),
        {1, 2},
        pytest.param(object(), id="an object"),
        1j,
    ],
    ids=repr,
)
def test_what_has_no_encoding_is_refused(value: object) -> None:
    for whole in (value, [value], {"a": [value]}):
        with pytest.raises(EncodeError):
            dagcbor.encode(whole)


@pytest.mark.parametrize("inside", [None, [], {}, LINK.data * 10], ids=repr)
def test_nesting_has_a_limit_in_both_directions(inside: Any) -> None:
    levels = NESTING_MAX - (inside in ([], {}))
    deepest = nested(levels, inside)
    assert dagcbor.decode(dagcbor.encode(deepest)) == deepest
    with pytest.raises(EncodeError, match="nested deeper than 128"):
        dagcbor.encode([deepest])
    with pytest.raises(EncodeError, match="nested deeper than 128"):
        dagcbor.encode({"x": deepest})
    with pytest.raises(DecodeError, match="nested deeper than 128"):
        dagcbor.decode(b"\x81" + dagcbor.encode(deepest))
    with pytest.raises(DecodeError, match="nested deeper than 128"):
        dagcbor.decode(b"\xa1\x61x" + dagcbor.encode(deepest))


@pytest.mark.parametrize("head", [b"\x81", b"\xa1\x61x"])
def test_a_depth_bomb_is_refused_before_it_is_built(head: bytes) -> None:
    with pytest.raises(DecodeError, match="nested deeper"):
        dagcbor.decode(head * 1_000_000 + b"\x00")


def test_lists_that_promise_more_than_there_is_are_refused_before_room_is_made() -> None:
    block = b"\x9a\x00\x1e\x84\x80" * 100 + bytes(2_000_000)  # 100 lists of two million
    with pytest.raises(DecodeError, match="more items announced"):
        dagcbor.decode(block)


def test_a_structure_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop += [loop, loop]
    with pytest.raises(EncodeError, match="nested deeper"):
        dagcbor.encode(loop)
    circle: dict[str, Any] = {}
    circle["self"] = circle
    with pytest.raises(EncodeError, match="nested deeper"):
        dagcbor.encode(circle)


@pytest.mark.parametrize(
    "make",
    [
        lambda: {f"key {number}": [number] for number in range(2_000)},
        lambda: [bytes(range(256))] * 300,
        lambda: [LINK] * 3_000,
        lambda: ["🙂" * 100, -1, 2**40, 1.5, None, True, {"a": {}}] * 200,
        lambda: [list(range(70_000)), {"a": "b" * 70_000, "c": b"d" * 70_000}],
    ],
)
def test_a_block_that_must_be_scanned_decodes_like_any_other(make: Callable[[], Any]) -> None:
    value = make()
    block = dagcbor.encode(value)
    assert dagcbor.decode(block) == value


def test_a_refusal_does_not_repeat_the_whole_block() -> None:
    key = "k" * 100_000
    block = b"\xa2\x7a\x00\x01\x86\xa0" + key.encode() + b"\x00\x61a\x00"
    with pytest.raises(DecodeError) as caught:
        dagcbor.decode(block)
    assert len(str(caught.value)) < 300
