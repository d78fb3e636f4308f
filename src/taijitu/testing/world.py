"""The engine with the service's machines and actors, on storage and a bucket of your choice, under
a clock that is moved by hand. What runs is what ships; only the world around it is small.
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from taijitu.actors import WIDTHS, actors
from taijitu.actors.agent import glance
from taijitu.actors.facts import Wanted
from taijitu.actors.mailer import Deliver, nowhere
from taijitu.buckets.memory import MemoryBucket
from taijitu.buckets.presign import Presigner
from taijitu.engine.dispatch import Dispatcher
from taijitu.engine.engine import Engine, Outcome
from taijitu.engine.storage import SliceRow, Storage, TaskRow
from taijitu.ipld import multibase
from taijitu.ipld.cid import Link, link_to, multihash
from taijitu.kernel.effect import NEVER, Path
from taijitu.kernel.machine import State
from taijitu.machines import MACHINES
from taijitu.machines.entry import Add, FaceName, Remove, entry_at
from taijitu.machines.ledger import Provision, Provisioned, ledger_at
from taijitu.machines.world import Alarm
from taijitu.storage.memory import MemoryStorage
from taijitu.testing.clock import VirtualClock
from taijitu.wire.sigv4 import Credentials

WINDOW_MS, GRACE_MS = 60_000, 30_000


class SimulatedWorld:
    """People ask, bytes arrive, time passes. `alarms` and `troubles` collect what was told."""

    def __init__(
        self,
        storage: Storage | None = None,
        bucket: MemoryBucket | None = None,
        clock: VirtualClock | None = None,
        deliver: Deliver = nowhere,
    ) -> None:
        self.storage = storage or MemoryStorage()
        self.bucket = bucket or simulated_bucket()
        self.clock = clock or VirtualClock()
        self.alarms: list[Alarm] = []
        self.troubles: list[tuple[str, TaskRow, BaseException]] = []
        acting = actors(
            *(self.bucket, self._read, self.clock.now, self.alarms.append, self.storage),
            note=self._note,
            deliver=deliver,
        )
        self.engine = Engine(self.storage, MACHINES, acting, self.clock)
        self.dispatcher = Dispatcher(
            self.engine,
            self._report,
            promises=glance(self.bucket),
            widths=WIDTHS,
            chance=random.Random(0).random,
        )

    def _report(self, kind: str, row: TaskRow, trouble: BaseException) -> None:
        self.troubles.append((kind, row, trouble))

    async def _read(self, path: Path) -> State:
        return (await self.engine.read(path)).state

    async def _note(self, slices: Sequence[SliceRow], wanted: Wanted) -> bool:
        return await self.engine.note(slices, wanted)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["SimulatedWorld"]:
        """With a dispatcher that carries out tasks."""
        task = asyncio.get_running_loop().create_task(self.dispatcher.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def provision(self, space: str, capacity: int) -> None:
        message = Provision(self.clock.now(), space, capacity)
        await self.engine.transact(ledger_at(space), message)

    async def add(
        self,
        space: str,
        data: bytes,
        *,
        size: int | None = None,
        invocation: Link | None = None,
        face: FaceName = "store",
    ) -> Outcome:
        name, now = name_of(data), self.clock.now()
        cause = invocation or link_to(f"{space} {name} {now}".encode())
        declared = len(data) if size is None else size
        message = Add(now, cause, space, name, "did:key:agent", declared, face)
        return await self.engine.transact(entry_at(space, name), message, cause=cause)

    async def remove(self, space: str, data: bytes, face: FaceName = "store") -> Outcome:
        message = Remove(self.clock.now(), face)
        return await self.engine.transact(entry_at(space, name_of(data)), message)

    def arrive(self, data: bytes) -> None:
        """The bytes are in the bucket, and nobody knows yet."""
        self.bucket.stored[multihash(data)] = data

    async def upload(self, data: bytes) -> None:
        """The bytes are in the bucket, and whoever waits for them is woken to look."""
        self.arrive(data)
        await self.dispatcher.hint(name_of(data))

    async def pass_time(self, ms: int) -> None:
        """Let time pass, and let everything that follows from it happen."""
        self.clock.advance(ms)
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing that is ready is left to do."""
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            ready = min((await self.storage.next_ready()).values(), default=NEVER)
            busy = self.dispatcher.running or self.dispatcher.hints
            committing = self.engine.committer.working
            if committing is not None:
                await asyncio.wait([committing])
            elif busy:
                await asyncio.wait([*self.dispatcher.running.values(), *self.dispatcher.hints])
            elif ready > self.clock.now():
                return

    async def state(self, space: str, data: bytes) -> State:
        return (await self.engine.read(entry_at(space, name_of(data)))).state

    async def ledger(self, space: str) -> tuple[int, int, int]:
        """(capacity, reserved, used) in bytes."""
        state = (await self.engine.read(ledger_at(space))).state
        assert isinstance(state, Provisioned)
        return state.capacity, state.reserved, state.used


def simulated_bucket() -> MemoryBucket:
    secret = hashlib.sha256(b"a simulated bucket").hexdigest()
    presigner = Presigner(
        "http://bucket.test",
        Credentials("simulated", secret),
        window_ms=WINDOW_MS,
        grace_ms=GRACE_MS,
    )
    return MemoryBucket(presigner)


def name_of(data: bytes) -> str:
    """The name of some bytes: their multihash in base58btc."""
    return multibase.encode("z", multihash(data))
