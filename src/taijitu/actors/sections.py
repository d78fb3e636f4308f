"""Looking through a CAR as its bytes come: pure, and never more in memory than a chunk, and a
header or a link that has begun.

Law: a block is told of only after its bytes were hashed. What a CAR announces is held against how
many bytes there are before any of it is waited for.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from taijitu.actors.slices import HASHES
from taijitu.ipld import car, varint
from taijitu.ipld.cid import (
    DAG_CBOR,
    DAG_PB,
    IDENTITY,
    LINK_SIZE_MAX,
    RAW,
    SHA2_256,
    SHA2_256_SIZE,
    InvalidLink,
    Link,
)
from taijitu.machines.contents import Tally
from taijitu.wire.sharded_index import Slice

BLOCKS_MAX: Final = 2_000_000
"""Blocks of one CAR. Each that is known takes some 170 bytes of the database."""

BLOCKS_ANYHOW: Final = 1_000
"""Blocks that even a short CAR may have."""

BYTES_A_BLOCK: Final = 64
"""Bytes of a CAR for each block, in the mean: with less a space could fill the database with what
nobody charges to it. Where blocks hang together there are more, for each is named twice: before its
bytes, and by whoever leads to it."""

BLOCK_SIZE_MAX: Final = 8 * 1024 * 1024
"""Bytes of a block that can be looked up; others exchange no larger ones."""

HEADER_SIZE_MAX: Final = 1024 * 1024
"""Bytes. Room for some 20,000 roots."""

HEADER_LIMITS: Final = car.Limits(roots_max=HEADER_SIZE_MAX)

LINK_BEGINS: Final = 4 * varint.VARINT_BYTES_MAX
"""Bytes in which a link says how long it is."""


class Hash(NamedTuple):
    """How to make a multihash: by `new`, with `prefix` before the digest."""

    prefix: bytes
    new: Callable[..., Any]


def known(code: int) -> Hash:
    new = HASHES[code]
    return Hash(varint.encode(code) + varint.encode(new().digest_size), new)


KNOWN: Final = {code: known(code) for code in HASHES}
SHA: Final = KNOWN[SHA2_256]

VERSION_0_SIZE: Final = len(SHA.prefix) + SHA2_256_SIZE
COMMON: Final = tuple(bytes((1, codec)) + SHA.prefix for codec in (RAW, DAG_PB, DAG_CBOR))
COMMON_SIZE: Final = 2 + VERSION_0_SIZE


class NoCar(Exception):
    """These bytes are no CAR, or not what it says; the text says why."""


class Sections:
    """One way through a CAR of `size` bytes, or on through it from where `tally` stands.

    `wants` is the position of the next byte to feed; it may lie behind what was fed, where a block
    is passed over. `end` is where the CAR ends, as far as is known. Raises `NoCar` without a byte.
    """

    def __init__(self, size: int, tally: Tally) -> None:
        if size == 0:
            raise NoCar("there are no bytes")
        self.blocks_max = min(BLOCKS_MAX, max(BLOCKS_ANYHOW, size // BYTES_A_BLOCK))
        self.end = tally.end or size
        self.begun = tally.end > 0
        self.wants = tally.start
        self.held = b""
        """What was fed and not yet understood."""
        self.under_way: tuple[Slice, Hash, Any] | None = None
        """The block that has begun to come, and the hash of what is here."""
        self.missing = 0
        """How many of its bytes are still to come."""
        self.blocks, self.size = tally.blocks, tally.size
        self.roots, self.left_out = tally.roots, tally.left_out
        self.boundary = tally.start
        """Where the last section has ended."""
        self.flaw: NoCar | None = None
        """What is wrong; then nothing more is looked at."""

    @property
    def is_over(self) -> bool:
        return self.flaw is not None or (self.begun and self.boundary >= self.end)

    @property
    def tally(self) -> Tally:
        """As of the last block that is complete."""
        if not self.begun:
            return Tally()
        return Tally(self.boundary, self.end, self.blocks, self.size, self.roots, self.left_out)

    def feed(self, chunk: bytes) -> list[Slice]:
        """The bytes from `wants` on, some of them at least. Answers the blocks that they complete,
        up to a flaw."""
        data = self.held + chunk
        base = self.wants - len(self.held)
        self.wants += len(chunk)
        found: list[Slice] = []
        try:
            at = self._walk(data, base, found)
        except NoCar as why:
            self.flaw = why
            return found
        self.wants = max(self.wants, base + at)
        self.held = data[at:]
        return found

    def _walk(self, data: bytes, base: int, found: list[Slice]) -> int:
        """As far as these bytes lead. Answers where it ended; it may be behind them."""
        at = self._go_on(memoryview(data), found)
        while at < len(data) and base + at < self.end and self.under_way is None:
            step = self._section if self.begun else self._header
            after = step(data, base, at, found)
            if after is None:
                break
            at = after
        return at

    def _go_on(self, view: memoryview, found: list[Slice]) -> int:
        """More of the block that has begun. Answers where in `view` it ends."""
        if self.under_way is None:
            return 0
        block, by, made = self.under_way
        part = view[: self.missing]
        made.update(part)
        self.missing -= len(part)
        if self.missing == 0:
            self.under_way = None
            self._judge(block, by.prefix + made.digest(), found)
        return len(part)

    def _section(self, data: bytes, base: int, at: int, found: list[Slice]) -> int | None:
        """One block, from `data[at]` on. Answers where the next one begins, or `None` if there is
        not enough of it yet."""
        announced = self._announced(data, base, at)
        if announced is None:
            return None
        begin, end = announced
        if data.startswith(COMMON, begin):
            link = begin + 2, begin + COMMON_SIZE, SHA
        else:
            link = self._link(data, begin, end, base)
        if link is None or link[1] > min(end, len(data)):
            return self._wait_for_link(data, base, begin, end)
        if self.blocks >= self.blocks_max:
            raise NoCar(f"there are more than {self.blocks_max} blocks")
        name, body, by = link
        if by is None or end - body > BLOCK_SIZE_MAX:
            return self._pass_over(base, end, end - body, needless=data[name] == IDENTITY)
        block = Slice(data[name:body], base + body, end - body)
        made = by.new(memoryview(data)[body:end])
        if end > len(data):
            self.under_way, self.missing = (block, by, made), end - len(data)
            return len(data)
        self._judge(block, by.prefix + made.digest(), found)
        return end

    def _announced(self, data: bytes, base: int, at: int) -> tuple[int, int] | None:
        """Where what is announced at `data[at]` begins and ends; `None` if not even that is here.
        There is no more of it than there are bytes."""
        try:
            size, begin = varint.decode(data, at)
        except varint.VarintError as why:
            if len(data) - at < varint.VARINT_BYTES_MAX:
                return self._wait(data, base)
            raise NoCar(f"at byte {base + at} no size follows: {why}") from None
        rest = self.end - base - begin
        if size == 0:
            raise NoCar(f"at byte {base + at} nothing is announced")
        if size > rest:
            raise NoCar(f"at byte {base + at} {size} bytes are announced, and {rest} follow")
        return begin, begin + size

    def _link(
        self, data: bytes, begin: int, end: int, base: int
    ) -> tuple[int, int, Hash | None] | None:
        """Where the multihash of a link begins and where the link ends, and how it was made, if
        that is known. `None` if there is not enough of it here, or in its section."""
        if len(data) < min(end, begin + LINK_BEGINS):
            return None
        if data.startswith(SHA.prefix, begin):
            return begin, begin + VERSION_0_SIZE, SHA
        try:
            _, position = varint.decode(data, begin)
            _, name = varint.decode(data, position)
            code, position = varint.decode(data, name)
            size, position = varint.decode(data, position)
        except varint.VarintError as why:
            raise NoCar(f"at byte {base + begin} no link follows: {why}") from None
        body = position + size
        if body > min(end, len(data)) and size <= LINK_SIZE_MAX:
            return None
        try:
            Link(data[begin : min(body, begin + LINK_SIZE_MAX + 1)])
        except InvalidLink as why:
            raise NoCar(f"at byte {base + begin}: {why}") from None
        return name, body, KNOWN.get(code)

    def _wait_for_link(self, data: bytes, base: int, begin: int, end: int) -> None:
        """Raises `NoCar` for a link that is longer than its section."""
        if len(data) >= end:
            raise NoCar(f"at byte {base + begin} a link is longer than what was announced")
        self._wait(data, base)

    def _pass_over(self, base: int, end: int, size: int, *, needless: bool) -> int:
        """A block that is not looked up: there is no need to, or no way."""
        self.blocks += 1
        self.size += size
        self.left_out += not needless
        self.boundary = base + end
        return end

    def _judge(self, block: Slice, multihash: bytes, found: list[Slice]) -> None:
        if block.multihash != multihash:
            why = f"the {block.length} bytes at {block.offset} are not those that their link names"
            raise NoCar(why)
        self.blocks += 1
        self.size += block.length
        self.boundary = block.offset + block.length
        found.append(block)

    def _header(self, data: bytes, base: int, at: int, _found: list[Slice]) -> int | None:
        """The header; of a CAR of version 2, first where the CAR in it begins and ends."""
        announced = self._announced(data, base, at)
        if announced is None:
            return None
        begin, end = announced
        if end - begin > HEADER_SIZE_MAX:
            raise NoCar(f"a header of {end - begin} bytes: {HEADER_SIZE_MAX} at most")
        inside = self.boundary > 0
        whole = end if inside or not data.startswith(car.V2_PRAGMA, at) else at + car.V2_SIZE
        if len(data) < whole:
            return self._wait(data, base)
        try:
            if whole != end:
                start, self.end = car.inside_version_2(data[at:whole], self.end)
                if start >= self.end:
                    raise NoCar("there are no bytes in it")
                self.boundary = start
                return start - base
            self.roots = len(car.roots_in(data[begin:end], HEADER_LIMITS))
        except car.CarError as why:
            raise NoCar(str(why)) from None
        self.begun, self.boundary = True, base + end
        return end

    def _wait(self, data: bytes, base: int) -> None:
        """For more bytes. Raises `NoCar` if there are none."""
        if base + len(data) >= self.end:
            raise NoCar(f"the CAR breaks off at byte {self.end}")
