"""Files for those who know nothing of blocks: their bytes in order, from any place on."""

from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import aclosing, contextmanager
from typing import Any, Final, TypeAlias, TypeVar

from taijitu.gateway.blocks import Blocks, Unavailable
from taijitu.gateway.lead import in_order, result, stream
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
    found = node.read(link, await blocks.get(link))
    if isinstance(found, File):
        return Open(link, found.size, found, found.mtime)
    return found


async def index_of(link: Link, directory: Directory | Shard, blocks: Blocks) -> Open | None:
    """The file that stands for a directory, if there is one."""
    try:
        index = await result(path.child(link, directory, INDEX), blocks)
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
    """The entries behind a name, as many as a page holds; and whether there are more."""
    found: list[Entry] = []
    async with aclosing(stream(entries(directory, after), blocks)) as walk:
        async for entry in walk:
            if len(found) == limit:
                return tuple(found), True
            found.append(entry)
    return tuple(found), False


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
