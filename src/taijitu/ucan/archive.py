"""Delegation files: one delegation with everything that must travel with it, in one CAR.

Law: the root block is DAG-CBOR, `{"ucan@0.9.1": link}`. What `w3 delegation create` writes and
`Delegation.extract` reads; base64 of it is the usual proof on a command line.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from taijitu.ipld import dagcbor
from taijitu.ipld.cid import Link, link_to
from taijitu.kernel.record import Record
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import Delegation, InvalidDelegation

VARIANT: Final = "ucan@0.9.1"


class Archive(Record, eq=False):
    """The blocks of a delegation file; the root block stands last."""

    root: Link
    blocks: dict[Link, bytes]


def archive(delegation: Delegation, bundle: Bundle) -> Archive:
    """The file of a delegation: write it with `car.encode([root], blocks.items())`.

    Raises `InvalidDelegation` if too much travels with it.
    """
    root = dagcbor.encode({VARIANT: delegation.link})
    link = link_to(root)
    return Archive(link, bundle.export(delegation) | {link: root})


def extract(roots: Sequence[Link], blocks: Mapping[Link, bytes]) -> Delegation:
    """The delegation in a file, given the roots and blocks of its CAR.

    Raises `InvalidDelegation`.
    """
    if len(roots) != 1 or roots[0] not in blocks:
        raise InvalidDelegation("a delegation file has one root, and its block")
    try:
        root = dagcbor.decode(blocks[roots[0]])
    except dagcbor.DecodeError as error:
        raise InvalidDelegation(f"not a delegation file: {error}") from error
    link = cast("dict[str, Any]", root).get(VARIANT) if root.__class__ is dict else None
    if link.__class__ is not Link or len(root) != 1:
        raise InvalidDelegation(f"not a delegation file: its root must be {VARIANT!r} and a link")
    return Bundle(blocks).view(cast(Link, link))
