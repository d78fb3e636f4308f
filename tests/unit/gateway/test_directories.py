"""Goal: a directory comes out as its index or as a list, as the specification has it.

Method: content is packed and stored; then it is asked for over a real socket.
"""

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote

import pytest

from taijitu.gateway.blocks import Blocks
from taijitu.gateway.people import SHARDS_MAX
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import DAG_CBOR, Link, link_to
from taijitu.ipld.dagpb import PbLink
from taijitu.unixfs import block as packing
from taijitu.unixfs.block import Packed
from taijitu.unixfs.data import Data, Kind
from taijitu.unixfs.way import FANOUT_MIN, HASH_TYPE, SHARD_DEPTH_MAX, Way
from unit.gateway.site import Site, Stored, file, folder, single

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


async def test_a_directory_is_redirected_to_the_path_with_a_slash(site: Site) -> None:
    top = folder({"in side": folder({"a": file(b"a")})})
    await site.store(top)
    reply = await site.get(top.path)
    assert (reply.status, reply.headers["location"]) == (301, f"{top.path}/")
    assert reply.headers["vary"] == "accept", "for a block it is here"
    reply = await site.get(f"{top.path}/in%20side?download=true")
    assert (reply.status, reply.headers["location"]) == (
        301,
        f"{top.path}/in%20side/?download=true",
    )
    assert (await site.get(f"{top.path}/in%20side/")).status == 200


ODD = ["a b", "ä", "<script>alert(1)<script>", "\"&'", "javascript:alert(1)", "?x#y", "%41", "..."]


@pytest.mark.parametrize("shard_above", [1_000, 2])
async def test_a_listing_links_to_every_entry_whatever_it_is_called(
    site: Site, shard_above: int
) -> None:
    top = folder({name: file(name.encode()) for name in ODD}, shard_above)
    await site.store(top)
    reply = await site.get(f"{top.path}/")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert "immutable" not in reply.headers["cache-control"]
    assert "<script" not in reply.text
    found = re.findall(r'href="\./([^"]+)"', reply.text)
    assert sorted(map(unquote, found)) == sorted(ODD)
    for name in found:
        assert (await site.get(f"{top.path}/{name}")).text == unquote(name)


async def test_a_large_directory_is_listed_page_by_page(site: Site) -> None:
    leaf = file(b"the same")
    names = {f"{number:05}" for number in range(2_500)}
    top = folder(dict.fromkeys(names, leaf))
    await site.store(top)
    seen: list[str] = []
    query = ""
    for _ in range(3):
        text = (await site.get(f"{top.path}/{query}")).text
        seen += re.findall(r'href="\./(\d+)"', text)
        (query,) = re.findall(r'href="(\?after=[^"]+)"', text) or [""]
    assert query == ""
    assert len(seen) == 2_500
    assert set(seen) == names


def spread(names: Iterable[str], leaf: Stored, depth: int = 0) -> Stored:
    """A directory in which each name is alone below nearly as many shards as are read."""
    groups: dict[int, list[str]] = {}
    for name in names:
        groups.setdefault(Way(name.encode(), FANOUT_MIN).slot(depth), []).append(name)
    slots: list[tuple[int, str, Stored]] = []
    for slot, inside in groups.items():
        if depth < SHARD_DEPTH_MAX - 2:
            slots.append((slot, "", spread(inside, leaf, depth + 1)))
        else:
            slots += [(slot, name, leaf) for name in inside]
    field = sum(1 << slot for slot in groups).to_bytes(1, "big")
    data = Data(Kind.HAMT_SHARD, field, hash_type=HASH_TYPE, fanout=FANOUT_MIN)
    links = [PbLink(each.link, f"{slot}{name}".encode(), 1) for slot, name, each in sorted(slots)]
    made = packing.node(data, links)
    blocks = [made, *(block for _, _, each in slots for block in each.blocks)]
    return Stored(Packed(made.link, len(made.data)), blocks)


async def test_a_directory_of_nearly_empty_shards_is_listed_in_shorter_pages(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"{number:03}" for number in range(100)}
    top = spread(names, file(b"the same"))
    assert len(top.blocks) > SHARDS_MAX
    await site.store(top)
    asked, get = 0, Blocks.get

    async def counted(blocks: Blocks, link: Link) -> bytes:
        nonlocal asked
        asked += 1
        return await get(blocks, link)

    monkeypatch.setattr(Blocks, "get", counted)
    seen: list[str] = []
    query = ""
    for _ in range(2):
        text = (await site.get(f"{top.path}/{query}")).text
        assert asked < SHARDS_MAX + 10 * SHARD_DEPTH_MAX
        seen += re.findall(r'href="\./(\d+)"', text)
        (query,) = re.findall(r'href="(\?after=[^"]+)"', text) or [""]
        asked = 0
    assert query == ""
    assert len(seen) == len(names)
    assert set(seen) == names


async def test_the_index_stands_for_its_directory(site: Site) -> None:
    index = file(b"<!doctype html><h1>Home")
    top = folder({"index.html": index, "other.txt": file(b"x")})
    await site.store(top)
    reply = await site.get(f"{top.path}/", accept=BROWSER)
    assert (reply.status, reply.text) == (200, "<!doctype html><h1>Home")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["etag"] == f'"{index.link}"'
    assert reply.headers["content-security-policy"].startswith("sandbox ")


async def test_an_index_that_is_a_directory_stands_for_nothing(site: Site) -> None:
    top = folder({"index.html": folder({})})
    await site.store(top)
    assert "./index.html" in (await site.get(f"{top.path}/")).text


async def test_an_index_that_is_no_file_leaves_the_list(site: Site) -> None:
    index = single(link_to(dagcbor.encode({}), DAG_CBOR), dagcbor.encode({}))
    top = folder({"index.html": index, "other.txt": file(b"x")})
    await site.store(top)
    reply = await site.get(f"{top.path}/")
    assert (reply.status, "./other.txt" in reply.text) == (200, True)


async def test_an_index_that_is_not_to_be_had_is_named_in_the_refusal(site: Site) -> None:
    index = file(os.urandom(100), 30)
    top = folder({"index.html": index})
    leaf = index.blocks[0].link
    await site.store(Stored(top.packed, [each for each in top.blocks if each.link != leaf]))
    reply = await site.get(f"{top.path}/")
    assert (reply.status, str(leaf) in reply.text) == (404, True)
    assert reply.text.startswith("The file that stands for this directory (index.html) is not")
    await site.installation.denials.deny(index.link, "")
    reply = await site.get(f"{top.path}/")
    assert (reply.status, "(index.html)" in reply.text) == (410, True)
    assert "index.html" not in (await site.get(index.path)).text


async def test_an_empty_directory_says_so(site: Site) -> None:
    top = folder({})
    await site.store(top)
    assert "Nothing is in it" in (await site.get(f"{top.path}/")).text
    assert (await site.head(f"{top.path}/")).status == 200
