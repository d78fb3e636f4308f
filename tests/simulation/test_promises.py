"""Goal: whatever happens, what was promised to those who add blobs comes to its end: bytes that are
stored are accepted, those that do not come are said not to have come, and no receipt changes.

Method: the parties of `test_simulation`, with the witness that makes receipts of promised tasks.
"""

from typing import Any

import pytest

from simulation.laws import PAGE
from simulation.party import Party
from simulation.test_simulation import SEED, seeds, whole_evening
from taijitu.buckets.names import path_of
from taijitu.engine.cell import read_head
from taijitu.ipld.cid import Link, link_to
from taijitu.kernel.machine import State
from taijitu.machines import MACHINES
from taijitu.machines.entry import Receiving, Stored
from taijitu.protocols.promises import Promises, Request
from taijitu.protocols.settled import Settling, blob_faces, request_of
from taijitu.storage.memory import MemoryStorage
from taijitu.ucan import receipt as receipts
from unit.ucan.people import alice, bob, mallory, service

FEW, MANY = 15, 500
"""Seeds, for each of the two kinds of party."""
OWNERS = tuple(owner.did for owner in (alice, bob, mallory))
PROMISES = Promises(service)


class Promising(Party):
    """A party in which blobs are promised a place. `outcomes` are those that anyone could see."""

    def __init__(self, seed: int, *, mischief: bool, storage: MemoryStorage | None = None) -> None:
        super().__init__(seed, mischief=mischief, storage=storage)
        self.spaces = OWNERS[: len(self.spaces)]
        self.told_of: set[Request] = set()
        self.outcomes: dict[Link, bytes] = {}

    def begin(self, *, steady: bool = False) -> None:
        super().begin(steady=steady)
        self.world.engine.witness = Settling(PROMISES, path_of).witness()

    def see(self, state: State) -> None:
        super().see(state)
        if isinstance(state, Receiving):
            self.told_of |= {request_of(state.attempt, face) for face in blob_faces(state)}

    async def laws_hold(self) -> None:
        await super().laws_hold()
        for row in await self.storage.scan("entry/", limit=PAGE):
            state: Any = read_head(MACHINES, row)[0].state
            for face in blob_faces(state):
                await self.is_kept(state, request_of(state.attempt, face))
        for request in self.told_of:
            for task in PROMISES.of(request).tasks:
                data = await self.storage.receipt(task.link.data)
                assert data == self.outcomes.get(task.link, data), "a receipt has changed"
                if data is not None:
                    self.outcomes[task.link] = data

    async def is_kept(self, state: State, request: Request) -> None:
        """Who waits for bytes knows where to put them; what is stored is accepted."""
        promise = PROMISES.of(request)
        if isinstance(state, Receiving):
            assert await self.settled(promise.allocate.link) == "ok"
        if isinstance(state, Stored):
            assert await self.settled(promise.put.link) == "ok"
            assert await self.settled(promise.accept.link) == "ok"

    async def settled(self, task: Link) -> str | None:
        data = await self.storage.receipt(task.data)
        return None if data is None else next(iter(receipts.decode(link_to(data), data).out))

    async def come_to_rest(self) -> None:
        await super().come_to_rest()
        for request in self.told_of:
            accepted = await self.settled(PROMISES.of(request).accept.link)
            assert accepted is not None, ("promised for ever", request)


@pytest.mark.parametrize("mischief", [False, True])
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.full)])
async def test_every_promise_comes_to_its_end(count: int, mischief: bool) -> None:
    ends = {"ok": 0, "error": 0}
    for seed in seeds(count):
        party = Promising(seed, mischief=mischief)
        try:
            await whole_evening(party)
        except BaseException:
            print(f"{SEED}={seed}", *party.log)
            raise
        for request in party.told_of:
            ends[await party.settled(PROMISES.of(request).accept.link) or ""] += 1
    assert all(ends.values()), ends
