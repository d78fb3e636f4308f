"""Goal: some kilobytes of blocks that are any number of files do not fill a disk, and nothing is
left of what was begun. Method: blocks that are at hand."""

from pathlib import Path

import pytest

from support.walking import Store
from taijitu.client import Unreadable
from taijitu.client.blocks import Part
from taijitu.client.unpacking import Got, Most, save
from taijitu.ipld.cid import Link
from taijitu.unixfs.block import Packed
from taijitu.unixfs.directory import DirectoryPacker
from taijitu.unixfs.file import FilePacker


class AtHand(Store):
    async def block(self, link: Link, part: Part | None = None) -> bytes:
        return self[link]

    async def close(self) -> None:
        pass


def file_in(store: Store, data: bytes, chunk_size: int = 1000) -> Packed:
    packer = FilePacker(chunk_size)
    store.keep_all(packer.feed(data))
    store.keep_all(packer.end())
    return packer.root


def folder_in(store: Store, child: Packed, times: int) -> Packed:
    """The same, under several names."""
    packer = DirectoryPacker()
    for number in range(times):
        packer.add(f"{number:03}", child)
    store.keep_all(packer.end())
    return packer.root


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_folder_of_a_thousand_times_a_thousand_times_is_given_up(tmp_path: Path) -> None:
    store = AtHand()
    root = file_in(store, b"x")
    for _ in range(30):
        root = Packed(folder_in(store, root, 10).link, 1, 1)  # or the sums would be too large
    assert sum(map(len, store.values())) < 20_000
    with pytest.raises(Unreadable, match="more than 2,000 files and folders"):
        await save(store, root.link, tmp_path / "target", most=Most(entries=2_000))
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("chunk_size", [1000, 10_000])
async def test_so_are_more_bytes_than_are_wanted(tmp_path: Path, chunk_size: int) -> None:
    store = AtHand()
    root = folder_in(store, file_in(store, bytes(4000), chunk_size), 3)
    with pytest.raises(Unreadable, match="more than 11,999 bytes"):
        await save(store, root.link, tmp_path / "target", most=Most(size=11_999))
    assert names_in(tmp_path) == []
    got = await save(store, root.link, tmp_path / "target", most=Most(size=12_000, entries=4))
    assert got == Got(root.link, "folder", 12_000, 3)


async def test_a_name_of_many_bytes_is_no_trouble(tmp_path: Path) -> None:
    store = AtHand()
    target = tmp_path / ("\N{GRINNING FACE}" * 62)
    await save(store, file_in(store, b"x").link, target)
    assert names_in(tmp_path) == [target.name]


async def test_a_file_that_says_it_is_large_is_not_begun(tmp_path: Path) -> None:
    store = AtHand()
    root = file_in(store, bytes(4000))
    node = {root.link: store[root.link]}
    with pytest.raises(Unreadable, match="more than 3,999 bytes"):
        await save(AtHand(node), root.link, tmp_path / "target", most=Most(size=3_999))
    assert names_in(tmp_path) == []
