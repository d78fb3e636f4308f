"""Clients that keep blobs while the service is killed under them, and whoever audits them.

They do what the published clients do: add, PUT where that was said, conclude, look for the receipt
of `accept`. What was promised has to come to its end, one way or the other.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from crash.auditor import Auditor
from crash.workload import THINK_SECONDS_MAX, Crowd, Known, Member
from support import blobs
from support.blobs import Added
from support.client import Client, Space
from taijitu.ipld.cid import CAR, Link, link_with


@dataclass(frozen=True, eq=False)
class Promised:
    """What a client was promised for some bytes."""

    known: Known
    added: Added


class Keepers(Crowd):
    """Clients that know no `store/*`."""

    def __init__(self, client: Client, spaces: list[Space], size: int, chance: random.Random):
        self.promised: list[Promised] = []
        super().__init__(client, spaces, size, chance)

    def member(self, chance: random.Random) -> Member:
        return Keeper(self, chance)


class Keeper(Member):
    def __init__(self, crowd: Keepers, chance: random.Random) -> None:
        super().__init__(crowd, chance)
        self.promised = crowd.promised

    async def stores(self, known: Known, _: Space) -> None:
        self.diary.known.append(known)
        while not known.stored:
            known.stored = await self.brings(known, await self.adds(known))

    async def abandons(self, known: Known, _: Space) -> None:
        self.diary.known.append(known)
        await self.adds(known)

    async def regrets(self, known: Known, _: Space) -> None:
        self.diary.known.append(known)
        added = await self.adds(known)
        await self.remove(known)
        await self.put(added.allocated["address"], known.car)
        await self.concludes(known, added)

    async def adds(self, known: Known) -> Added:
        self.at("add")
        asked = blobs.asks_to_add(known.space, known.car)
        added = await self.insist(lambda: blobs.ask(known.space, asked))
        self.diary.acknowledged.append((asked, added.receipt.data))
        self.promised.append(Promised(known, added))
        self.at("between")
        await asyncio.sleep(self.chance.uniform(0, THINK_SECONDS_MAX))
        return added

    async def brings(self, known: Known, added: Added) -> bool:
        """Put the bytes, if that is needed and not too late. Then they are accepted."""
        if "address" not in added.allocated:
            return added.said[added.accept.link].is_ok
        if await self.put(added.allocated["address"], known.car) != 200:
            return False
        accepted = await self.concludes(known, added)
        assert accepted is not None, "concluded, and there is no receipt"
        assert "ok" in accepted, accepted
        return True

    async def concludes(self, known: Known, added: Added) -> Any:
        """What is settled once it is said that the bytes were put."""
        self.at("conclude")
        await self.insist(lambda: blobs.conclude(known.space, added))
        return await self.insist(lambda: blobs.settled(known.space, added.accept))

    async def remove(self, known: Known) -> None:
        self.at("remove")
        removed = await self.ask(blobs.asks_to_remove(known.space, known.car))
        assert "ok" in removed
        known.stored = False


class BlobAuditor(Auditor):
    def the_block_of_every_car_is_found(self) -> None:
        """Blobs are described by their clients, and these do not."""

    async def listed(self, space: Space) -> list[Link]:
        found: list[Link] = []
        page: dict[str, Any] = {}
        while results := (shown := await ok(space, "space/blob/list", page))["results"]:
            found += [link_with(item["blob"]["digest"], CAR) for item in results]
            page = {"cursor": shown["cursor"]}
        return found

    async def every_promise_came_to_its_end(self, promised: list[Promised]) -> list[Any]:
        """The outcomes of `accept`. What is kept is where the last promise said."""
        last = {each.known: each.added for each in promised}
        outcomes: list[Any] = []
        for each in promised:
            space, added = each.known.space, each.added
            outcomes.append(await blobs.settled(space, added.accept))
            assert outcomes[-1] is not None, (space, added.accept.link)
            assert await blobs.settled(space, added.allocate) == {"ok": added.allocated}
            if each.known.stored and added is last[each.known]:
                url = await blobs.location(space, added)
                assert (await self.client.request("GET", url)).body == each.known.car.data
                assert await blobs.settled(space, added.put) == {"ok": {}}
        return outcomes


async def ok(space: Space, can: str, nb: dict[str, Any]) -> Any:
    return (await space.client.send(space.ask(can, nb))).out["ok"]
