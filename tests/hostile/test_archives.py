"""Goal: a body that is large, packed, full of blocks or spelled in another way is read within
bounded time and memory, or refused with a sentence; and nothing changes.
"""

import asyncio
import gzip
import time
from hashlib import sha256

import pytest

from hostile.asking import Target, refusal
from hostile.memory import MIB, resident
from support.client import body_of
from taijitu.ipld import car, dagcbor, varint
from taijitu.ipld.cid import DAG_CBOR, IDENTITY, InvalidLink, Link, link_to
from taijitu.ucan import delegation
from taijitu.wire.message import MESSAGE_BLOCKS_MAX, MESSAGE_SIZE_MAX, VARIANT

SECONDS_MAX = 3
GROWTH_MAX = 64 * MIB
BOMB = gzip.compress(bytes(64 * MIB))
"""64 KiB that are 64 MiB."""
MANY = 10_000
PROOFS = 1_000
DEEP = 20
AT_ONCE = 10
MEMORY_MAX = 400 * MIB


def message(*invocations: tuple[Link, bytes], company: list[tuple[Link, bytes]]) -> bytes:
    """A body that asks for these, with whatever else."""
    root = dagcbor.encode({VARIANT: {"execute": [link for link, _ in invocations]}})
    return archive(link_to(root), [*company, *invocations, (link_to(root), root)])


def archive(root: Link, blocks: list[tuple[Link, bytes]]) -> bytes:
    """A CAR in which a block may stand as often as one likes, and be whatever one likes."""
    data = car.encode([root], [])
    return data + b"".join(car.encode([root], [each])[len(data) :] for each in blocks)


def listing(target: Target) -> tuple[Link, bytes]:
    """A question that changes nothing."""
    asked = target.space.ask("store/list")
    return asked.link, asked.data


# Packed


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x"])
async def test_a_body_that_is_packed_is_not_unpacked(untouched: Target, coding: str) -> None:
    client = untouched.client
    before, began = resident(client.service), time.monotonic()
    headers = {"content-type": "application/vnd.ipld.car", "content-encoding": coding}
    reply = await client.request("POST", client.service.url + "/", BOMB, headers)
    assert reply.status == 415
    assert reply.text == f"The body is encoded ({coding}). Send it as it is.\n"
    assert time.monotonic() - began < SECONDS_MAX
    assert resident(client.service) - before < GROWTH_MAX


async def test_a_bomb_that_is_not_said_to_be_one_is_no_message(untouched: Target) -> None:
    packed = gzip.compress(body_of([untouched.space.asks_to_remove(untouched.stored)]))
    for body in (BOMB, packed):
        reply = await untouched.client.post(body)
        assert reply.status == 400
        assert reply.text.startswith("Bad request: Malformed payload - ")


async def test_an_upload_that_is_said_to_be_packed_is_taken_as_it_is(target: Target) -> None:
    """What the digest is of is what came."""
    client, awaited = target.client, target.awaited
    ok = (await target.space.add(awaited))["ok"]
    packed = gzip.compress(bytes(100_000)).ljust(awaited.size, b"\0")
    assert await client.put(ok, packed, content_encoding="gzip") == 400
    assert await client.fetch(awaited.link) is None
    assert await client.put(ok, awaited.data, content_encoding="gzip") == 200
    assert await client.fetch(awaited.link) == awaited.data


# Many


async def test_ten_thousand_blocks_that_nobody_needs_cost_little(untouched: Target) -> None:
    client = untouched.client
    noise = [number.to_bytes(4) * 32 for number in range(MANY)]
    body = message(listing(untouched), company=[(link_to(data), data) for data in noise])
    before, began = resident(client.service), time.monotonic()
    reply = await client.post(body)
    assert reply.status == 200
    assert time.monotonic() - began < SECONDS_MAX
    assert resident(client.service) - before < GROWTH_MAX
    assert len(reply.body) < 10_000


async def test_more_blocks_than_that_are_refused(untouched: Target) -> None:
    block = (link_to(b"\0"), b"\0")
    body = message(listing(untouched), company=[block] * (MESSAGE_BLOCKS_MAX + 1))
    reply = await untouched.client.post(body)
    assert reply.status == 400
    assert f"more than {MESSAGE_BLOCKS_MAX} blocks" in reply.text


async def test_messages_of_the_largest_size_have_so_much_room_and_no_more(
    untouched: Target,
) -> None:
    client = untouched.client
    size = MESSAGE_SIZE_MAX // MESSAGE_BLOCKS_MAX - 60
    noise = [number.to_bytes(4) + bytes(size) for number in range(MESSAGE_BLOCKS_MAX - 10)]
    body = message(listing(untouched), company=[(link_to(data), data) for data in noise])
    replies = await asyncio.gather(*[client.post(body) for _ in range(AT_ONCE)])
    assert {reply.status for reply in replies} == {200, 503}
    refused = [reply for reply in replies if reply.status == 503]
    assert all(reply.headers["retry-after"] == "1" for reply in refused)
    assert resident(client.service) < MEMORY_MAX
    assert (await client.post(body)).status == 200


# Not what they seem


async def test_a_block_that_comes_twice_is_one(untouched: Target) -> None:
    link, data = listing(untouched)
    reply = await untouched.client.post(message((link, data), company=[(link, data)] * 100))
    assert reply.status == 200
    assert set(untouched.client.receipts_in(reply.body)) == {link}


async def test_a_link_with_two_contents_spoils_the_message(untouched: Target) -> None:
    link, data = listing(untouched)
    for company in ([(link, b"\xa0")], [(link, data), (link, b"\xa0")]):
        reply = await untouched.client.post(message((link, data), company=company))
        assert reply.status == 400
        assert f"the bytes of block {link} do not hash to its link" in reply.text


async def test_proofs_in_a_circle_do_not_exist(untouched: Target) -> None:
    """A link is a hash: what would close the circle does not hash to it."""
    alice = untouched.space
    first = alice.issue({"can": "store/*", "with": alice.did})
    second = alice.issue({"can": "store/*", "with": alice.did}, proofs=[first.link])
    circle = alice.issue({"can": "store/*", "with": alice.did}, proofs=[second.link])
    asked = alice.ask("store/list", proofs=[first.link])
    company = [(first.link, circle.data), (second.link, second.data)]
    reply = await untouched.client.post(message((asked.link, asked.data), company=company))
    assert reply.status == 400
    assert "do not hash to its link" in reply.text


async def test_proofs_within_links_within_proofs_are_read_to_an_end(untouched: Target) -> None:
    """A link by the identity hash is its block, and that may hold the next one."""
    alice = untouched.space
    proof, levels = inline(alice.ask("store/*", audience=alice.did).data), 1
    while (deeper := inline(alice.ask("*", audience=alice.did, proofs=[proof]).data)) is not None:
        proof, levels = deeper, levels + 1
    assert levels > DEEP
    began = time.monotonic()
    await refusal(alice.client, alice.ask("store/nope", proofs=[proof]), name="HandlerNotFound")
    assert "ok" in (await alice.client.send(alice.ask("store/list", proofs=[proof]))).out
    assert time.monotonic() - began < SECONDS_MAX


def inline(data: bytes) -> Link | None:
    """The link that is this block; `None` if there is no such link because it is too long."""
    head = b"".join(varint.encode(part) for part in (1, DAG_CBOR, IDENTITY, len(data)))
    try:
        return Link(head + data)
    except InvalidLink:
        return None


async def test_a_thousand_proofs_that_are_missing_are_told_quickly(untouched: Target) -> None:
    bob, alice = untouched.client.space("bob"), untouched.space
    proofs = [link_to(number.to_bytes(4)) for number in range(PROOFS)]
    asked = bob.issue({"can": "store/list", "with": alice.did}, proofs=proofs)
    began = time.monotonic()
    text = await refusal(untouched.client, asked)
    assert "not authorized" in text
    assert time.monotonic() - began < SECONDS_MAX


# Spelled in another way

PLACE = dagcbor.encode("here it stands")
LINK = "d82a582500" + link_to(b"x").data.hex()
SPELLINGS = {
    "an integer in more bytes than needed": "1817",
    "a large integer in more bytes than needed": "1b00000000ffffffff",
    "a negative integer in more bytes than needed": "3817",
    "a text with a longer length than needed": "780161",
    "bytes with a longer length than needed": "580100",
    "a list with a longer length than needed": "980100",
    "a map with a longer length than needed": "b801616100",
    "a tag in more bytes than needed": "d9002a" + LINK[4:],
    "an endless list": "9f00ff",
    "an endless map": "bf616100ff",
    "an endless text": "7f6161ff",
    "endless bytes": "5f4100ff",
    "a float of 16 bits": "f93c00",
    "a float of 32 bits": "fa3f800000",
    "not a number": "fb7ff8000000000000",
    "infinity": "fb7ff0000000000000",
    "undefined": "f7",
    "a simple value": "e0",
    "another tag": "d82b" + LINK[4:],
    "a big number": "c24101",
    "a link without its zero": "d82a5824" + LINK[10:],
    "keys out of order": "a262616201616101",
    "a key twice": "a2616101616102",
    "a key that is no text": "a10001",
    "text that is not UTF-8": "61ff",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
async def test_one_value_has_one_spelling(untouched: Target, spelling: str) -> None:
    """In an invocation, and so in all that is signed: else one signature had many links."""
    alice = untouched.space
    asked = alice.ask("store/list", {"x": "here it stands"})
    assert asked.data.count(PLACE) == 1
    data = asked.data.replace(PLACE, bytes.fromhex(spelling))
    link = Link(bytes((1, DAG_CBOR, 0x12, 32)) + sha256(data).digest())
    reply = await alice.client.post(message((link, data), company=[]))
    assert reply.status == 400
    assert f"can not execute {link}" in reply.text


async def test_what_the_signature_does_not_cover_makes_it_worthless(untouched: Target) -> None:
    """Else one signature had as many links as one likes, and a revocation names but one."""
    asked = untouched.space.asks_to_remove(untouched.stored)
    block = dagcbor.decode(asked.data) | {"more": 1}
    data = dagcbor.encode(block)
    read = delegation.decode(link_to(data), data)
    assert not read.canonical
    reply = await untouched.client.post(message((read.link, data), company=[]))
    (receipt,) = untouched.client.receipts_in(reply.body).values()
    assert receipt.out["error"]["name"] == "Unauthorized"
