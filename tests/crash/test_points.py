"""Goal: there is no moment inside a commit, an upload or a delete at which the service could not
be killed: what it has acknowledged holds, and what it has not is whole or not there.

Method: `points.py` is the whole service, and kills itself at the n-th passage of a named point,
under a crowd of clients who never stop. As soon as it is dead it is started to die at the next;
in the end the service as it ships takes over, and an auditor compares. A test fails unless each of
its points was hit; those of `make test-full` are all of them.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from crash.auditor import Auditor
from crash.mortal import Mortal, ending
from crash.points import COMMIT, DELETE, POINTS, UPLOAD
from crash.workload import Crowd
from support.client import talking_to

PROGRAM = Path(__file__).with_name("points.py")
WINDOW, GRACE = 1, 1
"""Seconds."""
SETTINGS = {"TAIJITU_UPLOAD_WINDOW": str(WINDOW), "TAIJITU_UPLOAD_GRACE": str(GRACE)}
END_SECONDS_MAX = WINDOW + GRACE + 10
CLIENTS, SPACES = 6, 3
OFTEN, SELDOM = 12, 2
"""At which passage of a point it dies, at most: commits are many, deletes few."""
SOME = 12
"""Points that are hit every time; all of them are where there is time."""
ROUNDS = 3
"""How often each of them is hit there, under one load."""


@pytest.fixture
def mortal(tmp_path: Path):
    yield from ending(Mortal(tmp_path / "data", PROGRAM, SETTINGS))


@pytest.mark.parametrize("count", [SOME, pytest.param(len(POINTS), marks=pytest.mark.full)])
async def test_killed_at_one_point_after_the_other_it_keeps_its_word(
    count: int, mortal: Mortal, record_property: Callable[[str, object], None]
) -> None:
    """Each life begins with what the one before left undone."""
    chance, seed = fresh_chance()
    points = chance.sample(POINTS, count)
    hit = await live_and_die(mortal, points, chance)
    record_property("seed", seed)
    record_property("hit", hit)
    assert hit == points


@pytest.mark.full
@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_one_point_again_and_again_it_keeps_its_word(
    mortal: Mortal, point: str
) -> None:
    chance, _ = fresh_chance()
    assert await live_and_die(mortal, [point] * ROUNDS, chance, audits=2) == [point] * ROUNDS


def test_the_points_are_all_there_are() -> None:
    assert POINTS == COMMIT + UPLOAD + DELETE
    assert len(set(POINTS)) == len(POINTS)


def fresh_chance() -> tuple[random.Random, int]:
    """A generator, and the seed that a failing test prints."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"{seed=}")
    return random.Random(seed), seed


async def live_and_die(
    service: Mortal, points: Sequence[str], chance: random.Random, audits: int = 1
) -> list[str]:
    """The points at which it was killed, all under one load; then audits, and restarts between."""
    hit: list[str] = []
    service.start()
    async with talking_to(service) as client:
        crowd = Crowd(client, [client.space() for _ in range(SPACES)], CLIENTS, chance)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(crowd.work())
            service.kill()
            for point in points:
                passages = chance.randint(1, SELDOM if point in DELETE else OFTEN)
                service.launch(point, str(passages))
                await service.wait_for_its_death(point)
                assert not working.done(), "nobody is left to ask"
                hit.append(point)
                print(point, passages)
            crowd.over = True
            await asyncio.to_thread(service.start)
        await audit(service, crowd)
        for _ in range(1, audits):
            service.restart()
            await audit(service, crowd)
    return hit


async def audit(service: Mortal, crowd: Crowd) -> None:
    auditor = Auditor(service, crowd.client, crowd.diary)
    await auditor.everything_is_in_order(crowd.spaces, END_SECONDS_MAX)
