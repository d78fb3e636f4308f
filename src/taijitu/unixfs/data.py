"""The message within a DAG-PB block that says what the block is: UnixFS `Data`, version 1 and 1.5.

Law: `decode(encode(data)) == data`. Fields that we do not know are skipped, as protobuf wants it;
a field that stands twice, where it may stand once, is refused: no two readers may differ.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from taijitu.ipld import varint
from taijitu.ipld.dagpb import LINKS_MAX
from taijitu.unixfs.failures import InvalidUnixFS

NANOSECONDS_MAX: Final = 999_999_999
MODE_MAX: Final = 2**32 - 1
SECONDS_MIN: Final = -(2**63)
SECONDS_MAX: Final = 2**63 - 1
FIELDS_MAX: Final = 64
"""Fields of a message, apart from sizes of parts. Eight are known."""
TIME_SIZE_MAX: Final = 64
"""Bytes of a time. Those that are written have sixteen at most."""

_TYPE, _DATA, _FILESIZE, _BLOCKSIZES, _HASH_TYPE, _FANOUT, _MODE, _MTIME = range(1, 9)
_SECONDS, _NANOSECONDS = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONG_VARINT: Final = 10
"""Bytes of a negative number as protobuf writes it."""


class Kind(IntEnum):
    RAW = 0
    DIRECTORY = 1
    FILE = 2
    METADATA = 3
    SYMLINK = 4
    HAMT_SHARD = 5


class Time(NamedTuple):
    """Since 1970-01-01T00:00:00Z, or before it."""

    seconds: int
    nanoseconds: int = 0


class Data(NamedTuple):
    kind: Kind
    content: bytes = b""
    """Bytes of a file, target of a symlink, or bit field of a shard."""
    filesize: int | None = None
    """Bytes of the whole file."""
    blocksizes: tuple[int, ...] = ()
    """Bytes of the file behind each link."""
    hash_type: int | None = None
    fanout: int | None = None
    mode: int | None = None
    """Permissions, as `chmod` takes them, in the twelve lowest bits."""
    mtime: Time | None = None


def encode(data: Data) -> bytes:
    """The bytes of a message whose numbers are within their ranges. Raises `InvalidUnixFS`."""
    try:
        return _encode(data)
    except varint.VarintError as error:
        raise InvalidUnixFS(f"not encodable as UnixFS: {error}") from error


def decode(data: bytes) -> Data:
    """The message these bytes encode. Raises `InvalidUnixFS`."""
    try:
        return _decode(data)
    except varint.VarintError as error:
        raise InvalidUnixFS(f"not UnixFS: {error}") from error


def _encode(data: Data) -> bytes:
    parts = [b"\x08", varint.encode(data.kind)]
    if data.content:
        parts += (b"\x12", varint.encode(len(data.content)), data.content)
    if data.filesize is not None:
        parts += (b"\x18", varint.encode(data.filesize))
    last, written = -1, b""
    for size in data.blocksizes:
        if size != last:  # nearly all parts of a file are of one size
            last, written = size, b"\x20" + varint.encode(size)
        parts.append(written)
    for tag, number in ((b"\x28", data.hash_type), (b"\x30", data.fanout), (b"\x38", data.mode)):
        if number is not None:
            parts += (tag, varint.encode(number))
    if data.mode is not None and data.mode > MODE_MAX:
        raise InvalidUnixFS(f"a mode of {data.mode} does not fit into 32 bits")
    if data.mtime is not None:
        body = _encode_time(data.mtime)
        parts += (b"\x42", varint.encode(len(body)), body)
    return b"".join(parts)


def _encode_time(time: Time) -> bytes:
    if not (
        SECONDS_MIN <= time.seconds <= SECONDS_MAX and 0 <= time.nanoseconds <= NANOSECONDS_MAX
    ):
        raise InvalidUnixFS(f"not a time: {time}")
    number, out = time.seconds & (2**64 - 1), bytearray(b"\x08")
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    if time.nanoseconds:
        out += b"\x15" + time.nanoseconds.to_bytes(4, "little")
    return bytes(out)


def _decode(data: bytes) -> Data:
    numbers: dict[int, int] = {}
    texts: dict[int, bytes] = {}
    sizes: list[int] = []
    offset, end, fields = 0, len(data), 0
    while offset < end:
        tag = data[offset]
        if tag == _BLOCKSIZES << 3:
            size, offset = varint.decode(data, offset + 1)
            _add(sizes, size)
            continue
        fields += 1
        if fields > FIELDS_MAX:
            raise InvalidUnixFS(f"not UnixFS: a message of more than {FIELDS_MAX} fields")
        tag, offset = varint.decode(data, offset)
        field, kind = tag >> 3, tag & 7
        value, offset = _value(data, offset, kind)
        if field in _EXPECTED and kind == _EXPECTED[field]:
            known = numbers if isinstance(value, int) else texts
            if field in known:
                raise InvalidUnixFS(f"not UnixFS: field {field} stands twice")
            if isinstance(value, int):
                numbers[field] = value
            else:
                texts[field] = value
        elif field == _BLOCKSIZES and kind == _BYTES and isinstance(value, bytes):
            _add_packed(sizes, value)
        elif field <= _MTIME:
            raise InvalidUnixFS(f"not UnixFS: field {field} is of the wrong type")
    return _assembled(numbers, texts, sizes)


_EXPECTED: Final = {
    _TYPE: _VARINT,
    _DATA: _BYTES,
    _FILESIZE: _VARINT,
    _HASH_TYPE: _VARINT,
    _FANOUT: _VARINT,
    _MODE: _VARINT,
    _MTIME: _BYTES,
}


def _assembled(numbers: dict[int, int], texts: dict[int, bytes], sizes: list[int]) -> Data:
    kind = numbers.get(_TYPE)
    if kind is None or kind > Kind.HAMT_SHARD:
        raise InvalidUnixFS("not UnixFS: it does not say which type it is of")
    mode = numbers.get(_MODE)
    if mode is not None and mode > MODE_MAX:
        raise InvalidUnixFS(f"a mode of {mode} does not fit into 32 bits")
    return Data(
        Kind(kind),
        texts.get(_DATA, b""),
        numbers.get(_FILESIZE),
        tuple(sizes),
        numbers.get(_HASH_TYPE),
        numbers.get(_FANOUT),
        mode,
        _decode_time(texts[_MTIME]) if _MTIME in texts else None,
    )


def _value(data: bytes, offset: int, kind: int) -> tuple[int | bytes, int]:
    """The value of a field, and where the next one begins."""
    if kind == _VARINT:
        return varint.decode(data, offset)
    if kind == _BYTES:
        size, offset = varint.decode(data, offset)
    elif kind in (_FIXED32, _FIXED64):
        size = 4 if kind == _FIXED32 else 8
    else:
        raise InvalidUnixFS(f"not UnixFS: a field of type {kind}")
    if size > len(data) - offset:
        raise InvalidUnixFS("not UnixFS: the data ends inside a field")
    return data[offset : offset + size], offset + size


def _add_packed(sizes: list[int], data: bytes) -> None:
    """Numbers in a row, without a tag each: the other way to write a repeated field."""
    offset = 0
    while offset < len(data):
        number, offset = varint.decode(data, offset)
        _add(sizes, number)


def _add(sizes: list[int], size: int) -> None:
    if len(sizes) >= LINKS_MAX:
        raise InvalidUnixFS(f"a file of more than {LINKS_MAX} parts")
    sizes.append(size)


def _decode_time(data: bytes) -> Time:
    """Nanoseconds that are 0 need not be written; JavaScript writes them."""
    if len(data) > TIME_SIZE_MAX:
        raise InvalidUnixFS(f"not UnixFS: a time of {len(data)} bytes")
    seconds: int | None = None
    nanoseconds: int | None = None
    offset = 0
    while offset < len(data):
        tag, offset = varint.decode(data, offset)
        if tag == _SECONDS << 3 | _VARINT and seconds is None:
            seconds, offset = _signed(data, offset)
        else:
            value, offset = _value(data, offset, tag & 7)
            if tag == _NANOSECONDS << 3 | _FIXED32 and nanoseconds is None:
                nanoseconds = int.from_bytes(value, "little") if isinstance(value, bytes) else value
            elif tag >> 3 <= _NANOSECONDS:
                raise InvalidUnixFS("not UnixFS: a time with a field twice, or of a wrong type")
    if seconds is None:
        raise InvalidUnixFS("not UnixFS: a time without seconds")
    if nanoseconds is not None and nanoseconds > NANOSECONDS_MAX:
        raise InvalidUnixFS(f"not UnixFS: a time with {nanoseconds} nanoseconds")
    return Time(seconds, nanoseconds or 0)


def _signed(data: bytes, offset: int) -> tuple[int, int]:
    """A signed number of 64 bits: one that is negative takes ten bytes."""
    number = 0
    for index, byte in enumerate(data[offset : offset + _LONG_VARINT]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if number >= 2**64 or (byte == 0 and index):
                break
            return number - (number >> 63 << 64), offset + index + 1
    raise InvalidUnixFS("not UnixFS: a time whose seconds are no number of 64 bits")
