"""Delegations whose signature has been verified before, by their link.

Law: a block never changes and neither does a signature over it, so only that is remembered:
whether a delegation is in time, revoked or relevant is asked anew each time. Bounded: what was
not met for longest is forgotten first.
"""

from collections import OrderedDict
from typing import Final

from taijitu.ipld.cid import Link
from taijitu.ucan.delegation import Delegation

REMEMBERED_MAX: Final = 4_096
"""Delegations."""
REMEMBERED_SIZE_MAX: Final = 4_096
"""Bytes of the largest block that is kept: together at most 16 MiB of blocks."""


class Remembered:
    """A bounded memory, to be kept by one event loop. Not for several threads."""

    __slots__ = ("_limit", "_verified")

    def __init__(self, limit: int = REMEMBERED_MAX) -> None:
        """`limit` is how many delegations are remembered, at least none."""
        self._limit = limit
        self._verified: OrderedDict[bytes, tuple[Delegation, str]] = OrderedDict()

    def recall(self, link: Link) -> tuple[Delegation, str] | None:
        """The delegation of this link, and the `did:key` that is known to have signed it."""
        found = self._verified.get(link.data)
        if found is not None:
            self._verified.move_to_end(link.data)
        return found

    def keep(self, delegation: Delegation, key: str) -> None:
        """Remember that the `did:key` `key` has signed `delegation`."""
        if len(delegation.data) > REMEMBERED_SIZE_MAX:
            return
        self._verified[delegation.link.data] = (delegation, key)
        self._verified.move_to_end(delegation.link.data)
        if len(self._verified) > self._limit:
            self._verified.popitem(last=False)

    def __len__(self) -> int:
        return len(self._verified)
