import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taijitu.ipld import dagpb
from taijitu.ipld.cid import DAG_PB, IDENTITY, RAW, Link, link_to, link_with
from taijitu.ipld.dagpb import (
    BLOCK_SIZE_MAX,
    LINKS_MAX,
    DecodeError,
    EncodeError,
    PbLink,
    PbNode,
    decode,
    encode,
)

LINK = link_to(b"a leaf", RAW)
HASH = b"\x0a\x24" + LINK.data
V0 = Link.parse("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n")
IN_ITSELF = link_with(bytes((IDENTITY, 2)) + b"hi", RAW)

links = st.builds(
    PbLink,
    st.sampled_from([LINK, V0, IN_ITSELF, link_to(b"x" * 300, DAG_PB)]),
    st.none() | st.binary(max_size=300),
    st.none() | st.integers(0, 2**63 - 1),
)
nodes = st.builds(PbNode, st.lists(links, max_size=8), st.none() | st.binary(max_size=300))


def field(number: int, body: bytes) -> bytes:
    return bytes((number, len(body))) + body


@settings(deadline=None)
@given(nodes)
def test_a_node_is_read_as_it_was_written_its_links_in_order(node: PbNode) -> None:
    again = decode(encode(node))
    assert again.links == sorted(node.links, key=lambda link: link.name or b"")
    assert again.data == node.data
    assert encode(again) == encode(node)


def test_an_empty_node_has_no_bytes_and_everybody_knows_its_link() -> None:
    assert encode(PbNode()) == b""
    assert decode(b"") == ([], None)
    assert str(link_to(b"", DAG_PB)) == (
        "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    )


def test_data_without_bytes_is_not_the_same_as_none() -> None:
    assert encode(PbNode(data=b"")) == b"\x0a\x00"
    assert decode(b"\x0a\x00").data == b""


def test_links_come_first_and_in_the_order_of_their_bytes() -> None:
    names = [name.encode() for name in ("\U0001f600", "\uff61", "b", "a", "")]
    written = encode(PbNode([PbLink(LINK, name) for name in names], b"data"))
    assert [link.name for link in decode(written).links] == [*reversed(names)]
    assert written.endswith(b"\x0a\x04data")


def test_links_of_one_name_stay_in_their_order() -> None:
    pair = [PbLink(V0, b"", 2), PbLink(LINK, None, 1)]
    assert decode(encode(PbNode(pair))).links == pair
    assert decode(encode(PbNode(pair[::-1]))).links == pair[::-1]


def test_data_may_come_first_and_links_in_any_order_because_both_exist() -> None:
    b, a = (field(0x12, HASH + field(0x12, name)) for name in (b"b", b"a"))
    node = decode(field(0x0A, b"data") + b + a)
    assert node == ([PbLink(LINK, b"b"), PbLink(LINK, b"a")], b"data")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (field(0x12, HASH) + field(0x0A, b"") + field(0x12, HASH), "both sides"),
        (field(0x0A, b"") + field(0x0A, b""), "data twice"),
        (field(0x1A, b""), "no field 0x1a"),
        (b"\x08\x00", "no field 0x08"),
        (b"\x12", "ends inside"),
        (b"\x12\x26" + HASH[:-1], "ends inside"),
        (b"\x0a\x84\x00data", "longer than it needs"),
        (field(0x12, b""), "does not begin with its hash"),
        (field(0x12, field(0x12, b"name")), "does not begin with its hash"),
        (field(0x12, field(0x12, b"name") + HASH), "does not begin with its hash"),
        (field(0x12, HASH + b"\x18\x01" + field(0x12, b"name")), "unknown, repeated"),
        (field(0x12, HASH + HASH), "unknown, repeated"),
        (field(0x12, HASH + b"\x18\x01\x18\x01"), "unknown, repeated"),
        (field(0x12, HASH + b"\x20\x01"), "unknown, repeated"),
        (field(0x12, HASH + b"\x12\x05four"), "ends inside"),
        (field(0x12, HASH + b"\x18"), "ends inside"),
        (field(0x12, HASH + b"\x18" + b"\xff" * 9 + b"\x01"), "longer than 9"),
        (field(0x12, field(0x0A, b"\x01\x55\x12\x20short")), "announces 32"),
        (field(0x12, field(0x0A, b"")), "not a link"),
    ],
)
def test_what_is_not_canonical_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode(data)


def test_a_block_has_so_many_bytes_and_links_and_no_more() -> None:
    with pytest.raises(DecodeError, match="over the limit"):
        decode(bytes(BLOCK_SIZE_MAX + 1))
    short = field(0x12, field(0x0A, IN_ITSELF.data[:2] + b"\0\0"))
    assert len(decode(short * LINKS_MAX).links) == LINKS_MAX
    with pytest.raises(DecodeError, match="more than 100000 links"):
        decode(short * (LINKS_MAX + 1))


def test_a_field_of_a_link_does_not_reach_into_the_next() -> None:
    first = field(0x12, HASH + b"\x18")
    with pytest.raises(DecodeError):
        decode(first + b"\x12" + field(0x12, HASH))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        node = decode(data)
    except DecodeError:
        return
    assert decode(encode(node)).data == node.data


@pytest.mark.parametrize("size", [-1, 2**63])
def test_a_size_that_does_not_fit_is_not_written(size: int) -> None:
    with pytest.raises(EncodeError, match="does not fit"):
        dagpb.encode(PbNode([PbLink(LINK, None, size)]))
