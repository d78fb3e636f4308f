"""CAR archives: some roots, and blocks under their links (https://ipld.io/specs/transport/car/).

Law: a block that comes out of `decode` is the block its link names. Every digest is checked,
because everything above this file believes a link.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, cast

from taijitu.ipld import dagcbor, varint
from taijitu.ipld.cid import DAG_CBOR, IDENTITY, RAW, SHA2_256, InvalidLink, Link

_COMMON: Final = tuple(bytes((1, codec, SHA2_256, 32)) for codec in (DAG_CBOR, RAW))
_COMMON_SIZE: Final = 36
_V0_PREFIX: Final = bytes((SHA2_256, 32))
_V0_SIZE: Final = 34

# The header of nearly every archive: one root, and that a common link.
_ONE_ROOT: Final = bytes.fromhex("a2 65726f6f7473 81 d82a 5825 00")
_ONE_ROOT_END: Final = bytes.fromhex("67 76657273696f6e 01")
_ONE_ROOT_SIZE: Final = len(_ONE_ROOT) + _COMMON_SIZE + len(_ONE_ROOT_END)

BLOCK_SIZE_MAX: Final = 4 * 1024 * 1024
"""Bytes of a block that is read. Others exchange no larger ones than half of that."""

V2_PRAGMA: Final = bytes.fromhex("0aa16776657273696f6e02")
V2_SIZE: Final = len(V2_PRAGMA) + 40
"""Bytes before which a version 2 archive says where the version 1 archive in it lies."""


class CarError(ValueError):
    """These bytes are not a CAR we accept; the text says why."""


class BlockTooLarge(CarError):
    """A block of more bytes than we are ready to read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a CAR we are ready to read."""

    size_max: int = 64 * 1024 * 1024
    """Bytes of the whole archive."""
    blocks_max: int = 65_536
    """Blocks, repeated ones included."""
    block_size_max: int = BLOCK_SIZE_MAX
    """Bytes of one block."""
    roots_max: int = 1_024


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Car:
    """What an archive holds: its roots as listed, its blocks in order of appearance."""

    roots: tuple[Link, ...]
    blocks: dict[Link, bytes]


def encode(roots: Sequence[Link], blocks: Iterable[tuple[Link, bytes]]) -> bytes:
    """A version 1 archive: the blocks in the order given, each link once (its first bytes).

    Raises `dagcbor.EncodeError` if a root is not a link. The blocks are trusted.
    """
    header = dagcbor.encode({"roots": list(roots), "version": 1})
    parts = [varint.encode(len(header)), header]
    seen: set[bytes] = set()
    for link, block in blocks:
        name = link.data
        if name in seen:
            continue
        seen.add(name)
        parts += (varint.encode(len(name) + len(block)), name, block)
    return b"".join(parts)


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Car:
    """The roots and the blocks of a CAR of version 1, or of a version 2 around one.

    A root need not be among the blocks. Raises `CarError` for what is truncated, malformed,
    over a limit, hashed by anything but sha2-256 or identity, or not what its link says.
    """
    if len(data) > limits.size_max:
        raise CarError(f"a CAR of {len(data)} bytes is over the limit of {limits.size_max}")
    if data.startswith(V2_PRAGMA):
        start, end = inside_version_2(data[:V2_SIZE], len(data))
        data = data[start:end]
    offset, end = _section(data, 0)
    roots = roots_in(data[offset:end], limits)
    blocks: dict[Link, bytes] = {}
    count = 0
    while end < len(data):
        count += 1
        if count > limits.blocks_max:
            raise CarError(f"more than {limits.blocks_max} blocks in a CAR")
        offset, end = _section(data, end)
        link, block = _block(data, offset, end)
        if len(block) > limits.block_size_max:
            raise BlockTooLarge(f"block {link} of {len(block)} bytes is over the limit")
        blocks[link] = block
    return Car(roots, blocks)


def _section(data: bytes, offset: int) -> tuple[int, int]:
    """Where the section that `offset` announces begins and ends."""
    try:
        begin = offset + 2
        head = data[offset:begin]
        if len(head) == 2 and head[0] >= 0x80 > head[1] > 0:  # 128 bytes … 16 KiB: nearly all
            size = head[0] & 0x7F | head[1] << 7
        else:
            size, begin = varint.decode(data, offset)
    except varint.VarintError as error:
        if len(data) - offset < varint.VARINT_BYTES_MAX:
            raise CarError("Unexpected end of data") from error
        raise CarError(f"Invalid CAR section: {error}") from error
    if size == 0:
        raise CarError("Invalid CAR section (zero length)")
    if size > len(data) - begin:
        raise CarError("Unexpected end of data")
    return begin, begin + size


def roots_in(header: bytes, limits: Limits) -> tuple[Link, ...]:
    """What the header of a version 1 archive lists. Raises `CarError`."""
    if (
        len(header) == _ONE_ROOT_SIZE
        and header.startswith(_ONE_ROOT)
        and header.startswith(_COMMON, len(_ONE_ROOT))
        and header.endswith(_ONE_ROOT_END)
    ):
        return (Link(header[len(_ONE_ROOT) : -len(_ONE_ROOT_END)]),)
    try:
        fields = dagcbor.decode(header)
    except dagcbor.DecodeError as error:
        raise CarError("Invalid CAR header format") from error
    match fields:
        case {"roots": [*roots], "version": version, **rest} if not rest and _is_one(version):
            links = cast("list[object]", roots)
        case _:
            raise CarError("Invalid CAR header format")
    if not all(isinstance(root, Link) for root in links):
        raise CarError("Invalid CAR header format")
    if len(links) > limits.roots_max:
        raise CarError(f"more than {limits.roots_max} roots in a CAR")
    return cast("tuple[Link, ...]", tuple(links))


def _is_one(version: object) -> bool:
    return type(version) is int and version == 1


def _block(data: bytes, offset: int, end: int) -> tuple[Link, bytes]:
    """The link and the block in a section; they belong together."""
    if data.startswith(_COMMON, offset) and end - offset >= _COMMON_SIZE:
        begin = offset + _COMMON_SIZE
        name, block = data[offset:begin], data[begin:end]
        link, genuine = Link(name), sha256(block).digest() == name[4:]
    else:
        begin = offset + _link_size(data, offset)
        if begin > end:
            raise CarError("a link in a CAR is longer than its section")
        block = data[begin:end]
        try:
            link = Link(data[offset:begin])
        except InvalidLink as error:
            raise CarError(f"a CAR contains {error}") from error
        genuine = _is_genuine(link, block)
    if not genuine:
        raise CarError(f"the bytes of block {link} do not hash to its link")
    return link, block


def block_in(section: bytes) -> tuple[Link, bytes]:
    """The link and the block in the section of an archive, without the size that announces it.

    Raises `CarError` as `decode` does."""
    return _block(section, 0, len(section))


def _link_size(data: bytes, offset: int) -> int:
    if data.startswith(_V0_PREFIX, offset):
        return _V0_SIZE
    position = offset
    try:
        for _ in range(3):  # version, codec, hash function
            _, position = varint.decode(data, position)
        digest_size, position = varint.decode(data, position)
    except varint.VarintError as error:
        raise CarError(f"a CAR contains a malformed link: {error}") from error
    return position - offset + digest_size


def _is_genuine(link: Link, block: bytes) -> bool:
    if link.hash_code == SHA2_256:
        return sha256(block).digest() == link.digest
    if link.hash_code == IDENTITY:
        return block == link.digest
    raise CarError(f"cannot check {link}: unknown hash function {link.hash_code:#x}")


def inside_version_2(header: bytes, size: int) -> tuple[int, int]:
    """Where the version 1 archive in a version 2 archive of `size` bytes begins and ends, as its
    first `V2_SIZE` bytes say. Its index is not read. Raises `CarError`."""
    if len(header) != V2_SIZE:
        raise CarError("Unexpected end of data")
    start = int.from_bytes(header[27:35], "little")
    length = int.from_bytes(header[35:43], "little")
    if start < V2_SIZE:
        raise CarError(f"Invalid CAR header: the data cannot begin at {start}")
    if length > size - start:
        raise CarError("Unexpected end of data")
    return start, start + length
