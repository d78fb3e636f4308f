"""An installation behind its HTTP side on a free port, and content to store in it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from taijitu.ipld import car, varint
from taijitu.ipld.cid import Link
from taijitu.server.app import App
from taijitu.server.installation import Installation
from taijitu.server.listen import Door, open_port, serve
from taijitu.server.meter import Meter
from taijitu.server.service import application
from taijitu.unixfs.block import Block, Packed
from taijitu.unixfs.directory import SHARD_ABOVE, DirectoryPacker
from taijitu.unixfs.file import CHUNK_SIZE, FilePacker
from unit.gateway.holding import store


@dataclass
class Reply:
    """What HTTP answered. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Site:
    """What a test can ask, and store in."""

    url: str
    http: aiohttp.ClientSession
    installation: Installation
    app: App

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def ask(self, method: str, path: str, **headers: str) -> Reply:
        """One request, not tidied up and not redirected. Header names with `_` for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        url = URL(self.url + path, encoded=True)
        async with self.http.request(
            method, url, headers=given, allow_redirects=False, skip_auto_headers=["accept"]
        ) as answer:
            body = await answer.read()
            return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, body)

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.ask("GET", path, **headers)

    async def head(self, path: str, **headers: str) -> Reply:
        return await self.ask("HEAD", path, **headers)

    async def store(self, *packed: "Stored") -> None:
        """Store the blocks of some content, in one object."""
        blocks = {each.link: bytes(each.data) for one in packed for each in one.blocks}
        await store(self.installation, blocks)


@dataclass
class Stored:
    """Content that was packed: what a directory says of it, and its blocks."""

    packed: Packed
    blocks: list[Block]

    @property
    def link(self) -> Link:
        return self.packed.link

    @property
    def path(self) -> str:
        return f"/ipfs/{self.link}"


def file(data: bytes, chunk_size: int = CHUNK_SIZE, width: int = 1024) -> Stored:
    packer = FilePacker(chunk_size, width)
    blocks = packer.feed(data)
    blocks += packer.end()
    return Stored(packer.root, blocks)


def folder(entries: Mapping[str, Stored], shard_above: int = SHARD_ABOVE) -> Stored:
    """A directory, with the blocks of what is in it."""
    packer = DirectoryPacker(shard_above)
    for name, entry in entries.items():
        packer.add(name, entry.packed)
    own = list(packer.end())
    return Stored(packer.root, [*own, *(each for one in entries.values() for each in one.blocks)])


def single(link: Link, data: bytes) -> Stored:
    """One block that is no UnixFS."""
    return Stored(Packed(link, len(data)), [Block(link, data)])


def sections(body: bytes) -> tuple[tuple[Link, ...], list[tuple[Link, bytes]]]:
    """The roots and the blocks of a CAR as they stand in it; every block was hashed."""
    roots = car.decode(body).roots
    size, offset = varint.decode(body)
    offset += size
    found: list[tuple[Link, bytes]] = []
    while offset < len(body):
        size, offset = varint.decode(body, offset)
        section = body[offset : offset + size]
        ((link, block),) = car.decode(
            car.encode([], []) + varint.encode(size) + section
        ).blocks.items()
        found.append((link, block))
        offset += size
    return roots, found


def links(body: bytes) -> list[Link]:
    return [link for link, _ in sections(body)[1]]


@asynccontextmanager
async def open_site(installation: Installation) -> AsyncIterator[Site]:
    app = application(installation, Meter())
    sock = open_port("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(serve([Door(app, sock)], ready=ready.set, stop=stop))
    await ready.wait()
    async with aiohttp.ClientSession() as http:
        yield Site(url, http, installation, app)
    stop.set()
    await running
