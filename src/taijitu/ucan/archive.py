"""Taking UCANs out of blocks, and putting them into blocks: what must travel with a delegation.

Law: a delegation travels with its proofs, deepest first, then with the blocks that it mentions
(anywhere in `att`, or directly in a fact), and stands last. What is not there is left out: a
proof may be known to the other side.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link, link_to
from taijitu.kernel.record import Record
from taijitu.ucan import delegation as ucan
from taijitu.ucan import jwt
from taijitu.ucan.delegation import Delegation, InvalidDelegation

VARIANT: Final = "ucan@0.9.1"
PROOF_DEPTH_MAX: Final = 64
"""Delegations above each other. (Real chains have two to five.)"""
EXPORT_BLOCKS_MAX: Final = 8_192
"""Blocks that travel with one delegation."""

_CBOR: Final = b"\x01\x71"
_RAW: Final = b"\x01\x55"


class Archive(Record):
    """The blocks of a delegation file, its root among them."""

    root: Link
    blocks: dict[Link, bytes]


def view(link: Link, blocks: Mapping[Link, bytes]) -> Delegation:
    """The delegation that `link` names. Raises `InvalidDelegation`, also if its block is absent."""
    data = blocks.get(link)
    if data is None:
        raise InvalidDelegation(f"the block of UCAN {link} is not included")
    return decode(link, data)


def decode(link: Link, data: bytes) -> Delegation:
    """A UCAN in either form: DAG-CBOR, or a JWT in a raw block. Raises `InvalidDelegation`."""
    codec = link.data[:2]
    if codec == _CBOR:
        return ucan.decode(link, data)
    if codec == _RAW:
        return jwt.decode(link, data)
    raise InvalidDelegation(f"{link} does not name a UCAN: its codec is neither DAG-CBOR nor raw")


def export(delegation: Delegation, blocks: Mapping[Link, bytes]) -> dict[Link, bytes]:
    """What travels with `delegation`, in the order described above.

    Raises `InvalidDelegation` if a proof is not a UCAN, or they stand too deep or are too many.
    """
    found: dict[Link, bytes] = {}
    _export(delegation, blocks, found, PROOF_DEPTH_MAX)
    return found


def attached(delegation: Delegation) -> Iterator[Link]:
    """The links that `delegation` mentions: anywhere in a capability, or directly in a fact."""
    for capability in delegation.capabilities:
        yield from _links(capability.fields)
    for fact in delegation.facts:
        for value in fact.values():
            if value.__class__ is Link:
                yield value


def archive(delegation: Delegation, blocks: Mapping[Link, bytes]) -> Archive:
    """A delegation file: a root that names the delegation, and all that travels with it.

    Write it with `car.encode([archive.root], archive.blocks.items())`.
    """
    root = dagcbor.encode({VARIANT: delegation.link})
    link = link_to(root)
    return Archive(link, export(delegation, blocks) | {link: root})


def extract(roots: tuple[Link, ...], blocks: Mapping[Link, bytes]) -> Delegation:
    """The delegation in a file. Raises `InvalidDelegation`."""
    if len(roots) != 1 or roots[0] not in blocks:
        raise InvalidDelegation("a delegation file has one root, and its block")
    try:
        root = dagcbor.decode(blocks[roots[0]])
    except dagcbor.DecodeError as error:
        raise InvalidDelegation(f"not a delegation file: {error}") from error
    link = cast("dict[str, Any]", root).get(VARIANT) if root.__class__ is dict else None
    if link.__class__ is not Link or len(root) != 1:
        raise InvalidDelegation(f"not a delegation file: its root must be {VARIANT!r} and a link")
    return view(cast(Link, link), blocks)


def _export(
    delegation: Delegation, blocks: Mapping[Link, bytes], found: dict[Link, bytes], depth: int
) -> None:
    if delegation.link in found:
        return
    if depth == 0:
        raise InvalidDelegation(f"proofs stand deeper than {PROOF_DEPTH_MAX} levels")
    for proof in delegation.proofs:
        data = blocks.get(proof)
        if data is not None and proof not in found:
            _export(decode(proof, data), blocks, found, depth - 1)
    for link in attached(delegation):
        data = blocks.get(link)
        if data is not None:
            found[link] = data
    found[delegation.link] = delegation.data
    if len(found) > EXPORT_BLOCKS_MAX:
        raise InvalidDelegation(f"more than {EXPORT_BLOCKS_MAX} blocks travel with a delegation")


def _links(value: Any) -> Iterator[Link]:
    kind = value.__class__
    if kind is Link:
        yield value
    elif kind is dict:
        for item in value.values():
            yield from _links(item)
    elif kind is list:
        for item in value:
            yield from _links(item)
