"""Content by its CID and a path: read, listed, and written to where it is wanted.

Law: what is read is what the CID names. A path leads down only.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote

from taijitu.client.blocks import Blocks, First, Gateway, Part
from taijitu.client.content import Progress, ignore
from taijitu.client.failures import NotFound, Unavailable, Unreadable, Unusable
from taijitu.client.leading import found_by, result_of, told
from taijitu.client.retry import Again
from taijitu.client.session import Session
from taijitu.client.unpacking import (
    DEPTH_MAX,
    ENTRIES_MAX,
    Got,
    Most,
    block_of,
    bytes_of,
    save,
)
from taijitu.ipld.cid import RAW, InvalidLink, Link
from taijitu.kernel.record import Record
from taijitu.unixfs import failures
from taijitu.unixfs.listing import Entry, entries
from taijitu.unixfs.node import Directory, File, Node, Shard, Symlink, read
from taijitu.unixfs.path import normal, resolve

SCHEME: Final = "ipfs://"


class Where(NamedTuple):
    """A CID, and the names behind it."""

    root: Link
    segments: tuple[str, ...]


def where(path: str | Link) -> Where:
    """What `CID`, `CID/path`, `/ipfs/CID/path` or `ipfs://CID/path` says. The last is a URI: in it,
    names may be escaped. Raises `Unusable`."""
    if isinstance(path, Link):
        return Where(path, ())
    bare = path.removeprefix(SCHEME).removeprefix("/ipfs/")
    text, *names = bare.split("/")
    if path.startswith(SCHEME):
        names = [unquote(name, errors="surrogateescape") for name in names]
    if any("/" in name or "\0" in name for name in names):
        raise Unusable(f"no file can be called as {path!r:.200} says")
    try:
        return Where(Link.parse(text), tuple(normal(names)))
    except (InvalidLink, failures.BadPath) as why:
        raise Unusable(str(why)) from None


class Stat(Record):
    """What a path leads to."""

    link: Link
    kind: str
    """`file`, `folder` or `symlink`."""
    size: int | None
    """Bytes of a file; of a folder, of all blocks as it says itself."""
    name: str = ""
    """Where it is, seen from where the question began."""
    target: str | None = None
    """Of a symlink."""


class Contents:
    """What any CID names, by a gateway, or by the shards of the space where there is none."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def save(
        self,
        path: str | Link,
        target: Path,
        *,
        size_max: int | None = None,
        entries_max: int = ENTRIES_MAX,
        progress: Progress = ignore,
    ) -> Got:
        """Write a file or a folder to `target`; each block is verified as it arrives.

        The target is there whole or not at all, and must not be there before, unless both are
        files. Whoever does not trust who packed it says how many bytes it may be, and how many
        files and folders. Raises `NotFound`, `WrongBytes`, `Unreadable`, `Unavailable`, and
        `Unusable`.
        """
        async with self.opened(where(path)) as (blocks, link):
            return await save(blocks, link, target, progress, Most(size_max, entries_max))

    async def is_here(self, link: Link) -> bool:
        """Whether a gateway at the service has a block. It is asked once. Raises `Unavailable` …"""
        url = f"{self.session.url}/ipfs/{link}?format=raw"
        try:
            await self.session.connection.ask("HEAD", url)
        except NotFound:
            return False
        except Again as why:
            raise Unavailable(str(why)) from why
        return True

    async def read(
        self, path: str | Link, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes]:
        """The bytes `start` … `stop` of a file, piece by piece, each verified before it is given.

        Raises as `save`, and `Unreadable` for a folder.
        """
        start, scope, span = max(start, 0), "entity", None
        if stop is not None and stop <= start:
            scope = "block"  # no byte is wanted
        elif start or stop is not None:
            span = start, stop
        async with self.opened(where(path), scope, span) as (blocks, link):
            with told():
                node = read(link, await block_of(blocks, link))
            if not isinstance(node, File):
                raise Unreadable(f"{path} is no file")
            async with aclosing(bytes_of(node, blocks, Part(link, start, stop))) as parts:
                async for part in parts:
                    yield bytes(part)

    async def list(self, path: str | Link) -> AsyncGenerator[Entry]:
        """The entries of a folder: names, links, and how many bytes they say they have.

        Raises as `save`, and `Unreadable` for a file.
        """
        async with self.opened(where(path), "entity") as (blocks, link):
            with told():
                node = read(link, await block_of(blocks, link))
            if not isinstance(node, Directory | Shard):
                raise Unreadable(f"{path} is no folder")
            async with aclosing(found_by(entries(node), blocks)) as found:
                async for each in found:
                    yield each

    async def tree(self, path: str | Link) -> AsyncGenerator[Stat]:
        """Everything at a path and below, folders before what is in them. Of files, no more is
        fetched than their first block."""
        async with self.opened(where(path), "block") as (blocks, link):
            levels = [(one(Entry("", link, None)), "")]
            try:
                while levels:
                    listed, above = levels[-1]
                    entry = await anext(listed, None)
                    if entry is None:
                        levels.pop()
                        continue
                    node = await node_of(entry, blocks)
                    name = f"{above}/{entry.name}" if above else entry.name
                    yield stat_of(entry, node, name)
                    if isinstance(node, Directory | Shard):
                        check_depth(entry, levels)
                        levels.append((found_by(entries(node), blocks), name))
            finally:
                for listed, _ in levels:
                    await listed.aclose()

    @asynccontextmanager
    async def opened(
        self, asked: Where, scope: str = "all", span: tuple[int, int | None] | None = None
    ) -> AsyncGenerator[tuple[Blocks, Link]]:
        """Where blocks come from, and what the path leads to. Raises `NotFound` …"""
        gateway = Gateway(self.session, asked.root, asked.segments, scope, span)
        blocks = First(self.session, asked.root, gateway)
        try:
            found = await result_of(resolve(asked.root, asked.segments), blocks)
            if found.rest:
                raise Unreadable(f"{'/'.join(asked.segments)} is neither a file nor a folder")
            yield blocks, found.link
        finally:
            await blocks.close()


async def one(entry: Entry) -> AsyncGenerator[Entry]:
    yield entry


async def node_of(entry: Entry, blocks: Blocks) -> Node | None:
    """None for a raw block: a file, of which nothing more is to be known."""
    if entry.link.codec == RAW and entry.size is not None:
        return None
    with told():
        return read(entry.link, await block_of(blocks, entry.link))


def stat_of(entry: Entry, node: Node | None, name: str) -> Stat:
    match node:
        case None:
            return Stat(entry.link, "file", entry.size, name)
        case File():
            return Stat(entry.link, "file", node.size, name)
        case Symlink():
            target = node.target.decode("utf-8", "replace")
            return Stat(entry.link, "symlink", None, name, target)
        case _:
            return Stat(entry.link, "folder", entry.size, name)


def check_depth(entry: Entry, levels: list[tuple[AsyncGenerator[Entry], str]]) -> None:
    if len(levels) > DEPTH_MAX:
        raise Unreadable(f"{entry.link} is in more than {DEPTH_MAX} folders")
