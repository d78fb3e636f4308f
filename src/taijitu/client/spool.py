"""Blocks on their way into shards: each shard lies in a temporary file until it is stored.

A shard has to be named before its first byte may be sent, and sent again where that fails, and a
pipe can be read only once: so bytes are kept, and not made a second time. What is kept is the shard
that fills and those that are being sent; set TMPDIR if that is too much for where they go.

Law: memory holds the names of blocks, and no blocks. Nothing here waits for the loop: call it in a
thread, one call at a time.
"""

from contextlib import suppress
from hashlib import sha256
from typing import BinaryIO, Final, NamedTuple

from taijitu.client.content import SHA2_256_HEAD, Content
from taijitu.client.temporary import temporary, writing
from taijitu.ipld.cid import CAR, Link, link_with
from taijitu.unixfs.block import Bytes
from taijitu.wire.shards import NO_ROOTS, SHARD_SIZE, Cut, Position, Sharder

BUFFER: Final = 1024 * 1024
"""Bytes that are gathered before they are written, or hashed again, at once."""


class Shard(NamedTuple):
    """A CAR that is complete, and where the blocks lie in it, by multihash. Close its content."""

    content: Content
    slices: dict[bytes, Position]


class Spool:
    """Give it blocks; it answers shards. Close it. Raises `Unusable` where there is no room for
    temporary files."""

    def __init__(self, size_max: int | None = SHARD_SIZE) -> None:
        self._sharder = Sharder(size_max)
        self._seen: set[bytes] = set()
        self._files: list[BinaryIO] = []
        self._begin()

    def _begin(self) -> None:
        self._file = self._new_file()
        self._digest = sha256(NO_ROOTS)

    def _new_file(self) -> BinaryIO:
        """A file for sections, behind the head of a shard that is not the last."""
        file = temporary(BUFFER)
        self._files = [*(each for each in self._files if not each.closed), file]
        file.write(NO_ROOTS)
        return file

    def bound(self, size_max: int) -> None:
        """From here on shards have a limit, in bytes, if they had none."""
        self._sharder.bound(size_max)

    def take(self, link: Link, data: Bytes) -> Shard | None:
        """Add a block, unless it was there before. A shard, if one is complete without it."""
        if link.data in self._seen:
            return None
        self._seen.add(link.data)
        done = None
        with writing():
            if not self._sharder.has_room(link, len(data)):
                done = self._finished(self._sharder.cut())
                self._begin()
            head = self._sharder.add(link, len(data))
            for part in (head, data):
                self._file.write(part)
                self._digest.update(part)
        return done

    def end(self, root: Link) -> list[Shard]:
        """The last shards. Raises `ValueError` if there is no block, or no room for the root."""
        *before, last = self._sharder.end(root)
        with writing():
            return self._last(before, last)

    def _last(self, before: list[Cut], last: Cut) -> list[Shard]:
        file, done = self._file, list[Shard]()
        self._file.flush()
        if before:
            tail = self._copy_of(file, len(NO_ROOTS) + last.start)
            file.truncate(len(NO_ROOTS) + last.start)
            done.append(_hashed(file, before[0]))
            file, last = tail, last._replace(start=0, stop=last.stop - last.start)
        done.append(_hashed(file, last))
        return done

    def _finished(self, cut: Cut) -> Shard:
        self._file.flush()
        link = link_with(SHA2_256_HEAD + self._digest.digest(), CAR)
        return Shard(Content(self._file, link, cut.size), cut.slices)

    def _copy_of(self, file: BinaryIO, start: int) -> BinaryIO:
        """What lies behind `start`, in a file of its own."""
        copy = self._new_file()
        file.seek(start)
        while chunk := file.read(BUFFER):
            copy.write(chunk)
        copy.flush()
        return copy

    def close(self) -> None:
        """Close what no shard has closed."""
        for file in self._files:
            with suppress(OSError):  # of what could not be written, the rest cannot either
                file.close()


def _hashed(file: BinaryIO, cut: Cut) -> Shard:
    """A shard whose head is another than that in the file."""
    digest, begin = sha256(cut.head), len(NO_ROOTS)
    file.seek(begin)
    while chunk := file.read(BUFFER):
        digest.update(chunk)
    link = link_with(SHA2_256_HEAD + digest.digest(), CAR)
    return Shard(Content(file, link, cut.size, cut.head, begin), cut.slices)
