"""Who has which space provided for, and by which name of ours: what several abilities ask."""

from collections.abc import AsyncIterator
from typing import Final

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.machines.subscription import Subscribed, list_of, subscription_at
from taijitu.ucan import principal

PAGE: Final = 500


def is_space(did: str) -> bool:
    """Whether it is the DID of a space, and so may name a cell."""
    try:
        return principal.is_key(did) and bool(principal.from_did(did))
    except principal.InvalidDid:
        return False


async def subscription(engine: Engine, space: str) -> Subscribed | None:
    """Who has a space provided for. It may be no DID of a space at all."""
    if not is_space(space):
        return None
    state = (await engine.read(subscription_at(space))).state
    return state if isinstance(state, Subscribed) else None


async def subscriptions(engine: Engine, account: str, limit: int) -> AsyncIterator[Subscribed]:
    """What an account has provided for, the newest first, up to a number."""
    await engine.settled()
    position, left = None, limit
    while left > 0:
        rows = await engine.storage.listing(
            list_of(account), older_than=position, limit=min(PAGE, left)
        )
        for _, row in rows:
            state = read_head(engine.machines, row)[0].state
            if isinstance(state, Subscribed):
                yield state
        if not rows:
            return
        position, left = rows[-1][0], left - len(rows)
