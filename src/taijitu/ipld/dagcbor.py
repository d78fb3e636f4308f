"""DAG-CBOR, strict in both directions (https://ipld.io/specs/codecs/dag-cbor/spec/).

Law: `encode(decode(data)) == data` for every `data` that `decode` accepts, so one value has one
CID. Links are `Link`, byte strings are `bytes`, and neither ever becomes the other.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from cbrrr import _cbrrr  # its public functions are these two, one call further away

from taijitu.ipld.cid import Link

NESTING_MAX: Final = 128
"""Levels of lists and maps inside each other. The codec itself would take 100,000."""
REASON_LENGTH_MAX: Final = 200
"""Characters that we pass on of what the codec says."""
SHORT_SIZE_MAX: Final = 65_536
"""Bytes. Longer blocks are always scanned, whatever they contain."""

_codec = cast(Any, _cbrrr)
_write = cast("Callable[[object, type[Link], bool], bytes]", _codec.encode_dag_cbor)
_read = cast("Callable[[bytes, type[Link], bool], tuple[Any, int]]", _codec.decode_dag_cbor)

_NOT_CONTAINERS: Final = bytes((*range(0x80), *range(0xC0, 0x100)))
"""Every byte that cannot begin a list (0x80 … 0x9f) or a map (0xa0 … 0xbf)."""


class EncodeError(ValueError):
    """This value has no DAG-CBOR encoding."""


class DecodeError(ValueError):
    """These bytes are not DAG-CBOR."""


def encode(value: object) -> bytes:
    """The one encoding of `value`.

    Takes dict (with text keys), list, str, bytes, int (-2**64 … 2**64 - 1), finite float, bool,
    None and `Link`, exactly these and no subclasses. Raises `EncodeError`.
    """
    _check_nesting((value,), NESTING_MAX + 1)
    return encode_own(value)


def encode_own(value: object) -> bytes:
    """As `encode`, for a value that we built ourselves: it is known to be shallow, and so the
    walk that looks for depth is left out. Never for what came from outside."""
    try:
        return _write(value, Link, False)
    except (TypeError, ValueError, MemoryError, SystemError) as error:
        # A SystemError is how the codec reports a map key that is not valid text.
        raise EncodeError(f"not encodable as DAG-CBOR: {_reason(error)}") from error


def decode(data: bytes) -> Any:
    """The value these bytes encode, all of them, links as `Link`.

    Raises `DecodeError` for anything that is not the canonical encoding: long integers, short
    floats, NaN, infinities, undefined, other tags, indefinite lengths, unsorted or repeated
    keys, text that is not UTF-8, malformed links, trailing bytes, deep nesting.
    """
    # Each level of nesting needs one byte that begins a container. Fewer such bytes than levels
    # allowed, anywhere in the block, and there is nothing to count.
    if len(data) > SHORT_SIZE_MAX or len(data.translate(None, _NOT_CONTAINERS)) > NESTING_MAX:
        _scan(data)
    try:
        value, size = _read(data, Link, False)
    except (TypeError, ValueError, MemoryError) as error:
        raise DecodeError(f"not DAG-CBOR: {_reason(error)}") from error
    if size != len(data):
        raise DecodeError(f"not DAG-CBOR: {len(data) - size} bytes follow the value")
    return value


def _reason(error: Exception) -> str:
    """What the codec says, which may quote a whole key."""
    return str(error)[:REASON_LENGTH_MAX]


def _check_nesting(container: Iterable[object], levels_left: int) -> None:
    """Refuse what is too deep, or contains itself: the codec would never end."""
    if levels_left == 0:
        raise EncodeError(f"nested deeper than {NESTING_MAX} levels")
    for item in container:
        kind = item.__class__
        if kind is dict:
            _check_nesting(cast("dict[str, object]", item).values(), levels_left - 1)
        elif kind is list:
            _check_nesting(cast("list[object]", item), levels_left - 1)


def _scan(data: bytes) -> None:
    """Walk over the heads alone, building nothing.

    Checks the nesting, and that no list or map announces more items than bytes are left: the
    codec makes room for a list before it reads it, and lists in lists would multiply that.
    """
    open_items: list[int] = []
    pending, offset, end = 1, 0, len(data)
    while True:
        while pending == 0:
            if not open_items:
                return
            pending = open_items.pop()
        if offset >= end:
            raise DecodeError("not DAG-CBOR: the data ends inside a value")
        pending -= 1
        head = data[offset]
        major, argument = head >> 5, head & 0x1F
        offset += 1
        if argument >= 24:
            if argument > 27:
                raise DecodeError(f"not DAG-CBOR: a head byte of {head:#04x}")
            width = 1 << (argument - 24)
            argument = int.from_bytes(data[offset : offset + width], "big")
            offset += width
        if major in (2, 3):
            offset += argument
        elif major in (4, 5):
            items = argument if major == 4 else 2 * argument
            if items + pending > end - offset:
                raise DecodeError("not DAG-CBOR: more items announced than there are bytes")
            open_items.append(pending)
            if len(open_items) > NESTING_MAX:
                raise DecodeError(f"nested deeper than {NESTING_MAX} levels")
            pending = items
        elif major == 6:
            pending += 1
