"""Goal: what is large is read, looked through and written where it keeps nobody waiting, and a page
has an end, whatever is in it.

Method: functions and lists that note where they are used; names as long as they may be.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest

from taijitu.gateway import listing, people, values
from taijitu.gateway.blocks import Blocks
from taijitu.gateway.lead import READ_AT_ONCE
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import DAG_PB, RAW, link_to
from taijitu.ipld.dagpb import PbLink
from taijitu.server.gateway import Gateway
from taijitu.unixfs import block as packing
from taijitu.unixfs import node
from taijitu.unixfs.block import Packed
from taijitu.unixfs.data import Data, Kind
from taijitu.unixfs.directory import NAME_SIZE_MAX
from taijitu.unixfs.node import Directory
from unit.gateway.site import Site, Stored, file, folder, single

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = READ_AT_ONCE // 8 + 1
"""Links of a large directory."""

HREF = re.compile(r'href="\./([^"]+)"')


def is_beside() -> bool:
    return threading.current_thread() is not threading.main_thread()


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, str], list[bool]]:
    """Makes a function note whether it runs beside the event loop."""

    def note(module: ModuleType, name: str) -> list[bool]:
        beside, own = list[bool](), getattr(module, name)

        def noting(*given: Any) -> Any:
            beside.append(is_beside())
            return own(*given)

        monkeypatch.setattr(module, name, noting)
        return beside

    return note


Noted = Callable[[ModuleType, str], list[bool]]


def data(count: int) -> Stored:
    block = dagcbor.encode([os.urandom(16).hex(), *[False] * count])
    return single(link_to(block), block)


@pytest.mark.parametrize(("count", "beside"), [(10, False), (READ_AT_ONCE, True)])
async def test_data_is_written_beside_the_loop_where_it_is_large(
    site: Site, noted: Noted, count: int, beside: bool
) -> None:
    stored, seen = data(count), noted(values, "written")
    await site.store(stored)
    assert (await site.get(f"{stored.path}?format=dag-json")).status == 200
    assert seen == [beside]


async def test_pages_are_written_beside_the_loop(site: Site, noted: Noted) -> None:
    some, names = data(10), folder({os.urandom(4).hex(): file(b"")})
    await site.store(some, names)
    of_data, of_names = noted(values, "page"), noted(listing, "page")
    assert (await site.get(some.path, accept="text/html")).status == 200
    assert (await site.get(f"{names.path}/")).status == 200
    assert of_data == of_names == [True]


@pytest.mark.parametrize(("count", "beside"), [(10, False), (MANY, True)])
async def test_a_node_is_read_beside_the_loop_where_it_is_large(
    site: Site, noted: Noted, count: int, beside: bool
) -> None:
    stored, seen = wide(count), noted(node, "read")
    await site.store(stored)
    assert (await site.head(stored.path)).status == 301
    assert seen == [beside]


class Links(tuple[PbLink, ...]):
    """Notes where it is looked through."""

    def __new__(cls, count: int) -> "Links":
        leaf = link_to(b"", RAW)
        self = super().__new__(cls, (PbLink(leaf, b"%06d" % each, 0) for each in range(count)))
        self.beside = list[bool]()
        return self

    beside: list[bool]

    def __iter__(self) -> Iterator[PbLink]:
        self.beside.append(is_beside())
        return super().__iter__()


@pytest.mark.parametrize(("count", "beside"), [(10, False), (MANY, True)])
async def test_names_are_looked_through_beside_the_loop_where_they_are_many(
    site: Site, count: int, beside: bool
) -> None:
    links, blocks = Links(count), blocks_of(site)
    assert await people.index_of(link_to(b"", DAG_PB), Directory(links), blocks) is None
    found, _ = await people.listed(Directory(links), None, 5, blocks)
    assert [each.name for each in found] == [f"{each:06}" for each in range(5)]
    assert links.beside == [beside, beside]


async def test_a_page_of_long_names_is_shorter_and_the_next_one_goes_on(site: Site) -> None:
    mark = os.urandom(8).hex()
    names = [f"{mark}{number:03}".ljust(NAME_SIZE_MAX, "%") for number in range(600)]
    stored = folder(dict.fromkeys(names, file(b"")))
    await site.store(stored)
    page, found, sizes = await site.get(f"{stored.path}/"), list[str](), list[int]()
    while True:
        found += map(unquote, HREF.findall(page.text))
        sizes.append(len(page.body))
        following = re.search(r'href="(\?after=[^"]+)"', page.text)
        if following is None:
            break
        page = await site.get(f"{stored.path}/{following[1]}")
    assert found == names
    assert len(sizes) == 3
    assert max(sizes) < 4 * people.NAMES_SIZE_MAX


async def test_a_name_that_is_too_long_to_be_read_is_refused_with_a_sentence(site: Site) -> None:
    leaf = file(os.urandom(10))
    root = packing.node(Data(Kind.DIRECTORY), [PbLink(leaf.link, b"x" * 200_000, 10)])
    await site.store(leaf, Stored(Packed(root.link, 10), [root]))
    reply = await site.get(f"/ipfs/{root.link}/")
    assert (reply.status, "a name of 200000 bytes" in reply.text) == (400, True)
    await site.store(stored := folder({"a": leaf}))
    reply = await site.get(f"{stored.path}/?after={'x' * (NAME_SIZE_MAX + 1)}")
    assert (reply.status, "No entry has a name of 1025 bytes" in reply.text) == (400, True)


def wide(count: int) -> Stored:
    """A directory of so many names, for one leaf that is nowhere."""
    leaf = link_to(os.urandom(10), RAW)
    root = packing.node(
        Data(Kind.DIRECTORY), [PbLink(leaf, b"%06d" % each, 0) for each in range(count)]
    )
    return Stored(Packed(root.link, 0), [root])


def blocks_of(site: Site) -> Blocks:
    gateway = getattr(site.app.doors.gateway, "__self__", None)
    assert isinstance(gateway, Gateway)
    return gateway.content.blocks
