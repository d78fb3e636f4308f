"""Files into a space: packed, cut into shards, sent, indexed, and noted as an upload.

    blocks -> shards -> space/blob/add (some at once) -> index -> space/index/add -> upload/add

Law: what is stored already is not sent again, so whoever repeats a `put` that was broken off sends
the rest. The note comes last: an upload that is listed is whole.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias, TypeVar, cast

from taijitu.client.answers import Put
from taijitu.client.carfile import CarFile
from taijitu.client.content import in_thread, opened_file, spooled
from taijitu.client.failures import Unusable
from taijitu.client.holdings import Holdings
from taijitu.client.packing import Listing, Meter, Stream, blocks_of, listing
from taijitu.client.sending import Sending, Told, Watch
from taijitu.ipld.cid import Link
from taijitu.unixfs.block import Block, Packed
from taijitu.wire.shards import SHARD_SIZE

Files: TypeAlias = Path | Sequence[Path] | bytes | bytearray | memoryview | AsyncIterator[bytes]
"""What is put: a file or a folder, several of them, the bytes of a file, or a stream of those."""

CarSource: TypeAlias = Path | bytes | bytearray | memoryview | AsyncIterator[bytes]

V = TypeVar("V")


async def put(
    space: Holdings,
    source: Files,
    *,
    hidden: bool = False,
    shard_size: int = SHARD_SIZE,
    at_once: int,
    progress: Told,
) -> Put:
    """Pack files and store them. See `Space.put`."""
    meter = Meter()
    total, what = await looked_at(source, hidden)
    sending = Sending(space, shard_size, at_once, Watch(meter, total, progress))
    async with sending:
        if isinstance(what, Listing):
            root = await sending.take(rooted(blocks_of(what, meter)))
        else:
            root = await of_stream(what, meter, sending)
        return await sending.end(root)


async def looked_at(
    source: object, hidden: bool
) -> tuple[int | None, Listing | AsyncIterator[bytes]]:
    """How many bytes there are, if that is known, and where from. Raises `Unusable`."""
    match source:
        case bytes() | bytearray() | memoryview():
            data = bytes(cast("bytes | bytearray | memoryview", source))
            return len(data), of_one(data)
        case AsyncIterator():
            return None, cast("AsyncIterator[bytes]", source)
        case Path():
            paths = [source]
        case Sequence():
            several = cast("Sequence[object]", source)
            paths = [each for each in several if isinstance(each, Path)]
            if len(paths) < len(several):
                raise unusable(several)
        case _:
            raise unusable(source)
    found = await in_thread(listing, paths, hidden)
    return found.size, found


def unusable(source: object) -> Unusable:
    """A text is no path: it could be meant as the bytes."""
    return Unusable(
        f"put takes a path, several, bytes, or a stream of bytes, and not {source!r:.80}: "
        "Path(…) makes a path of a text"
    )


async def put_car(
    space: Holdings,
    source: CarSource,
    *,
    shard_size: int = SHARD_SIZE,
    at_once: int,
    progress: Told,
) -> Put:
    """Cut a CAR into shards and store them. See `Space.put_car`."""
    meter = Meter()
    file = await spooled(source) if isinstance(source, AsyncIterator) else opened_file(source)
    with closing(file):
        car = await in_thread(CarFile, file, meter)
        total = await in_thread(file_size, source) if isinstance(source, Path) else None
        if isinstance(source, bytes | bytearray | memoryview):
            total = memoryview(source).nbytes
        watch = Watch(meter, total, progress)
        async with Sending(space, shard_size, at_once, watch) as sending:
            await sending.take(under(car.blocks(), car.root))
            return await sending.end(car.root)


def file_size(path: Path) -> int:
    return path.stat().st_size


def rooted(blocks: Generator[Block, None, Packed]) -> Generator[Block, None, Link]:
    return (yield from blocks).link


def under(blocks: Iterable[Block], outcome: V) -> Generator[Block, None, V]:
    yield from blocks
    return outcome


def fed(stream: Stream, data: bytes) -> Generator[Block, None, None]:
    yield from stream.feed(data)


def ended(stream: Stream) -> Generator[Block, None, Link]:
    blocks, packed = stream.end()
    yield from blocks
    return packed.link


async def of_stream(source: AsyncIterator[bytes], meter: Meter, sending: Sending) -> Link:
    """A file whose bytes come as they come."""
    stream = Stream(meter)
    async for piece in source:
        await sending.take(fed(stream, bytes(piece)))
    return await sending.take(ended(stream))


async def of_one(piece: bytes) -> AsyncGenerator[bytes]:
    yield piece
