"""Goal: whenever the service is killed, what `space/blob/add` has promised comes to its end: bytes
that were put are accepted, the receipts that were given stand, and no room is lost or doubled.

Method: as in `test_kills` and `test_points`: the whole service, killed from outside under a crowd
of clients, or by itself at a moment between a commit and its answer.
"""

import asyncio
import random
import signal
from collections.abc import Awaitable, Generator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from crash.keepers import BlobAuditor, Keepers
from crash.mortal import PATIENCE, Mortal, ending
from crash.test_kills import END_SECONDS_MAX, FEW, LOADS, MANY, SETTINGS, kill
from crash.workload import Phase
from support import blobs
from support.client import Inside, random_car, talking_to
from support.eventually import eventually
from support.service import Service

POINTS = Path(__file__).with_name("points.py")
AIMS: tuple[Phase, ...] = ("conclude", "between", "add", "put", "remove")
COMMIT = ("before COMMIT", "after COMMIT", "nobody told")
"""Where a service dies that is asked for something: before it is committed, and after."""


@pytest.fixture
def service(tmp_path: Path) -> Generator[Mortal]:
    yield from ending(Mortal(tmp_path / "data", POINTS))


async def test_bytes_that_were_put_are_accepted_though_nobody_could_say_so_before_the_kill(
    service: Mortal,
) -> None:
    service.start()
    async with talking_to(service) as client:
        alice, car = client.space("alice"), random_car()
        added = await blobs.add(alice, car)
        assert await client.put(added.allocated["address"], car.data) == 200
        service.kill()

        service.start()
        await blobs.conclude(alice, added)
        accepted = [await blobs.settled(alice, task) for task in added.tasks]
        assert accepted[:2] == [{"ok": added.allocated}, {"ok": {}}]
        url = await blobs.location(alice, added)
        assert (await client.request("GET", url)).body == car.data
        service.kill()

        service.start()
        await blobs.conclude(alice, added)
        assert [await blobs.settled(alice, task) for task in added.tasks] == accepted
        assert (await alice.usage())["used"] == car.size


@pytest.mark.parametrize("point", [*COMMIT, "answer not sent"])
async def test_an_add_that_was_cut_off_is_promised_once_and_kept(
    service: Mortal, point: str
) -> None:
    service.start()
    async with talking_to(service) as client:
        alice, car = client.space("alice"), random_car()
        await client.admin("provision", space=alice.did, capacity=car.size)
        service.stop()
        await start_to_die_at(service, point)
        asked = blobs.asks_to_add(alice, car)
        await is_cut_off(blobs.ask(alice, asked))
        await service.wait_for_its_death(point)
        known = Inside(service.data).rows("SELECT task FROM receipt")
        assert ((asked.link.data,) in known) == (point != "before COMMIT")

        service.start()
        added = await blobs.ask(alice, asked)
        assert added.allocated["size"] == car.size
        assert (await alice.usage())["reserved"] == car.size
        assert await client.put(added.allocated["address"], car.data) == 200
        await blobs.conclude(alice, added)
        assert "ok" in await blobs.settled(alice, added.accept)
        assert (await blobs.ask(alice, asked)).receipt.data == added.receipt.data


@pytest.mark.parametrize("point", ["name durable", "before hint", *COMMIT])
async def test_a_put_that_was_cut_off_is_accepted_once_it_is_concluded(
    service: Mortal, point: str
) -> None:
    service.start()
    async with talking_to(service) as client:
        alice, car = client.space("alice"), random_car()
        added = await blobs.add(alice, car)
        service.stop()
        await start_to_die_at(service, point)
        await is_cut_off(client.put(added.allocated["address"], car.data))
        await service.wait_for_its_death(point)

        service.start()
        await blobs.conclude(alice, added)
        assert "ok" in await blobs.settled(alice, added.accept)
        url = await blobs.location(alice, added)
        assert (await client.request("GET", url)).body == car.data
        usage = await alice.usage()
        assert (usage["reserved"], usage["used"], usage["entries"]) == (0, car.size, 1)


@pytest.mark.parametrize(
    ("kills", "clients", "spaces"),
    [
        (FEW, *LOADS[0]),
        *(pytest.param(MANY, *load, marks=pytest.mark.full) for load in LOADS),
    ],
)
async def test_every_promise_comes_to_its_end_however_often_the_service_is_killed(
    kills: int, clients: int, spaces: int, tmp_path: Path
) -> None:
    seed = random.SystemRandom().getrandbits(32)
    print(f"{seed=}")
    chance = random.Random(seed)
    service = Service(tmp_path / "data", SETTINGS).start()
    try:
        async with talking_to(service) as client:
            crowd = Keepers(client, [client.space() for _ in range(spaces)], clients, chance)
            async with asyncio.TaskGroup() as group:
                group.create_task(crowd.work())
                for number in range(kills):
                    await kill(service, crowd, AIMS[number % len(AIMS)], chance)
                crowd.over = True
            outcomes = await audit(service, crowd)
            service.restart()
            assert await audit(service, crowd) == outcomes
    finally:
        if service.process is not None:
            service.kill()
    landed = {phase: crowd.diary.landed(phase) for phase in AIMS}
    accepted = sum("ok" in outcome for outcome in outcomes)
    print(f"{len(outcomes)} promises, {accepted} accepted, kills landed: {landed}")
    assert len(crowd.diary.kills) == kills
    assert kills < MANY or all(landed.values()), landed
    assert 0 < accepted < len(outcomes)


async def audit(service: Service, crowd: Keepers) -> list[Any]:
    auditor = BlobAuditor(service, crowd.client, crowd.diary)
    await auditor.everything_is_in_order(crowd.spaces, END_SECONDS_MAX)
    return await auditor.every_promise_came_to_its_end(crowd.promised)


async def start_to_die_at(service: Mortal, point: str) -> None:
    """Returns once it answers: it dies when it comes there next."""
    service.launch(point, "0")

    async def is_up() -> bool:
        return await asyncio.to_thread(service.is_healthy)

    await eventually(is_up, bool, seconds=PATIENCE)
    service.running().send_signal(signal.SIGUSR1)


async def is_cut_off(asked: Awaitable[object]) -> None:
    """What was asked gets no answer: whoever would give it dies."""
    with pytest.raises((aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)):
        await asked
