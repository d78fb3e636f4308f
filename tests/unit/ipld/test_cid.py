import copy
import pickle
from hashlib import sha256

import pytest

from taijitu.ipld import multibase
from taijitu.ipld.cid import (
    CAR,
    DAG_CBOR,
    DAG_JSON,
    DAG_PB,
    IDENTITY,
    LINK_SIZE_MAX,
    RAW,
    SHA2_256,
    InvalidLink,
    Link,
    link_to,
    link_with,
    multihash,
)

DIGEST = sha256(b"hello").digest()
HELLO = bytes((1, RAW, 0x12, 0x20)) + DIGEST
HELLO_TEXT = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
V0 = b"\x12\x20" + DIGEST
V0_TEXT = "QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5"


def test_a_link_is_made_from_the_bytes_it_names() -> None:
    assert link_to(b"hello", RAW).data == HELLO
    assert link_to(b"hello").data == bytes((1, DAG_CBOR, 0x12, 0x20)) + DIGEST
    assert link_to(b"hello", CAR).data == b"\x01\x82\x04\x12\x20" + DIGEST
    assert multihash(b"hello") == b"\x12\x20" + DIGEST


def test_a_link_is_made_from_a_multihash_and_a_codec() -> None:
    assert link_with(multihash(b"hello")) == link_to(b"hello", RAW)
    assert link_with(multihash(b"hello"), CAR) == link_to(b"hello", CAR)
    with pytest.raises(InvalidLink):
        link_with(DIGEST)


def test_a_link_reads_like_its_text() -> None:
    link = Link.parse(HELLO_TEXT)
    assert link == Link.read(HELLO) == Link(HELLO)
    assert str(link) == HELLO_TEXT
    assert repr(link) == f"Link.parse('{HELLO_TEXT}')"
    assert bytes(link) == HELLO


@pytest.mark.parametrize(
    "text",
    [
        "f01551220" + DIGEST.hex(),
        HELLO_TEXT.upper(),
        "zb2rhZfjRh2FHHB2RkHVEvL2vJnCTcu7kwRqgVsf9gpkLgteo",
    ],
)
def test_a_link_may_be_spelled_in_other_bases(text: str) -> None:
    assert Link.parse(text) == Link(HELLO)


@pytest.mark.parametrize("codec", [RAW, DAG_CBOR, DAG_PB, DAG_JSON, CAR])
def test_a_link_tells_its_parts(codec: int) -> None:
    link = link_to(b"hello", codec)
    assert (link.version, link.codec, link.hash_code) == (1, codec, SHA2_256)
    assert link.multihash == multihash(b"hello")
    assert link.digest == DIGEST


def test_a_link_of_version_0_is_a_bare_multihash_in_base58() -> None:
    link = Link.parse(V0_TEXT)
    assert link.data == V0
    assert str(link) == V0_TEXT
    assert (link.version, link.codec, link.hash_code) == (0, DAG_PB, SHA2_256)
    assert link.multihash == V0
    assert link.digest == DIGEST


def test_an_identity_link_carries_its_bytes() -> None:
    link = Link(bytes((1, RAW, IDENTITY, 5)) + b"hello")
    assert (link.hash_code, link.digest) == (IDENTITY, b"hello")
    assert Link.parse(str(link)) == link


def test_a_hash_function_we_do_not_know_still_makes_a_link() -> None:
    piece = Link(b"\x01\x55\x91\x20\x20" + DIGEST)
    assert (piece.hash_code, piece.digest) == (0x1011, DIGEST)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends inside"),
        (b"\x01", "ends inside"),
        (b"\x01\x55\x12", "ends inside"),
        (b"\x00\x55\x12\x20" + DIGEST, "version 0"),
        (b"\x02\x55\x12\x20" + DIGEST, "version 2"),
        (b"\x81\x00\x55\x12\x20" + DIGEST, "longer than it needs"),
        (b"\x01\xd5\x00\x12\x20" + DIGEST, "longer than it needs"),
        (b"\x01\x55\x92\x00\x20" + DIGEST, "longer than it needs"),
        (b"\x01\x55\x12\xa0\x00" + DIGEST, "longer than it needs"),
        (HELLO[:-1], "announces 32 bytes of digest and has 31"),
        (HELLO + b"\x00", "announces 32 bytes of digest and has 33"),
        (b"\x01\x55\x12\x1f" + DIGEST[:31], "has 32 bytes, not 31"),
        (V0[:-1], "version 18"),
        (V0 + b"\x00", "version 18"),
        (b"\x01\x55\x00" + b"\x00" * LINK_SIZE_MAX, "too long"),
    ],
)
def test_bytes_that_are_not_a_link_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidLink, match=reason):
        Link.read(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "Qm",
        "hello",
        V0_TEXT[:-1],
        V0_TEXT[:-1] + "0",
        "z" + V0_TEXT,
        HELLO_TEXT[:-1],
        HELLO_TEXT + "a",
        HELLO_TEXT[:-1] + "r",  # the bits that base32 leaves over are not zero
        HELLO_TEXT + "=",
        " " + HELLO_TEXT,
        "B" + HELLO_TEXT[1:],
        "é" * 59,
    ],
)
def test_text_that_is_not_a_link_is_refused(text: str) -> None:
    with pytest.raises(InvalidLink):
        Link.parse(text)


@pytest.mark.parametrize("base", [multibase.BASE58BTC, multibase.BASE36])
def test_a_text_that_takes_long_to_read_is_short(base: str) -> None:
    def spelled(size: int) -> str:
        return multibase.encode(base, bytes((1, RAW, IDENTITY, size & 127 | 128, 1)) + bytes(size))

    assert len(Link.parse(spelled(128)).digest) == 128
    with pytest.raises(InvalidLink, match="is too long"):
        Link.parse(spelled(240))


def test_links_are_equal_hashed_and_ordered_by_their_bytes() -> None:
    one, other = link_to(b"one"), link_to(b"other")
    assert one == Link(bytes(one))
    assert hash(one) == hash(Link(bytes(one)))
    assert one != other
    assert sorted([one, other]) == sorted([other, one], key=bytes)
    low, high = sorted([one, other])
    assert low < high
    assert low <= high
    assert high > low
    assert high >= low
    assert len({one, Link(one.data), other}) == 2


def test_a_link_is_not_its_bytes() -> None:
    link = link_to(b"hello")
    assert not isinstance(link, bytes)
    assert link != link.data
    assert str(link) != link


def test_a_link_does_not_change() -> None:
    link = link_to(b"hello")
    with pytest.raises(AttributeError, match="does not change"):
        link.data = b""
    with pytest.raises(AttributeError, match="does not change"):
        del link.data
    with pytest.raises(AttributeError, match="does not change"):
        link.codec = RAW  # type: ignore[misc]
    assert link == link_to(b"hello")


def test_a_link_can_be_copied_and_pickled() -> None:
    link = link_to(b"hello")
    assert copy.copy(link) == copy.deepcopy([link])[0] == pickle.loads(pickle.dumps(link)) == link
