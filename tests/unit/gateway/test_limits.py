"""Goal: too much at once is refused with a time to come again, and a reader who takes nothing loses
his place.

Method: the gateway of an installation with its limits lowered; readers are connections by hand.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import pytest

from taijitu.gateway import values
from taijitu.gateway.blocks import BLOCK_SIZE_MAX
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import RAW, link_to
from taijitu.protocols.pace import Pace
from taijitu.server import connection, http
from taijitu.server.connection import Connection
from taijitu.server.gateway import Gateway, is_private, party_of
from taijitu.server.limits import SENT_AT_ONCE, Slots, SlotsByName
from taijitu.unixfs.directory import NAME_SIZE_MAX
from unit.gateway.site import Site, Stored, file, folder, single
from unit.server.running import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


BUFFER = 4_096
"""Bytes that the kernel is to keep on each side."""


class Long(NamedTuple):
    """A long answer, and how to ask for it."""

    stored: Stored
    rest: str
    accept: str = "*/*"

    @property
    def path(self) -> str:
        return self.stored.path + self.rest


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> set[Connection]:
    """Connections that began in the test, as long as they are. The kernel keeps little of them."""
    now, made, lost = set[Connection](), Connection.connection_made, Connection.connection_lost

    def connection_made(self: Connection, transport: asyncio.Transport) -> None:
        now.add(self)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        made(self, transport)

    def connection_lost(self: Connection, exc: Exception | None) -> None:
        now.discard(self)
        lost(self, exc)

    monkeypatch.setattr(Connection, "connection_made", connection_made)
    monkeypatch.setattr(Connection, "connection_lost", connection_lost)
    return now


@pytest.fixture
def gateway(site: Site, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The gateway of the site, as if everybody asked from far away."""
    gateway = getattr(site.app.doors.gateway, "__self__", None)
    assert isinstance(gateway, Gateway)
    monkeypatch.setattr(gateway, "is_near", lambda _: False)
    monkeypatch.setattr(gateway, "of_one", SlotsByName(1_000))
    monkeypatch.setattr(gateway, "slots", Slots(1_000))
    monkeypatch.setattr(gateway, "cars", Slots(1_000))
    monkeypatch.setattr(gateway, "cars_of_one", SlotsByName(1_000))
    monkeypatch.setattr(gateway, "pace", Pace(1_000, 1))
    return gateway


async def large(site: Site) -> Stored:
    """A file of 48 MiB: more than the kernel takes for a reader who reads nothing."""
    leaf = os.urandom(1024 * 1024)
    stored = file(leaf * 48)
    await site.store(stored)
    return stored


@asynccontextmanager
async def stalled(site: Site, *paths: str, accept: str = "*/*") -> AsyncGenerator[None]:
    """Ask on one connection, and read nothing but the first line of the first answer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", site.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1_000)
    try:
        for path in paths:
            head = f"GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\n\r\n"
            writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        yield
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("query", ["?filename=a.bin", "?format=car&dups=y"])
async def test_a_full_gateway_says_so_until_there_is_a_place(
    site: Site, gateway: Gateway, query: str
) -> None:
    stored = await large(site)
    gateway.slots = Slots(2)
    async with stalled(site, stored.path + query), stalled(site, stored.path + query):
        refused = await site.get(stored.path)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.text.endswith("Ask again.\n")
    await until(lambda: gateway.slots.taken == 0)
    assert (await site.head(stored.path)).status == 200


async def test_so_many_cars_are_made_at_once(site: Site, gateway: Gateway) -> None:
    stored = await large(site)
    gateway.cars = Slots(1)
    query = "?format=car&dups=y"
    async with stalled(site, stored.path + query):
        refused = await site.get(stored.path + query)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert (await site.head(stored.path)).status == 200
    await until(lambda: gateway.cars.taken == 0)


async def test_one_address_gets_fewer_cars_than_places(site: Site, gateway: Gateway) -> None:
    stored = await large(site)
    gateway.cars_of_one = SlotsByName(1)
    query = "?format=car&dups=y"
    async with stalled(site, stored.path + query):
        refused = await site.get(stored.path + query)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert (await site.head(stored.path)).status == 200
        gateway.is_near = lambda _: True
        assert (await site.head(stored.path + query)).status == 200
    await until(lambda: not gateway.cars_of_one.taken)


async def test_one_address_gets_so_many_places(site: Site, gateway: Gateway) -> None:
    stored = await large(site)
    gateway.of_one = SlotsByName(1)
    async with stalled(site, stored.path):
        refused = await site.get(stored.path)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        gateway.is_near = lambda _: True
        assert (await site.head(stored.path)).status == 200
    await until(lambda: not gateway.of_one.taken)


async def test_one_address_gets_so_many_answers_in_a_time(site: Site, gateway: Gateway) -> None:
    stored = file(b"often")
    await site.store(stored)
    gateway.pace = Pace(3, 1_000_000)
    found = [(await site.get(stored.path)).status for _ in range(5)]
    assert found == [200, 200, 200, 429, 429]


def block() -> Long:
    data = os.urandom(BLOCK_SIZE_MAX)
    return Long(single(link_to(data, RAW), data), "?format=raw")


def data() -> Long:
    """Five bytes are written for each of its bytes."""
    data = dagcbor.encode([os.urandom(16).hex(), *[False] * (BLOCK_SIZE_MAX // 4)])
    return Long(single(link_to(data), data), "?format=dag-json")


def page_of_data() -> Long:
    data = dagcbor.encode([os.urandom(16).hex(), *[False] * (values.PAGE_SIZE_MAX // 2)])
    return Long(single(link_to(data), data), "", "text/html")


def page_of_a_folder() -> Long:
    """Names may be this long and no longer."""
    mark = os.urandom(8).hex()
    names = [f"{mark}{number:03}".ljust(NAME_SIZE_MAX, "x") for number in range(500)]
    return Long(folder(dict.fromkeys(names, file(b""))), "/")


@pytest.mark.parametrize("kind", [block, data, page_of_data, page_of_a_folder])
async def test_whatever_is_long_holds_its_place_until_it_was_taken(
    site: Site, gateway: Gateway, connected: set[Connection], kind: Callable[[], Long]
) -> None:
    long = kind()
    await site.store(long.stored)
    async with stalled(site, long.path, accept=long.accept):
        assert (gateway.slots.taken, len(connected)) == (1, 1)
    await until(lambda: gateway.slots.taken == 0)
    reply = await site.get(long.path, accept=long.accept)
    assert len(reply.body) == int(reply.headers["content-length"]) > SENT_AT_ONCE
    if kind is not page_of_a_folder:  # of which nobody knows how long it would be
        head = await site.head(long.path, accept=long.accept)
        assert head.headers["content-length"] == reply.headers["content-length"]


async def test_two_hundred_who_take_nothing_hold_nothing_any_more(
    site: Site, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, connected: set[Connection]
) -> None:
    long = block()
    await site.store(long.stored)
    async with AsyncExitStack() as stack:
        for _ in range(200):
            await stack.enter_async_context(stalled(site, long.path))
        assert (gateway.slots.taken, len(connected)) == (200, 200)
        monkeypatch.setattr(connection, "SILENCE_MAX", 0.2)
        await until(lambda: (gateway.slots.taken, len(connected)) == (0, 0))


async def test_a_reader_who_takes_nothing_loses_his_place(
    site: Site, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another server sees to the connections."""
    monkeypatch.setattr(http, "SILENCE_MAX", 2.0)
    stored = await large(site)
    async with stalled(site, stored.path):
        assert gateway.slots.taken == 1
        await until(lambda: gateway.slots.taken == 0)


async def test_a_file_that_cannot_be_told_what_it_is_holds_no_place(
    site: Site, gateway: Gateway
) -> None:
    stored = file(os.urandom(1_000), 100)
    missing = link_to(bytes(stored.blocks[0].data), RAW)
    await site.store(
        Stored(stored.packed, [each for each in stored.blocks if each.link != missing])
    )
    reply = await site.get(stored.path, range="bytes=500-")
    assert (reply.status, gateway.slots.taken) == (404, 0)


@pytest.mark.parametrize(
    "path", ["/ipfs/nonsense", "/ipfs/bafkqaaa/x", "/ipfs/bafkqaaa?format=tar"]
)
async def test_a_refusal_holds_no_place(site: Site, gateway: Gateway, path: str) -> None:
    assert (await site.get(path)).status in (400, 404, 406)
    assert (gateway.slots.taken, gateway.of_one.taken) == (0, {})


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("192.168.1.1", True),
        ("", True),
        ("8.8.8.8", False),
        ("2a00:1450::1", False),
        ("::ffff:8.8.8.8", False),
        ("::ffff:10.1.2.3", True),
    ],
)
async def test_who_asks_from_a_network_of_ones_own_may_be_a_proxy(address: str, near: bool) -> None:
    assert is_private(address) == near


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("8.8.8.8", "8.8.8.9", False),
        ("8.8.8.8", "::ffff:8.8.8.8", True),
        ("::ffff:8.8.8.8", "::ffff:8.8.8.9", False),
        ("2a00:1450:1:2::1", "2a00:1450:1:2:ffff:ffff:ffff:ffff", True),
        ("2a00:1450:1:2::1", "2a00:1450:1:3::1", False),
    ],
)
async def test_who_has_a_network_of_ipv6_is_one_party(one: str, other: str, same: bool) -> None:
    assert (party_of(one) == party_of(other)) == same
