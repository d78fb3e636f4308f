"""Goal: files and folders go into a space and are there: the same shards and the same index as the
published client makes, whole or not at all, and nothing is sent twice.

Method: a real service; what is stored is fetched back and read as CARs.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from support.eventually import eventually
from support.service import Serve
from taijitu.client import (
    Client,
    InsufficientStorage,
    NotFound,
    Put,
    Signer,
    Unusable,
    sending,
)
from taijitu.client import files as packing
from taijitu.client.packing import Listing, listing
from taijitu.client.sending import Progress
from taijitu.ipld import car
from taijitu.ipld.cid import RAW, Link, link_to, multihash
from taijitu.wire import sharded_index

Connect = Callable[..., Client]

MIB = 1024 * 1024
SMALL_SHARD = 3 * MIB


async def put(client: Client, source: packing.Files, **more: object) -> Put:
    """With shards that are small enough for a test."""
    given: dict[str, object] = {
        "shard_size": SMALL_SHARD,
        "at_once": 2,
        "progress": lambda _: None,
    }
    return await packing.put(client.space, source, **given | more)  # type: ignore[arg-type]


async def blocks_of(client: Client, made: Put) -> dict[Link, bytes]:
    """Everything that lies in the shards, once it is what the index says."""
    found: dict[Link, bytes] = {}
    said = {
        shard.multihash: {each.multihash: each[1:] for each in shard.slices}
        for shard in sharded_index.decode(await client.fetch(made.index)).shards()
    }
    for link in made.shards:
        data = await client.fetch(link)
        archive = car.decode(data)
        assert archive.roots == ((made.root,) if link == made.shards[-1] else ())
        places = said.pop(link.multihash)
        assert places.pop(link.multihash) == (0, len(data))
        for block in archive.blocks.values():
            offset, length = places.pop(multihash(block))
            assert data[offset : offset + length] == block
        assert places == {}
        found |= archive.blocks
    assert said == {}
    return found


async def test_a_small_file_is_one_block_in_one_shard(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    data = os.urandom(1000)
    (tmp_path / "notes.txt").write_bytes(data)
    async with connect(alice) as client:
        made = await client.space.put(tmp_path / "notes.txt")
        assert made.root == link_to(data, RAW)
        assert (made.size, len(made.shards)) == (1000, 1)
        assert made.sent == made.stored
        assert await blocks_of(client, made) == {made.root: data}
        assert (await client.uploads.get(made.root)).shards == made.shards


async def test_a_large_file_lies_in_several_shards_and_the_index_says_where(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    data = os.urandom(10 * MIB + 7)
    (tmp_path / "video").write_bytes(data)
    async with connect(alice) as client:
        made = await put(client, tmp_path / "video")
        blocks = await blocks_of(client, made)
    leaves = [data[start : start + MIB] for start in range(0, len(data), MIB)]
    assert [block for link, block in blocks.items() if link.codec == RAW] == leaves
    assert len(made.shards) == 5
    assert list(blocks)[-1] == made.root


async def test_a_file_that_grows_meanwhile_is_cut_into_shards(
    connect: Connect, alice: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").write_bytes(b"begun")
    data = b"begun" + os.urandom(8 * MIB)

    def grown(paths: Sequence[Path], hidden: bool) -> Listing:
        found = listing(paths, hidden)
        (tmp_path / "log").write_bytes(data)
        return found

    monkeypatch.setattr(packing, "listing", grown)
    async with connect(alice) as client:
        made = await put(client, tmp_path / "log")
        blocks = await blocks_of(client, made)
    assert b"".join([block for link, block in blocks.items() if link.codec == RAW]) == data
    assert len(made.shards) > 2


async def test_bytes_a_stream_and_a_file_are_the_same(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    data = os.urandom(5 * MIB + 1)
    (tmp_path / "file").write_bytes(data)

    async def pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(data), 70_001):
            yield data[start : start + 70_001]

    async with connect(alice) as client:
        first = await put(client, tmp_path / "file")
        again = [await put(client, source) for source in (data, pieces())]
    for each in again:
        assert (each.root, each.shards, each.index) == (first.root, first.shards, first.index)
        assert each.sent == 0


async def test_any_kind_of_bytes_is_a_file_and_one_shard_at_once_is_the_least(
    connect: Connect, alice: Signer
) -> None:
    data = os.urandom(100)
    async with connect(alice) as client:
        for source in (data, bytearray(data), memoryview(data)):
            made = await asyncio.wait_for(client.space.put(source, at_once=0), 60)
            assert made.root == link_to(data, RAW)


async def test_a_folder_is_put_without_hidden_files_and_links(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    (folder / "below" / ".git").mkdir(parents=True)
    for name in ("a.txt", "below/b.txt", ".secret", "below/.git/config"):
        (folder / name).write_text(name)
    (folder / "link").symlink_to("a.txt")
    (folder / "empty").mkdir()
    async with connect(alice) as client:
        made = await client.space.put(folder)
        blocks = await blocks_of(client, made)
        all_of_it = await client.space.put(folder, hidden=True)
    files = {bytes(block) for link, block in blocks.items() if link.codec == RAW}
    assert files == {b"a.txt", b"below/b.txt"}
    assert made.size == len("a.txt") + len("below/b.txt")
    assert all_of_it.root != made.root


async def test_several_files_are_a_folder(connect: Connect, alice: Signer, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a", "b"):
        (tmp_path / "folder" / name).write_text(name)
    async with connect(alice) as client:
        whole = await client.space.put(tmp_path / "folder")
        parts = await client.space.put([tmp_path / "folder" / "b", tmp_path / "folder" / "a"])
    assert parts.root == whole.root


async def test_a_car_is_cut_into_shards_under_its_root(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    blocks = [os.urandom(MIB) for _ in range(5)]
    links = [link_to(block, RAW) for block in blocks]
    archive = car.encode((links[2],), list(zip(links, blocks, strict=True)))
    (tmp_path / "five.car").write_bytes(archive)
    async with connect(alice) as client:
        made = await packing.put_car(
            client.space,
            tmp_path / "five.car",
            shard_size=SMALL_SHARD,
            at_once=1,
            progress=lambda _: None,
        )
        assert await blocks_of(client, made) == dict(zip(links, blocks, strict=True))
        assert (made.root, len(made.shards)) == (links[2], 3)
        with pytest.raises(Unusable, match="do not hash"):
            await client.space.put_car(archive[:-1] + bytes((archive[-1] ^ 1,)))
        with pytest.raises(Unusable, match="Unexpected end"):
            await client.space.put_car(archive[:-1])
        with pytest.raises(Unusable, match="no block to end with"):
            await client.space.put_car(car.encode((links[0],), ()))
        with pytest.raises(Unusable, match="no root"):
            await client.space.put_car(car.encode((), [(links[0], blocks[0])]))


async def test_progress_ends_with_everything_packed_sent_and_stored(
    connect: Connect, alice: Signer
) -> None:
    told: list[Progress] = []
    async with connect(alice) as client:
        made = await put(client, os.urandom(7 * MIB), progress=told.append)
    assert (told[-1].packed, told[-1].total) == (7 * MIB, 7 * MIB)
    assert (told[-1].shards, told[-1].stored) == (len(made.shards), len(made.shards))
    assert told[-1].sent < made.stored


async def test_an_upload_without_room_is_not_noted(serve: Serve, alice: Signer) -> None:
    service = serve(TAIJITU_SPACE_CAPACITY="20MiB")
    async with Client(service.url, key=alice) as client:
        with pytest.raises(InsufficientStorage):
            await put(client, endless())
        assert [each async for each in client.uploads.list()] == []


async def test_what_no_index_has_room_for_ends_before_it_is_sent(
    connect: Connect, alice: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for _ in range(20):
            yield os.urandom(MIB)

    monkeypatch.setattr(sending, "SLICES_MAX", 8)
    before = open_files()
    async with connect(alice) as client:
        with pytest.raises(Unusable, match=r"of 8 blocks in .* put less at once"):
            await put(client, pieces())
        assert len([each async for each in client.blobs.list()]) <= 2
        assert [each async for each in client.uploads.list()] == []
    await nothing_more_than(before)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def nothing_more_than(before: list[str]) -> None:
    """Until nothing is open that was not before: what was closed may close a turn later."""

    async def look() -> list[str]:
        return [name for name in open_files() if name not in before]

    await eventually(look, lambda names: names == [], seconds=10)


def open_files() -> list[str]:
    """What this process has open that is in no folder any more, or leads to a network."""
    found: list[str] = []
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            name = str(fd.readlink())
            if name.endswith("(deleted)") or name.startswith("socket:"):
                found.append(name)
    return sorted(found)


async def tasks_left() -> int:
    """Whoever was sending a body has a thread that reads a file: it ends when that has."""
    return len(asyncio.all_tasks())


async def test_a_put_that_is_cancelled_leaves_nothing_open(connect: Connect, alice: Signer) -> None:
    enough = asyncio.Event()

    def told(progress: Progress) -> None:
        if progress.stored >= 2 and progress.shards > progress.stored:
            enough.set()

    before, tasks = open_files(), len(asyncio.all_tasks())
    async with connect(alice) as client:
        putting = asyncio.create_task(put(client, endless(), progress=told))
        await asyncio.wait_for(enough.wait(), 60)
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert [name for name in open_files() if name.endswith("(deleted)")] == [
            name for name in before if name.endswith("(deleted)")
        ]
        await eventually(tasks_left, lambda left: left == tasks, seconds=10)
        assert [each async for each in client.uploads.list()] == []
    await nothing_more_than(before)


async def test_a_get_that_is_cancelled_leaves_nothing_behind(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    begun, before = asyncio.Event(), open_files()
    async with connect(alice) as client:
        made = await client.put(os.urandom(30 * MIB))
        target = tmp_path / "target"
        getting = asyncio.create_task(
            client.get(made.root, target, progress=lambda done: done > 0 and begun.set())
        )
        await asyncio.wait_for(begun.wait(), 60)
        getting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await getting
    assert names_in(tmp_path) == []
    await nothing_more_than(before)


async def endless() -> AsyncGenerator[bytes]:
    piece = bytes(MIB)
    while True:
        piece = os.urandom(16) + piece[16:]
        yield piece


async def test_what_cannot_be_read_is_told(connect: Connect, alice: Signer, tmp_path: Path) -> None:
    async with connect(alice) as client:
        with pytest.raises(Unusable, match="absent cannot be read: No such file"):
            await client.space.put(tmp_path / "absent")
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(Unusable, match="neither a file nor a folder"):
            await client.space.put(tmp_path / "pipe")
        with pytest.raises(Unusable, match="nothing to put"):
            await client.space.put([])
        for wrong in ("photos", ["photos"], 7, None, [b"photos"]):
            with pytest.raises(Unusable, match="put takes a path, several, bytes, or a stream"):
                await client.space.put(wrong)  # type: ignore[arg-type]
        for wrong in ("photos.car", 7):
            with pytest.raises(Unusable, match="takes a path, bytes or a stream of bytes, and no"):
                await client.put_car(wrong)  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            await client.uploads.get(link_to(b"absent", RAW))
