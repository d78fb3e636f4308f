"""The laws of the codecs.

Goal: one value has one encoding, links and bytes stay apart, and whatever comes from outside is
either read completely or refused with the decoder's own error.
Method: Hypothesis makes values, breaks their encodings, and makes noise.
"""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support import vectors
from taijitu.ipld import car, dagcbor, dagjson, multibase, varint
from taijitu.ipld.cid import CAR, DAG_CBOR, IDENTITY, RAW, InvalidLink, Link, link_to
from taijitu.wire import message

LINKS = st.one_of(
    st.builds(link_to, st.binary(max_size=8), st.sampled_from((DAG_CBOR, RAW, CAR))),
    st.binary(min_size=32, max_size=32).map(lambda digest: Link(b"\x12\x20" + digest)),
    st.binary(max_size=40).map(lambda data: Link(bytes((1, RAW, IDENTITY, len(data))) + data)),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INTEGERS = st.one_of(
    st.integers(-(2**64), 2**64 - 1),
    st.integers(0, 64).map(lambda bits: 2**bits - 1),
    st.integers(0, 64).map(lambda bits: -(2**bits)),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.binary(),
    LINKS,
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=8), st.dictionaries(TEXTS, inner, max_size=8)),
    max_leaves=30,
)
NOISE = st.one_of(
    st.binary(max_size=300),
    # Heads of values more often than plain noise has them.
    st.lists(st.sampled_from(bytes.fromhex("0018181981829a98a1a2b8d82a5825004061f6f7f9fb9fbfff")))
    .map(bytes)
    .filter(bool),
)


def reversed_maps(value: Any) -> Any:
    """The same value, its maps filled in the opposite order."""
    if isinstance(value, dict):
        return {key: reversed_maps(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [reversed_maps(item) for item in value]
    return value


@given(VALUES)
def test_what_is_encoded_decodes_to_itself(value: Any) -> None:
    block = dagcbor.encode(value)
    decoded = dagcbor.decode(block)
    assert decoded == value
    assert dagcbor.encode(decoded) == block


@given(VALUES)
def test_the_order_in_which_a_map_was_filled_leaves_no_trace(value: Any) -> None:
    assert dagcbor.encode(reversed_maps(value)) == dagcbor.encode(value)
    if not has_reserved_map(value):
        assert dagjson.encode(reversed_maps(value)) == dagjson.encode(value)


def check_canonical(data: bytes) -> None:
    try:
        value = dagcbor.decode(data)
    except dagcbor.DecodeError:
        return
    assert dagcbor.encode(value) == data


@given(NOISE)
@example(b"\xd8\x2a\x41\x00")
@example(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff")
def test_whatever_is_accepted_was_canonical(data: bytes) -> None:
    check_canonical(data)


@given(VALUES, st.data())
def test_a_damaged_block_is_refused_or_is_another_canonical_block(
    value: Any, data: st.DataObject
) -> None:
    block = bytearray(dagcbor.encode(value))
    position = data.draw(st.integers(0, len(block) - 1))
    block[position] = data.draw(st.integers(0, 255))
    check_canonical(bytes(block))
    check_canonical(bytes(block[: data.draw(st.integers(position, len(block)))]))


@given(VALUES, st.binary(min_size=1, max_size=3))
def test_nothing_may_follow_or_be_missing(value: Any, tail: bytes) -> None:
    block = dagcbor.encode(value)
    with pytest.raises(dagcbor.DecodeError):
        dagcbor.decode(block + tail)
    with pytest.raises(dagcbor.DecodeError):
        dagcbor.decode(block[:-1])


@given(VALUES)
def test_a_scanned_block_is_a_block(value: Any) -> None:
    block = dagcbor.encode(value)
    dagcbor._scan(block)
    assert dagcbor.decode(block) == value


def has_reserved_map(value: object) -> bool:
    if isinstance(value, list):
        return any(has_reserved_map(item) for item in value)
    if not isinstance(value, dict):
        return False
    reserved = list(value) == ["/"] and isinstance(value["/"], str | dict)
    return reserved or any(has_reserved_map(item) for item in value.values())


def plain(value: Any) -> Any:
    """What a JSON reader sees in the DAG-JSON of a value."""
    match value:
        case Link():
            return {"/": str(value)}
        case bytes():
            return {"/": {"bytes": multibase.encode("m", value)[1:]}}
        case list():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case _:
            return value


@given(VALUES.filter(lambda value: not has_reserved_map(value)))
@example({"a": 1.0, "b": -0.0, "c": 2.0**53, "d": [1e21, 1e-7]})
def test_dag_json_is_json_that_says_the_same(value: Any) -> None:
    text = dagjson.encode(value).decode()
    assert json.loads(text) == plain(value)
    keys: list[list[str]] = []
    json.loads(text, object_pairs_hook=lambda pairs: keys.append([key for key, _ in pairs]))
    assert all(names == sorted(names, key=lambda name: name.encode("utf-16-be")) for names in keys)


@given(VALUES.filter(lambda value: not has_reserved_map(value)))
def test_the_fast_way_to_dag_json_and_the_careful_one_agree(value: Any) -> None:
    fast = dagjson._fast(value)
    careful = dagjson._WRITERS[type(value)](value).encode()
    assert fast in (None, careful)


@given(st.dictionaries(st.text("abAB/-\x00~", max_size=3), st.integers(-9, 9) | LINKS))
def test_ascii_without_floats_and_bytes_goes_the_fast_way(value: dict[str, Any]) -> None:
    careful = dagjson._WRITERS[dict](value).encode()
    fast = dagjson._fast(value)
    assert fast == (None if "/" in value else careful)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_spelling_of_a_float_reads_back_as_that_float(value: float) -> None:
    assert float(dagjson.number(value)) == value


@given(LINKS, LINKS)
def test_a_link_is_its_bytes_and_its_text(one: Link, other: Link) -> None:
    assert Link.parse(str(one)) == one == Link.read(bytes(one))
    assert (one == other) == (one.data == other.data) == (str(one) == str(other))
    assert (one < other) == (one.data < other.data)
    assert one.multihash.endswith(one.digest)


@given(st.binary(max_size=60))
def test_bytes_are_one_link_or_none(data: bytes) -> None:
    try:
        link = Link.read(data)
    except InvalidLink:
        return
    assert Link.parse(str(link)) == link
    assert link.version in (0, 1)


@given(st.text(max_size=80))
def test_text_is_a_link_or_refused(text: str) -> None:
    try:
        link = Link.parse(text)
    except InvalidLink:
        return
    assert Link.parse(str(link)) == link


@given(st.sampled_from(sorted(multibase.BASES)), st.binary(max_size=200))
def test_multibase_reads_what_it_writes(base: str, data: bytes) -> None:
    assert multibase.decode(multibase.encode(base, data)) == data


@given(st.text(max_size=40) | st.text("zbQm123abcxyz=", max_size=40))
def test_a_multibase_text_is_the_only_one_of_its_bytes(text: str) -> None:
    try:
        data = multibase.decode(text)
    except multibase.MultibaseError:
        return
    assert multibase.encode(text[0], data) == text


@given(st.binary(max_size=12))
def test_a_varint_is_the_only_one_of_its_number(data: bytes) -> None:
    try:
        number, end = varint.decode(data)
    except varint.VarintError:
        return
    assert varint.encode(number) == data[:end]


@given(st.integers(0, varint.VARINT_MAX), st.binary(max_size=3))
def test_a_number_comes_back_from_its_varint(number: int, tail: bytes) -> None:
    data = varint.encode(number)
    assert varint.decode(data + tail) == (number, len(data))


BLOCKS = st.lists(
    st.builds(
        lambda data, codec: (link_to(data, codec), data),
        st.binary(max_size=200),
        st.sampled_from((DAG_CBOR, RAW, CAR)),
    ),
    max_size=6,
)


@given(st.lists(LINKS, max_size=3), BLOCKS)
def test_an_archive_comes_back_as_it_was(roots: list[Link], blocks: list[Any]) -> None:
    archive = car.decode(car.encode(roots, blocks))
    assert archive == car.Car(tuple(roots), dict(blocks))
    assert list(archive.blocks) == list(dict(blocks))


@given(BLOCKS, st.data())
def test_a_damaged_archive_is_refused_or_still_true(blocks: list[Any], data: st.DataObject) -> None:
    damaged = bytearray(car.encode([], blocks))
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] = data.draw(st.integers(0, 255))
    try:
        archive = car.decode(bytes(damaged))
    except car.CarError:
        return
    for link, block in archive.blocks.items():
        assert link == link_to(block, link.codec) or link.hash_code == IDENTITY


def check_readers(body: bytes) -> None:
    """Each reader refuses in its own way, or has read something that can be written."""
    try:
        archive = car.decode(body)
    except car.CarError:
        return
    assert car.decode(car.encode(archive.roots, archive.blocks.items())) == archive
    try:
        read = message.decode(body)
    except message.MalformedMessage:
        return
    again = message.decode(message.encode(read.execute, read.report, read.blocks))
    assert (again.execute, again.report) == (read.execute, read.report)


@given(NOISE)
def test_noise_is_refused_by_each_reader_in_its_own_way(data: bytes) -> None:
    check_readers(data)


@given(st.sampled_from(vectors.cars()), st.data())
def test_a_damaged_vector_is_refused_by_each_reader_in_its_own_way(
    file: str, data: st.DataObject
) -> None:
    body = bytearray(vectors.car(file))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    check_readers(bytes(body))
    check_readers(bytes(body[: data.draw(st.integers(0, len(body)))]))
