"""Goal: blocks and CARs come out as the trustless-gateway specification has it.

Method: content is packed and stored; then it is asked for over a real socket, and every block of a
CAR is hashed by whoever reads it.
"""

import os

import pytest
from aiohttp import ClientPayloadError

from taijitu.ipld import dagcbor, varint
from taijitu.ipld.cid import DAG_CBOR, DAG_PB, RAW, Link, link_to
from taijitu.unixfs import block as packing
from taijitu.unixfs.block import Packed
from taijitu.unixfs.data import Data, Kind
from unit.gateway.site import Site, Stored, file, folder, links, sections, single

pytestmark = pytest.mark.asyncio(loop_scope="module")

RAW_BLOCK = "application/vnd.ipld.raw"
CAR = "application/vnd.ipld.car"


def tree() -> tuple[Stored, Stored, Stored]:
    """A directory, one in it, and a file of ten leaves in that."""
    inside = file(os.urandom(1_000), 100)
    inner = folder({"file": inside, "beside": file(os.urandom(50))})
    return folder({"inner": inner, "aside": file(os.urandom(60))}), inner, inside


def leaves(stored: Stored) -> list[Link]:
    return [each.link for each in stored.blocks if each.link.codec == RAW]


# Blocks


@pytest.mark.parametrize("how", [{"query": "?format=raw"}, {"accept": RAW_BLOCK}])
async def test_a_block_comes_as_it_is(site: Site, how: dict[str, str]) -> None:
    stored = file(os.urandom(1_000), 100)
    await site.store(stored)
    root = stored.blocks[-1]
    headers = {"accept": how["accept"]} if "accept" in how else {}
    reply = await site.get(stored.path + how.get("query", ""), **headers)
    assert (reply.status, reply.body) == (200, root.data)
    assert reply.headers["content-type"] == RAW_BLOCK
    assert reply.headers["content-disposition"] == f'attachment; filename="{stored.link}.bin"'
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["etag"] == f'"{stored.link}.raw"'
    assert "immutable" in reply.headers["cache-control"]
    expected = f"{stored.path}?format=raw" if headers else None
    assert reply.headers.get("content-location") == expected
    head = await site.head(f"{stored.path}?format=raw")
    assert (head.status, head.headers["content-length"]) == (200, str(len(root.data)))


async def test_a_part_of_a_block_can_be_asked_for(site: Site) -> None:
    stored = file(b"0123456789")
    await site.store(stored)
    reply = await site.get(f"{stored.path}?format=raw", range="bytes=2-4")
    assert (reply.status, reply.body) == (206, b"234")
    assert reply.headers["content-range"] == "bytes 2-4/10"
    assert (await site.get(f"{stored.path}?format=raw", range="bytes=10-")).status == 416


async def test_a_block_has_another_tag_than_the_file(site: Site) -> None:
    stored = file(os.urandom(100))
    await site.store(stored)
    tag = f'"{stored.link}.raw"'
    assert (await site.get(f"{stored.path}?format=raw", if_none_match=tag)).status == 304
    assert (await site.get(stored.path, if_none_match=tag)).status == 200


async def test_the_probe_is_answered(site: Site) -> None:
    for reply in (
        await site.get("/ipfs/bafkqaaa?format=raw"),
        await site.get("/ipfs/bafkqaaa", accept=RAW_BLOCK),
        await site.head("/ipfs/bafkqaaa?format=raw"),
        await site.get("/ipfs/bafkqaaa"),
    ):
        assert (reply.status, reply.body) == (200, b"")
    reply = await site.get("/ipfs/bafkqaaa?format=car")
    assert reply.status == 200
    assert sections(reply.body) == ((Link.parse("bafkqaaa"),), [])


async def test_a_file_within_its_link_is_served(site: Site) -> None:
    hello = Link(bytes([1, RAW, 0, 5]) + b"hello")
    assert (await site.get(f"/ipfs/{hello}")).body == b"hello"
    assert (await site.get(f"/ipfs/{hello}", range="bytes=1-2")).body == b"el"


@pytest.mark.parametrize("query", ["", "?format=raw", "?format=car", "?filename=a.html"])
async def test_a_link_that_holds_a_page_of_its_own_is_not_served(site: Site, query: str) -> None:
    """What nobody has stored nobody could block."""
    page = b"<html>" + bytes(200)
    node = bytes(packing.node(Data(Kind.FILE, page), []).data)
    for codec, block in ((RAW, page), (DAG_PB, node)):
        link = Link(bytes([1, codec, 0, *varint.encode(len(block))]) + block)
        for reply in (await site.get(f"/ipfs/{link}{query}"), await site.head(f"/ipfs/{link}")):
            assert (reply.status, b"<html>" in reply.body) == (404, False)


# CARs


@pytest.mark.parametrize("how", [{"query": "?format=car"}, {"accept": CAR}])
async def test_a_car_holds_all_below_in_depth_first_order(site: Site, how: dict[str, str]) -> None:
    top, inner, inside = tree()
    await site.store(top)
    headers = {"accept": how["accept"]} if "accept" in how else {}
    reply = await site.get(top.path + how.get("query", ""), **headers)
    assert reply.status == 200
    assert reply.headers["content-type"] == f"{CAR}; version=1; order=dfs; dups=n"
    assert reply.headers["content-disposition"] == f'attachment; filename="{top.link}.car"'
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["accept-ranges"] == "none"
    assert "content-length" not in reply.headers
    assert reply.headers["transfer-encoding"] == "chunked"
    roots, found = sections(reply.body)
    assert roots == (top.link,)
    assert dict(found) == {each.link: each.data for each in top.blocks}
    order = [link for link, _ in found]
    assert order[0] == top.link
    assert order.index(inner.link) < order.index(inside.link) < order.index(leaves(inside)[0])
    assert [link for link in order if link in leaves(inside)] == leaves(inside)


async def test_a_path_comes_first_and_the_root_is_what_it_leads_to(site: Site) -> None:
    top, inner, inside = tree()
    await site.store(top)
    reply = await site.get(f"{top.path}/inner/file?format=car")
    assert sections(reply.body)[0] == (inside.link,)
    assert links(reply.body) == [top.link, inner.link, inside.link, *leaves(inside)]


async def test_a_path_through_shards_brings_the_shards_that_it_passes(site: Site) -> None:
    leaf = file(b"leaf")
    top = folder({f"{number}": leaf for number in range(300)}, 10)
    await site.store(top)
    found = links((await site.get(f"{top.path}/7?format=car&dag-scope=block")).body)
    assert found[0] == top.link
    assert found[-1] == leaf.link
    assert 2 <= len(found) <= 4


@pytest.mark.parametrize("scope", ["block", "entity", "all"])
async def test_the_scope_of_a_file_or_a_directory(site: Site, scope: str) -> None:
    top, inner, inside = tree()
    await site.store(top)
    of_file = await site.get(f"{inside.path}?format=car&dag-scope={scope}")
    assert links(of_file.body) == [inside.link, *([] if scope == "block" else leaves(inside))]
    of_inner = await site.get(f"{inner.path}?format=car&dag-scope={scope}")
    assert (links(of_inner.body) == [inner.link]) == (scope != "all")


async def test_the_entity_of_a_sharded_directory_is_all_its_shards(site: Site) -> None:
    leaf = file(b"leaf")
    top = folder({f"{number}": leaf for number in range(300)}, 10)
    await site.store(top)
    found = links((await site.get(f"{top.path}?format=car&dag-scope=entity")).body)
    assert set(found) == {each.link for each in top.blocks} - {leaf.link}


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        ("0:*", 0, 9),
        ("0:99", 0, 0),
        ("100:299", 1, 2),
        ("150:150", 1, 1),
        ("-100:*", 9, 9),
        ("-150:-101", 8, 8),
        ("850:-1", 8, 9),
        ("950:99999", 9, 9),
        ("-99999:50", 0, 0),
    ],
)
async def test_bytes_of_an_entity_take_the_blocks_that_hold_them(
    site: Site, span: str, first: int, last: int
) -> None:
    _, _, inside = tree()
    await site.store(inside)
    reply = await site.get(f"{inside.path}?format=car&entity-bytes={span}")
    assert links(reply.body) == [inside.link, *leaves(inside)[first : last + 1]]


@pytest.mark.parametrize("span", ["1000:*", "5000:6000"])
async def test_bytes_beyond_the_end_are_the_root_alone(site: Site, span: str) -> None:
    _, _, inside = tree()
    await site.store(inside)
    reply = await site.get(f"{inside.path}?format=car&entity-bytes={span}")
    assert links(reply.body) == [inside.link]


async def test_bytes_of_a_directory_mean_nothing(site: Site) -> None:
    top, _, _ = tree()
    await site.store(top)
    reply = await site.get(f"{top.path}?format=car&entity-bytes=0:5")
    assert links(reply.body) == [top.link]


async def test_a_block_comes_once_or_as_often_as_it_is_linked_to(site: Site) -> None:
    twice = file(b"abcabc" * 100, 3)
    await site.store(twice)
    once = await site.get(f"{twice.path}?format=car")
    assert once.headers["content-type"].endswith("dups=n")
    assert len(links(once.body)) == 2
    often = await site.get(twice.path, accept=f"{CAR}; dups=y")
    assert often.headers["content-type"].endswith("dups=y")
    assert len(links(often.body)) == 201
    assert often.headers["content-location"] == f"{twice.path}?format=car&car-dups=y"
    assert once.headers["etag"] != often.headers["etag"]


async def test_a_block_within_its_link_is_not_in_a_car(site: Site) -> None:
    inline = Link(bytes([1, RAW, 0, 2]) + b"in")
    node = packing.node(
        Data(Kind.FILE, filesize=2, blocksizes=(2,)), [packing.PbLink(inline, b"", 2)]
    )
    await site.store(Stored(Packed(node.link, 2), [node]))
    assert (await site.get(f"/ipfs/{node.link}")).body == b"in"
    reply = await site.get(f"/ipfs/{node.link}?format=car&dups=y")
    assert links(reply.body) == [node.link]


async def test_a_car_of_data_follows_its_links(site: Site) -> None:
    leaf = file(b"behind data")
    block = dagcbor.encode({"a": {"b": leaf.link}})
    stored = single(link_to(block, DAG_CBOR), block)
    await site.store(stored, leaf)
    assert links((await site.get(f"{stored.path}?format=car")).body) == [stored.link, leaf.link]
    entity = await site.get(f"{stored.path}?format=car&dag-scope=entity")
    assert links(entity.body) == [stored.link]
    through = await site.get(f"{stored.path}/a/b?format=car")
    assert links(through.body) == [stored.link, leaf.link]


async def test_each_way_to_ask_has_a_tag_of_its_own_and_what_is_known_is_not_sent(
    site: Site,
) -> None:
    top, _, inside = tree()
    await site.store(top)
    queries = ("", "&dag-scope=block", "&dag-scope=entity", "&entity-bytes=0:5", "&car-dups=y")
    replies = [await site.get(f"{inside.path}?format=car{query}") for query in queries]
    replies.append(await site.get(f"{top.path}/inner/file?format=car"))
    tags = {each.headers["etag"] for each in replies}
    assert len(tags) == len(queries) + 1
    again = await site.get(f"{inside.path}?format=car", if_none_match=replies[0].headers["etag"])
    assert (again.status, again.body) == (304, b"")
    twice = await site.get(f"{inside.path}?format=car")
    assert twice.body == replies[0].body


async def test_the_head_of_a_car_says_what_it_is_and_not_how_long(site: Site) -> None:
    top, _, _ = tree()
    await site.store(top)
    head = await site.head(f"{top.path}?format=car")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"].startswith(CAR)
    assert "content-length" not in head.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_car_of_what_is_not_here_is_not_begun(site: Site, method: str) -> None:
    missing = link_to(os.urandom(10), RAW)
    assert (await site.ask(method, f"/ipfs/{missing}?format=car")).status == 404
    top, _, _ = tree()
    await site.store(top)
    reply = await site.ask(method, f"{top.path}/inner/nothing?format=car")
    assert reply.status == 404


async def test_a_car_breaks_off_where_a_block_is_missing(site: Site) -> None:
    top, _, inside = tree()
    missing = leaves(inside)[5]
    await site.store(Stored(top.packed, [each for each in top.blocks if each.link != missing]))
    with pytest.raises(ClientPayloadError):
        await site.get(f"{top.path}?format=car")
    with pytest.raises(ClientPayloadError):
        await site.get(f"{inside.path}?filename=a.bin")
    partial = await site.get(f"{inside.path}?format=car&entity-bytes=0:400")
    assert len(links(partial.body)) == 6


async def test_a_car_breaks_off_where_a_block_is_denied(site: Site) -> None:
    top, _, inside = tree()
    await site.store(top)
    await site.installation.denials.deny(leaves(inside)[5], "")
    with pytest.raises(ClientPayloadError):
        await site.get(f"{top.path}?format=car")
    assert (await site.get(f"{inside.path}?format=car&dag-scope=block")).status == 200
    await site.installation.denials.allow(leaves(inside)[5])
    assert (await site.get(f"{top.path}?format=car")).status == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("format=car&car-version=2", 400),
        ("format=car&dag-scope=some", 400),
        ("format=car&entity-bytes=5:1", 400),
        ("format=tar", 406),
        ("format=ipns-record", 406),
        ("format=png", 400),
    ],
)
async def test_what_is_not_to_be_had_is_refused(site: Site, query: str, status: int) -> None:
    stored = file(b"0123456789")
    await site.store(stored)
    reply = await site.get(f"{stored.path}?{query}")
    assert reply.status == status
    assert reply.text.endswith(".\n")
