"""Slices are held against bytes as they come, each byte read as often as it is named."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taijitu.actors.slices import GAP_MAX, Check, Mismatch, can_be_checked, check_empty, runs
from taijitu.ipld import varint
from taijitu.ipld.cid import IDENTITY, multihash
from taijitu.wire.sharded_index import Slice

BYTES = bytes(range(256)) * 4


def piece(offset: int, length: int) -> Slice:
    return Slice(multihash(BYTES[offset : offset + length]), offset, length)


def fed(row: list[Slice], data: bytes, chunk: int) -> list[Slice]:
    """What passes, of bytes that come in chunks from the row's first offset on."""
    check = Check(row)
    wanted = data[check.start : check.start + check.length]
    passed: list[Slice] = []
    for at in range(0, len(wanted), chunk):
        passed += check.feed(wanted[at : at + chunk])
    assert check.is_over == (passed == row)
    return passed


pieces = st.builds(piece, st.integers(0, len(BYTES) - 20), st.integers(1, 20))


@given(slices=st.lists(pieces, max_size=30, unique=True), chunk=st.integers(1, 300))
def test_true_slices_pass_whatever_they_overlap_and_however_bytes_come(
    slices: list[Slice], chunk: int
) -> None:
    rows = runs(slices)
    assert sorted(each for row in rows for each in row) == sorted(slices)
    for row in rows:
        for one, two in pairwise(row):
            assert one.offset + one.length <= two.offset
        assert fed(row, BYTES, chunk) == row


@given(slices=st.lists(pieces, min_size=1, max_size=9, unique=True), at=st.data())
def test_a_byte_that_is_another_is_noticed_in_every_slice_that_holds_it(
    slices: list[Slice], at: st.DataObject
) -> None:
    wrong = at.draw(st.sampled_from(slices))
    broken = bytearray(BYTES)
    broken[at.draw(st.integers(wrong.offset, wrong.offset + wrong.length - 1))] ^= 1
    (row,) = (row for row in runs(slices) if wrong in row)
    with pytest.raises(Mismatch) as found:
        fed(row, bytes(broken), 7)
    assert found.value.wrong in row


def test_slices_that_follow_one_another_are_read_in_one_go() -> None:
    assert len(runs([piece(at, 10) for at in range(0, 1000, 10)])) == 1
    assert len(runs([Slice(b"a", 0, 10), Slice(b"b", 10 + GAP_MAX, 10)])) == 1
    assert len(runs([Slice(b"a", 0, 10), Slice(b"b", 11 + GAP_MAX, 10)])) == 2
    assert runs([]) == []


def test_as_many_rows_as_slices_lie_over_one_another() -> None:
    assert len(runs([Slice(bytes([at]), at, 10) for at in range(100)])) == 10
    assert len(runs([Slice(bytes([at]), 0, 10) for at in range(100)])) == 100


def test_bytes_that_end_too_early_leave_a_check_open() -> None:
    check = Check([piece(0, 10), piece(10, 10)])
    assert check.feed(BYTES[:19]) == [piece(0, 10)]
    assert not check.is_over
    assert check.feed(b"") == []


HASHED = {
    0x12: hashlib.sha256,
    0x13: hashlib.sha512,
    0x14: hashlib.sha3_512,
    0x16: hashlib.sha3_256,
    0xB220: lambda data: hashlib.blake2b(data, digest_size=32),
}


def named(code: int, digest: bytes) -> bytes:
    return varint.encode(code) + varint.encode(len(digest)) + digest


@pytest.mark.parametrize("code", HASHED)
def test_every_hash_that_is_known_is_checked(code: int) -> None:
    digest = HASHED[code](BYTES[:10]).digest()
    assert can_be_checked(named(code, digest))
    right = Slice(named(code, digest), 0, 10)
    assert fed([right], BYTES, 3) == [right]
    with pytest.raises(Mismatch):
        fed([right], BYTES[1:], 3)


def test_a_digest_with_something_before_it_is_not_that_digest() -> None:
    digest = b"more" + hashlib.sha512(BYTES[:10]).digest()
    with pytest.raises(Mismatch):
        fed([Slice(named(0x13, digest), 0, 10)], BYTES, 10)


def test_hashes_that_nobody_knows_are_not_checked() -> None:
    assert not can_be_checked(named(IDENTITY, b"inside"))
    assert not can_be_checked(named(0x1E, bytes(32)))


def test_a_slice_of_nothing_has_the_hash_of_nothing() -> None:
    check_empty(Slice(multihash(b""), 5, 0))
    with pytest.raises(Mismatch):
        check_empty(Slice(multihash(b"x"), 5, 0))
