"""Goal: whenever the service is killed, what it has acknowledged holds, nothing is stuck, and no
room is lost or doubled.

Method: clients add, put, share and remove without pause while the service is killed (SIGKILL) and
started again on the same folder, over and over; each kill waits for some client to come to another
step. Then an auditor compares what every client was told with what is there.
"""

import asyncio
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from crash.auditor import Auditor
from crash.workload import Crowd, Phase
from support.client import Client, random_car, talking_to
from support.service import Service

WINDOW, GRACE = 2, 1
"""Seconds."""
SETTINGS = {"TAIJITU_UPLOAD_WINDOW": str(WINDOW), "TAIJITU_UPLOAD_GRACE": str(GRACE)}
END_SECONDS_MAX = WINDOW + GRACE + 10
"""Until every attempt has come to its end, on a slow machine."""

AIMS: tuple[Phase, ...] = ("between", "add", "put", "remove")
"""A kill strikes soon after some client has come to this."""
FEW, MANY = 5, 50
"""Kills in one test. With many of them, every step has to be hit."""
LOADS = ((6, 3), (16, 2), (3, 3), (10, 5))
"""How many clients, in how many spaces. Each load is many kills: 200 in all, in a soak 1,000."""
SOAKS = 5
"""How often a soak goes through the loads."""
UNDISTURBED_SECONDS = (0.1, 0.6)
STRIKE_SECONDS_MAX = 0.005
"""How long after that."""


@pytest.mark.parametrize(
    ("kills", "clients", "spaces", "turn"),
    [
        (FEW, *LOADS[0], 0),
        *(pytest.param(MANY, *load, 0, marks=pytest.mark.full) for load in LOADS),
        *(
            pytest.param(MANY, *load, turn, marks=pytest.mark.soak)
            for load in LOADS
            for turn in range(1, SOAKS + 1)
        ),
    ],
)
async def test_what_was_acknowledged_holds_however_often_the_service_is_killed(
    *,
    kills: int,
    clients: int,
    spaces: int,
    turn: int,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """`turn` only tells repetitions apart: every run is another."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"{seed=}")
    chance = random.Random(seed)
    service = Service(tmp_path / "data", SETTINGS).start()
    try:
        async with talking_to(service) as client:
            crowd = Crowd(client, [client.space() for _ in range(spaces)], clients, chance)
            async with asyncio.TaskGroup() as group:
                group.create_task(crowd.work())
                for number in range(kills):
                    await kill(service, crowd, AIMS[number % len(AIMS)], chance)
                crowd.over = True
            await audit(service, client, crowd)
            service.restart()
            await audit(service, client, crowd)
    finally:
        if service.process is not None:
            service.kill()
    diary = crowd.diary
    landed = {phase: diary.landed(phase) for phase in AIMS}
    for name, value in {"kills": len(diary.kills), **landed, "repeated": diary.repeated}.items():
        record_property(name, value)
    print(f"{len(diary.acknowledged)} receipts, {len(diary.known)} CARs, kills landed: {landed}")
    assert len(diary.kills) == kills
    assert landed["between"] > 0, "no kill hit between an add and its PUT"
    assert kills < MANY or all(landed.values()), landed
    assert diary.repeated > 0, "no kill cut anybody off"


async def kill(service: Service, crowd: Crowd, aim: Phase, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(*UNDISTURBED_SECONDS))
    await crowd.someone_at(aim)
    await asyncio.sleep(chance.uniform(0, STRIKE_SECONDS_MAX))
    assert service.running().poll() is None, service.output
    crowd.diary.kills.append([member.phase for member in crowd.members])
    service.kill()
    await asyncio.to_thread(service.start)


async def audit(service: Service, client: Client, crowd: Crowd) -> None:
    auditor = Auditor(service, client, crowd.diary)
    await auditor.everything_is_in_order(crowd.spaces, END_SECONDS_MAX)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_the_same_invocation_gets_the_same_receipt_after_a_restart(
    tmp_path: Path, end: signal.Signals
) -> None:
    service = Service(tmp_path / "data").start()
    try:
        async with talking_to(service) as client:
            alice, car = client.space("alice"), random_car()
            adds, removes = alice.asks_to_add(car), alice.asks_to_remove(car)
            added = await client.send(adds)
            removed = await client.send(removes)
            usage = await alice.usage()

            service.stop() if end == signal.SIGTERM else service.kill()
            service.start()
            assert (await client.send(adds)).data == added.data
            assert (await client.send(removes)).data == removed.data
            assert await alice.place(car) == "Absent", "it was not added again"
            assert await alice.usage() == usage
    finally:
        if service.process is not None:
            service.kill()
