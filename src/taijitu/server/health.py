"""How an installation is: the examination behind `taijitu doctor`. It changes nothing."""

import asyncio
from typing import Final

from taijitu.engine.clock import wall_ms
from taijitu.kernel.record import Record
from taijitu.server.installation import Installation, sqlite_file
from taijitu.storage.sqlite_copy import ailments, newest_receipt

SECONDS_MAX: Final = 20.0
"""How long a database is looked through. What was not looked at by then is not."""


class Examined(Record):
    """`damages`: what is wrong with the database, as far as it `is_whole`: looked through to its
    end. `wall` is the machine's time, `now` that of the service, `last` that of the newest receipt
    in the database (all in ms since 1970)."""

    damages: tuple[str, ...]
    is_whole: bool
    wall: int
    now: int
    last: int | None


async def examine(installation: Installation) -> Examined:
    """Look at what only the owner of the data folder may look at. Raises `Fault`."""
    path = sqlite_file(installation.config)
    found = await asyncio.to_thread(ailments, path, SECONDS_MAX)
    last = None if found else await asyncio.to_thread(newest_receipt, path)
    is_whole = found is not None
    return Examined(tuple(found or ()), is_whole, wall_ms(), installation.clock.now(), last)
