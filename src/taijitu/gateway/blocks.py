"""Blocks out of stored objects: where one lies is looked up by its multihash.

Law: no block leaves that was not hashed after it was read, that the operator denies, or that nobody
holds but blocked spaces. One that is not to be had is an exception, never an empty answer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from taijitu.actors.slices import HASHES
from taijitu.buckets.names import UnknownHash, digest_of
from taijitu.buckets.port import Bucket, Missing
from taijitu.engine.storage import SliceRow, Storage
from taijitu.gateway.denials import Denials
from taijitu.ipld.cid import DAG_CBOR, DAG_PB, IDENTITY, Link

BLOCK_SIZE_MAX: Final = 2 * 1024 * 1024
"""Bytes of a block. Every request under way may hold a few of them."""

PLACES_MAX: Final = 256
"""Objects that are looked into for one block. Nearly always the first one has it."""

NODES_SIZE_MAX: Final = 16 * 1024 * 1024
"""Bytes of nodes that are kept at hand, those asked for last."""

NODE_SIZE_MAX: Final = 512 * 1024
"""Bytes of a node that is kept at all."""

NODE_CODECS: Final = frozenset({DAG_PB, DAG_CBOR})
"""What leads to other blocks is asked for again and again; what is at the ends is not."""

HASHED_AT_ONCE: Final = 32 * 1024
"""Bytes that are hashed where they are; more, in a thread."""


class Unavailable(Exception):
    """A block cannot be given out; the text says why, as a sentence without its full stop."""

    def __init__(self, link: Link, why: str) -> None:
        super().__init__(f"the block {link} {why}")
        self.link = link


class NotHere(Unavailable):
    """Nobody whom we serve has stored it."""

    def __init__(self, link: Link, why: str = "is not stored here") -> None:
        super().__init__(link, why)


class Denied(Unavailable):
    """The operator wants it not to be given out."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, "is blocked here")


class TooLarge(Unavailable):
    """A gateway holds whole blocks, to hash them before they leave."""

    def __init__(self, link: Link, size: int) -> None:
        why = f"has {size} bytes; the largest that is given out has {BLOCK_SIZE_MAX}"
        super().__init__(link, why)


async def up_to_date() -> bool:
    """Nothing is on its way."""
    return False


class Blocks:
    """Where requests get blocks from. `wrong` is told of bytes that are not what they were when
    they were looked at: the object, and the multihash that they should have. `caught_up` waits for
    those who look through what was stored just now; false if there are none."""

    def __init__(
        self,
        storage: Storage,
        bucket: Bucket,
        denials: Denials,
        wrong: Callable[[bytes, bytes], None],
        caught_up: Callable[[], Awaitable[bool]] = up_to_date,
    ) -> None:
        self.storage = storage
        self.bucket = bucket
        self.denials = denials
        self.wrong = wrong
        self.caught_up = caught_up
        self.nodes = Nodes(NODES_SIZE_MAX)
        self.under_way: dict[bytes, asyncio.Task[bytes]] = {}

    async def get(self, link: Link) -> bytes:
        """The bytes of a block. Raises `Unavailable`."""
        await self.insist(link)
        if link.hash_code == IDENTITY:
            return link.digest
        multihash = link.multihash
        if (known := self.nodes.get(multihash)) and await self.denials.is_held(known.shard):
            return known.data
        # Whoever wants what is being read waits for the same reading, and may go away alone.
        reading = self.under_way.get(multihash)
        if reading is None:
            reading = self.under_way[multihash] = asyncio.create_task(self._read(link))
            reading.add_done_callback(lambda done: self._over(multihash, done))
        return await asyncio.shield(reading)

    async def size(self, link: Link) -> int:
        """The size of a block in bytes, without reading it. Raises `Unavailable`."""
        await self.insist(link)
        if link.hash_code == IDENTITY:
            return len(link.digest)
        size = await self._size(link)
        if size is None and await self.caught_up():
            size = await self._size(link)
        if size is None:
            raise NotHere(link)
        return size

    async def insist(self, link: Link) -> None:
        """Raises `Denied`. What a link holds itself is not ours to deny."""
        if link.hash_code != IDENTITY and await self.denials.find(link.multihash) is not None:
            raise Denied(link)

    async def _size(self, link: Link) -> int | None:
        async for place in self._places(link):
            if await self.bucket.stat(place.shard) is not None:
                return place.length
        return None

    async def _read(self, link: Link) -> bytes:
        data = await self._found(link)
        if data is None and await self.caught_up():
            data = await self._found(link)
        if data is None:
            raise NotHere(link)
        return data

    async def _found(self, link: Link) -> bytes | None:
        async for place in self._places(link):
            data = await self._read_at(place)
            if data is None:
                continue
            if await is_genuine(link, data):
                if link.codec in NODE_CODECS:
                    self.nodes.keep(link.multihash, Node(place.shard, data))
                return data
            self.wrong(place.shard, place.multihash)
        return None

    async def _places(self, link: Link) -> AsyncIterator[SliceRow]:
        """Where a block lies, whoever may see it there."""
        if link.hash_code not in HASHES:
            raise NotHere(link, f"is named by a hash that we cannot check ({link.hash_code:#x})")
        multihash = link.multihash
        for row in await self.storage.slices(multihash, PLACES_MAX):
            if await self.denials.is_held(row.shard):
                yield checked(link, row)
        try:
            digest_of(multihash)
        except UnknownHash:
            return
        size = await self.bucket.stat(multihash)
        if size is not None and await self.denials.is_held(multihash):
            yield checked(link, SliceRow(multihash, multihash, 0, size))

    async def _read_at(self, place: SliceRow) -> bytes | None:
        """What lies in a place, as much as there is; `None` if the object is gone."""
        try:
            async with aclosing(
                self.bucket.read(place.shard, place.offset, place.length)
            ) as chunks:
                parts = [chunk async for chunk in chunks]
        except Missing:
            return None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _over(self, multihash: bytes, reading: asyncio.Task[bytes]) -> None:
        del self.under_way[multihash]
        if not reading.cancelled():
            reading.exception()  # perhaps nobody waits any more


class Node:
    """The bytes of a block, and the object they were found in."""

    __slots__ = ("data", "shard")

    def __init__(self, shard: bytes, data: bytes) -> None:
        self.shard = shard
        self.data = data


class Nodes:
    """Nodes at hand, up to `size_max` bytes of them: what was not asked for longest goes first."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.size = 0
        self.known: OrderedDict[bytes, Node] = OrderedDict()

    def get(self, multihash: bytes) -> Node | None:
        node = self.known.get(multihash)
        if node is not None:
            self.known.move_to_end(multihash)
        return node

    def keep(self, multihash: bytes, node: Node) -> None:
        if len(node.data) > NODE_SIZE_MAX:
            return
        before = self.known.pop(multihash, None)
        self.known[multihash] = node
        self.size += len(node.data) - (len(before.data) if before else 0)
        while self.size > self.size_max:
            _, oldest = self.known.popitem(last=False)
            self.size -= len(oldest.data)


def checked(link: Link, place: SliceRow) -> SliceRow:
    """Raises `TooLarge`."""
    if place.length > BLOCK_SIZE_MAX:
        raise TooLarge(link, place.length)
    return place


async def is_genuine(link: Link, data: bytes) -> bool:
    """Whether the bytes are those that a link names."""

    def digest() -> bytes:
        made = HASHES[link.hash_code]()
        made.update(data)
        return made.digest()

    if len(data) <= HASHED_AT_ONCE:
        return digest() == link.digest
    return await asyncio.to_thread(digest) == link.digest
