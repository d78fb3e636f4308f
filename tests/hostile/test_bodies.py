"""Goal: a request that is no agent message is refused as ucanto servers refuse it, quickly, with a
sentence that says what is wrong; and nothing changes.
"""

import time
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest

from hostile.asking import Target
from support.client import CONTENT_TYPE, Client, body_of
from taijitu.ipld import car, dagcbor, varint
from taijitu.ipld.cid import CAR, DAG_CBOR, Link, link_to
from taijitu.wire.message import (
    BLOCK_SIZE_MAX,
    EXECUTE_MAX,
    MESSAGE_BLOCKS_MAX,
    MESSAGE_SIZE_MAX,
    VARIANT,
)

MALFORMED = "Bad request: Malformed payload - "
DEEP = b"\x81" * 100_000 + b"\x00"
"""A list in a list in a list: as DAG-CBOR it is valid."""
DEEP_SECONDS_MAX = 2
LARGE = 32 * 2**20
"""Bytes: more than lie between two sockets."""
GONE = link_to(b"a block that nobody sent")


def message(root: object) -> bytes:
    """A CAR whose root block holds that."""
    block = dagcbor.encode(root)
    link = link_to(block)
    return car.encode([link], [(link, block)])


def in_block(data: bytes, codec: int = DAG_CBOR) -> tuple[Link, bytes]:
    """Bytes under their link, whether or not they are of that codec."""
    return Link(bytes((1, codec, 0x12, 32)) + sha256(data).digest()), data


def alone(data: bytes) -> bytes:
    """A CAR with one block, its root."""
    link, _ = in_block(data)
    return car.encode([link], [(link, data)])


def of_version(version: int) -> bytes:
    """The head of an archive."""
    header = dagcbor.encode({"roots": [GONE], "version": version})
    return varint.encode(len(header)) + header


BODIES = {
    "nothing at all": (b"", "Unexpected end of data"),
    "a text": (b"hello world", "Unexpected end of data"),
    "a JSON object": (b'{"execute": []}', ""),
    "a CAR without roots": (car.encode([], []), "the CAR has no root"),
    "a CAR without its root": (car.encode([GONE], []), f"the root block {GONE} is not in the CAR"),
    "a root of another codec": (
        car.encode([in_block(b"x", 0x55)[0]], [in_block(b"x", 0x55)]),
        "is not DAG-CBOR",
    ),
    "a root that is no map": (message([]), "the root block is not a map"),
    "another variant": (message({"ucanto/message@9.0.0": {}}), f'not {{"{VARIANT}"'),
    "two variants": (message({VARIANT: {}, "more": {}}), f'not {{"{VARIANT}"'),
    "a variant that is no map": (message({VARIANT: 1}), f'not {{"{VARIANT}"'),
    "execute that is a map": (message({VARIANT: {"execute": {}}}), "not a list of links"),
    "execute without links": (message({VARIANT: {"execute": ["x"]}}), "not a list of links"),
    "a report that is a list": (message({VARIANT: {"report": []}}), "not a map of links"),
    "a report that names no link": (message({VARIANT: {"report": {"x": GONE}}}), "not a link"),
    "an invocation that is not there": (message({VARIANT: {"execute": [GONE]}}), "not included"),
    "too many invocations": (
        message({VARIANT: {"execute": [GONE] * (EXECUTE_MAX + 1)}}),
        f"more than {EXECUTE_MAX} invocations",
    ),
    "a map with indefinite length": (alone(b"\xbf\xff"), "the root block is"),
    "a map with a key twice": (alone(b"\xa2\x61a\x00\x61a\x00"), "the root block is"),
    "a number that is too long": (alone(b"\x18\x01"), "the root block is"),
    "bytes after the end": (alone(b"\x00\x00"), "the root block is"),
    "not a number": (alone(b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00"), "the root block is"),
    "a bignum": (alone(b"\xc2\x49\x01" + bytes(8)), "the root block is"),
    "nested 100,000 deep": (alone(DEEP), "nested deeper than"),
    "a section that promises more": (
        car.encode([GONE], []) + varint.encode(2**40) + b"x",
        "Unexpected end of data",
    ),
    "a section of no length": (car.encode([GONE], []) + b"\0", "Invalid CAR section"),
    "a length without end": (b"\xff" * 20, "Invalid CAR section"),
    "a header of another version": (
        of_version(3),
        "Invalid CAR header",
    ),
    "a block that is too large": (
        car.encode([GONE], [in_block(bytes(BLOCK_SIZE_MAX + 1))]),
        "over the limit",
    ),
    "too many blocks": (
        car.encode(
            [GONE], [in_block(number.to_bytes(4)) for number in range(MESSAGE_BLOCKS_MAX + 1)]
        ),
        f"more than {MESSAGE_BLOCKS_MAX} blocks",
    ),
}


@pytest.mark.parametrize(("body", "reason"), BODIES.values(), ids=BODIES.keys())
async def test_what_is_no_message_is_refused_with_the_reason(
    untouched: Target, body: bytes, reason: str
) -> None:
    began = time.monotonic()
    reply = await untouched.client.post(body)
    assert time.monotonic() - began < DEEP_SECONDS_MAX
    assert reply.status == 400
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.text.startswith(MALFORMED)
    assert reason in reply.text


async def test_a_message_cut_off_anywhere_is_refused(untouched: Target) -> None:
    alice = untouched.space
    whole = body_of([alice.asks_to_remove(untouched.stored)])
    for size in range(0, len(whole), 7):
        reply = await untouched.client.post(whole[:size])
        assert reply.status == 400, size
        assert reply.text.startswith(MALFORMED)


async def test_a_block_that_does_not_hash_to_its_link_spoils_the_message(
    untouched: Target,
) -> None:
    """Otherwise whoever ships other bytes under a trusted link could take what is not his."""
    asked = untouched.space.asks_to_remove(untouched.stored)
    root = dagcbor.encode({VARIANT: {"execute": [asked.link]}})
    forged = asked.data.replace(b"store/remove", b"store/rename")
    assert forged != asked.data
    reply = await untouched.client.post(
        car.encode([link_to(root)], [(asked.link, forged), (link_to(root), root)])
    )
    assert reply.status == 400
    assert f"the bytes of block {asked.link} do not hash to its link" in reply.text


async def test_a_block_whose_hash_we_cannot_check_spoils_the_message(untouched: Target) -> None:
    asked = untouched.space.asks_to_remove(untouched.stored)
    root = dagcbor.encode({VARIANT: {"execute": [asked.link]}})
    unknown = Link(bytes((1, DAG_CBOR)) + varint.encode(0xB220) + bytes((32,)) + bytes(32))
    blocks = [(asked.link, asked.data), (unknown, b"?"), (link_to(root), root)]
    reply = await untouched.client.post(car.encode([link_to(root)], blocks))
    assert reply.status == 400
    assert "unknown hash function" in reply.text


async def test_an_invocation_nested_100_000_deep_is_refused_quickly(untouched: Target) -> None:
    link, block = in_block(DEEP)
    root = dagcbor.encode({VARIANT: {"execute": [link]}})
    began = time.monotonic()
    reply = await untouched.client.post(
        car.encode([link_to(root)], [(link, block), (link_to(root), root)])
    )
    assert time.monotonic() - began < DEEP_SECONDS_MAX
    assert reply.status == 400
    assert "nested deeper than" in reply.text


async def test_one_invocation_that_is_none_stops_the_others_of_its_message(
    untouched: Target,
) -> None:
    """It is refused before anything is executed."""
    asked = untouched.space.asks_to_remove(untouched.stored)
    root = dagcbor.encode({VARIANT: {"execute": [asked.link, GONE]}})
    blocks = [(asked.link, asked.data), (link_to(root), root)]
    reply = await untouched.client.post(car.encode([link_to(root)], blocks))
    assert reply.status == 400


async def test_a_body_that_says_it_is_too_large_is_refused(untouched: Target) -> None:
    reply = await untouched.client.post(bytes(MESSAGE_SIZE_MAX + 1))
    assert reply.status == 413
    assert f"larger than {MESSAGE_SIZE_MAX} bytes" in reply.text


async def test_a_body_that_does_not_say_how_large_it_is_is_refused_when_it_is_too_large(
    untouched: Target, client: Client
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MESSAGE_SIZE_MAX // 2**20 + 1):
            yield bytes(2**20)

    url, headers = client.service.url, {"content-type": CONTENT_TYPE}
    async with client.http.post(url, data=chunks(), headers=headers) as answer:
        assert answer.status == 413


async def test_a_large_upload_that_is_refused_gets_to_read_why(untouched: Target) -> None:
    """Also by a connection that is to be closed, while most of the bytes are still on their way."""
    client, data = untouched.client, bytes(LARGE)
    link = link_to(data, CAR)
    reply = await client.request("PUT", f"{client.service.url}/{link}/{link}.car", data)
    assert reply.status == 403
    assert b"AccessDenied" in reply.body


async def test_a_message_of_the_largest_size_is_read(untouched: Target) -> None:
    """The limit is where it is said to be: up to it, the body is looked into."""
    reply = await untouched.client.post(bytes(MESSAGE_SIZE_MAX))
    assert reply.status == 400


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "application/car",
        "application/vnd.ipld.car; charset=utf-8",
        "application/vnd.ipld.car, application/vnd.ipld.car",
        "*/*",
    ],
)
async def test_another_content_type_is_not_supported(
    untouched: Target, content_type: str | None
) -> None:
    body = body_of([untouched.space.asks_to_remove(untouched.stored)])
    reply = await untouched.client.post(body, content_type)
    assert reply.status == 415
    assert reply.headers["accept"] == CONTENT_TYPE
    assert reply.text.strip() == (
        "The server cannot process the request because the payload format is not supported. "
        "Please check the content-type header and try again with a supported media type."
    )


@pytest.mark.parametrize(
    "accept", ["application/json", "text/*", "application/vnd.ipld.car;q=0", "application/car, x/y"]
)
async def test_an_answer_that_the_client_would_not_accept_is_not_made(
    untouched: Target, accept: str
) -> None:
    body = body_of([untouched.space.asks_to_remove(untouched.stored)])
    reply = await untouched.client.post(body, accept=accept)
    assert reply.status == 406
    assert reply.headers["accept"] == CONTENT_TYPE
    assert reply.text.strip() == (
        "The requested resource cannot be served in the requested content type. "
        "Please specify a supported content type using the Accept header."
    )


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_messages_are_posted_and_nothing_else(untouched: Target, method: str) -> None:
    client = untouched.client
    body = body_of([untouched.space.asks_to_remove(untouched.stored)])
    headers = {"content-type": CONTENT_TYPE}
    reply = await client.request(method, client.service.url + "/", body, headers)
    assert reply.status == 405
    assert "POST" in reply.headers["allow"]


async def test_an_empty_message_is_legal(untouched: Target) -> None:
    reply = await untouched.client.post(body_of([]))
    assert reply.status == 200
    assert untouched.client.receipts_in(reply.body) == {}


@pytest.mark.parametrize(
    "task",
    [
        "",
        "x",
        str(GONE),
        str(GONE).upper(),
        str(GONE)[:-1],
        f"{GONE}/{GONE}",
        "..%2F..%2Ftaijitu.db",
        "%00",
        "b" * 10_000,
        "?task=1",
        "%E2%98%AF",
    ],
)
async def test_there_is_no_receipt_for_what_was_never_asked(untouched: Target, task: str) -> None:
    client = untouched.client
    reply = await client.request("GET", f"{client.service.url}/receipt/{task}")
    assert reply.status == 404
