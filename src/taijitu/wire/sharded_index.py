"""Indexes of content: in which CARs (shards) its blocks lie, and where (`index/sharded/dag@0.1`).

    root     {"index/sharded/dag@0.1": {"content": link, "shards": [link of a shard's block, …]}}
    a shard  [multihash of the shard, [[multihash of a slice, [offset, length]], …]]

Law: what is read is within the limits and in one form only; whether it is true is for others to
find out. Shards are read one at a time, and large ones in parts: a folder of small files, which is
one shard, may have hundreds of thousands of slices.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, cast

from taijitu.ipld import car, dagcbor
from taijitu.ipld.cid import DAG_CBOR, SHA2_256, InvalidLink, Link, link_to, link_with
from taijitu.kernel.record import Record

VARIANT: Final = "index/sharded/dag@0.1"

INDEX_SIZE_MAX: Final = 32 * 1024 * 1024
"""Bytes of an index in CAR: some 700,000 slices."""
SLICES_MAX: Final = 640_000
"""Slices of an index that has room for them whatever lies where, in however many shards."""
READ_AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes of the block of a shard that is read as one: some 90,000 slices."""
PART_SLICES: Final = 100_000
"""Slices of a part of a shard whose block is larger: in memory, 30 MB."""
SHARDS_MAX: Final = 5_000
"""Shards of one index: as many as an upload may have."""
BLOCKS_MAX: Final = 2 * SHARDS_MAX
"""Blocks in the CAR. What no index names is no harm, but need not be read without end."""
MULTIHASH_SIZE_MAX: Final = 1_024
"""Bytes of a multihash. One that carries its bytes inside may be long."""
POSITION_MAX: Final = 2**53 - 1
"""The largest offset or length: what every reader of an index can hold."""

LIMITS: Final = car.Limits(
    size_max=INDEX_SIZE_MAX,
    blocks_max=BLOCKS_MAX,
    block_size_max=INDEX_SIZE_MAX,
    roots_max=1,
)

_SHA2_256: Final = bytes((SHA2_256, 32))
_SHA2_256_SIZE: Final = 34

_NUMBER, _BYTES, _LIST = 0, 2, 4
"""Kinds of items in CBOR."""
_LEAST: Final = {1: 24, 2: 2**8, 4: 2**16, 8: 2**32}
"""The least number that is written in so many bytes."""


class InvalidIndex(ValueError):
    """These bytes are no index; the text says why. `name` is the one that clients know it by."""

    def __init__(self, name: Literal["UnknownFormat", "DecodeFailure"], why: str) -> None:
        super().__init__(why)
        self.name = name


class Slice(NamedTuple):
    """The bytes with a multihash: `length` of them, from `offset` on."""

    multihash: bytes
    offset: int
    length: int


class Shard(NamedTuple):
    """A CAR, by its multihash, and what is said to lie in it. No multihash stands there twice."""

    multihash: bytes
    slices: tuple[Slice, ...]
    goes_on: bool = False
    """Is it another part of the one before?"""


class Index(Record, eq=False):
    """An index whose root was read."""

    content: Link
    """The root of the content that it is about."""
    links: tuple[Link, ...]
    """The blocks of its shards, each once."""
    blocks: Mapping[Link, bytes]

    def shards(self) -> Iterator[Shard]:
        """The shards, each once, a large one in parts. Raises `InvalidIndex` when it comes to one
        that is malformed."""
        seen: set[bytes] = set()
        for link in self.links:
            block = self.blocks.get(link)
            if block is None:
                raise malformed(f"the block {link} of a shard is missing")
            for shard in parts_of(link, block):
                if not shard.goes_on and shard.multihash in seen:
                    raise malformed(f"a shard is listed twice, in {link} the second time")
                seen.add(shard.multihash)
                yield shard


def decode(data: bytes) -> Index:
    """The index in a CAR. Raises `InvalidIndex`."""
    try:
        archive = car.decode(data, LIMITS)
    except car.CarError as why:
        raise malformed(str(why)) from why
    if len(archive.roots) != 1:
        raise unknown(f"an index has one root, not {len(archive.roots)}")
    root = archive.roots[0]
    if root.codec != DAG_CBOR:
        raise unknown(f"unexpected root CID codec: {root.codec:#x}")
    block = archive.blocks.get(root)
    if block is None:
        raise malformed("missing root block")
    value = value_in(root, block)
    if not isinstance(value, dict) or [*cast("dict[str, object]", value)] != [VARIANT]:
        raise unknown(f"the root is no {VARIANT}")
    return named_by(cast("dict[str, object]", value)[VARIANT], archive.blocks)


def named_by(value: object, blocks: Mapping[Link, bytes]) -> Index:
    """What the root says, below the name of the format."""
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        content, links = fields.get("content"), fields.get("shards")
        if len(fields) == 2 and isinstance(content, Link) and isinstance(links, list):
            return Index(content, links_in(cast("list[object]", links)), blocks)
    raise malformed("the root does not name a content, a list of shards, and no more")


def encode(content: Link, shards: list[Shard]) -> bytes:
    """The CAR of an index: everything in the order of digests, as clients write it."""
    blocks: list[bytes] = []
    for shard in sorted(shards):
        slices = [[each.multihash, [each.offset, each.length]] for each in sorted(shard.slices)]
        blocks.append(dagcbor.encode([shard.multihash, slices]))
    links = [link_to(block) for block in blocks]
    root = dagcbor.encode({VARIANT: {"content": content, "shards": links}})
    link = link_to(root)
    return car.encode([link], [(link, root), *zip(links, blocks, strict=True)])


def links_in(values: list[object]) -> tuple[Link, ...]:
    """The links of the shards' blocks."""
    if len(values) > SHARDS_MAX:
        raise malformed(f"more than {SHARDS_MAX} shards")
    links = [value for value in values if isinstance(value, Link)]
    if len(links) != len(values):
        raise malformed("what stands in the list of shards is no link")
    if len(set(links)) != len(links):
        raise malformed("a shard is listed twice")
    return tuple(links)


def parts_of(link: Link, block: bytes) -> Iterator[Shard]:
    """A shard, read from its block. One that comes in parts is in the order of digests, in which
    clients write it: so none is there twice."""
    if len(block) <= READ_AT_ONCE:
        yield shard_in(link, block)
        return
    if link.codec != DAG_CBOR:
        raise malformed(f"the block {link} is not DAG-CBOR")
    items, last, goes_on = Items(link, block), (b"", b""), False
    items.count(2)
    multihash = items.text()
    check_multihash(multihash)
    left = items.count()
    while left:
        part: list[Slice] = []
        for _ in range(min(left, PART_SLICES)):
            found = items.slice()
            last, before = (digest_in(found.multihash), found.multihash), last
            if not before < last:
                raise malformed(f"a slice is listed twice in {link}, or not in order")
            part.append(found)
        left -= len(part)
        yield Shard(multihash, tuple(part), goes_on)
        goes_on = True
    if items.at != len(block):
        raise items.wrong()


class Items:
    """The way through a block of DAG-CBOR, item by item. Raises `InvalidIndex` for one that is of
    another kind than was asked for, or not written in the shortest way."""

    def __init__(self, link: Link, block: bytes) -> None:
        self.link = link
        self.block = block
        self.at = 0

    def slice(self) -> Slice:
        self.count(2)
        multihash = self.text()
        if not multihash.startswith(_SHA2_256) or len(multihash) != _SHA2_256_SIZE:
            check_multihash(multihash)
        self.count(2)
        offset, length = self.number(), self.number()
        if not (is_position(offset) and is_position(length)):
            raise self.wrong()
        return Slice(multihash, offset, length)

    def count(self, expected: int | None = None) -> int:
        """How many items follow in a list."""
        number = self.number(_LIST)
        if expected not in (None, number):
            raise self.wrong()
        return number

    def text(self) -> bytes:
        size = self.number(_BYTES)
        begin, self.at = self.at, self.at + size
        if self.at > len(self.block):
            raise self.wrong()
        return self.block[begin : self.at]

    def number(self, kind: int = _NUMBER) -> int:
        """A number, or that with which an item of another kind begins."""
        first = self.block[self.at] if self.at < len(self.block) else 0xFF
        number = first & 0x1F
        if first >> 5 != kind or number > 27:
            raise self.wrong()
        begin = self.at = self.at + 1
        if number < 24:
            return number
        size = 1 << (number - 24)
        self.at += size
        number = int.from_bytes(self.block[begin : self.at], "big")
        if self.at > len(self.block) or number < _LEAST[size]:
            raise self.wrong()
        return number

    def wrong(self) -> InvalidIndex:
        return malformed(f"the block {self.link} is no shard: see byte {self.at}")


def digest_in(multihash: bytes) -> bytes:
    return multihash[2:] if multihash.startswith(_SHA2_256) else link_with(multihash).digest


def shard_in(link: Link, block: bytes) -> Shard:
    """One shard, read from its block."""
    match value_in(link, block):
        case [bytes() as multihash, [*slices]]:
            check_multihash(multihash)
            found = tuple([slice_in(each) for each in cast("list[object]", slices)])
        case _:
            raise malformed(f"the block {link} is no shard")
    if len({each.multihash for each in found}) != len(found):
        raise malformed(f"a slice is listed twice in {link}")
    return Shard(multihash, found)


def slice_in(value: Any) -> Slice:
    match value:
        case [bytes() as multihash, [offset, length]] if is_position(offset) and is_position(
            length
        ):
            if not multihash.startswith(_SHA2_256) or len(multihash) != _SHA2_256_SIZE:
                check_multihash(multihash)
            return Slice(multihash, offset, length)
        case _:
            raise malformed("a slice is a multihash, and two numbers that are not negative")


def is_position(value: object) -> bool:
    return type(value) is int and 0 <= value <= POSITION_MAX


def check_multihash(multihash: bytes) -> None:
    if len(multihash) > MULTIHASH_SIZE_MAX:
        raise malformed(f"a multihash of {len(multihash)} bytes")
    try:
        link_with(multihash)
    except InvalidLink as why:
        raise malformed(f"what should be a multihash is none: {why}") from why


def value_in(link: Link, block: bytes) -> Any:
    if link.codec != DAG_CBOR:
        raise malformed(f"the block {link} is not DAG-CBOR")
    try:
        return dagcbor.decode(block)
    except dagcbor.DecodeError as why:
        raise malformed(f"the block {link} is {why}") from why


def malformed(why: str) -> InvalidIndex:
    return InvalidIndex("DecodeFailure", why)


def unknown(why: str) -> InvalidIndex:
    return InvalidIndex("UnknownFormat", why)
