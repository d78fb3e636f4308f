"""Goal: whatever strangers store and however they ask, the gateway answers truly, in bounded time
and memory, and goes on answering everybody else.

Method: CARs are stored through `store/add` in a real service, which looks through them itself; then
they are asked for. Bounds stand in the tests: seconds are generous, bytes are not.
"""

import os
import re
import time

import pytest
from aiohttp import ClientPayloadError

from hostile.memory import MIB, resident
from hostile.storing import SOON, ask, node, over, store
from hostile.wires import request, status, wire_to
from support.client import Car, Client
from support.service import Service
from support.walking import Store
from taijitu.ipld import car, varint
from taijitu.ipld.cid import CAR, DAG_CBOR, DAG_PB, link_to
from taijitu.unixfs import block as packing
from taijitu.unixfs.block import Block, Packed
from taijitu.unixfs.data import Data, Kind
from taijitu.unixfs.directory import DirectoryPacker
from taijitu.unixfs.way import Way
from unit.gateway.site import file, folder, links
from unit.unixfs import hostile

NAMES = re.compile(r'href="\./\d+"')
"""Links to entries whose names are numbers."""

# What blocks claim


@pytest.mark.parametrize("claimed", [0, 1, 99, 101, 2**40])
async def test_a_part_of_another_size_than_it_is_said_to_have_is_never_served(
    client: Client, claimed: int
) -> None:
    leaf = packing.raw(os.urandom(100))
    root = node(Data(Kind.FILE, filesize=claimed, blocksizes=(claimed,)), (leaf.link, 100))
    await store(client, [root, leaf])
    reply = await ask(client, f"/ipfs/{root.link}")
    if claimed:
        assert (reply.status, "and it has 100" in reply.text) == (404, True)
    else:
        assert (reply.status, reply.body) == (200, b"")


async def test_a_file_whose_sizes_do_not_add_up_is_no_file(client: Client) -> None:
    leaf = packing.raw(os.urandom(100))
    root = node(Data(Kind.FILE, filesize=10**12, blocksizes=(100,)), (leaf.link, 100))
    await store(client, [root, leaf])
    for method in ("GET", "HEAD"):
        assert (await ask(client, f"/ipfs/{root.link}", method)).status == 404


async def test_a_lie_behind_true_parts_breaks_the_answer_off(client: Client) -> None:
    true, false = packing.raw(os.urandom(1_000)), packing.raw(os.urandom(10))
    root = node(
        Data(Kind.FILE, filesize=2_000, blocksizes=(1_000, 1_000)),
        *((true.link, 1_000), (false.link, 1_000)),
    )
    await store(client, [root, true, false])
    with pytest.raises(ClientPayloadError):
        await ask(client, f"/ipfs/{root.link}")


@pytest.mark.parametrize("codec", [DAG_PB, DAG_CBOR, 0x0129, 0x0200])
@pytest.mark.parametrize("data", [b"", b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b'{"/":1}'])
async def test_a_block_that_is_not_what_its_link_says_is_refused_or_shown_as_it_is(
    client: Client, codec: int, data: bytes
) -> None:
    link = link_to(data, codec)
    await store(client, [Block(link, data)])
    for query in ("", "?format=dag-json", "?format=car"):
        for accept in ("*/*", "text/html"):
            try:
                reply = await ask(client, f"/ipfs/{link}{query}", accept=accept)
            except ClientPayloadError:  # the block came, and nothing can be told of what follows
                assert query == "?format=car"
                continue
            assert reply.status in (200, 400, 404, 406)
    assert (await ask(client, f"/ipfs/{link}?format=raw")).body == data


# Depth and breadth


async def test_a_file_of_absurd_depth_is_refused(client: Client) -> None:
    leaf = packing.raw(os.urandom(100))
    blocks, link = [leaf], leaf.link
    for _ in range(100):
        block, _ = over(link, 100)
        blocks.append(block)
        link = block.link
    await store(client, blocks)
    reply = await ask(client, f"/ipfs/{link}")
    assert (reply.status, "below more than" in reply.text) == (400, True)


async def test_a_chain_of_five_thousand_blocks_breaks_off_and_costs_little(
    client: Client, service: Service
) -> None:
    """At most 4096 blocks of one CAR lie above each other; a path has at most 1000 segments."""
    block = Block(link_to(b"\xf6", DAG_CBOR), b"\xf6")
    blocks = [block]
    for _ in range(5_000):
        data = b"\xa1\x61a\xd8\x2a\x58\x25\x00" + block.link.data
        block = Block(link_to(data, DAG_CBOR), data)
        blocks.append(block)
    await store(client, blocks)
    before = resident(service)
    with pytest.raises(ClientPayloadError):
        await ask(client, f"/ipfs/{block.link}?format=car")
    assert (await ask(client, f"/ipfs/{block.link}{'/a' * 1_000}?format=raw")).status == 200
    assert (await ask(client, f"/ipfs/{block.link}{'/a' * 1_001}?format=raw")).status == 400
    assert resident(service) - before < 32 * MIB


async def test_a_file_of_a_terabyte_in_forty_blocks_is_read_in_its_midst(
    client: Client, service: Service
) -> None:
    data = os.urandom(1_024)
    leaf = packing.raw(data)
    blocks, link, size = [leaf], leaf.link, len(data)
    for _ in range(30):
        block, size = over(link, size, 2)
        blocks.append(block)
        link = block.link
    await store(client, blocks)
    before = resident(service)
    assert (await ask(client, f"/ipfs/{link}", "HEAD")).headers["content-length"] == str(2**40)
    reply = await ask(client, f"/ipfs/{link}", range=f"bytes={2**39 + 5}-{2**39 + 14}")
    assert (reply.status, reply.body) == (206, data[5:15])
    once = await ask(client, f"/ipfs/{link}?format=car")
    assert len(links(once.body)) == 31
    for query in ("", "?format=car&dups=y"):
        async with wire_to(service) as wire:
            await wire.say(request("GET", f"/ipfs/{link}{query}", {}))
            assert status(await wire.head()) == 200
            for _ in range(32):
                assert await wire.reader.readexactly(MIB)
            await wire.hang_up()
    assert resident(service) - before < 64 * MIB
    assert (await ask(client, f"/ipfs/{leaf.link}")).body == data


async def test_a_directory_that_is_one_block_of_thousands_of_names_is_listed_in_pages(
    client: Client, service: Service
) -> None:
    leaf = packing.raw(b"the same")
    packer = DirectoryPacker(1_000_000)
    for number in range(30_000):
        packer.add(f"{number:06}", Packed(leaf.link, 8, 8))
    blocks = list(packer.end())
    await store(client, [leaf, *blocks])
    path = f"/ipfs/{packer.root.link}"
    before = resident(service)
    for _ in range(3):
        reply = await ask(client, f"{path}/?after=015000")
        assert len(NAMES.findall(reply.text)) == 1_000
        assert "./015001" in reply.text
    assert (await ask(client, f"{path}/029999")).body == b"the same"
    assert resident(service) - before < 128 * MIB


@pytest.mark.full
async def test_a_directory_of_a_million_names_is_listed_in_pages(
    client: Client, service: Service
) -> None:
    leaf = packing.raw(b"the same")
    packer = DirectoryPacker()
    for number in range(1_000_000):
        packer.add(f"{number:06}", Packed(leaf.link, 8, 8))
    blocks = list(packer.end())
    await store(client, [leaf, *blocks])
    path = f"/ipfs/{packer.root.link}"
    before, began = resident(service), time.monotonic()
    assert len(NAMES.findall((await ask(client, f"{path}/")).text)) == 1_000
    assert (await ask(client, f"{path}/765432")).body == b"the same"
    assert (await ask(client, f"{path}/1765432")).status == 404
    assert time.monotonic() - began < SOON
    assert resident(service) - before < 64 * MIB


@pytest.mark.parametrize("is_sharded", [False, True])
async def test_a_directory_of_names_that_are_far_too_long_is_refused_and_costs_little(
    client: Client, service: Service, is_sharded: bool
) -> None:
    """Each would take 44 ms to hash, and three times its size on a page."""
    made = Store()
    leaf = hostile.leaf(made, os.urandom(10))
    names = [f"{number:03}" + "x" * 200_000 for number in range(9)]
    if is_sharded:
        slots = {Way(name.encode(), 256).slot(0): (name, leaf) for name in names}
        root = hostile.shard(made, slots)
    else:
        root = hostile.directory(made, [(name, leaf) for name in names])
    await store(client, [Block(link, data) for link, data in made.items()])
    before = resident(service)
    for _ in range(10):
        reply = await ask(client, f"/ipfs/{root}/")
        assert (reply.status, "is a name of 200003 bytes" in reply.text) == (400, True)
    assert resident(service) - before < 32 * MIB


# CARs that lie


async def test_a_car_is_believed_in_nothing_but_its_blocks(client: Client) -> None:
    leaf, elsewhere = packing.raw(os.urandom(100)), packing.raw(os.urandom(100))
    await store(client, [leaf], roots=[elsewhere.link])
    assert (await ask(client, f"/ipfs/{leaf.link}")).body == leaf.data
    assert (await ask(client, f"/ipfs/{elsewhere.link}")).status == 404


async def test_a_block_under_the_link_of_another_is_never_served(client: Client) -> None:
    true, false = packing.raw(os.urandom(100)), packing.raw(os.urandom(100))
    section = true.link.data + bytes(false.data)
    data = car.encode([true.link], []) + varint.encode(len(section)) + section
    alice = client.space()
    await alice.store(Car(link_to(data, CAR), data))
    await store(client, [packing.raw(os.urandom(10))])
    for block in (true, false):
        assert (await ask(client, f"/ipfs/{block.link}")).status == 404
        assert (await ask(client, f"/ipfs/{block.link}?format=car")).status == 404


# How it is asked for


@pytest.mark.parametrize(
    "target",
    [
        "/ipfs/../etc/passwd",
        "/ipfs/{cid}/../../etc/passwd",
        "/ipfs/{cid}/%2e%2e/%2e%2e/etc/passwd",
        "/ipfs/{cid}/..%2f..%2fetc%2fpasswd",
        "/ipfs/%2e%2e",
        "/ipfs//etc/passwd",
        "/ipfs/{cid}/a/./b",
        "/ipfs/{cid}\\..\\..",
        "/ipfs/{cid}%00",
        "/ipfs/{cid}/%00",
        "/ipfs/" + "a" * 20_000,
        "/ipfs/z" + "1" * 20_000,
        "/ipfs/{cid}" + "/a" * 1_001,
        "/ipfs/{cid}?" + "a=1&" * 100,
    ],
)
async def test_a_path_that_means_harm_is_refused(
    client: Client, service: Service, target: str
) -> None:
    top = folder({"a": file(b"a")})
    await store(client, top.blocks)
    async with wire_to(service) as wire:
        await wire.say(request("GET", target.replace("{cid}", str(top.link)), {}))
        answer = await wire.rest()
    assert status(answer) in (400, 404)
    assert b"root:" not in answer


@pytest.mark.parametrize("header", ["range", "if-none-match", "if-range", "accept", "if-match"])
@pytest.mark.parametrize("value", ["," * 4_000, "bytes=0-" + "9" * 4_000, "*/*;q=" + "1" * 4_000])
async def test_headers_that_make_no_sense_make_no_difference(
    client: Client, header: str, value: str
) -> None:
    top = file(b"0123456789")
    await store(client, top.blocks)
    reply = await ask(client, f"/ipfs/{top.link}", **{header: value})
    assert reply.status in (200, 412)


async def test_symlinks_that_lead_to_each_other_lead_nowhere(client: Client) -> None:
    ends = [node(Data(Kind.SYMLINK, target)) for target in (b"b", b"a", b".", b"/")]
    packer = DirectoryPacker()
    for name, end in zip("abcd", ends, strict=True):
        packer.add(name, Packed(end.link, 10))
    await store(client, [*ends, *packer.end()])
    path = f"/ipfs/{packer.root.link}"
    assert [(await ask(client, f"{path}/{name}")).text for name in "abcd"] == ["b", "a", ".", "/"]
    assert (await ask(client, f"{path}/a/a/a")).status == 404
    assert len(links((await ask(client, f"{path}?format=car")).body)) == 5
