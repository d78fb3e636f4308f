"""A CAR is looked through as its bytes come; what it says is believed once it is seen."""

import hashlib
import re
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taijitu.actors import sections
from taijitu.actors.sections import BLOCK_SIZE_MAX, HEADER_SIZE_MAX, NoCar, Sections
from taijitu.ipld import varint
from taijitu.ipld.cid import DAG_PB, IDENTITY, Link, link_to, link_with
from taijitu.machines.contents import Tally
from taijitu.wire.sharded_index import Slice
from unit.actors.cars import BLOCKS, car_of, header, places, raw, section, version_2

NOTHING = Tally()


def seen(data: bytes, chunk: int = 100, tally: Tally = NOTHING) -> tuple[list[Slice], Tally]:
    """All that is found in a CAR, whose bytes come in chunks, from where they are wanted."""
    looked = Sections(len(data), tally)
    found: list[Slice] = []
    while not looked.is_over:
        assert looked.wants < looked.end, "nothing is left to come"
        found += looked.feed(data[looked.wants : min(looked.wants + chunk, looked.end)])
    if looked.flaw is not None:
        raise looked.flaw
    return found, looked.tally


def why(data: bytes, chunk: int = 100) -> str:
    with pytest.raises(NoCar) as refused:
        seen(data, chunk)
    return str(refused.value)


@settings(deadline=None)
@given(
    picked=st.lists(st.integers(0, len(BLOCKS) - 1), unique=True),
    roots=st.integers(0, 3),
    chunk=st.integers(1, 2_000),
    padding=st.none() | st.binary(max_size=300),
)
def test_every_block_is_found_however_its_bytes_come(
    picked: list[int], roots: int, chunk: int, padding: bytes | None
) -> None:
    blocks = [BLOCKS[number] for number in picked]
    data = car_of(*blocks, roots=[raw(each) for each in BLOCKS[:roots]])
    end = len(data)
    if padding is not None:
        data = version_2(data, padding, padding)
        end = len(data) - len(padding)

    found, tally = seen(data, chunk)

    assert found == places(data, blocks)
    assert tally == Tally(end, end, len(blocks), sum(map(len, blocks)), roots, 0)


@settings(deadline=None)
@given(at=st.integers(1, len(BLOCKS)), chunk=st.integers(1, 2_000))
def test_whoever_goes_on_finds_the_rest_and_no_more(at: int, chunk: int) -> None:
    data = car_of(*BLOCKS)
    whole, last = seen(data)
    first = Sections(len(data), NOTHING)
    found: list[Slice] = []
    while len(found) < at:
        found += first.feed(data[first.wants : first.wants + chunk])

    rest, tally = seen(data, chunk, first.tally)

    assert (found + rest, tally) == (whole, last)


@settings(deadline=None)
@given(end=st.integers(0, 1_000), chunk=st.integers(1, 300))
def test_a_car_that_is_cut_off_is_none(end: int, chunk: int) -> None:
    data = car_of(*BLOCKS[:5])
    borders = {offset + length for _, offset, length in places(data, BLOCKS[:5])}
    cut = data[: min(end, len(data))]
    if len(cut) in {len(header()), *borders}:
        seen(cut, chunk)
    else:
        assert why(cut, chunk)


@settings(deadline=None)
@given(at=st.integers(0, 2_000), chunk=st.integers(1, 3_000))
def test_a_byte_that_is_another_is_noticed(at: int, chunk: int) -> None:
    data = bytearray(car_of(*BLOCKS))
    for _, offset, length in places(bytes(data), BLOCKS):
        if offset <= at < offset + length:
            data[at] ^= 1
            assert "are not those that their link names" in why(bytes(data), chunk)


@settings(deadline=None)
@given(data=st.binary(min_size=1, max_size=200), chunk=st.integers(1, 100))
def test_any_bytes_are_a_car_or_refused(data: bytes, chunk: int) -> None:
    try:
        found, _ = seen(data, chunk)
    except NoCar:
        return
    for each in found:
        block = data[each.offset : each.offset + each.length]
        assert each.multihash in (raw(block).multihash, *by_other_hashes(block))


def by_other_hashes(block: bytes) -> Iterator[bytes]:
    for code, new in sections.HASHES.items():
        digest = new()
        digest.update(block)
        yield varint.encode(code) + varint.encode(digest.digest_size) + digest.digest()


def test_a_size_that_is_a_lie_is_noticed_before_anything_of_it_is_read() -> None:
    begin = car_of(BLOCKS[0])
    for lie in (2**40, 2**62, 10_000):
        looked = Sections(len(begin) + 9_000, NOTHING)
        assert len(looked.feed(begin + varint.encode(lie))) == 1
        assert f"{lie} bytes are announced, and " in str(looked.flaw)
    assert "announced" in why(varint.encode(2**62) + bytes(100))


def test_a_size_without_end_is_none() -> None:
    assert "no size follows" in why(header() + b"\xff" * 20)
    assert "no size follows" in why(header() + b"\x80\x00" + bytes(20), 1)
    assert "no size follows" in why(b"\xff" * 20, 1)


def test_nothing_cannot_be_announced() -> None:
    assert "nothing is announced" in why(header() + bytes(100))
    assert "nothing is announced" in why(bytes(100))
    assert why(b"") == "there are no bytes"


def test_a_million_roots_are_refused_unread() -> None:
    size = 41_000_015
    looked = Sections(size + 10, NOTHING)
    tracemalloc.start()
    try:
        looked.feed(varint.encode(size) + bytes(100))
        assert str(looked.flaw) == f"a header of {size} bytes: {HEADER_SIZE_MAX} at most"
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_header_may_come_in_many_pieces() -> None:
    roots = [raw(each) for each in BLOCKS] * 800
    found, tally = seen(car_of(BLOCKS[0], roots=roots), 4_000)
    assert (len(found), tally.roots) == (1, len(roots))


@pytest.mark.parametrize(
    "header_bytes",
    [b"\xa0", b"\x80", b"\xff", b"\xa2eroots\x80gversion\x02", b"\xa2eroots\x00gversion\x01"],
)
def test_what_has_no_header_is_no_car(header_bytes: bytes) -> None:
    assert "header" in why(varint.encode(len(header_bytes)) + header_bytes)


def test_a_root_need_not_be_there() -> None:
    _, tally = seen(car_of(BLOCKS[0], roots=[raw(b"elsewhere")]))
    assert (tally.roots, tally.blocks) == (1, 1)


def test_a_car_of_version_2_lies_within_its_bytes() -> None:
    honest = version_2(car_of(BLOCKS[0]))
    assert why(honest[:-1])
    assert why(honest[:40])
    inside_the_header = honest[:27] + (50).to_bytes(8, "little") + honest[35:]
    assert "cannot begin at 50" in why(inside_the_header)
    far = honest[:27] + (2**63).to_bytes(8, "little") + honest[35:]
    assert why(far)
    assert "header" in why(version_2(version_2(car_of(BLOCKS[0]))))
    assert why(version_2(b"")) == "there are no bytes in it"


@pytest.mark.parametrize(
    ("link", "block"),
    [
        (Link(raw(b"old").multihash), b"old"),
        (link_to(b"pb", DAG_PB), b"pb"),
        (link_with(raw(b"any codec").multihash, 0x300001), b"any codec"),
        (link_with(bytes((0x13, 64)) + hashlib.sha512(b"512").digest()), b"512"),
    ],
)
def test_links_of_every_kind_are_checked(link: Link, block: bytes) -> None:
    data = header() + section(link.data, block) + section(raw(b"last").data, b"last")
    for chunk in (1, 7, 1_000):
        found, _ = seen(data, chunk)
        assert [each.multihash for each in found] == [link.multihash, raw(b"last").multihash]
        assert data[found[0].offset :].startswith(block)
    assert "are not those" in why(header() + section(link.data, block[:-1] + b"!"))


def test_what_is_in_its_link_need_not_be_looked_up() -> None:
    inline = link_with(bytes((IDENTITY, 5)) + b"12345")
    found, tally = seen(header() + section(inline.data, b"12345"), 3)
    assert (found, tally.blocks, tally.left_out) == ([], 1, 0)


def test_what_nobody_can_check_is_left_out_unread() -> None:
    unknown = link_with(bytes((0x1E, 32)) + bytes(32))
    data = header() + section(unknown.data, bytes(50_000)) + section(raw(b"last").data, b"last")
    looked = Sections(len(data), NOTHING)
    assert looked.feed(data[:100]) == []
    assert looked.wants > 50_000, "the block is passed over"
    found, tally = seen(data)
    assert [each.multihash for each in found] == [raw(b"last").multihash]
    assert (tally.blocks, tally.left_out) == (2, 1)


def test_a_block_that_nobody_would_give_out_is_left_out_unread() -> None:
    large = section(raw(b"whatever").data, b"")[1:]
    announced = varint.encode(len(large) + BLOCK_SIZE_MAX + 1)
    looked = Sections(2 * BLOCK_SIZE_MAX, NOTHING)
    assert looked.feed(header() + announced + large + bytes(10)) == []
    assert looked.wants > BLOCK_SIZE_MAX
    assert looked.tally.left_out == 1


@pytest.mark.parametrize(
    "link",
    [
        b"\x02\x55\x12\x20" + bytes(32),
        b"\x01\x55\x12\x10" + bytes(32),
        b"\x01\x55" + b"\xff" * 32,
        b"\x01\x55\x00" + varint.encode(20_000) + bytes(20_000),
        b"\x01\x55\x00" + varint.encode(2**60) + bytes(32),
    ],
)
def test_a_link_that_is_none_is_refused(link: bytes) -> None:
    assert re.search("link|digest", why(header() + section(link, b"block"), 300))


def test_a_link_ends_within_its_section() -> None:
    for kept in (1, 3, 20, 35):
        cut = varint.encode(kept) + raw(b"x").data[:kept]
        assert "a link is longer" in why(header() + cut + section(raw(b"x").data, b"x"))
    inline = b"\x01\x55\x00\x14" + bytes(20)
    assert "a link is longer" in why(header() + varint.encode(10) + inline)


def test_there_are_so_many_blocks_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "BLOCKS_MAX", 5)
    assert len(seen(car_of(*BLOCKS[:5]))[0]) == 5
    assert why(car_of(*BLOCKS[:6])) == "there are more than 5 blocks"


def test_so_many_blocks_take_so_many_bytes() -> None:
    """Loose ones of a few bytes, and those that hang together in a chain."""
    loose = [b"%04d" % number for number in range(1_001)]
    assert len(seen(car_of(*loose[:1_000]))[0]) == 1_000
    assert why(car_of(*loose)) == "there are more than 1000 blocks"
    longer = [b"%023d" % number for number in range(2_000)]
    assert why(car_of(*longer)) == "there are more than 1875 blocks"
    chain = [b""]
    while len(chain) < 2_000:
        chain.append(raw(chain[-1]).data)
    assert len(seen(car_of(*chain), 10_000)[0]) == 2_000


def test_a_block_that_stands_there_twice_is_found_twice() -> None:
    found, _ = seen(car_of(BLOCKS[3], BLOCKS[3]))
    assert len(found) == 2
    assert found[0].multihash == found[1].multihash


def test_a_large_block_takes_no_more_memory_than_a_piece_of_it() -> None:
    piece, pieces = bytes(64 * 1024), 100
    digest = hashlib.sha256()
    for _ in range(pieces):
        digest.update(piece)
    link = b"\x01\x55\x12\x20" + digest.digest()
    size = len(piece) * pieces
    begin = header() + varint.encode(len(link) + size) + link
    looked = Sections(len(begin) + size, NOTHING)
    tracemalloc.start()
    try:
        looked.feed(begin)
        found = [each for _ in range(pieces) for each in looked.feed(piece)]
        assert tracemalloc.get_traced_memory()[1] < 4 * len(piece)
    finally:
        tracemalloc.stop()
    assert found == [Slice(link[2:], len(begin), size)]
    assert looked.is_over
