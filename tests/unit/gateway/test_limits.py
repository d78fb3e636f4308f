"""Goal: too much at once is refused with a time to come again, and a reader who takes nothing loses
his place.

Method: the gateway of an installation with its limits lowered; readers are connections by hand.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from taijitu.ipld.cid import RAW, link_to
from taijitu.protocols.pace import Pace
from taijitu.server import http
from taijitu.server.gateway import Gateway, is_private
from taijitu.server.limits import Slots, SlotsByName
from unit.gateway.site import Site, Stored, file
from unit.server.running import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def gateway(site: Site, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The gateway of the site, as if everybody asked from far away."""
    gateway = getattr(site.app.doors.gateway, "__self__", None)
    assert isinstance(gateway, Gateway)
    monkeypatch.setattr(gateway, "is_near", lambda _: False)
    monkeypatch.setattr(gateway, "of_one", SlotsByName(1_000))
    monkeypatch.setattr(gateway, "slots", Slots(1_000))
    monkeypatch.setattr(gateway, "cars", Slots(1_000))
    monkeypatch.setattr(gateway, "pace", Pace(1_000, 1))
    return gateway


async def large(site: Site) -> Stored:
    """A file of 48 MiB: more than the kernel takes for a reader who reads nothing."""
    leaf = os.urandom(1024 * 1024)
    stored = file(leaf * 48)
    await site.store(stored)
    return stored


@asynccontextmanager
async def stalled(site: Site, path: str) -> AsyncGenerator[None]:
    """Ask, and read nothing but the head of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1_000)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
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


async def test_a_reader_who_takes_nothing_loses_his_place(
    site: Site, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SILENCE_MAX", 0.2)
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
    ],
)
async def test_who_asks_from_a_network_of_ones_own_may_be_a_proxy(address: str, near: bool) -> None:
    assert is_private(address) == near
