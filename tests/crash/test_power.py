"""Goal: a commit that was answered outlives a loss of power, whole; one that was not is there whole
or not at all; and the database opens again, whatever the disk made of what was not yet synced.

Method: batches of every kind go through `powerless.Disk`, which at a random write or sync says what
would be left: what was synced, and arbitrary sectors of the rest. The next life begins with that.
With syncs switched off the same test has to find what is lost.
"""

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from crash.powerless import Disk
from taijitu.engine.storage import (
    Batch,
    HeadChange,
    ListChange,
    PlanChange,
    ReceiptRow,
    TaskKey,
    TaskRow,
)
from taijitu.kernel.failures import BlockMissing, Fault
from taijitu.storage.sqlite import SqliteStorage
from taijitu.storage.sqlite_file import Unusable

FEW, MANY = 15, 400
"""Seeds."""
LIVES = 6
BATCHES_MAX = 40
"""In one life."""
FIRST_CHANGES, CHANGES_MAX = 60, 900
"""Power fails before one of so many changes of files, half of the time early: what opening changes
are few."""
BLOCK_SIZE_MAX = 12_000
"""Bytes: several pages."""
LOG_PAGES = (4, 200)
"""After so many the log is written back to the database."""
CELLS = tuple(f"entry/{name}" for name in ("alice", "bob", "mallory", "service"))
PLAN = b"the plan"

Prepare = Callable[[SqliteStorage], object]
"""What is done to a storage that was just opened."""


def link(path: str, number: int) -> bytes:
    return f"{path} {number}".encode()


class Story:
    """What was committed, batch by batch, and so what has to be found after any of them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.batches: list[Batch] = []

    def next(self) -> Batch:
        """Some cells move, a task takes the place of the one before, a receipt is given."""
        chance, number = self.chance, len(self.batches) + 1
        made = Batch()
        seqs = self.seqs(len(self.batches))
        for path in chance.sample(CELLS, chance.randint(1, len(CELLS))):
            seq = seqs.get(path, 0)
            cid = link(path, seq + 1)
            made.heads[path] = HeadChange(path, seq, seq + 1, cid, cid)
            made.blocks.append((cid, chance.randbytes(chance.randint(1, BLOCK_SIZE_MAX))))
            made.lists.append(ListChange("all", path, chance.random() < 0.6))
        made.plans[PLAN] = PlanChange(PLAN, CELLS[0], number - 1, number, b"%d" % number)
        made.opened[TaskKey(PLAN, number)] = TaskRow(PLAN, number, CELLS[0], "test/do", "x", number)
        if number > 1:
            made.closed.append(TaskKey(PLAN, number - 1))
        else:
            made.blocks.append((PLAN, b"the block of the plan"))
        receipt = ReceiptRow(link("receipt", number), b"the receipt %d" % number, number)
        made.receipts[receipt.task] = receipt
        self.batches.append(made)
        return made

    def seqs(self, until: int) -> dict[str, int]:
        heads = (change for batch in self.batches[:until] for change in batch.heads.values())
        return {change.path: change.seq for change in heads}

    def listed(self, until: int) -> set[str]:
        last = {change.path: change for batch in self.batches[:until] for change in batch.lists}
        return {path for path, change in last.items() if change.present}

    async def is_whole(self, storage: SqliteStorage, acknowledged: int) -> int:
        """How many batches are there. Everything of them is, and nothing of any other."""
        count = await found(storage)
        assert acknowledged <= count <= len(self.batches), "an answered commit is lost"
        heads = await storage.scan("", limit=100)
        assert {head.path: head.seq for head in heads} == self.seqs(count)
        assert {row.path for _, row in await storage.listing("all", limit=100)} == self.listed(
            count
        )
        assert [row.number for row in await storage.open_tasks()] == ([count] if count else [])
        for number, batch in enumerate(self.batches, start=1):
            is_there = number <= count
            for cid, data in batch.blocks:
                assert await storage.block(cid) == (data if is_there else None)
            for receipt in batch.receipts.values():
                assert await storage.receipt(receipt.task) == (receipt.block if is_there else None)
        assert storage._reader.pragma("integrity_check") == "ok"
        return count


async def found(storage: SqliteStorage) -> int:
    """The number of the last batch, as the plan tells it."""
    try:
        plan = await storage.plan(PLAN)
    except BlockMissing:
        raise AssertionError("half a batch") from None
    return 0 if plan is None else plan.version


async def live(
    folder: Path,
    after: Path,
    story: Story,
    acknowledged: int,
    prepare: Prepare,
) -> int:
    """Open, look, commit until power fails. How many batches were answered by then."""
    chance = story.chance
    disk = Disk(folder)
    until = chance.randint(1, chance.choice((FIRST_CHANGES, CHANGES_MAX)))
    answered = acknowledged
    known: list[int] = []

    def power_fails_in_time() -> None:
        nonlocal until
        until -= 1
        if until == 0:
            disk.lose_power(after, chance)
            known.append(answered)

    disk.watch = power_fails_in_time
    try:
        storage = SqliteStorage.open(folder / "x.db", vfs=disk.name)
        try:
            prepare(storage)
            storage._writer._db.wal_autocheckpoint(chance.randint(*LOG_PAGES))
            del story.batches[await story.is_whole(storage, acknowledged) :]
            for _ in range(chance.randint(1, BATCHES_MAX)):
                if known:
                    break
                await storage.commit(story.next())
                answered = len(story.batches)
        finally:
            await storage.close()
        if not known:
            disk.lose_power(after, chance)
            known.append(answered)
        return known[0]
    finally:
        disk.unregister()


async def lose_power_again_and_again(
    tmp_path: Path, seed: int, prepare: Prepare = lambda _: None
) -> None:
    print(f"{seed=}")
    story, acknowledged = Story(random.Random(seed)), 0
    folders = [tmp_path / f"{seed}-{number}" for number in range(LIVES + 1)]
    for folder in folders:
        folder.mkdir()
    for folder, after in pairwise(folders):
        acknowledged = await live(folder, after, story, acknowledged, prepare)
    storage = SqliteStorage.open(folders[-1] / "x.db")
    await story.is_whole(storage, acknowledged)
    await storage.close()


def seeds(count: int) -> list[int]:
    chance = random.SystemRandom()
    return [chance.getrandbits(32) for _ in range(count)]


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.full)])
async def test_an_answered_commit_outlives_the_loss_of_power(tmp_path: Path, count: int) -> None:
    for seed in seeds(count):
        await lose_power_again_and_again(tmp_path, seed)


async def test_without_syncs_the_loss_is_found(tmp_path: Path) -> None:
    """What shows that the test above could fail."""

    def careless(storage: SqliteStorage) -> None:
        storage._writer._db.pragma("synchronous", "off")

    lost = 0
    for seed in range(1, 4):
        try:
            await lose_power_again_and_again(tmp_path, seed, careless)
        except (AssertionError, Fault, Unusable):
            lost += 1
    assert lost > 0
