"""Goal: readers who take nothing hold little, nobody else waits for them, and after a while they
are let go.

Method: connections by hand to a real service, from which nothing is read but the head of an answer.
"""

import os
import time
from contextlib import AsyncExitStack

import pytest

from hostile.memory import MIB, resident, sockets
from hostile.storing import SOON, ask, node, over, store
from hostile.wires import request, status, wire_to
from support.client import Client, random_car
from support.eventually import eventually
from support.service import Service
from taijitu.ipld.cid import RAW, Link
from taijitu.unixfs import block as packing
from taijitu.unixfs.content import OPEN_PARTS_MAX
from taijitu.unixfs.data import Data, Kind

READERS = 8
"""Of what takes half a second to read."""


async def test_stalled_readers_hold_little_and_nobody_else_waits(
    client: Client, service: Service
) -> None:
    """Each holds at most 6 MiB: a block that is being sent, one on its way, one read ahead."""
    leaf = packing.raw(os.urandom(MIB))
    root, _ = over(leaf.link, MIB, 64)
    small = packing.raw(os.urandom(1_000))
    await store(client, [leaf, root, small])
    await ask(client, f"/ipfs/{leaf.link}")
    before = resident(service)
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(wire_to(service)) for _ in range(40)]
        for number, wire in enumerate(wires):
            query = "?format=car&dups=y" if number % 2 else ""
            await wire.say(request("GET", f"/ipfs/{root.link}{query}", {}))
        for wire in wires:
            assert status(await wire.head()) == 200
        began = time.monotonic()
        for _ in range(10):
            assert (await ask(client, f"/ipfs/{small.link}")).body == small.data
        await client.space().store(random_car())
        assert time.monotonic() - began < SOON
        assert resident(service) - before < 40 * 6 * MIB
    assert (await ask(client, f"/ipfs/{small.link}")).status == 200


@pytest.mark.full
async def test_readers_who_take_nothing_are_let_go_with_their_connections(
    client: Client, service: Service
) -> None:
    """Some stall in a long answer, some among short ones."""
    leaf = packing.raw(os.urandom(MIB))
    root, _ = over(leaf.link, MIB, 64)
    await store(client, [leaf, root])
    await store(client, [short := packing.raw(os.urandom(MIB // 5))])
    asked = [[root], [*[short] * 20, root], [short] * 50, [leaf] * 20]

    async def connected() -> int:
        return sockets(service)

    before = sockets(service)
    async with AsyncExitStack() as stack:
        for number in range(40):
            wire = await stack.enter_async_context(wire_to(service))
            for block in asked[number % len(asked)]:
                path, kept = f"/ipfs/{block.link}?filename=a", {"connection": "keep-alive"}
                await wire.say(request("GET", path, kept))
            assert status(await wire.head()) == 200
        assert sockets(service) >= 40
        await eventually(connected, lambda now: now <= before, seconds=90)
    assert (await ask(client, f"/ipfs/{leaf.link}")).body == leaf.data


@pytest.mark.parametrize("shortest", [False, True])
async def test_stalled_readers_of_the_widest_file_hold_its_parts_and_no_more(
    client: Client, service: Service, shortest: bool
) -> None:
    """A node has at most 65,536 parts, of which the shortest are in their links; they take 15 MiB.
    Little else is on its way."""
    leaf = packing.raw(os.urandom(MIB))
    large, size = over(leaf.link, MIB, 64)
    count = OPEN_PARTS_MAX - 100 if shortest else 40_000
    part = Link(bytes([1, RAW, 0, 1]) + b"x") if shortest else packing.raw(b"x").link
    data = Data(Kind.FILE, filesize=count + size, blocksizes=(1,) * count + (size,))
    root = node(data, *[(part, 1)] * count, (large.link, size))
    await store(client, [leaf, packing.raw(b"x"), large, root])
    begin = f"bytes={count - 1}-{count}"
    assert (await ask(client, f"/ipfs/{root.link}", range=begin)).body == b"x" + leaf.data[:1]
    before = resident(service)
    async with AsyncExitStack() as stack:
        for _ in range(READERS):
            wire = await stack.enter_async_context(wire_to(service))
            await wire.say(request("GET", f"/ipfs/{root.link}", {"range": f"bytes={count}-"}))
            assert status(await wire.head(SOON)) == 206
        assert (await ask(client, f"/ipfs/{leaf.link}")).body == leaf.data
        assert resident(service) - before < READERS * 21 * MIB


async def test_a_file_of_more_parts_than_are_read_is_refused(client: Client) -> None:
    count, part = OPEN_PARTS_MAX + 1, Link(bytes([1, RAW, 0, 1]) + b"x")
    data = Data(Kind.FILE, filesize=count, blocksizes=(1,) * count)
    root = node(data, *[(part, 1)] * count)
    await store(client, [root])
    reply = await ask(client, f"/ipfs/{root.link}")
    assert (reply.status, f"more than {OPEN_PARTS_MAX} parts" in reply.text) == (400, True)
