"""DAG-PB: links with names and sizes, and bytes (https://ipld.io/specs/codecs/dag-pb/spec/).

Law: what `encode` writes has one form: links before data, in the order of their names' bytes.
`decode` takes the fields of a node in either order, because both exist, and links in any, because
that order means something; it takes nothing else that is not canonical.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from taijitu.ipld import varint
from taijitu.ipld.car import BLOCK_SIZE_MAX
from taijitu.ipld.cid import InvalidLink, Link

LINKS_MAX: Final = 100_000
"""Links of a node that is read. With names and hashes of a common length that many do not fit."""

_DATA: Final = 0x0A
_LINK: Final = 0x12
_HASH: Final = 0x0A
_NAME: Final = 0x12
_SIZE: Final = 0x18
_COMMON_HASH: Final = b"\x0a\x24"
"""A link of 36 bytes: version 1 with sha2-256, as nearly all are."""
_COMMON_HASH_END: Final = 38

_LENGTHS: Final = tuple(bytes((length,)) for length in range(0x80))


class EncodeError(ValueError):
    """This node has no DAG-PB encoding."""


class DecodeError(ValueError):
    """These bytes are not DAG-PB."""


class PbLink(NamedTuple):
    link: Link
    name: bytes | None = None
    """As it stands there: UTF-8 by the specification, and not always in the world."""
    size: int | None = None
    """Bytes of all blocks below, that one included. A claim that nobody has checked."""


class PbNode(NamedTuple):
    links: Sequence[PbLink] = ()
    data: bytes | None = None


def encode(node: PbNode) -> bytes:
    """The bytes of a node, its links sorted by name and otherwise in the order given.

    Raises `EncodeError` for a size that is negative or does not fit into 63 bits.
    """
    parts: list[bytes] = []
    try:
        for each in sorted(node.links, key=_name):
            body = _link_body(each)
            parts += (b"\x12", _length(len(body)), body)
    except varint.VarintError as error:
        raise EncodeError(f"not encodable as DAG-PB: {error}") from error
    if node.data is not None:
        parts += (b"\x0a", _length(len(node.data)), node.data)
    return b"".join(parts)


def decode(data: bytes) -> PbNode:
    """The node these bytes encode, its links in the order in which they stand.

    Raises `DecodeError` for too many bytes or links, unknown, repeated or disordered fields, links
    on both sides of the data, a link without a hash or with one that is none, numbers longer than
    need be, and what ends early.
    """
    if len(data) > BLOCK_SIZE_MAX:
        raise DecodeError(f"a DAG-PB block of {len(data)} bytes is over the limit")
    try:
        return _node(data)
    except (varint.VarintError, InvalidLink) as error:
        raise DecodeError(f"not DAG-PB: {error}") from error


def _name(link: PbLink) -> bytes:
    return link.name or b""


def _length(number: int) -> bytes:
    return _LENGTHS[number] if number < 0x80 else varint.encode(number)


def _link_body(each: PbLink) -> bytes:
    link, name, size = each
    body = b"\x0a" + _length(len(link.data)) + link.data
    if name is not None:
        body += b"\x12" + _length(len(name)) + name
    if size is not None:
        body += b"\x18" + varint.encode(size)
    return body


def _node(data: bytes) -> PbNode:
    links: list[PbLink] = []
    content: bytes | None = None
    closed = False
    offset, end = 0, len(data)
    while offset < end:
        field = data[offset]
        begin, offset = _section(data, offset + 1, end)
        if field == _LINK:
            if closed:
                raise DecodeError("not DAG-PB: links on both sides of the data")
            links.append(_link(data, begin, offset))
            if len(links) > LINKS_MAX:
                raise DecodeError(f"a DAG-PB node of more than {LINKS_MAX} links")
        elif field == _DATA:
            if content is not None:
                raise DecodeError("not DAG-PB: data twice in a node")
            content = data[begin:offset]
            closed = bool(links)
        else:
            raise DecodeError(f"not DAG-PB: a node has no field {field:#04x}")
    return PbNode(links, content)


def _section(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """Where the bytes begin and end whose length stands at `offset`."""
    if offset < end and data[offset] < 0x80:
        size, begin = data[offset], offset + 1
    else:
        size, begin = varint.decode(data, offset)
    if begin + size > end:
        raise DecodeError("not DAG-PB: the data ends inside a field")
    return begin, begin + size


def _link(data: bytes, offset: int, end: int) -> PbLink:
    if data.startswith(_COMMON_HASH, offset) and end - offset >= _COMMON_HASH_END:
        begin, offset = offset + 2, offset + _COMMON_HASH_END
    elif offset < end and data[offset] == _HASH:
        begin, offset = _section(data, offset + 1, end)
    else:
        raise DecodeError("not DAG-PB: a link does not begin with its hash")
    link = Link(data[begin:offset])
    name: bytes | None = None
    size: int | None = None
    if offset < end and data[offset] == _NAME:
        begin, offset = _section(data, offset + 1, end)
        name = data[begin:offset]
    if offset < end and data[offset] == _SIZE:
        size, offset = varint.decode(data, offset + 1)
    if offset != end:
        raise DecodeError("not DAG-PB: a link has a field that is unknown, repeated or cut off")
    return PbLink(link, name, size)
