"""A CAR of version 1, block by block, as its bytes come.

Law: a block that comes out is the block its link names. Memory holds one block and what was fed.
"""

from typing import Final

from taijitu.ipld import car, varint
from taijitu.ipld.car import BLOCK_SIZE_MAX, BlockTooLarge, CarError, Limits
from taijitu.ipld.cid import LINK_SIZE_MAX, Link

HEADER_SIZE_MAX: Final = 64 * 1024
"""Bytes of a header: room for more than a thousand roots."""


class CarStream:
    """Feed it; `roots` says what the header lists, `block` the next block, once they are there."""

    def __init__(self, block_size_max: int = BLOCK_SIZE_MAX) -> None:
        self._held = bytearray()
        self._at = 0
        self._block_size_max = block_size_max
        self._roots: tuple[Link, ...] | None = None

    def feed(self, data: bytes) -> None:
        """More bytes, in their order."""
        if self._at:
            del self._held[: self._at]
            self._at = 0
        self._held += data

    @property
    def is_between(self) -> bool:
        """May it end here? Not within a block, and not before the header was read."""
        return self._at == len(self._held) and self._roots is not None

    def roots(self) -> tuple[Link, ...] | None:
        """What the header lists; None if that is not here yet. Raises `CarError`."""
        if self._roots is None:
            header = self._section(HEADER_SIZE_MAX)
            if header is not None:
                self._roots = car.roots_in(header, Limits())
        return self._roots

    def block(self) -> tuple[Link, bytes] | None:
        """The next block, hashed; None if it is not here yet. Raises `CarError`, which may be
        `BlockTooLarge`."""
        if self.roots() is None:
            return None
        section = self._section(self._block_size_max + LINK_SIZE_MAX, BlockTooLarge)
        if section is None:
            return None
        link, block = car.block_in(section)
        if len(block) > self._block_size_max:
            raise BlockTooLarge(f"the block {link} has {len(block)} bytes")
        return link, block

    def _section(self, size_max: int, over: type[CarError] = CarError) -> bytes | None:
        """What comes next, if all of it is here. Raises `over` for more than `size_max` bytes."""
        held = bytes(self._held[self._at : self._at + varint.VARINT_BYTES_MAX])
        try:
            size, begin = varint.decode(held)
        except varint.VarintError as why:
            if len(held) < varint.VARINT_BYTES_MAX:
                return None
            raise CarError(f"Invalid CAR section: {why}") from why
        if size > size_max:
            raise over(f"a section of {size} bytes in a CAR: {size_max} at most")
        if size == 0:
            raise CarError("Invalid CAR section (zero length)")
        start = self._at + begin
        if len(self._held) - start < size:
            return None
        self._at = start + size
        with memoryview(self._held) as view:
            return bytes(view[start : start + size])
