"""A bundle: the blocks that came together, and the UCANs among them.

Law: what several invocations of one message share is done once for all of them. Each UCAN is
read once, each signature verified once, and the work that the whole bundle may cause is counted.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from taijitu.ipld.cid import Link
from taijitu.ucan import jwt
from taijitu.ucan.delegation import Delegation, InvalidDelegation, decode
from taijitu.ucan.remembered import Remembered

STEPS_MAX: Final = 50_000
"""Steps of all authorisations in one bundle; see `authorize.STEPS_MAX`."""
PROOF_DEPTH_MAX: Final = 64
"""Delegations above each other. (Real chains have two to five.)"""
EXPORT_BLOCKS_MAX: Final = 1_024
"""Blocks that travel with one delegation."""

_CBOR: Final = b"\x01\x71"
_RAW: Final = b"\x01\x55"


class Bundle:
    """Blocks, each under the link that it hashes to, and what has been found out about them."""

    __slots__ = ("_ucans", "blocks", "remembered", "signed", "steps")

    def __init__(self, blocks: Mapping[Link, bytes], remembered: Remembered | None = None) -> None:
        """`remembered` saves reading and verifying delegations that were met before."""
        self.blocks = blocks
        self.remembered = remembered
        self.steps = STEPS_MAX
        """What is left of them."""
        self.signed: dict[tuple[bytes, str], bool] = {}
        """Whether a UCAN (by its link in bytes) is signed with a `did:key`."""
        self._ucans: dict[Link, Delegation | InvalidDelegation] = {}

    def view(self, link: Link) -> Delegation:
        """The UCAN that `link` names. Raises `InvalidDelegation`, also if it is not here."""
        found = self._ucans.get(link)
        if found is None:
            found = self._ucans[link] = self._read(link)
        if isinstance(found, InvalidDelegation):
            raise InvalidDelegation(*found.args)
        return found

    def export(self, delegation: Delegation) -> dict[Link, bytes]:
        """What travels with a delegation.

        Its proofs, deepest first; then the blocks it mentions (anywhere in `att`, or directly in
        a fact); itself last. What is not here is left out: the other side may know it. Raises
        `InvalidDelegation` if that is too much.
        """
        found: dict[Link, bytes] = {}
        self._export(delegation, found, PROOF_DEPTH_MAX)
        return found

    def _read(self, link: Link) -> Delegation | InvalidDelegation:
        data = self.blocks.get(link)
        if data is None:
            return InvalidDelegation(f"the block of UCAN {link} is not included")
        known = self.remembered.recall(link) if self.remembered is not None else None
        if known is not None:
            return known[0]
        try:
            return read(link, data)
        except InvalidDelegation as error:
            return error

    def _export(self, delegation: Delegation, found: dict[Link, bytes], depth: int) -> None:
        if depth == 0:
            raise InvalidDelegation(f"proofs stand deeper than {PROOF_DEPTH_MAX} levels")
        blocks = self.blocks
        for proof in delegation.proofs:
            data = blocks.get(proof)
            if data is None or proof in found:
                continue
            try:
                above = self.view(proof)
            except InvalidDelegation:
                found[proof] = data  # it proves nothing, and the refusal will say so
                continue
            self._export(above, found, depth - 1)
        for link in attached(delegation):
            data = blocks.get(link)
            if data is not None:
                found[link] = data
        found[delegation.link] = delegation.data
        if len(found) > EXPORT_BLOCKS_MAX:
            raise InvalidDelegation(f"more than {EXPORT_BLOCKS_MAX} blocks travel with it")


def read(link: Link, data: bytes) -> Delegation:
    """A UCAN in either form: DAG-CBOR, or a JWT in a raw block. Raises `InvalidDelegation`."""
    codec = link.data[:2]
    if codec == _CBOR:
        return decode(link, data)
    if codec == _RAW:
        return jwt.decode(link, data)
    raise InvalidDelegation(f"{link} does not name a UCAN: its codec is neither DAG-CBOR nor raw")


def attached(delegation: Delegation) -> Iterator[Link]:
    """The links that `delegation` mentions: anywhere in a capability, or directly in a fact."""
    for capability in delegation.capabilities:
        if capability.nb or len(capability.fields) > 2:
            yield from _links(capability.fields)
    for fact in delegation.facts:
        for value in fact.values():
            if value.__class__ is Link:
                yield value


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
