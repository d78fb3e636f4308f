from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.walking import Store, answers, bytes_at, file_at, held_until
from taijitu.ipld.cid import IDENTITY, RAW, Link, link_with
from taijitu.unixfs import content
from taijitu.unixfs.content import DEPTH_MAX, Piece, pieces
from taijitu.unixfs.data import Data, Kind
from taijitu.unixfs.failures import InvalidUnixFS, OverLimit
from taijitu.unixfs.file import CHUNK_SIZE, WIDTH, FilePacker
from unit.unixfs import hostile


def packed(
    store: Store, data: bytes, sizes: Sequence[int] = (), chunk: int = 4, width: int = 3
) -> Link:
    """A file, fed in pieces of these sizes, over and over."""
    packer, at, turn = FilePacker(chunk, width), 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)] if sizes else len(data)
        store.keep_all(packer.feed(data[at : at + size]))
        at, turn = at + size, turn + 1
    store.keep_all(packer.end())
    assert packer.root.size == len(data)
    return packer.root.link


CONTENT = bytes(range(256)) * 2
sizes = st.lists(st.integers(1, 30), min_size=1, max_size=5)


@settings(deadline=None)
@given(st.binary(max_size=400), sizes, st.integers(1, 9), st.integers(2, 5))
def test_a_file_is_read_as_it_was_packed_however_it_was_fed(
    data: bytes, sizes: list[int], chunk: int, width: int
) -> None:
    store = Store()
    root = packed(store, data, sizes, chunk, width)
    assert bytes_at(root, store) == data
    assert packed(Store(), data, (), chunk, width) == root


@settings(deadline=None)
@given(st.integers(0, 600), st.integers(0, 600))
def test_any_range_is_read_from_the_blocks_that_hold_it(start: int, stop: int) -> None:
    store = Store()
    root = packed(store, CONTENT)
    store.asked.clear()
    assert bytes_at(root, store, start, stop) == CONTENT[start:stop]
    leaves = [link for link in store.asked if link.codec == RAW]
    touched = range(start // 4, (min(stop, len(CONTENT)) + 3) // 4) if start < stop else range(0)
    assert len(leaves) == len(touched)
    assert len(store.asked) - len(leaves) <= 2 * 5 + len(leaves)  # nodes: both edges, five deep


def test_the_last_bytes_of_a_large_file_take_one_block_a_level() -> None:
    store = Store()
    root = packed(store, CONTENT)
    store.asked.clear()
    assert bytes_at(root, store, 511) == CONTENT[511:]
    assert len(store.asked) == 6


@pytest.mark.parametrize("writable", [bytearray, lambda data: memoryview(bytearray(data))])
def test_whoever_feeds_may_write_into_the_buffer_again(writable: type[bytearray]) -> None:
    store, packer = Store(), FilePacker(4, 3)
    given_bytes = writable(b"abcdefghij")
    blocks = packer.feed(given_bytes)
    given_bytes[:] = b"-" * 10
    store.keep_all(blocks)
    store.keep_all(packer.end())
    assert bytes_at(packer.root.link, store) == b"abcdefghij"


def test_a_chunk_that_comes_as_one_is_not_copied() -> None:
    data = bytes(CHUNK_SIZE)
    [block] = FilePacker().feed(data)
    assert block.data is data
    [one, other] = FilePacker().feed(data + data)
    assert isinstance(one.data, memoryview)
    assert one == other


def test_nothing_is_held_but_a_chunk_and_a_row_a_level() -> None:
    packer = FilePacker(1, 4)
    for at in range(1000):
        packer.feed(bytes((at & 255,)))
        assert sum(len(row) for row in packer._rows) <= 4 * len(packer._rows)
        assert len(packer._rows) <= 5


@pytest.mark.parametrize(("leaves", "blocks"), [(1, 1), (2, 3), (1024, 1025), (1025, 1028)])
def test_a_node_has_no_more_than_1024_children(leaves: int, blocks: int) -> None:
    packer, count = FilePacker(1, WIDTH), 0
    count += len(packer.feed(bytes(leaves)))
    assert count + len(packer.end()) == blocks


def test_an_empty_file_is_an_empty_leaf() -> None:
    packer = FilePacker()
    assert packer.feed(b"") == []
    [block] = packer.end()
    assert str(block.link) == "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    assert packer.root == (block.link, 0, 0)


def test_a_packer_is_used_once() -> None:
    packer = FilePacker()
    with pytest.raises(RuntimeError, match="not ended"):
        assert packer.root
    packer.end()
    with pytest.raises(RuntimeError, match="has ended"):
        packer.end()
    with pytest.raises(RuntimeError, match="has ended"):
        packer.feed(b"")
    for chunk, width in ((0, 3), (1, 1)):
        with pytest.raises(ValueError, match="at least"):
            FilePacker(chunk, width)


def test_bytes_stand_in_nodes_and_before_parts_too() -> None:
    store = Store()
    inner = hostile.file(store, [(hostile.leaf(store, b"cd"), 2)], content=b"b")
    old = hostile.node(store, Data(Kind.RAW, b"e", 1))
    root = hostile.file(store, [(inner, 3), (old, 1), (hostile.leaf(store, b""), 0)], content=b"a")
    for start in range(6):
        for stop in range(7):
            assert bytes_at(root, store, start, stop) == b"abcde"[start:stop]


def test_a_part_that_its_link_carries_is_not_asked_for() -> None:
    store = Store()
    carried = link_with(bytes((IDENTITY, 2)) + b"hi", RAW)
    root = hostile.file(store, [(carried, 2)])
    store.asked.clear()
    assert bytes_at(root, store) == b"hi"
    assert store.asked == [root]
    long = link_with(bytes((IDENTITY, 0x81, 1)) + bytes(129), RAW)
    with pytest.raises(InvalidUnixFS, match="carries a block of 129 bytes"):
        bytes_at(hostile.file(store, [(long, 129)]), store)


def test_parts_without_bytes_are_not_looked_at() -> None:
    store = Store()
    missing = hostile.leaf(Store(), b"nowhere")
    root = hostile.file(store, [(missing, 0), (hostile.leaf(store, b"a"), 1), (missing, 0)])
    assert bytes_at(root, store) == b"a"


@pytest.mark.parametrize("said", [1, 3, 2**60])
def test_a_leaf_of_another_size_ends_the_walk(said: int) -> None:
    store = Store()
    root = hostile.file(store, [(hostile.leaf(store, b"ab"), said)])
    with pytest.raises(InvalidUnixFS, match=f"has {said} bytes, and it has 2"):
        bytes_at(root, store)


@pytest.mark.parametrize("said", [1, 3])
def test_a_node_of_another_size_ends_the_walk(said: int) -> None:
    store = Store()
    inner = hostile.file(store, [(hostile.leaf(store, b"ab"), 2)])
    with pytest.raises(InvalidUnixFS, match=f"has {said} bytes, and it has 2"):
        bytes_at(hostile.file(store, [(inner, said)]), store)


def test_a_directory_is_no_part_of_a_file() -> None:
    store = Store()
    with pytest.raises(InvalidUnixFS, match="is no file"):
        bytes_at(hostile.file(store, [(hostile.directory(store, []), 1)]), store)


def tower(store: Store, levels: int, parts: int = 1) -> Link:
    """A file of one byte to the power of `parts`, `levels` nodes high, of as many blocks."""
    link, size = hostile.leaf(store, b"x"), 1
    for _ in range(levels):
        link, size = hostile.file(store, [(link, size)] * parts), size * parts
    return link


def test_a_file_may_be_so_deep_and_no_deeper() -> None:
    store = Store()
    assert bytes_at(tower(store, DEPTH_MAX), store) == b"x"
    with pytest.raises(OverLimit, match="more than 32 nodes"):
        bytes_at(tower(store, DEPTH_MAX + 1), store)


def test_a_file_may_not_have_absurdly_many_parts_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "OPEN_PARTS_MAX", 100)
    store = Store()
    empty = hostile.leaf(store, b"")
    wide, size = hostile.leaf(store, b"x"), 1
    for _ in range(2):
        wide = hostile.file(store, [(wide, size)] + [(empty, 0)] * 49)
    assert bytes_at(wide, store) == b"x"
    with pytest.raises(OverLimit, match="more than 100 parts"):
        bytes_at(hostile.file(store, [(wide, size)]), store)


def test_that_counts_for_a_single_node_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "OPEN_PARTS_MAX", 100)
    store = Store()
    with pytest.raises(OverLimit, match="more than 100 parts"):
        bytes_at(hostile.file(store, [(hostile.leaf(store, b"x"), 1)] * 101), store)


def test_a_walk_holds_no_content_of_the_nodes_on_its_way() -> None:
    store, size = Store(), 100_000
    link, total = hostile.leaf(store, b"x"), 1
    for level in range(31):
        more = bytes((level,)) * size
        link, total = hostile.file(store, [(link, total)], content=more), total + size
    stream = pieces(file_at(link, store), total - 1)
    assert held_until(Piece, stream, store) < 8 * size


def test_a_file_of_an_exbibyte_in_seven_blocks_is_read_anywhere_at_once() -> None:
    store = Store()
    root = tower(store, 6, 1024)
    store.asked.clear()
    file = file_at(root, store)
    assert file.size == 2**60
    [piece] = answers(pieces(file, 2**59, 2**59 + 1), store)
    assert isinstance(piece, Piece)
    assert (piece.start, piece.stop, piece.size) == (0, 1, 1)
    assert len(store.asked) == 6
