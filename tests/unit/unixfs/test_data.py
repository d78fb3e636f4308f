import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taijitu.ipld import varint
from taijitu.unixfs.data import Data, Kind, Time, decode, encode
from taijitu.unixfs.failures import InvalidUnixFS

numbers = st.integers(0, 2**63 - 1)
times = st.builds(Time, st.integers(-(2**63), 2**63 - 1), st.integers(0, 999_999_999))
messages = st.builds(
    Data,
    st.sampled_from(Kind),
    st.binary(max_size=300),
    st.none() | numbers,
    st.lists(numbers, max_size=5).map(tuple),
    st.none() | numbers,
    st.none() | numbers,
    st.none() | st.integers(0, 2**32 - 1),
    st.none() | times,
)


@settings(deadline=None)
@given(messages)
def test_a_message_is_read_as_it_was_written(data: Data) -> None:
    assert decode(encode(data)) == data


def test_messages_have_the_bytes_that_the_specification_shows() -> None:
    assert encode(Data(Kind.DIRECTORY)) == b"\x08\x01"
    assert encode(Data(Kind.FILE, b"hi", 2)) == b"\x08\x02\x12\x02hi\x18\x02"
    assert encode(Data(Kind.FILE, filesize=300, blocksizes=(256, 44))).hex() == (
        "0802" + "18ac02" + "208002" + "202c"
    )
    assert encode(Data(Kind.HAMT_SHARD, b"\x01", hash_type=0x22, fanout=256)).hex() == (
        "0805" + "120101" + "2822" + "308002"
    )
    assert encode(Data(Kind.FILE, mode=0o644, mtime=Time(-1, 5))).hex() == (
        "0802" + "38a403" + "4210" + "08ffffffffffffffffff01" + "1505000000"
    )


def test_sizes_in_one_row_are_the_same_sizes() -> None:
    assert decode(b"\x08\x02\x18\x05\x22\x02\x02\x03").blocksizes == (2, 3)
    assert decode(b"\x08\x02\x20\x01\x22\x01\x02\x20\x03").blocksizes == (1, 2, 3)


def test_fields_that_nobody_knows_are_skipped() -> None:
    unknown = b"\x48\x01" + b"\x52\x01x" + b"\x59" + bytes(8) + b"\x65" + bytes(4)
    assert decode(unknown + b"\x08\x01") == Data(Kind.DIRECTORY)
    assert decode(b"\x08\x01\x42\x04\x08\x05\x18\x01").mtime == Time(5)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "which type"),
        (b"\x08\x06", "which type"),
        (b"\x08\x01\x08\x01", "twice"),
        (b"\x08\x02\x12\x00\x12\x00", "twice"),
        (b"\x0a\x01x", "wrong type"),
        (b"\x08\x02\x10\x01", "wrong type"),
        (b"\x08\x02\x21" + bytes(8), "wrong type"),
        (b"\x08\x02\x12\x05four", "ends inside"),
        (b"\x08\x02\x4d\x00", "ends inside"),
        (b"\x08\x02\x13", "type 3"),
        (b"\x08\x81\x00", "longer than it needs"),
        (b"\x08\x02\x22\x01\x80", "ends inside"),
        (b"\x08\x02\x38\x80\x80\x80\x80\x10", "32 bits"),
        (b"\x08\x01\x42\x00", "without seconds"),
        (b"\x08\x01\x42\x04\x08\x01\x08\x01", "twice"),
        (b"\x08\x01\x42\x41\x08\x01" + b"\x18\x01" * 31 + b"\x18", "a time of 65 bytes"),
        (b"\x08\x01\x42\x07\x08\x01\x15\x00\xca\x9a\x3b", "1000000000 nanoseconds"),
        (b"\x08\x01\x42\x04\x08\x01\x10\x01", "wrong type"),
        (b"\x08\x01\x42\x0b\x08" + b"\xff" * 9 + b"\x02", "64 bits"),
        (b"\x08\x01\x42\x03\x08\x80\x00", "64 bits"),
        (b"\x08\x01\x42\x02\x08\x80", "64 bits"),
    ],
)
def test_what_is_malformed_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(InvalidUnixFS, match=why):
        decode(data)


def test_a_time_on_the_second_may_say_so() -> None:
    """As the `ipfs-unixfs` package writes a file with the time `{secs: 5n, nsecs: 0}`."""
    written = bytes.fromhex("080212026869180242070805" + "1500000000")
    assert decode(written) == Data(Kind.FILE, b"hi", 2, mtime=Time(5))


def calls_of(name: str, work: Callable[[], object]) -> int:
    """How often something called so is called meanwhile."""
    count = 0

    def look(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_name == name

    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "sizes",
    [
        b"\x20\x00" * 200_000,
        b"\x22" + varint.encode(200_000) + bytes(200_000),
        b"\x20\x00" * 99_999 + b"\x22\x7f" + bytes(127),
    ],
)
def test_a_file_has_so_many_parts_and_no_more_are_read(sizes: bytes) -> None:
    def read() -> None:
        with pytest.raises(InvalidUnixFS, match="more than 100000 parts"):
            decode(b"\x08\x02" + sizes)

    assert calls_of("_add", read) == 100_001


@pytest.mark.parametrize("field", [b"\x48\x00", b"\x52\x00", b"\x22\x00"])
def test_a_message_has_so_many_fields_and_no_more_are_read(field: bytes) -> None:
    assert decode(b"\x08\x02" + field * 63).kind is Kind.FILE

    def read() -> None:
        with pytest.raises(InvalidUnixFS, match="more than 64 fields"):
            decode(b"\x08\x02" + field * 10_000)

    assert calls_of("_value", read) == 64


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        said = decode(data)
    except InvalidUnixFS:
        return
    assert decode(encode(said)) == said


@pytest.mark.parametrize(
    "data",
    [
        Data(Kind.FILE, mode=2**32),
        Data(Kind.FILE, filesize=-1),
        Data(Kind.FILE, mtime=Time(2**63)),
        Data(Kind.FILE, mtime=Time(0, 10**9)),
    ],
)
def test_numbers_out_of_range_are_not_written(data: Data) -> None:
    with pytest.raises(InvalidUnixFS):
        encode(data)
