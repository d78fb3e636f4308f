"""Goal: what can not be is refused in the words that clients know, also to who may ask for it; and
nothing changes.
"""

import pytest

from hostile.asking import Target, refusal
from support.client import random_car
from taijitu.ipld import car as archive
from taijitu.ipld import dagcbor, varint
from taijitu.ipld.cid import CAR, RAW, Link, link_to
from taijitu.wire.message import VARIANT

TOO_MANY = 5 * 2**30
"""Bytes: the size of the largest CAR that is taken unless it is set otherwise."""

SIZES = {
    "negative": (-1, "Expected a number of at least 0 instead got -1"),
    "very negative": (-(2**53), "safe in JavaScript"),
    "fractional": (1.5, "Expected value of type integer instead got 1.5"),
    "beyond what JavaScript can hold": (2**53, "safe in JavaScript"),
    "the largest there is": (2**64 - 1, "safe in JavaScript"),
    "a float beyond all integers": (1e300, "safe in JavaScript"),
    "true": (True, "Expected value of type number instead got true"),
    "null": (None, "Expected value of type number instead got null"),
    "a text": ("1000", 'Expected value of type number instead got "1000"'),
    "a list": ([1000], "Expected value of type number instead got array"),
    "a map": ({}, "Expected value of type number instead got object"),
}


@pytest.mark.parametrize(("size", "reason"), SIZES.values(), ids=SIZES.keys())
async def test_a_size_that_is_none_is_malformed(
    untouched: Target, size: object, reason: str
) -> None:
    alice = untouched.space
    asked = alice.ask("store/add", {"link": random_car().link, "size": size})
    text = await refusal(alice.client, asked)
    assert "Encountered malformed 'store/add' capability" in text
    assert 'Object contains invalid field "size":' in text
    assert reason in text


@pytest.mark.parametrize("size", [TOO_MANY + 1, 2**53 - 1])
async def test_a_size_that_is_too_large_is_refused_in_the_known_words(
    untouched: Target, size: int
) -> None:
    alice = untouched.space
    text = await refusal(alice.client, alice.asks_to_add(random_car(), size), name="Error")
    assert text == f"Maximum size exceeded: {TOO_MANY}, split DAG into smaller shards."


async def test_a_size_of_more_than_64_bits_is_no_invocation(untouched: Target) -> None:
    alice = untouched.space
    asked = alice.asks_to_add(random_car(), 2**64 - 1)
    spelled, bignum = b"\x1b" + b"\xff" * 8, b"\xc2\x49\x01" + bytes(8)
    assert asked.data.count(spelled) == 1
    data = asked.data.replace(spelled, bignum)
    root = dagcbor.encode({VARIANT: {"execute": [link_to(data)]}})
    blocks = [(link_to(data), data), (link_to(root), root)]
    reply = await alice.client.post(archive.encode([link_to(root)], blocks))
    assert reply.status == 400


async def test_the_size_that_is_missing_is_named(untouched: Target) -> None:
    alice = untouched.space
    text = await refusal(alice.client, alice.ask("store/add", {"link": random_car().link}))
    assert 'Object contains invalid field "size":' in text
    assert "Expected value of type number instead got undefined" in text


@pytest.mark.parametrize("can", ["store/add", "store/get", "store/remove"])
async def test_a_link_that_is_no_link_to_a_car_is_malformed(untouched: Target, can: str) -> None:
    alice, data = untouched.space, untouched.stored.data
    for link in (link_to(data, RAW), link_to(data)):
        text = await refusal(alice.client, alice.ask(can, {"link": link, "size": len(data)}))
        assert 'Object contains invalid field "link":' in text
        assert "Expected link to be CID with 0x202 codec" in text


@pytest.mark.parametrize("can", ["store/add", "store/get", "store/remove"])
async def test_a_link_that_is_no_link_at_all_is_malformed(untouched: Target, can: str) -> None:
    alice, car = untouched.space, untouched.stored
    for link in (str(car.link), car.link.data, 7, []):
        text = await refusal(alice.client, alice.ask(can, {"link": link, "size": car.size}))
        assert 'Object contains invalid field "link":' in text


def hashed_by(code: int, digest: bytes) -> Link:
    """A link to a CAR by some hash function."""
    parts = (1, CAR, code, len(digest))
    return Link(b"".join(varint.encode(part) for part in parts) + digest)


OTHER_HASHES = {
    "sha2-512": hashed_by(0x13, bytes(64)),
    "blake2b-256": hashed_by(0xB220, bytes(32)),
    "identity": hashed_by(0x00, b"a whole CAR"),
    "nothing": hashed_by(0x00, b""),
}


@pytest.mark.parametrize("link", OTHER_HASHES.values(), ids=OTHER_HASHES.keys())
async def test_a_car_that_is_named_by_another_hash_is_not_taken(
    untouched: Target, link: Link
) -> None:
    alice = untouched.space
    text = await refusal(
        alice.client, alice.ask("store/add", {"link": link, "size": 11}), name="Error"
    )
    assert "sha2-256" in text
    await refusal(alice.client, alice.ask("store/get", {"link": link}), name="StoreItemNotFound")


@pytest.mark.parametrize(
    "resource", ["did:web:elsewhere.example", "did:mailto:example.com:alice", "https://x.example"]
)
async def test_what_is_no_space_is_malformed(untouched: Target, resource: str) -> None:
    alice = untouched.space
    asked = alice.issue({"can": "store/list", "with": resource})
    text = await refusal(alice.client, asked)
    assert "Encountered malformed 'store/list' capability" in text
    assert "Expected a did:key: but got" in text


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 30, "١", ""])
async def test_a_cursor_that_no_list_gave_is_refused(untouched: Target, cursor: str) -> None:
    alice = untouched.space
    error = (await alice.page(cursor=cursor))["error"]
    assert "is not a cursor of this list" in error["message"]
