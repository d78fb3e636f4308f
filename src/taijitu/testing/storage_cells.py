"""The storage suite, part one: heads, blocks and plans, and what a commit makes of them."""

import asyncio

import pytest

from taijitu.engine.storage import Batch, HeadRow, PlanRow, Storage
from taijitu.kernel.failures import BlockMissing, HeadMoved
from taijitu.testing.storage_suite import (
    ALICE,
    BOB,
    StorageSuite,
    closing,
    data,
    giving,
    link,
    move,
    moves,
    names,
    opening,
    progress,
    reading,
    task,
)


class CellRules(StorageSuite):
    """What is committed is true together, and found by path and by link."""

    # Heads

    async def test_nothing_is_known_of_a_cell_never_written(self, storage: Storage) -> None:
        assert await storage.head(ALICE + "1") is None
        assert await storage.scan(ALICE, limit=10) == []
        assert await storage.block(link("x")) is None
        assert await storage.plan(link("x")) is None
        assert await storage.receipt(link("x")) is None

    async def test_a_head_comes_with_its_block(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))

        name = ALICE + "1 1"
        expected = HeadRow(ALICE + "1", link(name), 1, data(name), link(name), None, 0, None)
        assert await storage.head(ALICE + "1") == expected
        assert await storage.block(link(name)) == data(name)

    async def test_a_head_comes_with_the_block_and_the_progress_of_an_older_plan(
        self, storage: Storage
    ) -> None:
        first = ALICE + "1 1"
        await storage.commit(moves(move(ALICE + "1", 1), progress(first, 1)))
        await storage.commit(move(ALICE + "1", 2, plan=first))

        head = await storage.head(ALICE + "1")

        assert head is not None
        assert head.cid == link(ALICE + "1 2")
        assert (head.plan, head.planned) == (link(first), data(first))
        assert (head.version, head.progress) == (1, b"progress 1")

    async def test_a_head_whose_block_is_missing_is_not_passed_over(self, storage: Storage) -> None:
        headless = move(ALICE + "1", 1)
        headless.blocks.clear()
        await storage.commit(headless)

        with pytest.raises(BlockMissing):
            await storage.head(ALICE + "1")
        with pytest.raises(BlockMissing):
            await storage.scan(ALICE, limit=1)

    async def test_a_head_whose_plan_has_no_block_is_not_passed_over(
        self, storage: Storage
    ) -> None:
        await storage.commit(move(ALICE + "1", 1, plan="nowhere"))

        with pytest.raises(BlockMissing):
            await storage.head(ALICE + "1")

    async def test_a_block_may_be_written_twice(self, storage: Storage) -> None:
        await storage.commit(Batch(blocks=[(link("x"), b"x"), (link("x"), b"x")]))
        await storage.commit(Batch(blocks=[(link("x"), b"x")]))

        assert await storage.block(link("x")) == b"x"

    async def test_an_empty_batch_changes_nothing(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))
        await storage.commit(Batch())

        assert names(await storage.scan("", limit=10)) == [ALICE + "1"]

    # Commits: all or nothing

    async def test_a_head_that_moved_is_refused(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))

        with pytest.raises(HeadMoved):
            await storage.commit(move(ALICE + "1", 1))
        with pytest.raises(HeadMoved):
            await storage.commit(move(ALICE + "1", 3))

    async def test_a_head_that_was_only_read_must_not_have_moved(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))
        await storage.commit(moves(reading(**{"1": 1}), move(ALICE + "2", 1)))

        with pytest.raises(HeadMoved):
            await storage.commit(moves(reading(**{"1": 0}), move(ALICE + "2", 2)))

        head = await storage.head(ALICE + "2")
        assert head is not None
        assert head.seq == 1

    async def test_that_a_cell_was_absent_is_something_that_was_read(
        self, storage: Storage
    ) -> None:
        await storage.commit(moves(reading(x=0), move(ALICE + "1", 1)))
        await storage.commit(move(ALICE + "x", 1))

        with pytest.raises(HeadMoved):
            await storage.commit(moves(reading(x=0), move(ALICE + "1", 2)))

    async def test_a_plan_that_changed_is_refused(self, storage: Storage) -> None:
        await storage.commit(progress("p", 1))
        await storage.commit(progress("p", 2))

        with pytest.raises(HeadMoved):
            await storage.commit(progress("p", 2))
        with pytest.raises(HeadMoved):
            await storage.commit(progress("q", 2))

    @pytest.mark.parametrize(
        "bad",
        [
            move(ALICE + "old", 1),
            reading(old=7),
            progress("old", 1),
            giving("old"),
        ],
        ids=["head", "read", "plan", "receipt"],
    )
    async def test_a_batch_with_one_bad_expectation_writes_nothing(
        self, storage: Storage, bad: Batch
    ) -> None:
        old = task("old")
        await storage.commit(
            moves(move(ALICE + "old", 1), progress("old", 1), giving("old"), opening(old))
        )
        good = moves(
            move(ALICE + "1", 1),
            progress("new", 1),
            opening(task("new")),
            closing(old.key),
            giving("new"),
        )

        with pytest.raises(HeadMoved):
            await storage.commit(moves(good, bad))

        assert names(await storage.scan("", limit=10)) == [ALICE + "old"]
        assert await storage.block(link(ALICE + "1 1")) is None
        assert await storage.open_tasks() == [old]
        assert await storage.receipt(link("new")) is None
        await storage.commit(good)
        assert names(await storage.scan("", limit=10)) == [ALICE + "1", ALICE + "old"]

    async def test_several_moves_of_one_cell_are_one_commit(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))
        chain = moves(*(move(ALICE + "1", seq) for seq in (2, 3, 4)))

        await storage.commit(chain)

        head = await storage.head(ALICE + "1")
        assert head is not None
        assert (head.seq, head.cid) == (4, link(ALICE + "1 4"))
        for seq in (1, 2, 3, 4):
            assert await storage.block(link(f"{ALICE}1 {seq}")) == data(f"{ALICE}1 {seq}")
        with pytest.raises(HeadMoved):
            await storage.commit(chain)

    async def test_a_chain_is_validated_at_its_first_link(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))

        with pytest.raises(HeadMoved):
            await storage.commit(moves(move(ALICE + "1", 1), move(ALICE + "1", 2)))

    async def test_several_changes_of_one_plan_are_one_commit(self, storage: Storage) -> None:
        made = moves(move(ALICE + "1", 1), progress(ALICE + "1 1", 1), progress(ALICE + "1 1", 2))

        await storage.commit(made)

        head = await storage.head(ALICE + "1")
        assert head is not None
        assert (head.version, head.progress) == (2, b"progress 2")

    async def test_a_large_batch_is_one_commit(self, storage: Storage) -> None:
        cells = [f"{ALICE}{number:04}" for number in range(300)]
        large = moves(*(moves(move(path, 1), opening(task(path, path=path))) for path in cells))

        await storage.commit(large)

        assert names(await storage.scan("", limit=1_000)) == cells
        assert len(await storage.open_tasks()) == 300
        again = moves(*(move(path, 2) for path in cells), move(BOB + "1", 2))
        with pytest.raises(HeadMoved):
            await storage.commit(again)
        assert {row.seq for row in await storage.scan("", limit=1_000)} == {1}

    async def test_of_two_commits_that_race_for_a_head_one_is_made(self, storage: Storage) -> None:
        one = moves(move(ALICE + "1", 1), move(ALICE + "one", 1))
        two = moves(move(ALICE + "1", 1), move(ALICE + "two", 1))

        outcomes = await asyncio.gather(
            storage.commit(one), storage.commit(two), return_exceptions=True
        )

        assert sorted(map(type, outcomes), key=str) == sorted([type(None), HeadMoved], key=str)
        winner = "one" if outcomes[0] is None else "two"
        assert names(await storage.scan(ALICE, limit=10)) == [ALICE + "1", ALICE + winner]

    # Plans

    async def test_a_plan_is_found_by_its_transition(self, storage: Storage) -> None:
        name = ALICE + "1 1"
        await storage.commit(moves(move(ALICE + "1", 1), progress(name, 1)))
        await storage.commit(move(ALICE + "1", 2))

        expected = PlanRow(link(name), ALICE + "1", data(name), 1, b"progress 1")
        assert await storage.plan(link(name)) == expected

    async def test_a_plan_of_which_only_a_task_is_known_is_found(self, storage: Storage) -> None:
        name = ALICE + "1 1"
        await storage.commit(moves(move(ALICE + "1", 1), opening(task(name))))

        expected = PlanRow(link(name), ALICE + "1", data(name), 0, None)
        assert await storage.plan(link(name)) == expected

    async def test_a_plan_whose_block_is_missing_is_not_passed_over(self, storage: Storage) -> None:
        await storage.commit(progress("nowhere", 1))

        with pytest.raises(BlockMissing):
            await storage.plan(link("nowhere"))
