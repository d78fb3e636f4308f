"""Goal: blocks in a row become CARs of a limited size, with nothing lost and everything where it is
said to be, also where the root drives blocks out of the last one."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taijitu.ipld import car
from taijitu.ipld.cid import RAW, Link, link_to, multihash
from taijitu.wire.shards import (
    NO_ROOTS,
    Cut,
    Sharder,
    TooLarge,
    section_head,
)

ROOT_HEAD = len(car.encode([link_to(b"", RAW)], []))


def cars_of(blocks: list[bytes], size_max: int | None, root: Link) -> list[tuple[bytes, Cut]]:
    """The shards of these blocks, written out."""
    sharder, made = Sharder(size_max), list[tuple[bytes, Cut]]()
    sections = b""
    for block in blocks:
        link = link_to(block, RAW)
        if not sharder.has_room(link, len(block)):
            cut = sharder.cut()
            made.append((cut.head + sections[cut.start : cut.stop], cut))
            sections = b""
        sections += sharder.add(link, len(block)) + block
    return made + [(cut.head + sections[cut.start : cut.stop], cut) for cut in sharder.end(root)]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=30),
    st.one_of(st.none(), st.integers(600, 2000)),
)
def test_shards_hold_all_blocks_in_order_where_they_are_said_to_be(
    sizes: list[int], size_max: int | None
) -> None:
    blocks = [bytes((number,)) * size for number, size in enumerate(sizes)]
    root = link_to(blocks[-1], RAW)
    made = cars_of(blocks, size_max, root)
    found: list[bytes] = []
    for data, cut in made:
        assert cut.size == len(data)
        assert size_max is None or len(data) <= size_max
        archive = car.decode(data)
        for block in archive.blocks.values():
            offset, length = cut.slices[multihash(block)]
            assert data[offset : offset + length] == block
        assert len(cut.slices) == len(archive.blocks)
        found += archive.blocks.values()
    assert list(dict.fromkeys(found)) == list(dict.fromkeys(blocks))
    roots = [car.decode(data).roots for data, _ in made]
    assert roots == [()] * (len(made) - 1) + [(root,)]


def test_a_shard_is_as_full_as_it_can_be() -> None:
    block = os.urandom(100)
    link = link_to(block, RAW)
    full = len(NO_ROOTS) + 2 * (len(section_head(link, 100)) + 100)
    for size_max, count in ((full, 2), (full - 1, 1)):
        sharder = Sharder(size_max)
        for _ in range(count):
            assert sharder.has_room(link, 100)
            sharder.add(link, 100)
        assert not sharder.has_room(link, 100)


def test_the_root_drives_the_last_block_into_a_shard_of_its_own() -> None:
    blocks = [b"a" * 100, b"b" * 100]
    whole = len(NO_ROOTS) + 2 * (len(section_head(link_to(b"", RAW), 100)) + 100)
    root = link_to(blocks[-1], RAW)
    for size_max, counts in ((whole + ROOT_HEAD - len(NO_ROOTS), [2]), (whole, [1, 1])):
        made = cars_of(blocks, size_max, root)
        assert [len(car.decode(data).blocks) for data, _ in made] == counts


def test_what_fits_into_no_shard_is_refused() -> None:
    link, small = link_to(b"x", RAW), len(NO_ROOTS) + 150
    with pytest.raises(TooLarge, match="does not fit into a shard"):
        Sharder(small).has_room(link, 150)
    sharder = Sharder(small)
    sharder.add(link, 110)
    with pytest.raises(TooLarge, match="the root"):
        sharder.end(link)
    with pytest.raises(ValueError, match="no block"):
        Sharder().end(link)
