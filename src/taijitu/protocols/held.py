"""What is kept for somebody, and which of it an answer has room for.

Anybody may leave something for anybody, so that there can be more than an answer holds. Law: what
strangers leave never displaces what is from an account's own spaces; and of two spaces neither has
a second delegation before the other has its first.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.ipld import car
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.machines.delegation import Held, list_from, list_of
from taijitu.protocols.subscribed import subscriptions
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import InvalidDelegation

ROWS_MAX, SIZE_MAX = 400, 8 * 1024 * 1024
"""Delegations of one list that are looked at, the newest first, and bytes of their archives."""

FROM_OWN_MAX: Final = 4
"""Delegations that each of an account's own spaces is asked for where the list is too long."""

OWN_MAX: Final = 200
"""An account's own spaces, the newest first, as many as are asked."""

PAGE: Final = 25


DEPTH_MAX, BLOCKS_MAX = 16, 128
"""How far the proofs of a delegation are followed for a session, and how many blocks that takes. So
however deep or wide a stranger's proofs are, the account's invocations can be read."""


class Room(Record):
    """How many delegations an answer has room for, how many bytes, and how many blocks."""

    count: int
    size: int
    blocks: int


class Kept:
    """A delegation that is kept, with all that came with it, read once. `of_itself`: it is over the
    very space whose agent left it here; about another space anybody can say anything."""

    def __init__(self, held: Held) -> None:
        self.held = held
        self.bundle = Bundle(car.decode(held.archive).blocks)
        self.of_itself = says_of_itself(held, self.bundle)


class Parcel(NamedTuple):
    """A delegation that is kept, as it goes into an answer: `size` in bytes."""

    held: Held
    blocks: Mapping[Link, bytes]
    size: int


class Found(NamedTuple):
    """A part of a list: what of it is not over yet, the newest first; and whether that is all."""

    held: Sequence[Held]
    whole: bool


class Shelves:
    """What is kept for everybody."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def kept_for(self, audience: str) -> Sequence[Kept]:
        """What is kept for somebody and not over: what counts most first."""
        found = await self.listed(list_of(audience))
        own = await self.spaces_of(audience)
        held = {each.ucan: each for each in found.held}
        if not found.whole:
            for space in own:
                name = list_from(space, audience)
                held |= {each.ucan: each for each in (await self.listed(name, FROM_OWN_MAX)).held}
        return ranked(map(Kept, held.values()), own)

    async def listed(
        self, name: str, count: int | None = None, size_max: int | None = None
    ) -> Found:
        """What a list holds, up to `count` rows of it (`ROWS_MAX`, if nothing is said), and until
        their archives have `size_max` bytes (`SIZE_MAX`)."""
        found: list[Held] = []
        count = ROWS_MAX if count is None else count
        size_max = SIZE_MAX if size_max is None else size_max
        seconds, position, size = self.engine.now() // 1000, None, 0
        while count > 0 and size < size_max:
            limit = min(PAGE, count)
            rows = await self.engine.storage.listing(name, older_than=position, limit=limit)
            for _, row in rows:
                state = read_head(self.engine.machines, row)[0].state
                if not isinstance(state, Held):
                    continue
                size += len(state.archive)
                if state.expires is None or state.expires > seconds:
                    found.append(state)
            if len(rows) < limit:
                return Found(found, whole=True)
            position, count = rows[-1][0], count - limit
        return Found(found, whole=False)

    async def spaces_of(self, account: str) -> Collection[str]:
        """The spaces that an account has provided for."""
        return [each.space async for each in subscriptions(self.engine, account, OWN_MAX)]


def ranked(kept: Iterable[Kept], own: Collection[str]) -> list[Kept]:
    """In the order in which they count: what the account's own spaces say of themselves, what
    others say of themselves, and what is said of somebody else; in turns, and small ones first."""
    spaces, turns = frozenset(own), Counter[str]()
    ranks: list[tuple[tuple[bool, bool, int, int, Link], Kept]] = []
    for each in sorted(kept, key=lambda each: (-each.held.at, each.held.ucan)):
        held = each.held
        turns[held.space] += 1
        turn, size = turns[held.space], len(held.archive)
        ranks.append(((not each.of_itself, held.space not in spaces, turn, size, held.ucan), each))
    return [each for _, each in sorted(ranks, key=lambda ranked: ranked[0])]


def says_of_itself(held: Held, bundle: Bundle) -> bool:
    try:
        delegation = bundle.view(held.ucan)
    except InvalidDelegation:
        return False
    return all(each.resource == held.space for each in delegation.capabilities)


def as_left(kept: Kept) -> Parcel:
    """As it was left."""
    return Parcel(kept.held, {}, len(kept.held.archive))


def proving(kept: Kept) -> Parcel:
    """With its proofs, those that stand nearest first: what is cut off proves nothing."""
    return Parcel(kept.held, found := nearest(kept).blocks, sum(map(len, found.values())))


def hearsay(kept: Iterable[Kept]) -> Iterator[Parcel]:
    """What is said of others, as it was left: if its proofs are few, and do not stand deep. Clients
    send all that could help, and would send these along with what does."""
    for each in kept:
        found = nearest(each)
        if found.all:
            yield Parcel(each.held, found.blocks, len(each.held.archive))


class Nearest(NamedTuple):
    """A UCAN and those of its proofs that stand near; and whether there are no others."""

    blocks: Mapping[Link, bytes]
    all: bool


def nearest(kept: Kept) -> Nearest:
    bundle, archive = kept.bundle, kept.bundle.blocks
    found, level = dict[Link, bytes](), [kept.held.ucan]
    for _ in range(DEPTH_MAX):
        here = level[: BLOCKS_MAX - len(found)]
        found |= {link: archive[link] for link in here}
        next_to = dict.fromkeys(proof for link in here for proof in proofs_of(bundle, link))
        cut = level[len(here) :]
        level = [link for link in next_to if link in archive and link not in found]
        if cut or not level:
            return Nearest(found, all=not cut)
    return Nearest(found, all=False)


def proofs_of(bundle: Bundle, link: Link) -> Sequence[Link]:
    try:
        return bundle.view(link).proofs
    except InvalidDelegation:
        return ()


def fitting(parcels: Iterable[Parcel], room: Room) -> Iterator[Parcel]:
    """Those for which there is room; what is too large leaves it to the next."""
    count, size, blocks = room.count, room.size, room.blocks
    for each in parcels:
        if count == 0:
            return
        if each.size <= size and len(each.blocks) <= blocks:
            count, size, blocks = count - 1, size - each.size, blocks - len(each.blocks)
            yield each
