"""People who do anything at any time, and a service that ends and starts again under them.

A party is made from a seed and from nothing else, so that a seed replays it. What people were told
is kept: a receipt that was given out has to be the same for ever.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import NamedTuple

from msgspec.structs import replace

from simulation import laws
from simulation.unsure import Life, SlowStorage, UnsureActor
from taijitu.actors.audit import Audit
from taijitu.engine.cell import Path
from taijitu.engine.engine import Concluded
from taijitu.ipld import car
from taijitu.ipld.cid import Link, link_to, multihash
from taijitu.kernel.effect import Message
from taijitu.kernel.failures import Fault
from taijitu.kernel.machine import State
from taijitu.kernel.receipt import Receipt
from taijitu.machines import entry
from taijitu.machines.entry import Add, FaceName, Receiving, Remove, entry_at
from taijitu.machines.ledger import Provision, ledger_at
from taijitu.storage.memory import MemoryStorage
from taijitu.testing.clock import VirtualClock
from taijitu.testing.world import (
    GRACE_MS,
    WINDOW_MS,
    SimulatedWorld,
    name_of,
    simulated_bucket,
)

SPACES = ("did:key:alice", "did:key:bob", "did:key:mallory")
BLOCKS = tuple(f"{number} ".encode() * size for number, size in enumerate((5, 9, 14, 20)))
THINGS = (BLOCKS[0], *(car.encode([], [(link_to(each), each)]) for each in BLOCKS[1:]))
"""Few, so that people meet over them: some bytes, and three CARs."""
CAPACITIES = (100, 250, 1_000)
"""Bytes: not everything has room."""
FACES: tuple[FaceName, ...] = ("store", "blob")
PAUSES_MS = (1, 100, 5_000, 20_000, 31_000, 61_000, 95_000)
BACK_MS = 45_000
"""How far the clock may be set back."""
REST_ROUNDS_MAX = 50
REST_MS = 61_000


class Url(NamedTuple):
    """A place to put bytes, as someone was told. Times in ms since 1970."""

    thing: bytes
    size: int
    expires: int
    closes: int


class Asked(NamedTuple):
    path: Path
    message: Message
    cause: Link


class Party:
    def __init__(self, seed: int, *, mischief: bool, storage: MemoryStorage | None = None) -> None:
        """With `mischief` the bucket loses bytes and gets some that nobody sent, and the clock is
        set back: what an audit is for."""
        self.chance = random.Random(seed)
        self.mischief = mischief
        # No two parties are alike: some crowd around one thing, some never wait, some hardly add.
        self.spaces = SPACES[: self.chance.randint(1, len(SPACES))]
        self.things = self.chance.sample(THINGS, self.chance.choice((1, 2, 4)))
        self.turns_max = self.chance.choice((2, 10, 40))
        doings = DOINGS | (MISCHIEF if mischief else {})
        self.doings = {
            name: often * self.chance.choice((0.3, 1, 3)) for name, often in doings.items()
        }
        self.storage = storage or MemoryStorage()
        self.bucket = simulated_bucket()
        self.clock = VirtualClock()
        self.capacities: dict[str, int] = {}
        self.behind_ms = 0
        """How far the clock was set back, in all."""
        self.lost: set[str] = set()
        self.urls: list[Url] = []
        self.putting: list[Url] = []
        self.asked: list[Asked] = []
        self.told: dict[Link, bytes] = {}
        self.log: list[str] = []

    # A process, from its start to its end

    def begin(self, *, steady: bool = False) -> None:
        """Start on what is stored; `steady`, in a world that can be relied on."""
        self.life = Life(self.chance, steady=steady)
        storage = SlowStorage(self.storage, self.life, at_once=self.chance.random() < 0.5)
        self.world = SimulatedWorld(storage, self.bucket, self.clock)  # pyright: ignore[reportArgumentType]
        engine = self.world.engine
        engine.actors = {
            ability: UnsureActor(actor, self.life) for ability, actor in engine.actors.items()
        }
        self.running: set[asyncio.Task[None]] = set()
        self.surprises: list[BaseException] = []
        self.soon(self.world.dispatcher.run())

    async def end(self) -> None:
        """Everything that ran is gone; what it had stored is not."""
        self.life.over = True
        gone = asyncio.all_tasks() - {asyncio.current_task()}
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        bugs = [trouble for trouble in self.world.troubles if trouble[0] == "bug"]
        assert bugs == []

    def soon(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self.running.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        if not task.cancelled() and (trouble := task.exception()) is not None:
            self.surprises.append(trouble)

    # What happens

    async def go_wild(self, steps: int) -> None:
        """So many steps, and after each of them the laws hold."""
        self.begin()
        names, weights = list(self.doings), list(self.doings.values())
        for name in ["provision_all", *self.chance.choices(names, weights, k=steps)]:
            self.log.append(name)
            if name == "crash":
                await self.end()
                self.begin()
            else:
                self.soon(self.one(getattr(self, name)))
            for _ in range(self.chance.randint(0, self.turns_max)):
                await asyncio.sleep(0)
            assert self.surprises == []
            await self.laws_hold()
        await self.end()

    async def one(self, doing: Callable[[], Awaitable[None]]) -> None:
        """Somebody does something; he is not surprised when it fails."""
        try:
            await doing()
        except Fault:
            return

    async def come_to_rest(self) -> None:
        """Nobody does anything any more, and the world can be relied on: all ends well."""
        self.begin(steady=True)
        await self.calm_down()
        if self.mischief:
            # An audit leaves alone what a URL may still bring; later ones see that it has ended.
            await self.world.pass_time(self.behind_ms + WINDOW_MS + GRACE_MS)
            await self.audit()
            self.lost.clear()
            await self.calm_down()
        await self.laws_hold()
        await laws.all_is_at_rest(self.storage, self.bucket)
        for cause, receipt in self.told.items():
            assert await self.world.engine.receipt(cause) == receipt, "a receipt was lost"
        await self.end()

    async def laws_hold(self) -> None:
        await laws.hold(self.storage, self.bucket, self.capacities, self.lost)

    async def calm_down(self) -> None:
        for _ in range(REST_ROUNDS_MAX):
            await self.world.pass_time(REST_MS)
            if not await self.storage.open_tasks():
                return
        raise AssertionError(("it does not come to rest", await self.storage.open_tasks()))

    # What people do

    async def add(self) -> None:
        chance, now = self.chance, self.clock.now()
        thing, space = chance.choice(self.things), chance.choice(self.spaces)
        size = len(thing) if chance.random() < 0.9 else chance.randint(1, 40)
        cause = link_to(chance.randbytes(16))
        path = entry_at(space, name_of(thing))
        message = Add(
            now, cause, space, name_of(thing), "did:key:agent", size, chance.choice(FACES)
        )
        await self.ask(Asked(path, message, cause))

    async def remove(self) -> None:
        chance = self.chance
        path = entry_at(chance.choice(self.spaces), name_of(chance.choice(self.things)))
        message = Remove(self.clock.now(), chance.choice(FACES))
        await self.ask(Asked(path, message, link_to(chance.randbytes(16))))

    async def again(self) -> None:
        """What was asked before is asked again, word for word."""
        if self.asked:
            path, message, cause = self.chance.choice(self.asked)
            await self.ask(Asked(path, replace(message, at=self.clock.now()), cause))

    async def ask(self, asked: Asked) -> None:
        engine = self.world.engine
        self.asked.append(asked)
        receipt = await engine.receipt(asked.cause)
        if receipt is None:
            path, message, cause = asked
            done = await engine.transact(path, message, cause=cause, conclude=conclude)
            if done.receipt is None:
                done = await engine.conclude(path, cause, conclude)
            receipt = done.receipt
            self.see(done.state)
        if receipt is not None:
            assert self.told.setdefault(asked.cause, receipt) == receipt, "two receipts"

    def see(self, state: State) -> None:
        """Somebody is told where to put bytes."""
        if not isinstance(state, Receiving):
            return
        thing = next(each for each in THINGS if name_of(each) == state.attempt.multihash)
        self.urls.append(Url(thing, state.attempt.size, state.expires, state.closes))

    async def begin_put(self) -> None:
        usable = [url for url in self.urls if self.clock.now() < url.expires]
        if usable:
            self.putting.append(self.chance.choice(usable))

    async def end_put(self) -> None:
        """The bytes are there, unless it took too long; now and then the hint is lost."""
        if not self.putting:
            return
        url = self.putting.pop(self.chance.randrange(len(self.putting)))
        if self.clock.now() < url.closes and url.size == len(url.thing):
            self.bring(url.thing)
            if self.chance.random() < 0.7:
                await self.world.dispatcher.hint(name_of(url.thing))

    def bring(self, thing: bytes) -> None:
        self.world.arrive(thing)
        self.lost.discard(name_of(thing))

    async def false_hint(self) -> None:
        await self.world.dispatcher.hint(name_of(self.chance.choice(self.things)))

    async def pass_time(self) -> None:
        self.clock.advance(self.chance.choice(PAUSES_MS))

    async def provision_all(self) -> None:
        for space in self.spaces:
            await self.provision(space)

    async def change_capacity(self) -> None:
        await self.provision(self.chance.choice(self.spaces))

    async def provision(self, space: str) -> None:
        capacity = self.chance.choice(CAPACITIES)
        self.capacities[space] = max(capacity, self.capacities.get(space, 0))
        message = Provision(self.clock.now(), space, capacity)
        await self.world.engine.transact(ledger_at(space), message)

    # What only mischief does

    async def lose_bytes(self) -> None:
        if self.bucket.stored:
            thing = self.chance.choice(self.things)
            self.bucket.stored.pop(multihash(thing), None)
            self.lost.add(name_of(thing))

    async def bring_bytes_past_everybody(self) -> None:
        self.bring(self.chance.choice(self.things))

    async def set_clock_back(self) -> None:
        ms = self.chance.randint(1, BACK_MS)
        self.clock.time -= ms
        self.behind_ms += ms

    async def audit(self) -> None:
        await Audit(self.world.engine, self.bucket).run()


DOINGS = {
    "add": 30,
    "remove": 10,
    "again": 6,
    "begin_put": 14,
    "end_put": 16,
    "false_hint": 3,
    "pass_time": 18,
    "change_capacity": 2,
    "crash": 6,
}
"""What happens, and how often in comparison."""
MISCHIEF = {"lose_bytes": 3, "bring_bytes_past_everybody": 3, "set_clock_back": 3, "audit": 3}


def conclude(state: State, reply: Receipt) -> Concluded | None:
    """Some receipt; none while the entry is still asking for room and bytes."""
    return None if isinstance(state, entry.Active) else Concluded(repr((state, reply)).encode())
