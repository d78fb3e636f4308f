"""An index of content is read as clients write it, in one form and within limits."""

from base64 import b64decode
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taijitu.ipld import car, dagcbor
from taijitu.ipld.cid import RAW, Link, link_to, multihash
from taijitu.wire import sharded_index
from taijitu.wire.sharded_index import (
    INDEX_SIZE_MAX,
    MULTIHASH_SIZE_MAX,
    POSITION_MAX,
    SHARDS_MAX,
    SLICES_MAX,
    VARIANT,
    InvalidIndex,
    Shard,
    Slice,
    decode,
    encode,
    parts_of,
    shard_in,
)

PUBLISHED = b64decode(
    "OqJlcm9vdHOB2CpYJQABcRIgv71vWvH/JhjLx9rs8uvI0X43Ij9sXahA+Y26zg2/7UpndmVyc2lvbgHHAQFxEiC/vW"
    "9a8f8mGMvH2uzy68jRfjciP2xdqED5jbrODb/tSqF1aW5kZXgvc2hhcmRlZC9kYWdAMC4xomZzaGFyZHOC2CpYJQAB"
    "cRIggOhGwzlyQUU1dSUNpzlmBoalq4nbJj8qHwCWLZCppPbYKlglAAFxEiAnQezEsL7rqgSJEC9kS/L6odsxrEGG/b"
    "vDp9EYrGNkyWdjb250ZW502CpYJQABVRIg7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3PrAQFxEiCA6EbD"
    "OXJBRTV1JQ2nOWYGhqWridsmPyofAJYtkKmk9oJYIhIgD+ozIumeT9fJycpqa97YFjrdaxTeM4DuasM1hXwpaC6Egl"
    "giEiAKN8cMbYgZs4rsOOI+HnHRebTG1btL57miF093y530GoIUCoJYIhIgD+ozIumeT9fJycpqa97YFjrdaxTeM4Du"
    "asM1hXwpaC6CABgoglgiEiCHTxbNQBVOUvD/jywLAZYMsfZD5u9OAJI0KQbQt5+JZoIKCoJYIhIgwGSJTSdMNCNdWf"
    "28o5KscNuq92+IFmkVK+mw1DkdPKmCAArrAQFxEiAnQezEsL7rqgSJEC9kS/L6odsxrEGG/bvDp9EYrGNkyYJYIhIg"
    "lq+LSTO5RLxhEHhEyc0OaYb0rdB28ttUmC6GjPBjDJaEglgiEiCWr4tJM7lEvGEQeETJzQ5phvSt0Hby21SYLoaM8G"
    "MMloIAGCiCWCISIKFvvtspG3MD1eC+SpVZ8z6dJCIaCghsrUNnoD+Ngh2oggoKglgiEiDr+zCmnnt7EJjVEjrBkS7v"
    "/KBifhOL0/JNX6QLqhhGY4IUCoJYIhIg+pyQ34n0uSR84f1FdOtfWJQJvpjP1ILUpDWBz5TK792CAAo="
)
"""Written by the published JavaScript package: two shards of 40 bytes, each with three slices."""

CONTENT = link_to(b"content", RAW)
SHARD = multihash(b"the shard")
SLICES = (Slice(multihash(b"a"), 0, 10), Slice(multihash(b"b"), 10, 5))


def archive(root: Any, *blocks: Any, roots: int = 1) -> bytes:
    """A CAR of these values, the first being the root."""
    written = [dagcbor.encode(value) for value in (root, *blocks)]
    links = [link_to(block) for block in written]
    return car.encode(links[:roots], zip(links, written, strict=True))


def with_shard(*shards: Any) -> bytes:
    """An index with these shards, whatever they are."""
    links = [link_to(dagcbor.encode(shard)) for shard in shards]
    return archive({VARIANT: {"content": CONTENT, "shards": links}}, *shards)


def refusal(data: bytes) -> tuple[str, str]:
    with pytest.raises(InvalidIndex) as refused:
        list(decode(data).shards())
    return refused.value.name, str(refused.value)


def test_what_the_published_package_writes_is_read_and_written_alike() -> None:
    index = decode(PUBLISHED)
    shards = list(index.shards())
    assert index.content == CONTENT
    assert {shard.multihash for shard in shards} == {
        multihash(b"shard one"),
        multihash(b"shard two"),
    }
    (one,) = (shard for shard in shards if shard.multihash == multihash(b"shard one"))
    assert set(one.slices) == {
        Slice(multihash(b"one 0"), 0, 10),
        Slice(multihash(b"one 1"), 10, 10),
        Slice(multihash(b"one 2"), 20, 10),
        Slice(multihash(b"shard one"), 0, 40),
    }
    assert encode(index.content, shards) == PUBLISHED


def test_an_index_may_have_no_shards_and_a_shard_no_slices() -> None:
    assert list(decode(encode(CONTENT, [])).shards()) == []
    assert list(decode(encode(CONTENT, [Shard(SHARD, ())])).shards()) == [Shard(SHARD, ())]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (archive({VARIANT: {}}, roots=0), "one root, not 0"),
        (archive({"index/sharded/dag@0.2": {"content": CONTENT, "shards": []}}), "is no index"),
        (archive({VARIANT: {"content": CONTENT, "shards": []}, "x": 1}), "is no index"),
        (archive([1]), "is no index"),
        (car.encode([link_to(b"x", RAW)], [(link_to(b"x", RAW), b"x")]), "codec: 0x55"),
    ],
)
def test_what_is_no_index_is_called_an_unknown_format(data: bytes, why: str) -> None:
    name, text = refusal(data)
    assert name == "UnknownFormat"
    assert why in text


ROOT = "does not name a content"
SLICE = "two numbers"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no CAR at all", "end of data"),
        (car.encode([link_to(b"root")], []), "missing root block"),
        (car.encode([link_to(b"\xff")], [(link_to(b"\xff"), b"\xff")]), "not DAG-CBOR"),
        (archive({VARIANT: {"content": CONTENT}}), ROOT),
        (archive({VARIANT: {"content": CONTENT, "shards": [], "more": 1}}), ROOT),
        (archive({VARIANT: {"content": SHARD, "shards": []}}), ROOT),
        (archive({VARIANT: {"content": CONTENT, "shards": {}}}), ROOT),
        (archive({VARIANT: {"content": CONTENT, "shards": [SHARD]}}), "is no link"),
        (archive({VARIANT: {"content": CONTENT, "shards": [CONTENT] * 2}}), "listed twice"),
        (archive({VARIANT: {"content": CONTENT, "shards": [link_to(b"?")]}}), "missing"),
        (archive({VARIANT: {"content": CONTENT, "shards": [CONTENT]}}), "missing"),
        (with_shard([SHARD]), "is no shard"),
        (with_shard([CONTENT, []]), "is no shard"),
        (with_shard([SHARD, {}]), "is no shard"),
        (with_shard([b"\x12\x20short", []]), "multihash"),
        (with_shard([b"\x00" + b"\xff\x7f" + bytes(16_383), []]), "a multihash of"),
        (with_shard([SHARD, [[SHARD, [0]]]]), SLICE),
        (with_shard([SHARD, [[SHARD, [0, -1]]]]), SLICE),
        (with_shard([SHARD, [[SHARD, [0, 1.0]]]]), SLICE),
        (with_shard([SHARD, [[SHARD, [False, 1]]]]), SLICE),
        (with_shard([SHARD, [[SHARD, [0, 2**53]]]]), SLICE),
        (with_shard([SHARD, [[SHARD, [0, 1], 1]]]), SLICE),
        (with_shard([SHARD, [[CONTENT, [0, 1]]]]), SLICE),
        (with_shard([SHARD, [[b"x", [0, 1]]]]), "multihash"),
        (with_shard([SHARD, [[SHARD, [0, 1]], [SHARD, [1, 1]]]]), "slice is listed twice"),
        (with_shard([SHARD, []], [SHARD, [[SHARD, [0, 1]]]]), "shard is listed twice"),
    ],
)
def test_what_is_malformed_is_refused_with_a_reason(data: bytes, why: str) -> None:
    name, text = refusal(data)
    assert name == "DecodeFailure"
    assert why in text


def test_a_block_that_its_link_does_not_name_is_refused() -> None:
    data = bytearray(PUBLISHED)
    data[-1] ^= 1
    assert "hash" in refusal(bytes(data))[1]


@pytest.mark.parametrize(
    ("shards", "offset"), [(1, 2**32), (1_000, 2**32), (SHARDS_MAX, 2**32 - 1)]
)
def test_as_many_slices_as_a_client_lists_at_most_fit(shards: int, offset: int) -> None:
    def size(slices: int, shards: int) -> int:
        listed = tuple([Slice(multihash(b"%d" % at), offset, 2**21) for at in range(slices)])
        named = [Shard(multihash(b"%d" % at), listed) for at in range(shards)]
        return len(encode(CONTENT, named))

    empty = size(0, 10)
    of_shard = (size(0, 20) - empty) / 10 + 10  # lengths are longer where there is more
    of_slice = (size(400, 10) - size(300, 10)) / 1_000
    assert empty + of_shard * shards + of_slice * SLICES_MAX <= INDEX_SIZE_MAX


def test_there_is_a_limit_to_everything() -> None:
    assert "over the limit" in refusal(bytes(INDEX_SIZE_MAX + 1))[1]
    many = [link_to(str(number).encode()) for number in range(SHARDS_MAX + 1)]
    assert "shards" in refusal(archive({VARIANT: {"content": CONTENT, "shards": many}}))[1]
    far = Slice(SHARD, POSITION_MAX, POSITION_MAX)
    (shard,) = decode(encode(CONTENT, [Shard(SHARD, (far,))])).shards()
    assert shard.slices == (far,)
    inline = b"\x00" + b"\x80\x07" + bytes(MULTIHASH_SIZE_MAX - 128)
    (shard,) = decode(encode(CONTENT, [Shard(SHARD, (Slice(inline, 0, 1),))])).shards()
    assert shard.slices[0].multihash == inline


def test_shards_are_read_one_at_a_time() -> None:
    """What is wrong with the second is not noticed before somebody comes to it."""
    good: list[Any] = [SHARD, [[each.multihash, [each.offset, each.length]] for each in SLICES]]
    shards = decode(with_shard(good, [SHARD])).shards()
    assert next(shards) == Shard(SHARD, SLICES)
    with pytest.raises(InvalidIndex):
        next(shards)


def test_links_of_other_codecs_hold_no_shards() -> None:
    block = dagcbor.encode([SHARD, []])
    link: Link = link_to(block, RAW)
    root = dagcbor.encode({VARIANT: {"content": CONTENT, "shards": [link]}})
    data = car.encode([link_to(root)], [(link_to(root), root), (link, block)])
    assert "is not DAG-CBOR" in refusal(data)[1]


# Shards in parts

multihashes = st.binary(min_size=32, max_size=32).map(lambda digest: b"\x12\x20" + digest)
positions = st.integers(0, POSITION_MAX) | st.sampled_from([23, 24, 255, 256, 2**16, 2**32])
many = st.builds(
    lambda places: Shard(SHARD, tuple(Slice(each, *at) for each, at in sorted(places.items()))),
    st.dictionaries(multihashes, st.tuples(positions, positions), max_size=12),
)


def block_of(shard: Shard) -> bytes:
    return dagcbor.encode(
        [shard.multihash, [[each.multihash, [*each[1:]]] for each in shard.slices]]
    )


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharded_index, "READ_AT_ONCE", 0)
    monkeypatch.setattr(sharded_index, "PART_SLICES", 3)


IN_PARTS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.usefixtures("in_parts")
@IN_PARTS
@given(many)
def test_a_shard_in_parts_is_the_shard(shard: Shard) -> None:
    block = block_of(shard)
    parts = list(parts_of(link_to(block), block))
    assert [len(each.slices) for each in parts[:-1]] == [3] * (len(parts) - 1)
    assert [each.goes_on for each in parts] == [at > 0 for at in range(len(parts))]
    assert {each.multihash for each in parts} <= {SHARD}
    assert tuple(each for part in parts for each in part.slices) == shard.slices


@pytest.mark.usefixtures("in_parts")
@IN_PARTS
@given(many, st.data())
def test_what_is_read_in_parts_is_what_is_read_as_one(shard: Shard, data: st.DataObject) -> None:
    block = bytearray(block_of(shard))
    for _ in range(data.draw(st.integers(0, 3))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    spoiled = bytes(block)[: data.draw(st.none() | st.integers(0, len(block)))]
    spoiled += data.draw(st.sampled_from([b"", b"", b"\0"]))
    link = link_to(spoiled)
    try:
        parts = list(parts_of(link, spoiled))
    except InvalidIndex:
        return
    whole = shard_in(link, spoiled)
    assert tuple(each for part in parts for each in part.slices) == whole.slices


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize(
    "shard",
    [
        [SHARD],
        [SHARD, [], 1],
        [b"x", [[SHARD, [0, 1]]]],
        [SHARD, [[SHARD, [0, 1]], [SHARD, [1, 1]]]],
        [SHARD, [[multihash(each), [0, 1]] for each in (b"a", b"b")]],
        [SHARD, [[SHARD, [0, 2**53]]]],
        [SHARD, [[SHARD, [0, 1], 1]]],
        [SHARD, [[b"x", [0, 1]]]],
        [SHARD, {}],
    ],
)
def test_what_is_no_shard_is_none_in_parts(shard: Any) -> None:
    assert multihash(b"a") > multihash(b"b")
    assert refusal(with_shard(shard))[0] == "DecodeFailure"


def test_a_shard_may_have_as_many_slices_as_an_index() -> None:
    count = 190_000
    named = (b"\x12\x20" + at.to_bytes(32, "big") for at in range(count))
    shard = Shard(SHARD, tuple([Slice(each, 2**26, 2**17) for each in named]))
    parts = list(decode(encode(CONTENT, [shard])).shards())
    assert [each.goes_on for each in parts] == [False, True]
    assert sum(len(each.slices) for each in parts) == count
