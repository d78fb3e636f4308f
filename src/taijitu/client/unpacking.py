"""Content written as files and folders.

Law: nothing is written outside the target, whatever names and links say, and the target is there
whole or not at all: everything is made anew in a folder beside it, which then takes its place. A
symlink leads from where it is down, or up to the target at most, and not through another one
upwards; what would lead out is refused.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, Literal, NamedTuple

from taijitu.client.blocks import Blocks, Part
from taijitu.client.content import Progress, ignore, in_thread, settled
from taijitu.client.failures import Unreadable, Unusable
from taijitu.client.leading import found_by, told
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.unixfs.content import Piece, pieces
from taijitu.unixfs.data import Time
from taijitu.unixfs.listing import Entry, entries
from taijitu.unixfs.node import Directory, File, Node, Shard, Symlink, read
from taijitu.unixfs.tree import DEPTH_MAX
from taijitu.unixfs.walk import inline, is_inline

NAME_SIZE_MAX: Final = 64
"""Bytes of a name that the name of its unfinished copy begins with."""

ENTRIES_MAX: Final = 1_000_000
"""Files, folders and symlinks that are written, unless more are allowed: some kilobytes of blocks
can be a folder of any number of them."""

WRITTEN_AT_ONCE: Final = 2
"""Small files that are written while others come: a disk may take longer to make one than it takes
to send it."""

LARGE: Final = 64 * 1024
"""Bytes from which on writing is done beside the loop."""

CREATING: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PERMISSIONS: Final = 0o777
"""Of a mode, what is kept: nobody else decides about set-user-id."""

SECONDS_MAX: Final = 2**40
"""A time of modification that is kept lies so many seconds from 1970, at most."""


class Got(Record):
    """What was written."""

    link: Link
    kind: Literal["file", "folder"]
    size: int
    """Bytes of all files."""
    files: int


class Open(NamedTuple):
    """A folder that is being filled."""

    path: Path
    node: Directory | Shard
    entries: AsyncGenerator[Entry]


class Most(NamedTuple):
    """How much is written."""

    size: int | None = None
    """Bytes of all files. None: as many as there is room for."""
    entries: int = ENTRIES_MAX


async def save(
    blocks: Blocks,
    link: Link,
    target: Path,
    progress: Progress = ignore,
    most: Most = Most(),  # noqa: B008  a frozen value
) -> Got:
    """Write what a link names to `target`, which must not be there unless both are files.

    Raises `Unusable` if it cannot be written, `Unreadable` for content that is none, and as
    `Blocks.block`.
    """
    with told():
        node = read(link, await block_of(blocks, link))
    if isinstance(node, Symlink):
        raise Unreadable(f"{link} is a symlink to {node.target[:80]!r}: get what that leads to")
    await in_thread(check_free, target, isinstance(node, File))
    with written(target):
        name = os.fsencode(target.name)[:NAME_SIZE_MAX].decode("utf-8", "ignore")
        prefix = f".{name}."
        beside = Path(await in_thread(lambda: mkdtemp(dir=target.parent, prefix=prefix)))
        try:
            made = Unpacking(blocks, progress, most)
            aside = beside / "made"
            await made.whole(link, node, aside)
            await in_thread(os.replace, aside, target)
            kind = "file" if isinstance(node, File) else "folder"
            return Got(link, kind, made.size, made.files)
        finally:
            await in_thread(remove, beside)


async def block_of(blocks: Blocks, link: Link) -> bytes:
    """The block behind a link, which may be the link itself."""
    return inline(link) if is_inline(link) else await blocks.block(link)


class Unpacking:
    """Makes a file, or a folder and all that is in it, in a folder of its own."""

    def __init__(self, blocks: Blocks, progress: Progress, most: Most) -> None:
        self.blocks = blocks
        self.progress = progress
        self.most = most
        self.entries = 0
        self.size = 0
        self.files = 0
        self.pending: set[asyncio.Future[None]] = set()
        """Small files that are being written."""

    async def whole(self, link: Link, node: Node, path: Path) -> None:
        """Make it, and everything below."""
        levels: list[Open] = []
        try:
            opened = await self.make(link, node, path, depth=0)
            if opened is not None:
                levels.append(opened)
            while levels:
                entry = await anext(levels[-1].entries, None)
                if entry is None:
                    await self.finish(levels.pop())
                    continue
                opened = await self.entry(entry, levels[-1].path, len(levels))
                if opened is not None:
                    levels.append(opened)
            await self.written(0)
        finally:
            if self.pending:  # nobody may write any more when all of it is removed
                await settled(self.pending)
                self.pending = {each for each in self.pending if each.exception() is None}
            for level in levels:
                await level.entries.aclose()

    async def entry(self, entry: Entry, folder: Path, depth: int) -> Open | None:
        if not entry.is_addressable:
            raise Unreadable(f"no file can be called {entry.name[:80]!r}")
        if depth > DEPTH_MAX:
            raise Unreadable(f"{entry.link} is in more than {DEPTH_MAX} folders")
        with told():
            node = read(entry.link, await block_of(self.blocks, entry.link))
        return await self.make(entry.link, node, folder / entry.name, depth)

    async def make(self, link: Link, node: Node, path: Path, depth: int) -> Open | None:
        """Make a file or a symlink; begin a folder."""
        self.admit(node)
        match node:
            case File(parts=()):
                await self.written(WRITTEN_AT_ONCE - 1)
                loop = asyncio.get_running_loop()
                self.pending.add(loop.run_in_executor(None, write_small, node, path))
                self.count(node.size)
                self.files += 1
            case File():
                await self.large(link, node, path)
                self.files += 1
            case Symlink():
                link_to(path, harmless(node.target, depth))
            case Directory() | Shard():
                make_folder(path)
                return Open(path, node, found_by(entries(node), self.blocks))
        return None

    def admit(self, node: Node) -> None:
        """Raises `Unreadable` for more than is to be written."""
        self.entries += 1
        if self.entries > self.most.entries:
            raise Unreadable(f"it is more than {self.most.entries:,} files and folders")
        size = self.size + (node.size if isinstance(node, File) else 0)
        if self.most.size is not None and size > self.most.size:
            raise Unreadable(f"it is more than {self.most.size:,} bytes")

    async def written(self, left: int) -> None:
        """Wait until no more than so many small files are being written. Raises what became of
        the others."""
        while len(self.pending) > left:
            done, self.pending = await asyncio.wait(
                self.pending, return_when=asyncio.FIRST_COMPLETED
            )
            for each in done:
                each.result()

    async def large(self, link: Link, file: File, path: Path) -> None:
        """A file of several blocks."""
        fd = await in_thread(create, path)
        try:
            async with aclosing(bytes_of(file, self.blocks, Part(link, 0, None))) as parts:
                async for part in parts:
                    if len(part) < LARGE:
                        write_all(fd, part)
                    else:
                        await in_thread(write_all, fd, part)
                    self.count(len(part))
        finally:
            os.close(fd)
        keep(path, file.mode, file.mtime)

    async def finish(self, folder: Open) -> None:
        """Whatever is written into a folder changes its time."""
        if folder.node.mode is not None or folder.node.mtime is not None:
            await self.written(0)
            keep(folder.path, folder.node.mode, folder.node.mtime)

    def count(self, size: int) -> None:
        self.size += size
        self.progress(self.size)


async def bytes_of(file: File, blocks: Blocks, wanted: Part) -> AsyncGenerator[memoryview]:
    """The bytes of a file, piece by piece. Raises as `found_by`."""
    at, stop = wanted.start, wanted.stop
    async with aclosing(found_by(pieces(file, at, stop), blocks)) as found:
        async for each in found:
            if isinstance(each, Piece):
                block = await blocks.block(each.link, Part(wanted.file, at, stop))
                with told():
                    data = each.of(block)
            else:
                data = each
            yield data
            at += len(data)


@contextmanager
def made_once(path: Path) -> Generator[None]:
    """Raises `Unreadable` for what is there already, or cannot be called so."""
    try:
        yield
    except FileExistsError:
        raise Unreadable(f"{path.name[:80]!r} is there twice") from None
    except ValueError as why:
        raise Unreadable(f"no file can be called {path.name[:80]!r}") from why


def link_to(path: Path, target: bytes) -> None:
    with made_once(path):
        path.symlink_to(os.fsdecode(target))


def make_folder(path: Path) -> None:
    with made_once(path):
        path.mkdir()


def create(path: Path) -> int:
    with made_once(path):
        fd = os.open(path, CREATING, 0o666)
    return fd  # noqa: RET504  a type checker thinks the block could be left without


def write_small(file: File, path: Path) -> None:
    """A file of one block."""
    fd = create(path)
    try:
        write_all(fd, memoryview(file.content))
    finally:
        os.close(fd)
    keep(path, file.mode, file.mtime)


def check_free(target: Path, is_file: bool) -> None:
    """Raises `Unusable` for what is there and is not to be replaced."""
    if os.path.lexists(target) and not (is_file and target.is_file()):
        raise Unusable(f"{target} is there already")


def keep(path: Path, mode: int | None, mtime: Time | None) -> None:
    """Mode and time of modification, where they were packed. The owner can always go on reading
    and removing it."""
    if mode is not None:
        least = 0o700 if path.is_dir() else 0o400
        path.chmod(mode & PERMISSIONS | least)
    if mtime is not None and abs(mtime.seconds) < SECONDS_MAX:
        nanoseconds = mtime.seconds * 1_000_000_000 + mtime.nanoseconds
        os.utime(path, ns=(nanoseconds, nanoseconds))


def harmless(target: bytes, depth: int) -> bytes:
    """The target of a symlink `depth` folders below what is written. Raises `Unreadable` if it
    could lead out of that."""
    names = [name for name in target.split(b"/") if name not in (b"", b".")]
    ups = next((at for at, name in enumerate(names) if name != b".."), len(names))
    if target.startswith(b"/") or b"\0" in target or ups >= depth or b".." in names[ups:]:
        raise Unreadable(f"a symlink to {target[:80]!r} could lead out of the folder")
    return target


def write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def written(target: Path) -> Generator[None]:
    """Raises `Unusable` where the file system says no."""
    try:
        yield
    except OSError as why:
        raise Unusable(f"{target} cannot be written: {why.strerror}") from None
