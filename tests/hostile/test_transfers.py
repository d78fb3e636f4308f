"""Goal: a connection that gives too much, too little, too slowly or nothing gets an answer or its
end in bounded time, leaves nothing behind, and keeps nobody else waiting.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from hostile.asking import Target
from hostile.memory import MIB, resident
from hostile.wires import Wire, request, status, wire_to
from support.client import CONTENT_TYPE, Client, Inside, body_of, random_car, talking_to
from support.eventually import eventually
from support.service import Serve, Service
from taijitu.server.limits import CONNECTIONS_MAX, HEAD_SIZE_MAX, HEAD_TIME_MAX

IDLE = 1_000
ANSWERED_SECONDS_MAX = 2
GROWTH_MAX = 64 * MIB
LARGE = 8 * MIB


@pytest.fixture
async def ok(target: Target) -> AsyncGenerator[dict[str, Any]]:
    """Where to put the awaited bytes. When the test is over they can still be put: whatever was
    tried has changed nothing."""
    told = (await target.space.add(target.awaited))["ok"]
    yield told
    await clean(target.client.service)
    assert await target.space.place(target.awaited) == "Receiving"
    assert await target.client.put(told, target.awaited.data) == 200
    assert await target.client.fetch(target.awaited.link) == target.awaited.data


async def clean(service: Service) -> None:
    """No half of an upload lies there any more."""
    inside = Inside(service.data)

    async def unfinished() -> int:
        return len(inside.unfinished())

    await eventually(unfinished, lambda number: number == 0, seconds=5)


def put(ok: dict[str, Any], **changed: object) -> bytes:
    """The head of the PUT that was allowed; `changed` headers by name, `_` for `-`."""
    more = {name.replace("_", "-"): each for name, each in changed.items()}
    return request("PUT", "/" + ok["url"].split("/", 3)[3], ok["headers"] | more)


# Uploads


async def test_a_put_that_sends_too_little_and_hangs_up_leaves_nothing(
    target: Target, ok: dict[str, Any]
) -> None:
    async with wire_to(target.client.service) as wire:
        await wire.say(put(ok) + target.awaited.data[:-1])


async def test_a_put_that_stops_half_way_is_heard_of_as_soon_as_it_hangs_up(
    client: Client,
) -> None:
    alice, car = client.space("alice"), random_car(LARGE)
    ok = (await alice.add(car))["ok"]
    inside = Inside(client.service.data)

    async def unfinished() -> int:
        return len(inside.unfinished())

    async with wire_to(client.service) as wire:
        await wire.say(put(ok) + car.data[: LARGE // 2])
        await eventually(unfinished, lambda number: number == 1, seconds=5)
    await clean(client.service)
    assert await alice.place(car) == "Receiving"
    assert await client.put(ok, car.data) == 200


async def test_what_a_put_sends_beyond_its_length_is_no_part_of_it(
    target: Target, ok: dict[str, Any]
) -> None:
    """Nor is it a request: the connection ends."""
    other = random_car(target.awaited.size)
    async with wire_to(target.client.service) as wire:
        await wire.say(put(ok) + other.data + b"and more")
        answer = await wire.rest()
    assert status(answer) == 400
    assert b"BadDigest" in answer
    assert answer.count(b"HTTP/1.1") <= 2


async def test_a_put_says_once_how_long_it_is(target: Target, ok: dict[str, Any]) -> None:
    head = put(ok)
    size = b"content-length: %d" % target.awaited.size
    spoiled = {
        "twice": head.replace(size, size + b"\r\n" + size),
        "twice and differently": head.replace(size, size + b"\r\ncontent-length: 1"),
        "in chunks": head.replace(size, b"transfer-encoding: chunked"),
        "both ways": head.replace(size, size + b"\r\ntransfer-encoding: chunked"),
        "not at all": head.replace(size + b"\r\n", b""),
        "negative": head.replace(size, b"content-length: -1"),
        "with a sign": head.replace(size, b"content-length: +%d" % target.awaited.size),
        "in hex": head.replace(size, b"content-length: 0x3e8"),
        "too long": head.replace(size, b"content-length: " + b"9" * 40),
        "smaller": head.replace(size, b"content-length: 1"),
        "larger": head.replace(size, b"content-length: 100000"),
    }
    for name, bad in spoiled.items():
        assert bad != head, name
        async with wire_to(target.client.service) as wire:
            await wire.say(bad + target.awaited.data)
            answer = await wire.rest()
        assert status(answer) in (400, 403, 411), name
        assert b"HTTP/1.1 200" not in answer, name


async def test_a_put_may_wait_for_leave_to_send(target: Target, ok: dict[str, Any]) -> None:
    """Refused, it need not send at all."""
    async with wire_to(target.client.service) as wire:
        await wire.say(put(ok, expect="100-continue", x_amz_checksum_sha256="A" * 43 + "="))
        assert status(await wire.head()) == 403
    async with wire_to(target.client.service) as wire:
        await wire.say(put(ok, expect="100-continue"))
        assert status(await wire.head()) == 100


# Messages


async def test_a_message_that_stops_half_way_is_not_carried_out(untouched: Target) -> None:
    body = body_of([untouched.space.asks_to_remove(untouched.stored)])
    headers = {"content-type": CONTENT_TYPE, "content-length": len(body)}
    async with wire_to(untouched.client.service) as wire:
        await wire.say(request("POST", "/", headers) + body[:-1])
    async with wire_to(untouched.client.service) as wire:
        await wire.say(request("POST", "/", headers) + body[:-1])
        wire.writer.write_eof()
        assert b"200 OK" not in await wire.rest()


async def test_a_second_message_hidden_behind_the_first_is_one_of_its_own(
    untouched: Target,
) -> None:
    """Length and chunks at once are refused: two servers could read two different requests."""
    head = request("POST", "/", {"content-type": CONTENT_TYPE, "content-length": 5})
    smuggled = head.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n")
    async with wire_to(untouched.client.service) as wire:
        await wire.say(smuggled + b"0\r\n\r\n" + request("GET", "/version", {}))
        answer = await wire.rest()
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "spoiled",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * (HEAD_SIZE_MAX + 1) + b"\r\n\r\n",
        b"GET /" + b"y" * (HEAD_SIZE_MAX + 1) + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000 + b"\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
    ],
    ids=["TLS", "version", "zero", "space", "header", "path", "headers", "chunk", "negative"],
)
async def test_what_is_no_request_ends_the_connection(untouched: Target, spoiled: bytes) -> None:
    async with wire_to(untouched.client.service) as wire:
        try:
            await wire.say(spoiled)
        except ConnectionError:
            return
        answer = await wire.rest()
    assert answer == b"" or status(answer) in (400, 404, 405, 415, 431, 505)


# Many, and slow


async def test_a_thousand_idle_connections_keep_nobody_waiting(untouched: Target) -> None:
    """Half of them have said nothing, half the beginning of a request."""
    client = untouched.client
    before = resident(client.service)
    async with AsyncExitStack() as stack:
        for number in range(IDLE):
            wire = await stack.enter_async_context(wire_to(client.service))
            if number % 2:
                await wire.say(b"POST / HTTP/1.1\r\nhost: localhost\r\n")
        began = time.monotonic()
        assert "ok" in await untouched.space.page()
        assert time.monotonic() - began < ANSWERED_SECONDS_MAX
        assert resident(client.service) - before < GROWTH_MAX


async def test_more_connections_than_there_may_be_are_told_so(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client, AsyncExitStack() as stack:
        alice = client.space("alice")
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS_MAX):
                group.create_task(stack.enter_async_context(wire_to(service)))

        async def refused() -> bytes:
            async with wire_to(service) as wire:
                await wire.say(request("GET", "/version", {}))
                return await wire.rest()

        answer = await eventually(refused, lambda text: b" 503 " in text, seconds=5)
        assert b"retry-after: 1" in answer
        await stack.aclose()
        await eventually(refused, lambda text: b" 200 " in text, seconds=5)
        assert "ok" in await alice.page()


@pytest.mark.full
async def test_heads_that_trickle_are_cut_off_after_ten_seconds(untouched: Target) -> None:
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        wires = [
            await stack.enter_async_context(wire_to(untouched.client.service)) for _ in range(20)
        ]

        async def trickle(wire: Wire) -> float:
            await wire.say(b"POST / HTTP/1.1\r\n")
            rest = asyncio.create_task(wire.rest(2 * HEAD_TIME_MAX))
            while not rest.done():
                wire.writer.write(b"x: y\r\n")
                await asyncio.wait([rest], timeout=0.5)
            assert await rest == b""
            return time.monotonic() - began

        ended = await asyncio.gather(*[trickle(wire) for wire in wires])
    assert min(ended) > HEAD_TIME_MAX - 1
    assert max(ended) < HEAD_TIME_MAX + 5


@pytest.mark.full
async def test_bodies_that_trickle_are_cut_off_and_keep_nobody_waiting(
    untouched: Target,
) -> None:
    """A minute is what a message has; who is still sending then is told so."""
    client = untouched.client
    head = request("POST", "/", {"content-type": CONTENT_TYPE, "content-length": 1_000_000})
    async with wire_to(client.service) as wire:
        await wire.say(head)
        rest = asyncio.create_task(wire.rest(90))
        while not rest.done():
            wire.writer.write(b"x")
            await asyncio.wait([rest], timeout=1)
            began = time.monotonic()
            assert "ok" in await untouched.space.page(size=1)
            assert time.monotonic() - began < ANSWERED_SECONDS_MAX
        answer = await rest
    assert status(answer) == 408
    assert b"did not arrive within 60 seconds" in answer
