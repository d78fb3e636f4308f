"""CARs for tests, honest and not."""

from collections.abc import Iterable, Sequence

from taijitu.ipld import car, dagcbor, varint
from taijitu.ipld.cid import RAW, Link, link_to

BLOCKS = tuple(bytes([number]) * (10 + 13 * number) for number in range(1, 13))


def raw(block: bytes) -> Link:
    return link_to(block, RAW)


def section(link: bytes, block: bytes) -> bytes:
    return varint.encode(len(link) + len(block)) + link + block


def header(roots: Sequence[Link] = ()) -> bytes:
    fields = dagcbor.encode({"roots": list(roots), "version": 1})
    return varint.encode(len(fields)) + fields


def car_of(*blocks: bytes, roots: Sequence[Link] = ()) -> bytes:
    """A CAR of raw blocks, in this order."""
    return header(roots) + b"".join(section(raw(each).data, each) for each in blocks)


def version_2(inside: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    start = car.V2_SIZE + len(before)
    places = [start, len(inside), start + len(inside)]
    fields = bytes(16) + b"".join(each.to_bytes(8, "little") for each in places)
    return car.V2_PRAGMA + fields + before + inside + after


def places(data: bytes, blocks: Iterable[bytes]) -> list[tuple[bytes, int, int]]:
    """Where blocks lie in a CAR: (multihash, offset, length)."""
    found: list[tuple[bytes, int, int]] = []
    for each in blocks:
        end = data.index(section(raw(each).data, each)) + len(section(raw(each).data, each))
        found.append((raw(each).multihash, end - len(each), len(each)))
    return found
