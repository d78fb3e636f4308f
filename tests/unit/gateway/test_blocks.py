"""Goal: a block comes out as it was stored, to whom it may, or not at all.

Method: objects in a bucket on disk, slices in the database, spaces that hold them or no longer do.
"""

import asyncio
import os
from hashlib import blake2b
from itertools import count
from typing import Any

import pytest

from taijitu.engine.storage import Batch, SliceRow
from taijitu.gateway import blocks as module
from taijitu.gateway.blocks import (
    BLOCK_SIZE_MAX,
    MISSES_WAIT_MAX,
    NODE_SIZE_MAX,
    Blocks,
    Denied,
    Node,
    Nodes,
    NotHere,
    NotYet,
    Progress,
    TooLarge,
)
from taijitu.ipld import varint
from taijitu.ipld.cid import CAR, DAG_PB, RAW, Link, link_to, link_with, multihash
from taijitu.server.installation import Installation
from taijitu.unixfs.failures import InvalidUnixFS
from unit.gateway.holding import ALICE, BOB, hold, let_go, put, store

Wrong = list[tuple[bytes, bytes]]


@pytest.fixture
def wrong() -> Wrong:
    return []


@pytest.fixture
def blocks(installation: Installation, wrong: Wrong) -> Blocks:
    def note(shard: bytes, multihash: bytes) -> None:
        wrong.append((shard, multihash))

    storage, bucket = installation.engine.storage, installation.bucket
    return Blocks(storage, bucket, installation.denials, note)


@pytest.mark.parametrize("size", [0, 1, 40_000, 262_144, 262_145, BLOCK_SIZE_MAX])
async def test_a_block_comes_out_of_the_midst_of_an_object(
    installation: Installation, blocks: Blocks, size: int
) -> None:
    data = os.urandom(size)
    await store(installation, [b"before", data, b"behind"])
    assert await blocks.get(link_to(data, RAW)) == data
    assert await blocks.size(link_to(data, RAW)) == size


async def test_an_object_is_a_block_itself(installation: Installation, blocks: Blocks) -> None:
    await put(installation, b"alone")
    assert await blocks.get(link_to(b"alone", RAW)) == b"alone"
    assert await blocks.size(link_to(b"alone", RAW)) == 5


async def test_a_link_that_holds_its_block_needs_nothing_stored(blocks: Blocks) -> None:
    link = Link(bytes([1, RAW, 0, 5]) + b"hello")
    assert await blocks.get(link) == b"hello"
    assert await blocks.size(link) == 5


async def test_a_link_holds_no_more_than_a_link_may(blocks: Blocks) -> None:
    for size in (128, 129):
        link = Link(bytes([1, DAG_PB, 0, *varint.encode(size)]) + bytes(size))
        for ask in (blocks.get, blocks.size):
            if size == 128:
                assert await ask(link) in (bytes(size), size)
            else:
                with pytest.raises(InvalidUnixFS, match="129 bytes"):
                    await ask(link)


async def test_a_block_is_found_by_another_hash(installation: Installation, blocks: Blocks) -> None:
    data = b"hashed otherwise"
    digest = blake2b(data, digest_size=32).digest()
    link = link_with(bytes.fromhex("a0e40220") + digest)
    await store(installation, {link: data})
    assert await blocks.get(link) == data


async def test_what_nobody_stored_is_not_here(blocks: Blocks) -> None:
    with pytest.raises(NotHere, match="is not stored here"):
        await blocks.get(link_to(b"unheard of", RAW))
    with pytest.raises(NotHere, match="is not stored here"):
        await blocks.size(link_to(b"unheard of", RAW))


async def test_a_hash_that_cannot_be_checked_is_refused(blocks: Blocks) -> None:
    link = link_with(bytes([0x11, 20]) + bytes(20))
    with pytest.raises(NotHere, match="a hash that we cannot check"):
        await blocks.get(link)


async def test_what_was_removed_is_not_given_out_before_its_bytes_are_swept(
    installation: Installation, blocks: Blocks
) -> None:
    node = link_to(b"a node", DAG_PB)
    shard = await store(installation, {node: b"a node"})
    assert await blocks.get(node) == b"a node"
    await let_go(installation, shard)
    with pytest.raises(NotHere):
        await blocks.get(node)
    await hold(installation, shard, BOB)
    assert await blocks.get(node) == b"a node"


async def test_the_bytes_of_a_second_object_serve_when_those_of_the_first_are_gone(
    installation: Installation, blocks: Blocks
) -> None:
    data = b"in two objects"
    first = await store(installation, [data, b"x"])
    second = await store(installation, [data, b"yz"])
    await installation.bucket.delete(min(first, second))
    assert await blocks.get(link_to(data, RAW)) == data
    await installation.bucket.delete(max(first, second))
    with pytest.raises(NotHere):
        await blocks.get(link_to(data, RAW))


async def test_what_is_denied_is_not_even_measured(
    installation: Installation, blocks: Blocks
) -> None:
    node = link_to(b"denied", DAG_PB)
    await store(installation, {node: b"denied"})
    assert await blocks.get(node) == b"denied"
    await installation.denials.deny(node, "")
    for ask in (blocks.get, blocks.size):
        with pytest.raises(Denied, match="is blocked here"):
            await ask(node)


async def test_nothing_comes_out_of_an_object_that_is_denied(
    installation: Installation, blocks: Blocks
) -> None:
    """Neither what is read there nor what was kept at hand, until it lies elsewhere, too."""
    node, leaf = link_to(b"a node", DAG_PB), link_to(b"a leaf", RAW)
    content = {node: b"a node", leaf: b"a leaf"}
    shard = await store(installation, content)
    assert await blocks.get(node) == b"a node"
    await installation.denials.deny(link_with(shard, CAR), "")
    for link in content:
        for ask in (blocks.get, blocks.size):
            with pytest.raises(Denied, match="is blocked here"):
                await ask(link)
    await store(installation, {**content, link_to(b"more", RAW): b"more"})
    assert [await blocks.get(link) for link in content] == [b"a node", b"a leaf"]
    assert await blocks.size(leaf) == 6


async def test_a_block_that_is_too_large_is_not_read(
    installation: Installation, blocks: Blocks
) -> None:
    data = bytes(BLOCK_SIZE_MAX + 1)
    await put(installation, data)
    with pytest.raises(TooLarge, match=f"has {len(data)} bytes"):
        await blocks.get(link_to(data, RAW))


@pytest.mark.parametrize(("offset", "length"), [(1, 5), (0, 4), (0, 6), (3, 100), (2**40, 5)])
async def test_bytes_that_are_not_those_of_the_link_never_leave(
    installation: Installation, blocks: Blocks, wrong: Wrong, offset: int, length: int
) -> None:
    """A slice whose bytes have rotted, or that reaches past the end of its object."""
    link = link_to(b"right", RAW)
    shard = await put(installation, b"right and wrong")
    row = SliceRow(link.multihash, shard, offset, length)
    await installation.engine.storage.commit(Batch(slices=[row]))
    with pytest.raises(NotHere):
        await blocks.get(link)
    assert wrong == [(shard, link.multihash)]


async def test_who_asks_for_what_is_being_read_waits_for_the_same_reading(
    installation: Installation, blocks: Blocks
) -> None:
    data = os.urandom(100_000)
    await store(installation, [data])
    link = link_to(data, RAW)
    first, second, third = (asyncio.create_task(blocks.get(link)) for _ in range(3))
    for _ in range(100):
        if not blocks.under_way:
            await asyncio.sleep(0)
    (reading,) = blocks.under_way.values()
    second.cancel()
    assert await first is await third
    assert await first == data
    assert reading.done()
    assert not blocks.under_way


def test_the_nodes_at_hand_are_those_asked_for_last() -> None:
    nodes = Nodes(10)
    nodes.keep(b"a", Node(b"shard", bytes(4)))
    nodes.keep(b"b", Node(b"shard", bytes(4)))
    assert nodes.get(b"a")
    nodes.keep(b"c", Node(b"shard", bytes(4)))
    assert [name for name in (b"a", b"b", b"c") if nodes.get(name)] == [b"a", b"c"]
    nodes.keep(b"c", Node(b"shard", bytes(6)))
    assert nodes.size == 10


def test_a_large_node_is_not_kept_at_hand() -> None:
    nodes = Nodes(2 * NODE_SIZE_MAX)
    nodes.keep(b"large", Node(b"shard", bytes(NODE_SIZE_MAX + 1)))
    assert nodes.get(b"large") is None
    assert nodes.size == 0


async def test_so_many_wait_for_what_is_being_looked_through(blocks: Blocks) -> None:
    """Others are told the same, and at once."""
    over, waiting = asyncio.Event(), 0

    async def caught_up(seconds: float) -> Progress:
        nonlocal waiting
        if seconds:
            waiting += 1
            await over.wait()
        return "behind"

    blocks.caught_up = caught_up
    asks = [blocks.get, blocks.size] * MISSES_WAIT_MAX
    misses = [
        asyncio.create_task(ask(link_to(bytes([number]), RAW))) for number, ask in enumerate(asks)
    ]
    async with asyncio.timeout(5):
        done, late = set[asyncio.Task[Any]](), {*misses}
        while len(late) > MISSES_WAIT_MAX:
            now, late = await asyncio.wait(late, return_when=asyncio.FIRST_COMPLETED)
            done |= now
    assert (len(done), waiting) == (MISSES_WAIT_MAX, MISSES_WAIT_MAX)
    over.set()
    found = await asyncio.gather(*misses, return_exceptions=True)
    assert {type(each) for each in found} == {NotYet}
    assert blocks.misses_waiting == 0


@pytest.mark.parametrize("progress", ["idle", "through", "behind"])
async def test_what_is_missing_is_not_here_only_if_all_was_looked_through(
    blocks: Blocks, progress: Progress
) -> None:
    async def caught_up(_: float) -> Progress:
        return progress

    blocks.caught_up = caught_up
    for ask in (blocks.get, blocks.size):
        with pytest.raises(NotYet if progress == "behind" else NotHere):
            await ask(link_to(b"missing", RAW))


@pytest.mark.parametrize("progress", ["through", "behind"])
async def test_what_came_while_others_are_looked_through_is_found(
    installation: Installation, blocks: Blocks, progress: Progress
) -> None:
    data, waited = b"stored just now", 0

    async def caught_up(_: float) -> Progress:
        nonlocal waited
        waited += 1
        await store(installation, [data])
        return progress

    blocks.caught_up = caught_up
    link = link_to(data, RAW)
    assert await blocks.get(link) == data
    assert await blocks.size(link) == len(data)
    assert waited == 1, "the second one finds it at once"


async def test_what_a_block_is_by_another_hash_is_denied_with_it(
    installation: Installation, blocks: Blocks
) -> None:
    """Whoever stores bytes may name them by any hash that we know, and ask for them by it."""
    data = b"a node that was denied"
    foreign = link_with(bytes.fromhex("a0e40220") + blake2b(data, digest_size=32).digest(), DAG_PB)
    await store(installation, {foreign: data, link_to(b"more", RAW): b"more"})
    assert await blocks.get(foreign) == data
    assert await blocks.size(foreign) == len(data)
    await installation.denials.deny(link_to(data, DAG_PB), "")
    for ask in (blocks.get, blocks.size):
        with pytest.raises(Denied, match="is blocked here"):
            await ask(foreign)
    await installation.denials.allow(link_to(data, DAG_PB))
    assert await blocks.get(foreign) == data


async def test_what_blocked_spaces_have_stored_in_many_objects_hides_nobody_elses(
    installation: Installation, blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PLACES_AT_ONCE", 3)
    data = b"held by somebody else as well"
    link = link_to(data, RAW)
    shards = [await put(installation, b"%d" % number, BOB) for number in range(10)]
    others = (b"%d" % number for number in count())
    last = next(each for each in others if multihash(data + each) > max(shards))
    await store(installation, [data, last], ALICE)
    rows = [SliceRow(link.multihash, shard, 0, len(data)) for shard in shards]
    await installation.engine.storage.commit(Batch(slices=rows))
    await installation.spaces.block(BOB)
    assert await blocks.get(link) == data
    assert await blocks.size(link) == len(data)
    monkeypatch.setattr(module, "PLACES_MAX", 6)
    with pytest.raises(NotHere):
        await blocks.size(link)
