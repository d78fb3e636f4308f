"""Clients that go about their business while the service is killed under them.

A client never gives up: what gets no answer is asked again, word for word, until it is answered.
So in the end it knows for every CAR what it was told, and that is what has to be true.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import aiohttp

from support.client import Car, Client, Space
from taijitu.ipld.car import encode
from taijitu.ipld.cid import CAR, RAW, link_to
from taijitu.ucan.delegation import Delegation

Phase = Literal["idle", "add", "between", "put", "conclude", "remove"]
"""What a client is at. `between`: its add was answered, its PUT has not begun. `conclude`: a blob
was put, and that is about to be said."""

AGAIN_SECONDS = 0.05
"""Before something is asked again."""
ANSWERED_SECONDS_MAX = 60
THINK_SECONDS_MAX = 0.03
"""Until a client has the bytes at hand."""
SIZE_MAX = 150_000
"""Bytes. The small ones are looked through as they are stored, the others afterwards."""

T = TypeVar("T")


@dataclass(eq=False)
class Known:
    """What a client was told of one CAR in one space."""

    space: Space
    car: Car
    stored: bool = False
    """A PUT was answered 200, or an add `done`; and it was not removed since."""


@dataclass
class Diary:
    """What all clients were told, and what they were at when the service was killed."""

    known: list[Known] = field(default_factory=list[Known])
    acknowledged: list[tuple[Delegation, bytes]] = field(
        default_factory=list[tuple[Delegation, bytes]]
    )
    """Invocations, each with the receipt it got."""
    kills: list[list[Phase]] = field(default_factory=list[list[Phase]])
    """For each kill, where every client was."""
    repeated: int = 0
    """How often something had to be asked again."""

    def landed(self, phase: Phase) -> int:
        """How many kills hit a client in this phase."""
        return sum(phase in phases for phases in self.kills)


def car_with_one_block(size: int) -> Car:
    """Of so many bytes that nobody has stored before."""
    block = os.urandom(size)
    data = encode([], [(link_to(block, RAW), block)])
    return Car(link_to(data, CAR), data)


class Crowd:
    """Several clients, each busy with CARs of its own in spaces that they share."""

    def __init__(self, client: Client, spaces: list[Space], size: int, chance: random.Random):
        self.client = client
        self.spaces = spaces
        self.diary = Diary()
        self.members = [self.member(chance) for _ in range(size)]
        self.over = False
        self.awaited: tuple[Phase, asyncio.Event] | None = None

    def member(self, chance: random.Random) -> "Member":
        return Member(self, chance)

    async def work(self) -> None:
        """Until `over`; then everyone brings to an end what he began."""
        async with asyncio.TaskGroup() as group:
            for member in self.members:
                group.create_task(member.work())

    def is_at(self, phase: Phase) -> None:
        """Someone has come to this phase."""
        if self.awaited is not None and self.awaited[0] == phase:
            self.awaited[1].set()

    async def someone_at(self, phase: Phase) -> None:
        """Returns as soon as someone comes to a phase."""
        self.awaited = (phase, asyncio.Event())
        await asyncio.wait_for(self.awaited[1].wait(), ANSWERED_SECONDS_MAX)
        self.awaited = None


class Member:
    """One client: takes a CAR, does with it one of the things one does, takes another."""

    def __init__(self, crowd: Crowd, chance: random.Random) -> None:
        self.crowd = crowd
        self.client = crowd.client
        self.diary = crowd.diary
        self.chance = chance
        self.phase: Phase = "idle"

    async def work(self) -> None:
        lives = (self.stores, self.stores, self.removes, self.shares, self.abandons, self.regrets)
        while not self.crowd.over:
            space, other = self.chance.sample(self.crowd.spaces, 2)
            car = car_with_one_block(self.chance.randint(1, SIZE_MAX))
            await self.chance.choice(lives)(Known(space, car), other)
            self.at("idle")

    async def stores(self, known: Known, _: Space) -> None:
        """Adds it and puts the bytes, as often as it takes."""
        self.diary.known.append(known)
        while not known.stored:
            ok = await self.add(known)
            known.stored = ok["status"] == "done" or await self.put(ok, known.car) == 200

    async def removes(self, known: Known, other: Space) -> None:
        """Stores it, and then lets go of it."""
        await self.stores(known, other)
        await self.remove(known)

    async def shares(self, known: Known, other: Space) -> None:
        """Stores it in two spaces; lets go of it in the first."""
        await self.stores(known, other)
        await self.stores(Known(other, known.car), known.space)
        await self.remove(known)

    async def abandons(self, known: Known, _: Space) -> None:
        """Adds it, and the bytes never come."""
        self.diary.known.append(known)
        await self.add(known)

    async def regrets(self, known: Known, _: Space) -> None:
        """Adds it, lets go of it, and puts the bytes all the same."""
        self.diary.known.append(known)
        ok = await self.add(known)
        await self.remove(known)
        await self.put(ok, known.car)

    async def add(self, known: Known) -> dict[str, str]:
        self.at("add")
        added = (await self.ask(known.space.asks_to_add(known.car)))["ok"]
        self.at("between")
        await asyncio.sleep(self.chance.uniform(0, THINK_SECONDS_MAX))
        return added

    async def put(self, ok: dict[str, str], car: Car) -> int:
        """200, or 403 if it was too late."""
        self.at("put")
        status = await self.insist(lambda: self.client.put(ok, car.data))
        assert status in (200, 403)
        return status

    async def remove(self, known: Known) -> None:
        self.at("remove")
        # Told once that it is gone, or told that it is not there: an upload may have expired.
        await self.ask(known.space.asks_to_remove(known.car))
        known.stored = False

    async def ask(self, invocation: Delegation) -> dict[str, dict[str, str]]:
        """The outcome. While there is no answer, the same is asked again."""
        receipt = await self.insist(lambda: self.client.send(invocation))
        self.diary.acknowledged.append((invocation, receipt.data))
        return receipt.out

    async def insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        async with asyncio.timeout(ANSWERED_SECONDS_MAX):
            while True:
                try:
                    return await ask()
                except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                    self.diary.repeated += 1
                    await asyncio.sleep(AGAIN_SECONDS)

    def at(self, phase: Phase) -> None:
        self.phase = phase
        self.crowd.is_at(phase)
