"""What the two faces of an entry share: `store/*` shows CARs by their links, `space/blob/*` any
bytes by their multihash; the machine behind both is one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.engine.storage import HeadRow, Storage
from taijitu.ipld import multibase
from taijitu.kernel.machine import State
from taijitu.machines.entry import Active, Attempt, Face, FaceName, Receiving, Stored
from taijitu.protocols.execution import Error, Ok, Outcome

LIST_SIZE, LIST_SIZE_MAX = 20, 1000
"""How many items a page holds if nothing is said, and at most."""

PAGE_BYTES_MAX: Final = 1_500_000
"""Bytes of the states (with the messages that led to them) that a page is made of. What is shown of
them is less, and has to go into one receipt."""

ROWS_AT_ONCE: Final = 50

TIME_MAX: Final = 253_402_300_799_999
"""The last moment that a date can name, in ms since 1970."""

LINK_BYTES_MAX: Final = 128
"""Of a link that is kept: it may carry its block inside, but no large one."""

CURSOR_MAX: Final = 2**63 - 1

Show = Callable[[State], Mapping[str, object] | None]
"""A state as its list shows it, if it does."""


def held(state: State, name: FaceName) -> tuple[Face, Attempt] | None:
    """The entry as one face shows it, if it does."""
    if isinstance(state, Active | Receiving | Stored):
        for face in state.faces:
            if face.name == name:
                return face, state.attempt
    return None


def name_of(multihash: bytes) -> str:
    """The name of some bytes among machines: their multihash in base58btc."""
    return multibase.encode(multibase.BASE58BTC, multihash)


def iso(ms: int) -> str:
    """A time in ms since 1970 as JavaScript prints it: `2026-01-01T00:00:00.000Z`."""
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


async def page(
    engine: Engine, name: str, show: Show, *, cursor: str | None, size: int | None, pre: bool
) -> Outcome:
    """A page of a list, the newest first: `size` items at most, older than the cursor or (`pre`)
    newer. It is shorter where its items are large."""
    limit = min(LIST_SIZE if size is None else size, LIST_SIZE_MAX)
    position = position_in(cursor)
    if isinstance(position, Error):
        return position
    if pre and position is None:
        return Ok({"size": 0, "results": []})
    await engine.settled()
    rows = await rows_of(engine.storage, name, position, limit, pre)
    results = [
        item
        for _, row in rows
        if (item := show(read_head(engine.machines, row)[0].state)) is not None
    ]
    if not results:
        return Ok({"size": 0, "results": []})
    before, after = str(rows[0][0]), str(rows[-1][0])
    ends = {"cursor": after, "after": after, "before": before}
    return Ok({"size": len(results), **ends, "results": results})


async def rows_of(
    storage: Storage, name: str, position: int | None, limit: int, pre: bool
) -> Sequence[tuple[int, HeadRow]]:
    """The members of a list next to a position, a handful at a time: at most `limit`, and no more
    bytes than a page may have, but at least one."""
    found: list[tuple[int, HeadRow]] = []
    room = PAGE_BYTES_MAX
    while (wanted := min(limit - len(found), ROWS_AT_ONCE)) > 0:
        where = {"newer_than" if pre else "older_than": position}
        rows = await storage.listing(name, **where, limit=wanted)
        for each in reversed(rows) if pre else rows:
            room -= len(each[1].block)
            if room < 0 and found:
                return found[::-1] if pre else found
            found.append(each)
        if len(rows) < wanted:
            break
        position = found[-1][0]
    return found[::-1] if pre else found


def position_in(cursor: str | None) -> int | Error | None:
    if cursor is None:
        return None
    if cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 and int(cursor) < CURSOR_MAX:
        return int(cursor)
    return Error("Error", f"{cursor[:40]!r} is not a cursor of this list")
