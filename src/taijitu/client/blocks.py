"""Where the blocks of content come from: a trustless gateway, or the shards of an upload.

Law: a block that is answered has the hash that its link names, whoever sent it. What comes unasked
is not read, so that no body can be too long.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import quote

from taijitu.client.content import ignore, in_thread, keep
from taijitu.client.failures import (
    ClientError,
    NotAccepted,
    NotFound,
    Refused,
    Unreadable,
    Untrusted,
    Unusable,
    WrongBytes,
)
from taijitu.client.fetching import stream, url_of
from taijitu.client.retry import Again
from taijitu.client.session import Session
from taijitu.client.temporary import temporary
from taijitu.client.uploads import Uploads
from taijitu.ipld.car import BLOCK_SIZE_MAX, BlockTooLarge, CarError, block_in
from taijitu.ipld.carstream import CarStream
from taijitu.ipld.cid import RAW, Link

if TYPE_CHECKING:
    from taijitu.client.answers import Upload

CAR: Final = {"accept": "application/vnd.ipld.car; version=1; order=dfs; dups=y"}
"""In the order in which a walk wants them, and as often."""

RAW_BLOCK: Final = {"accept": "application/vnd.ipld.raw"}


ABOVE_MAX: Final = 32
"""Blocks of the nodes of a file that come before the first leaf that is wanted."""

MISSES_MAX: Final = 8
"""Blocks in a row that are asked for one by one while a CAR waits that has others."""


class Part(NamedTuple):
    """The bytes `start` … `stop` of a file, or those up to its end."""

    file: Link
    start: int
    stop: int | None


class Blocks(Protocol):
    """Answers blocks by their links. Close it."""

    async def block(self, link: Link, part: Part | None = None) -> bytes:
        """A block; of a file, `part` says what is wanted from there on. Raises `NotFound`,
        `WrongBytes`, `Unavailable` …"""
        ...

    async def close(self) -> None: ...


class Gateway:
    """Blocks from `GET /ipfs/…`: of one CAR while they come as they are wanted, else one by one.

    Where a CAR breaks off, or has others than are wanted, the next one begins with the node that is
    wanted, or with what is left of a file.
    """

    def __init__(
        self,
        session: Session,
        root: Link,
        segments: Sequence[str],
        scope: str = "all",
        span: tuple[int, int | None] | None = None,
    ) -> None:
        """`scope`: all that is below the end of the path, or the `entity` there, or of that what
        has the bytes of a `span`, or each `block` by itself."""
        self.session = session
        self.scope = scope
        path = "/".join([f"{root}", *(quote_of(each) for each in segments)])
        self.first = f"{path}?format=car&dag-scope={scope}{'' if span is None else bytes_in(*span)}"
        self.coming: Coming | None = None
        self.misses = 0
        self.knows_parts = True

    async def block(self, link: Link, part: Part | None = None) -> bytes:
        patience = self.session.patience(f"fetching {link}")
        while True:
            try:
                return await self.once(link, part)
            except Again as why:
                await self.close()
                await patience.wait(why)
            except CarError as why:
                text = f"{self.session.url} gives something else than {link}: {why}"
                raise WrongBytes(text) from why

    async def once(self, link: Link, part: Part | None) -> bytes:
        """One try. Raises `Again` too."""
        if self.coming is None and self.scope != "block":
            self.coming = self.begun(link, part)
        self.first = ""
        if self.coming is not None:
            block = await self.coming.take(link)
            if block is not None:
                self.misses = 0
                return block
            self.misses += 1
            if self.coming.is_over or self.misses > MISSES_MAX:
                self.knows_parts &= self.coming.is_wanted
                await self.close()
        return await self.alone(link)

    def begun(self, link: Link, part: Part | None) -> "Coming | None":
        """A CAR that begins with what is wanted, if there is one."""
        if link.codec != RAW:
            asked, above = self.first or f"{link}?format=car&dag-scope={self.scope}", 0
        elif part is not None and self.knows_parts:
            span = bytes_in(part.start, part.stop)
            asked, above = f"{part.file}?format=car&dag-scope=entity{span}", ABOVE_MAX
        else:
            return None
        url = f"{self.session.url}/ipfs/{asked}"
        return Coming(self.session.connection.read(url, headers=CAR), above)

    async def alone(self, link: Link) -> bytes:
        """The block by itself."""
        data = bytearray()
        url = f"{self.session.url}/ipfs/{link}?format=raw"
        async with aclosing(self.session.connection.read(url, headers=RAW_BLOCK)) as chunks:
            async for chunk in chunks:
                data += chunk
                if len(data) > BLOCK_SIZE_MAX:
                    raise CarError(f"a block of more than {BLOCK_SIZE_MAX} bytes")
        return block_in(link.data + data)[1]

    async def close(self) -> None:
        coming, self.coming, self.misses = self.coming, None, 0
        if coming is not None:
            await coming.chunks.aclose()


class Coming:
    """A CAR that comes."""

    def __init__(self, chunks: AsyncGenerator[bytes], above: int = 0) -> None:
        """`above`: so many blocks may come before the first that is wanted."""
        self.chunks = chunks
        self.above = above
        self.is_wanted = not above
        """Not if it is the part of a file, and nothing in it was wanted."""
        self.car = CarStream()
        self.first: tuple[Link, bytes] | None = None
        """What is next, if that is here."""
        self.is_over = False

    async def take(self, link: Link) -> bytes | None:
        """The block if it is next, else None. Raises `CarError`, and what reading raises."""
        while (found := await self.next()) is not None and found[0] != link and self.above:
            self.above -= 1
            self.first = None
        if found is None or found[0] != link:
            return None
        self.first, self.above, self.is_wanted = None, 0, True
        return found[1]

    async def next(self) -> tuple[Link, bytes] | None:
        """What is next, and stays so; None at the end."""
        while self.first is None and not self.is_over:
            self.first = self.car.block()
            if self.first is None:
                chunk = await anext(self.chunks, b"")
                self.is_over = not chunk
                self.car.feed(chunk)
        return self.first


class Shards:
    """Blocks out of CARs that are fetched as a whole, into a temporary file, when a block is wanted
    that is in none of those before."""

    def __init__(self, session: Session, links: Iterable[Link]) -> None:
        self.session = session
        self.left = [*links]
        """Those that were not fetched. The next is the last."""
        self.file = temporary()
        self.places: dict[Link, tuple[int, int]] = {}
        self.size = 0

    async def begin_with(self, root: Link) -> None:
        """Fetch first what says that it has the root of an upload. Others need not be fetched for
        what lies near that; nobody knows their order."""
        for shard in self.left[:-1]:
            if root in await self.roots_of(shard):
                self.left.remove(shard)
                self.left.append(shard)
                return

    async def roots_of(self, shard: Link) -> Sequence[Link]:
        """Which roots a shard names. Not believed, and none where that cannot be read."""
        car = CarStream()
        url = url_of(self.session, shard)
        try:
            async with aclosing(self.session.connection.read(url)) as chunks:
                async for chunk in chunks:
                    car.feed(chunk)
                    roots = car.roots()
                    if roots is not None:
                        return roots
        except (Again, CarError, ClientError):
            pass
        return ()

    async def fetch(self, shard: Link) -> None:
        """Raises `NotFound`, `WrongBytes`, `Unreadable`, `Unavailable` …"""
        car = CarStream()
        async with aclosing(stream(self.session, shard, ignore)) as chunks:
            async for chunk in chunks:
                car.feed(chunk)
                try:
                    while (found := car.block()) is not None:
                        await self.keep(*found)
                except BlockTooLarge as why:
                    text = f"a block in {shard} is larger than is read: {why}"
                    raise Unreadable(text) from why
                except CarError as why:
                    text = f"{shard} is not the CAR that it should be: {why}"
                    raise WrongBytes(text) from why

    async def keep(self, link: Link, data: bytes) -> None:
        await in_thread(self.file.seek, self.size)
        await in_thread(keep, self.file, data)
        self.places[link] = self.size, len(data)
        self.size += len(data)

    async def block(self, link: Link, part: Part | None = None) -> bytes:
        while (place := self.places.get(link)) is None:
            if not self.left:
                raise NotFound("NotFound", f"the block {link} is in none of the shards")
            await self.fetch(self.left.pop())

        def read() -> bytes:
            self.file.seek(place[0])
            return self.file.read(place[1])

        return await in_thread(read)

    async def close(self) -> None:
        self.file.close()


def bytes_in(start: int, stop: int | None) -> str:
    """The bytes `start` … `stop` of a file, at least one, as a gateway is asked for them."""
    return f"&entity-bytes={start}:{'*' if stop is None else stop - 1}"


def quote_of(segment: str) -> str:
    return quote(segment.encode("utf-8", "surrogateescape"), safe="")


class First:
    """The gateway, or where that does not have the root, the shards that the space knows of."""

    def __init__(self, session: Session, root: Link, gateway: Gateway) -> None:
        self.session = session
        self.root = root
        self.source: Blocks = gateway
        self.fresh = True

    async def block(self, link: Link, part: Part | None = None) -> bytes:
        fresh, self.fresh = self.fresh, False
        try:
            return await self.source.block(link, part)
        except NotFound:
            if not fresh or self.session.signer is None:
                raise
        try:  # by itself, now: perhaps it is the path that leads nowhere
            return await self.source.block(link, part)
        except NotFound as absent:
            upload = await self.known(absent)
        await self.source.close()
        self.source = shards = Shards(self.session, upload.shards)
        await shards.begin_with(self.root)
        try:
            return await shards.block(link)
        except NotFound as why:
            text = f"{self.session.url} gives {self.root} neither by a gateway nor by its shards"
            raise NotFound("NotFound", f"{text}: ask at the URL of a gateway that does") from why

    async def known(self, absent: NotFound) -> "Upload":
        """What the space knows of the content. Raises `absent`, with the reason why it knows
        nothing; a gateway elsewhere has none to give."""
        try:
            return await Uploads(self.session, self.session.meant).get(self.root)
        except (Untrusted, NotAccepted):
            raise absent from None
        except (Refused, Unusable) as why:
            raise NotFound("NotFound", f"{absent}\nNor by the shards of the space: {why}") from None

    async def close(self) -> None:
        await self.source.close()
