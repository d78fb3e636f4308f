"""Goal: nobody is told that a block is not here, as long as it may lie in a CAR that was stored and
that nobody has looked through; and everybody is, once that is done.

Method: an installation behind HTTP; the dispatcher runs only when the test wants it to.
"""

import asyncio
import os

from taijitu.engine.storage import Deferral
from taijitu.gateway.denials import name_of
from taijitu.ipld.cid import multihash
from taijitu.machines.contents import Describe, contents_at
from taijitu.server.installation import Installation
from unit.actors.cars import car_of, raw
from unit.gateway.holding import put
from unit.gateway.site import Site, open_site

BLOCKS = [os.urandom(1_000_000) for _ in range(3)]
CAR = car_of(*BLOCKS)


async def test_what_may_lie_in_a_car_is_asked_for_again(installation: Installation) -> None:
    path, missing = f"/ipfs/{raw(BLOCKS[1])}", f"/ipfs/{raw(os.urandom(8))}"
    async with open_site(installation) as site:
        assert [await status(site, each) for each in (path, missing)] == [404, 404]
        name = name_of(await put(installation, CAR))
        await installation.engine.transact(contents_at(name), Describe(name))
        for each in (path, missing):
            reply = await site.get(each)
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
            assert reply.headers["cache-control"] == "no-store"
            assert "is not known here yet: CARs are still being looked through" in reply.text
        working = asyncio.create_task(installation.dispatcher.run())
        assert await status(site, path) == 200
        assert await status(site, missing) == 404
        working.cancel()
        await asyncio.wait([working])


async def test_a_look_that_a_fault_has_put_off_keeps_nobody_waiting(
    installation: Installation,
) -> None:
    """A disk that does not answer for one CAR is no reason to doubt about all others."""
    name = name_of(multihash(CAR))
    await installation.engine.transact(contents_at(name), Describe(name))
    assert await installation.caught_up(0) == "behind"
    (row,) = await installation.engine.storage.open_tasks()
    later = installation.engine.now() + 60_000
    await installation.engine.defer(Deferral(row.plan, row.number, later, 1, "no disk"))
    assert await installation.caught_up(0) == "idle"


async def status(site: Site, path: str) -> int:
    return (await site.get(path)).status
