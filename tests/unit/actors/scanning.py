"""A world in which CARs are looked through, and the scans are counted."""

from typing import Any

from support.eventually import eventually
from taijitu.engine.actor import Assignment
from taijitu.ipld.cid import multihash
from taijitu.kernel.machine import State
from taijitu.kernel.receipt import Receipt
from taijitu.machines.contents import Scan, Tally, contents_at
from taijitu.testing.world import SimulatedWorld, name_of
from unit.actors.cars import BLOCKS, car_of, raw
from unit.ucan.people import alice

ROOM = 100_000_000
CAR = car_of(*BLOCKS, roots=[raw(BLOCKS[0])])
SIZE = sum(map(len, BLOCKS))


class Scanning(SimulatedWorld):
    """A world in which the scans are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.scans: list[Tally] = []
        self.scanner = self.engine.actors["contents/scan"]
        self.run_of, self.scanner.run = self.scanner.run, self.counted

    async def counted(self, assignment: Assignment) -> Receipt | None:
        assert isinstance(assignment.task, Scan)
        self.scans.append(assignment.task.tally)
        return await self.run_of(assignment)

    async def store(self, data: bytes = CAR, space: str = alice.did, **face: Any) -> None:
        await self.add(space, data, **face)
        await self.upload(data)
        await self.quiet()

    async def contents(self, data: bytes = CAR) -> State:
        return (await self.engine.read(contents_at(name_of(data)))).state

    async def found(self, data: bytes = CAR) -> list[tuple[bytes, int, int]]:
        """What is known to lie in some bytes, in the order of offsets."""
        rows = await self.storage.slices_in(multihash(data), limit=10_000)
        assert all(row.shard == multihash(data) for row in rows)
        return sorted([(row.multihash, *row[2:]) for row in rows], key=lambda row: row[1])

    async def comes_to(self, kind: type[State], data: bytes = CAR) -> None:
        async def state() -> State:
            return await self.contents(data)

        await eventually(state, lambda found: isinstance(found, kind), seconds=10)
