"""Goal: whatever people do, whatever fails, and whenever the service ends and starts again, the
laws hold at every instant; and in the end everything comes to rest with nothing lost or left over.

Method: a party made from a seed does a random thing at every step, on the shipped engine, machines
and actors, over a storage and a bucket that outlive each of its processes. A failing test prints
its seed; `TAIJITU_TEST_SEED=…` runs that one alone.
"""

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest

from simulation.party import DOINGS, MISCHIEF, THINGS, Party
from taijitu.actors import audit
from taijitu.actors.agent import AgentActor
from taijitu.engine.actor import Assignment
from taijitu.engine.storage import Batch
from taijitu.kernel.receipt import Ok, Receipt
from taijitu.machines.world import Upload
from taijitu.storage.memory import MemoryStorage
from taijitu.testing.world import name_of

FEW, MANY = 100, 3_000
"""Seeds, for each of the two kinds of party."""
STEPS = 100
SEED = "TAIJITU_TEST_SEED"


def seeds(count: int) -> list[int]:
    if SEED in os.environ:
        return [int(os.environ[SEED])]
    chance = random.SystemRandom()
    return [chance.getrandbits(32) for _ in range(count)]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAUSE_SECONDS", 0)


async def whole_evening(party: Party) -> None:
    await party.go_wild(STEPS)
    await party.come_to_rest()


@pytest.mark.parametrize("mischief", [False, True])
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.full)])
async def test_the_laws_hold_whatever_happens(count: int, mischief: bool) -> None:
    happened: Counter[str] = Counter()
    receipts = 0
    for seed in seeds(count):
        party = Party(seed, mischief=mischief)
        try:
            await whole_evening(party)
        except BaseException:
            print(f"{SEED}={seed}", *party.log)
            raise
        happened.update(party.log)
        receipts += len(party.told)
    if SEED not in os.environ:
        assert set(DOINGS | (MISCHIEF if mischief else {})) <= set(happened)
        assert receipts > count


class Halves(MemoryStorage):
    """Commits in two steps, of which the second is sometimes forgotten: first what is, then what
    has to follow from it."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance

    async def commit(self, batch: Batch) -> None:
        await super().commit(batch)
        if self.chance.random() < 0.05:
            for key in batch.opened:
                self._tasks.pop(key, None)


async def test_a_storage_that_commits_by_halves_is_found_out() -> None:
    """This and the next show that the test above could fail."""
    assert await is_found_out(lambda seed: Halves(random.Random(seed)))


async def test_an_agent_who_takes_hints_for_facts_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(self: AgentActor, assignment: Assignment) -> Receipt:
        assert isinstance(assignment.task, Upload)
        sizes = {name_of(thing): len(thing) for thing in THINGS}
        return Ok({"size": sizes[assignment.task.multihash]})

    monkeypatch.setattr(AgentActor, "run", run)
    assert await is_found_out(lambda _: MemoryStorage())


async def is_found_out(storage: Callable[[int], MemoryStorage]) -> bool:
    for seed in range(10):
        party = Party(seed, mischief=False, storage=storage(seed))
        try:
            await whole_evening(party)
        except AssertionError:
            await party.end()
            return True
    return False


async def test_a_seed_replays_a_party() -> None:
    ends: list[object] = []
    for _ in range(2):
        party = Party(7, mischief=True)
        await whole_evening(party)
        ends.append((party.log, party.told, party.clock.now(), sorted(party.bucket.stored)))
    assert ends[0] == ends[1]
