"""The blocks of a CAR that lies in a file.

Law: a block is told of after it was hashed. Nothing here waits for the loop: call it in a thread.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

from taijitu.client.failures import Unusable
from taijitu.client.packing import Meter
from taijitu.ipld.car import V2_PRAGMA, V2_SIZE, BlockTooLarge, CarError, inside_version_2
from taijitu.ipld.carstream import CarStream
from taijitu.ipld.cid import Link
from taijitu.unixfs.block import SIZE_MAX, Block

CHUNK: Final = 1024 * 1024
"""Bytes that are read at once."""


class CarFile:
    """A CAR of version 1, or of version 2 around one."""

    def __init__(self, file: BinaryIO, meter: Meter) -> None:
        """Raises `Unusable` if it does not begin as a CAR with one root at least."""
        self._file = file
        self._meter = meter
        self._stream = CarStream(SIZE_MAX)
        try:
            self._left = self._begin()
            while (roots := self._stream.roots()) is None:
                self._feed()
        except CarError as why:
            raise Unusable(f"it is no CAR: {why}") from None
        if not roots:
            raise Unusable("the CAR names no root: nobody could ask for what is in it")
        self.root: Link = roots[0]

    def _begin(self) -> int:
        """Go to where the CAR begins; how many bytes it has."""
        size = self._file.seek(0, 2)
        self._file.seek(0)
        head = self._file.read(V2_SIZE)
        start, end = 0, size
        if head.startswith(V2_PRAGMA):
            start, end = inside_version_2(head, size)
        self._file.seek(start)
        return end - start

    def _feed(self) -> None:
        chunk = self._file.read(min(CHUNK, self._left)) if self._left else b""
        if not chunk:
            raise CarError("Unexpected end of data")
        self._left -= len(chunk)
        self._stream.feed(chunk)

    def blocks(self) -> Iterator[Block]:
        """All blocks in their order. Raises `Unusable`."""
        try:
            while True:
                found = self._stream.block()
                if found is not None:
                    self._meter.done += len(found[1])
                    yield Block(*found)
                elif self._left or not self._stream.is_between:
                    self._feed()
                else:
                    return
        except BlockTooLarge as why:
            text = f"a block of the CAR is larger than {SIZE_MAX} bytes: no gateway gives it out"
            raise Unusable(f"{text} ({why})") from None
        except CarError as why:
            raise Unusable(f"the CAR is not what it should be: {why}") from None
