"""What is to be stored: bytes, a file, or a stream, hashed before it is sent.

Law: memory stays flat. A file is read twice, a piece at a time; a stream is kept in a temporary
file that has no name, because a link is needed before the first byte may be sent.
"""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias, TypeVar, cast

from taijitu.client.failures import Unusable, WrongBytes
from taijitu.client.temporary import temporary, writing
from taijitu.ipld.cid import CAR, SHA2_256, Link, link_with

CHUNK: Final = 256 * 1024
"""Bytes that are read, hashed or sent at once."""

SHA2_256_HEAD: Final = bytes((SHA2_256, 32))

V = TypeVar("V")

Source: TypeAlias = bytes | bytearray | memoryview | Path | AsyncIterator[bytes]
"""What can be stored. A text is no path: it could be meant as the bytes."""

Progress: TypeAlias = Callable[[int], object]
"""Told how many bytes are done, from 0; less than before when it begins anew."""


def ignore(_: int) -> None:
    """Progress that nobody watches."""


class Content:
    """Bytes under their link, to be read from the beginning any number of times, one at a time:
    `head`, then those in the file from `start` on, `size` in all."""

    def __init__(
        self, file: BinaryIO, link: Link, size: int, head: bytes = b"", start: int = 0
    ) -> None:
        self.file = file
        self.link = link
        self.size = size
        self.head = head
        self.start = start

    async def chunks(self, progress: Progress = ignore) -> AsyncGenerator[bytes]:
        """All bytes, from the first. Never more of them than were hashed."""
        await in_thread(self.file.seek, self.start)
        left = self.size - len(self.head)
        progress(0)
        if self.head:
            yield self.head
        while left and (chunk := await in_thread(self.file.read, min(CHUNK, left))):
            yield chunk
            left -= len(chunk)
            progress(self.size - left)
        if left:
            raise WrongBytes(f"{left} bytes are missing now: the file has changed meanwhile")

    async def has_changed(self) -> bool:
        """Whether it no longer is what it was when it was hashed."""
        return await hashed(self.file, ignore, self.head, self.start) != (self.link, self.size)

    def close(self) -> None:
        self.file.close()


@asynccontextmanager
async def opened(source: Source, progress: Progress = ignore) -> AsyncGenerator[Content]:
    """The content of a source, hashed, for as long as the block lasts. Raises `Unusable`."""
    file = await spooled(source) if isinstance(source, AsyncIterator) else opened_file(source)
    try:
        link, size = await hashed(file, progress)
        if size == 0:
            raise Unusable("there is nothing to store: it has no bytes")
        yield Content(file, link, size)
    finally:
        file.close()


def opened_file(source: object) -> BinaryIO:
    """Bytes, or the file at a path. Raises `Unusable`, also for what is neither."""
    if isinstance(source, bytes | bytearray | memoryview):
        return BytesIO(cast("bytes | bytearray | memoryview", source))
    if not isinstance(source, Path):
        kind = type(source).__name__
        raise Unusable(
            f"it takes a path, bytes or a stream of bytes, and no {kind}: {source!r:.80}"
        )
    try:
        file = source.open("rb", buffering=0)
    except OSError as why:
        raise Unusable(f"{source} cannot be read: {why.strerror}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Unusable(f"{source} is not a file")
    return file


async def spooled(stream: AsyncIterator[bytes]) -> BinaryIO:
    """A temporary file with all that a stream gives. Raises what the stream raises, and
    `Unusable`."""
    file = temporary()
    try:
        async for chunk in stream:
            await in_thread(keep, file, chunk)
    except BaseException:
        file.close()
        raise
    return file


def keep(file: BinaryIO, data: bytes) -> None:
    """Write to a temporary file; an unbuffered one may take less than it is given. Raises
    `Unusable`."""
    rest = memoryview(data)
    with writing():
        while rest:
            rest = rest[file.write(rest) :]


async def hashed(
    file: BinaryIO, progress: Progress, head: bytes = b"", start: int = 0
) -> tuple[Link, int]:
    """The link and the size of `head` and all that a file holds from `start` on."""
    digest, size = sha256(head), len(head)
    await in_thread(file.seek, start)
    while chunk := await in_thread(take_in, file, digest.update):
        size += chunk
        progress(size)
    return link_with(SHA2_256_HEAD + digest.digest(), CAR), size


def take_in(file: BinaryIO, update: Callable[[bytes], None]) -> int:
    """Hash the next piece; how many bytes it had."""
    chunk = file.read(CHUNK)
    update(chunk)
    return len(chunk)


async def in_thread(work: Callable[..., V], *arguments: object) -> V:
    """Do what may block beside the loop. Whoever is cancelled waits for it first: nobody closes a
    file that a thread is reading."""
    done = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        done.add_done_callback(unheard)
        await settled((done,))
        raise


async def settled(under_way: Iterable[asyncio.Future[V]]) -> None:
    """Wait until nothing of it is under way any more, however often that is cancelled meanwhile."""
    while left := [each for each in under_way if not each.done()]:
        with suppress(asyncio.CancelledError):
            await asyncio.wait(left)


def unheard(done: asyncio.Future[V]) -> None:
    """What became of something that nobody waits for any more, and may be cancelled twice over."""
    if not done.cancelled():
        done.exception()
