"""Files for those who know nothing of blocks: their bytes in order, from any place on."""

from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import aclosing, contextmanager
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from taijitu.gateway.blocks import Blocks, Unavailable
from taijitu.gateway.lead import aside, in_order, result, stream
from taijitu.ipld.cid import DAG_PB, RAW, Link
from taijitu.kernel.record import Record
from taijitu.unixfs import content, node, path
from taijitu.unixfs.content import Piece
from taijitu.unixfs.data import Time
from taijitu.unixfs.failures import NotFound, NotUnixFS, UnixFSError
from taijitu.unixfs.listing import Entry, entries
from taijitu.unixfs.node import Directory, File, Shard, Symlink

INDEX: Final = "index.html"
"""The file that stands for its directory."""

NAMES_SIZE_MAX: Final = 256 * 1024
"""Characters of names after which a page is full."""

SHARDS_MAX: Final = 2_048
"""Shards after which a page is full: of those that a directory needs, it lists thousands of names.
Whoever wants can spread each name over thirty."""

LINK_SIZE_MIN: Final = 8
"""Bytes of a link in a block, at least."""


class Open(Record):
    """A file, found: `size` bytes behind `link`. Its root node, where it has one."""

    link: Link
    size: int
    root: File | None = None
    mtime: Time | None = None


Trouble = TypeVar("Trouble", bound=Exception)

Opened: TypeAlias = Open | Directory | Shard | Symlink


async def opened(link: Link, blocks: Blocks) -> Opened:
    """What is behind a link. No byte of a file is read that is not in its root node. Raises
    `Unavailable`, and `UnixFSError` for a codec that is not UnixFS."""
    if link.codec == RAW:
        return Open(link, await blocks.size(link))
    if link.codec != DAG_PB:
        raise NotUnixFS(f"{link} is no file and no directory: its codec is {link.codec:#x}")
    block = await blocks.get(link)
    found = await aside(len(block), partial(node.read, link, block))
    if isinstance(found, File):
        return Open(link, found.size, found, found.mtime)
    return found


async def index_of(link: Link, directory: Directory | Shard, blocks: Blocks) -> Open | None:
    """The file that stands for a directory, if there is one."""
    try:
        index = await result(path.child(link, directory, INDEX), blocks, size_of(directory))
    except NotFound:
        return None
    try:
        with naming_the_index():
            found = await opened(index, blocks)
    except NotUnixFS:
        return None
    return found if isinstance(found, Open) else None


@contextmanager
def naming_the_index() -> Generator[None, None, None]:
    """What cannot be had is told to be the file that stands for a directory: nobody has asked for
    it by name."""
    try:
        yield
    except (Unavailable, UnixFSError) as why:
        text = f"the file that stands for this directory ({INDEX}) is not to be had: {why}"
        raise told_as(why, text) from why


def told_as(why: Trouble, text: str) -> Trouble:
    """The same trouble in other words. It is another exception, because others who wait for the
    same block are given this one."""
    told = why.__class__.__new__(why.__class__, text)
    told.__dict__.update(vars(why))
    return told


async def listed(
    directory: Directory | Shard, after: str | None, limit: int, blocks: Blocks
) -> tuple[tuple[Entry, ...], bool]:
    """The entries behind a name, as many as a page holds: up to `limit`, fewer where names are
    long, or shards nearly empty; and whether there are more."""
    found: list[Entry] = []
    size, source = 0, Counted(blocks)
    walk = stream(entries(directory, after), source, size_of(directory))
    async with aclosing(walk):
        async for entry in walk:
            is_full = len(found) == limit or size > NAMES_SIZE_MAX
            if is_full or (found and source.given > SHARDS_MAX):
                return tuple(found), True
            found.append(entry)
            size += len(entry.name)
    return tuple(found), False


class Counted:
    """Blocks, and how many were given."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.given = 0

    async def get(self, link: Link) -> bytes:
        self.given += 1
        return await self.blocks.get(link)


def size_of(directory: Directory | Shard) -> int:
    """Bytes of the block, at least, that is looked through to find names. Slots are looked up."""
    return len(directory.links) * LINK_SIZE_MIN if isinstance(directory, Directory) else 0


async def read(
    file: Open, blocks: Blocks, start: int = 0, stop: int | None = None
) -> AsyncGenerator[bytes, None]:
    """The bytes `start` … `stop` of a file. Raises `Unavailable` and `UnixFSError` where it cannot
    go on: then what was read is not the whole."""
    root = file.root
    if root is None:
        root = File(file.size, b"", (node.Part(file.link, file.size),) if file.size else ())
    async with aclosing(in_order(chunks(root, blocks, start, stop))) as found:
        async for chunk in found:
            yield chunk


async def chunks(
    root: File, blocks: Blocks, start: int, stop: int | None
) -> AsyncGenerator[Coroutine[Any, Any, bytes], None]:
    """Each part of the bytes, once somebody has read it."""

    async def chunk(found: Piece | memoryview) -> bytes:
        if not isinstance(found, Piece):
            return bytes(found)
        block = await blocks.get(found.link)
        part = found.of(block)
        return block if len(part) == len(block) else bytes(part)

    async with aclosing(stream(content.pieces(root, start, stop), blocks)) as walk:
        async for found in walk:
            yield chunk(found)
