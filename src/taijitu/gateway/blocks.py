"""Blocks out of stored objects: where one lies is looked up by its multihash.

Law: no block leaves that was not hashed after it was read, or that the operator denies; nor does
one leave an object that he denies, or that nobody holds but blocked spaces. One that is not to be
had is an exception, never an empty answer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Literal, TypeAlias, TypeVar

from taijitu.actors.slices import HASHES
from taijitu.buckets.names import UnknownHash, digest_of
from taijitu.buckets.port import Bucket, Missing
from taijitu.engine.storage import SliceRow, Storage
from taijitu.gateway.denials import Denials
from taijitu.ipld.cid import DAG_CBOR, DAG_PB, IDENTITY, SHA2_256, Link, multihash
from taijitu.unixfs.block import SIZE_MAX
from taijitu.unixfs.walk import inline

BLOCK_SIZE_MAX: Final = SIZE_MAX
"""Bytes of a block. Every request under way may hold a few of them."""

PLACES_MAX: Final = 4_096
"""Objects that are looked into for one block. Nearly always the first one has it; but whoever was
blocked may have stored it in many."""

PLACES_AT_ONCE: Final = 64
"""Objects that are looked into before others have their turn."""

NODES_SIZE_MAX: Final = 16 * 1024 * 1024
"""Bytes of nodes that are kept at hand, those asked for last."""

NODE_SIZE_MAX: Final = 512 * 1024
"""Bytes of a node that is kept at all."""

NODE_CODECS: Final = frozenset({DAG_PB, DAG_CBOR})
"""What leads to other blocks is asked for again and again; what is at the ends is not."""

HASHED_AT_ONCE: Final = 32 * 1024
"""Bytes that are hashed where they are; more, in a thread."""

MISSES_WAIT_MAX: Final = 16
"""Those who wait at once for what is being looked through. Others are told at once how it stands:
otherwise those who ask for what nobody has would sooner or later have all places of a gateway."""

MISS_SECONDS_MAX: Final = 2
"""How long each of them waits."""


class Unavailable(Exception):
    """A block cannot be given out; the text says why, as a sentence without its full stop."""

    def __init__(self, link: Link, why: str) -> None:
        super().__init__(f"the block {link} {why}")
        self.link = link


class NotHere(Unavailable):
    """Nobody whom we serve has stored it."""

    def __init__(self, link: Link, why: str = "is not stored here") -> None:
        super().__init__(link, why)


class NotYet(Unavailable):
    """Nobody knows: not all that was stored is looked through."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, "is not known here yet: CARs are still being looked through")


class Denied(Unavailable):
    """The operator wants it not to be given out."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, "is blocked here")


class TooLarge(Unavailable):
    """A gateway holds whole blocks, to hash them before they leave."""

    def __init__(self, link: Link, size: int) -> None:
        why = f"has {size} bytes; the largest that is given out has {BLOCK_SIZE_MAX}"
        super().__init__(link, why)


Progress: TypeAlias = Literal["idle", "through", "behind"]
"""Of those who look through what was stored: there was nothing to do, they are through with it, or
they are not."""

T = TypeVar("T")


async def idle(_seconds: float) -> Progress:
    """Nothing is on its way."""
    return "idle"


class Blocks:
    """Where requests get blocks from. `wrong` is told of bytes that are not what they were when
    they were looked at: the object, and the multihash that they should have. `caught_up` waits for
    those who look through what was stored, but no longer than so many seconds."""

    def __init__(
        self,
        storage: Storage,
        bucket: Bucket,
        denials: Denials,
        wrong: Callable[[bytes, bytes], None],
        caught_up: Callable[[float], Awaitable[Progress]] = idle,
    ) -> None:
        self.storage = storage
        self.bucket = bucket
        self.denials = denials
        self.wrong = wrong
        self.caught_up = caught_up
        self.nodes = Nodes(NODES_SIZE_MAX)
        self.under_way: dict[bytes, asyncio.Task[bytes]] = {}
        self.misses_waiting = 0

    async def get(self, link: Link) -> bytes:
        """The bytes of a block. Raises `Unavailable`, and `InvalidUnixFS` for a link that holds
        more of them than a link may."""
        if link.hash_code == IDENTITY:
            return inline(link)
        await self.insist(link)
        data = await self._had(link)
        if await self._has_other_name(link):
            name = await asyncio.to_thread(multihash, data)
            if await self.denials.find(name) is not None:
                raise Denied(link)
        return data

    async def size(self, link: Link) -> int:
        """The size of a block in bytes; to know it, few blocks have to be read. Raises what `get`
        raises."""
        if link.hash_code == IDENTITY:
            return len(inline(link))
        await self.insist(link)
        if await self._has_other_name(link):
            return len(await self.get(link))
        return await self._looked_for(link, self._size)

    async def insist(self, link: Link) -> None:
        """Raises `Denied`. What a link holds itself is not ours to deny."""
        if link.hash_code != IDENTITY and await self.denials.find(link.multihash) is not None:
            raise Denied(link)

    async def _has_other_name(self, link: Link) -> bool:
        """Whether a block may be denied by the name that most know, while somebody has stored it
        by a rare one: to find out takes its bytes."""
        return link.hash_code != SHA2_256 and await self.denials.has_any()

    async def _had(self, link: Link) -> bytes:
        multihash = link.multihash
        if (known := self.nodes.get(multihash)) and await self.denials.may_leave(known.shard):
            return known.data
        # Whoever wants what is being read waits for the same reading, and may go away alone.
        reading = self.under_way.get(multihash)
        if reading is None:
            looking = self._looked_for(link, self._found)
            reading = self.under_way[multihash] = asyncio.create_task(looking)
            reading.add_done_callback(lambda done: self._over(multihash, done))
        return await asyncio.shield(reading)

    async def _size(self, link: Link) -> int | None:
        async for place in self._places(link):
            if await self.bucket.stat(place.shard) is not None:
                return place.length
        return None

    async def _looked_for(self, link: Link, look: Callable[[Link], Awaitable[T | None]]) -> T:
        """What a look for a block finds, in what came meanwhile as well. Raises `NotHere` only if
        all that is stored was looked through."""
        if (found := await look(link)) is not None:
            return found
        progress = await self._progress()
        if progress != "idle" and (found := await look(link)) is not None:
            return found
        raise NotYet(link) if progress == "behind" else NotHere(link)

    async def _progress(self) -> Progress:
        """Wait for those who look through what was stored, unless too many do."""
        if self.misses_waiting >= MISSES_WAIT_MAX:
            return await self.caught_up(0)
        self.misses_waiting += 1
        try:
            return await self.caught_up(MISS_SECONDS_MAX)
        finally:
            self.misses_waiting -= 1

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
        """Where a block lies and may leave from; at the end `Denied` is raised if there is another
        place, from which it may not leave because of a denial."""
        if link.hash_code not in HASHES:
            raise NotHere(link, f"is named by a hash that we cannot check ({link.hash_code:#x})")
        is_kept_in = False
        async for row in self._rows(link.multihash):
            if not await self.denials.is_held(row.shard):
                continue
            if await self.denials.find(row.shard) is None:
                yield checked(link, row)
            else:
                is_kept_in = True
        if is_kept_in:
            raise Denied(link)

    async def _rows(self, multihash: bytes) -> AsyncIterator[SliceRow]:
        """Where a block lies, whoever may see it there; at last as an object of its own."""
        after, seen = b"", 0
        while rows := await self.storage.slices(multihash, PLACES_AT_ONCE, after=after):
            for row in rows:
                yield row
            after, seen = rows[-1].shard, seen + len(rows)
            if len(rows) < PLACES_AT_ONCE or seen >= PLACES_MAX:
                break
            await asyncio.sleep(0)
        try:
            digest_of(multihash)
        except UnknownHash:
            return
        size = await self.bucket.stat(multihash)
        if size is not None:
            yield SliceRow(multihash, multihash, 0, size)

    async def _read_at(self, place: SliceRow) -> bytes | None:
        """What lies in a place, as much as there is; `None` if the object is gone."""
        try:
            return await self.bucket.read_at(place.shard, place.offset, place.length)
        except Missing:
            return None

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
