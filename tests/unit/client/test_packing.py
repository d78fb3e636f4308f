"""Goal: what cannot be stored, found again or read back is refused before anything is packed, in
words that say which it is; and what is packed is read back, at the limits too.

Method: folders and CARs of the test's own, packed and unpacked without a service.
"""

import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread

import pytest

from support.walking import Store
from taijitu.client import Unreadable, Unusable, blocks, packing
from taijitu.client.blocks import Part, Shards
from taijitu.client.carfile import CarFile
from taijitu.client.packing import Found, Listing, Meter, blocks_of, listing
from taijitu.client.session import Session
from taijitu.client.unpacking import save
from taijitu.gateway.blocks import BLOCK_SIZE_MAX
from taijitu.ipld import car
from taijitu.ipld.cid import RAW, Link, link_to
from taijitu.unixfs.block import Packed
from taijitu.unixfs.file import CHUNK_SIZE
from taijitu.unixfs.tree import DEPTH_MAX


class AtHand(Store):
    async def block(self, link: Link, part: Part | None = None) -> bytes:
        return self[link]

    async def close(self) -> None:
        pass


def pack(found: Listing, store: Store) -> Packed:
    blocks = blocks_of(found, Meter())
    while True:
        try:
            store.keep(next(blocks))
        except StopIteration as end:
            return end.value


def as_bytes(folder: Path, name: bytes) -> Path:
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + name))


def test_a_name_that_is_no_utf_8_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    odd = as_bytes(tmp_path / "folder", b"caf\xe9")
    odd.write_text("x")
    for paths in ([tmp_path], [tmp_path / "folder"], [tmp_path / "folder", odd]):
        with pytest.raises(Unusable, match=r"folder/caf\\xe9' is not UTF-8: rename it"):
            listing(paths)
    assert listing([odd]).alone, "the name of a file that is put alone is not kept"


def test_so_is_that_of_a_folder(tmp_path: Path) -> None:
    odd = as_bytes(tmp_path, b"\xff")
    odd.mkdir()
    (odd / "file").write_text("x")
    with pytest.raises(Unusable, match=r"xff/file' is not UTF-8"):
        listing([tmp_path])


def test_more_than_an_upload_can_list_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(bytes(CHUNK_SIZE + 1))
    monkeypatch.setattr(packing, "SLICES_MAX", 6)
    assert listing([tmp_path]).blocks == 6
    monkeypatch.setattr(packing, "SLICES_MAX", 5)
    with pytest.raises(Unusable, match=r"2 files of 2,097,154 bytes .* put less at once"):
        listing([tmp_path])
    monkeypatch.setattr(packing, "FILES_MAX", 1)
    for paths in ([tmp_path], [tmp_path / "a", tmp_path / "b"]):
        with pytest.raises(Unusable, match=r"files.* put less at once"):
            listing(paths)


def test_what_does_not_say_how_large_it_is_is_not_read_byte_by_byte(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    data = os.urandom(50_000)
    writing = Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writing.start()
    store, asked = AtHand(), list[int]()
    found = Listing((Found("pipe", str(tmp_path / "pipe"), 0),), alone=True)

    def reading(fd: int, size: int, read: Callable[[int, int], bytes] = os.read) -> bytes:
        asked.append(size)
        return read(fd, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing.os, "read", reading)
        assert pack(found, store).link == link_to(data, RAW)
    writing.join()
    assert asked[:2] == [1, CHUNK_SIZE]
    assert len(asked) < 1_000


async def test_a_folder_as_deep_as_may_be_packed_is_written_again(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath("from", *["d"] * (DEPTH_MAX - 1))
    deepest.mkdir(parents=True)
    (deepest / "file").write_text("x")
    store = AtHand()
    root = pack(listing([tmp_path / "from"]), store).link
    await save(store, root, tmp_path / "to")
    assert (tmp_path.joinpath("to", *["d"] * (DEPTH_MAX - 1)) / "file").read_text() == "x"
    (deepest / "d").mkdir()
    (deepest / "d" / "file").write_text("x")
    with pytest.raises(Unusable, match="no file can have the path"):
        pack(listing([tmp_path / "from"]), store)


@pytest.mark.parametrize("over", [1, 100_000, 4 * 1024 * 1024])
def test_a_block_of_a_car_is_as_large_as_is_given_out_and_no_larger(over: int) -> None:
    def blocks_in(size: int) -> list[int]:
        block = bytes(size)
        link = link_to(block, RAW)
        with TemporaryFile() as file:
            file.write(car.encode([link], [(link, block)]))
            return [len(each.data) for each in CarFile(file, Meter()).blocks()]

    assert blocks_in(BLOCK_SIZE_MAX) == [BLOCK_SIZE_MAX]
    with pytest.raises(Unusable, match="larger than 2097152 bytes: no gateway gives it out"):
        blocks_in(BLOCK_SIZE_MAX + over)


def test_behind_a_link_two_dots_lead_where_the_file_system_says(tmp_path: Path) -> None:
    """The name is what the text says, the bytes are those of the file that is there."""
    (tmp_path / "other" / "folder").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "other" / "folder")
    for name in ("x", "y", "other/x"):
        (tmp_path / name).write_text(name)
    found = listing([tmp_path / "link" / ".." / "x", tmp_path / "y"]).files
    assert [(file.name, Path(file.path).read_text()) for file in found] == [
        ("x", "other/x"),
        ("y", "y"),
    ]


async def test_a_shard_with_a_block_that_is_too_large_is_not_said_to_be_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = bytes(car.BLOCK_SIZE_MAX + 1)
    link = link_to(block, RAW)

    async def fetched(*_: object) -> AsyncGenerator[bytes]:
        yield car.encode([link], [(link, block)])

    monkeypatch.setattr(blocks, "stream", fetched)
    shards = Shards(Session(), [link])
    with pytest.raises(Unreadable, match="larger than is read"):
        await shards.block(link)
    await shards.close()
