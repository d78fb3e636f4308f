"""What every storage backend must do: one suite of tests, for whoever writes a backend.

    class TestMine(DurableStorageContract):
        async def open(self, place: Path) -> Storage:
            return await MyStorage.open(place / "mine")

`open` is called with an empty folder of its own for each test, and by the tests of a durable
backend again with the same folder after the storage was closed. It needs pytest and pytest-asyncio.
With `pytest.register_assert_rewrite("taijitu.testing")` in a `conftest.py`, failures say more.
"""

from pathlib import Path

import pytest

from taijitu.engine.storage import Storage
from taijitu.kernel.failures import HeadMoved
from taijitu.testing.storage_cells import CellRules
from taijitu.testing.storage_lists import ListRules
from taijitu.testing.storage_slices import SliceRules, slice_of, slicing
from taijitu.testing.storage_suite import (
    ALICE,
    NOW,
    closing,
    deferring,
    giving,
    joining,
    link,
    move,
    moves,
    names,
    opening,
    progress,
    task,
)
from taijitu.testing.storage_tasks import TaskRules


class StorageContract(CellRules, ListRules, TaskRules, SliceRules):
    """The rules for every backend. Derive a test class and say how to `open` yours."""

    # Receipts

    async def test_a_receipt_is_given_once(self, storage: Storage) -> None:
        await storage.commit(giving("x"))

        with pytest.raises(HeadMoved):
            await storage.commit(moves(move(ALICE + "1", 1), giving("x", NOW + 1)))

        assert await storage.receipt(link("x")) == b"the receipt of x"
        assert await storage.head(ALICE + "1") is None

    async def test_old_receipts_are_forgotten(self, storage: Storage) -> None:
        await storage.commit(moves(giving("x", NOW - 1), giving("y", NOW), giving("z", NOW + 1)))

        await storage.forget_receipts(NOW)

        assert await storage.receipt(link("x")) is None
        assert await storage.receipt(link("y")) == b"the receipt of y"
        assert await storage.receipt(link("z")) == b"the receipt of z"
        await storage.commit(giving("x"))

    async def test_however_many_old_receipts_are_forgotten(self, storage: Storage) -> None:
        await storage.commit(moves(*(giving(str(number), NOW - 1) for number in range(2_100))))

        await storage.forget_receipts(NOW)

        left = [number for number in range(2_100) if await storage.receipt(link(str(number)))]
        assert left == []

    # Settings

    async def test_settings_are_remembered(self, storage: Storage) -> None:
        assert await storage.settings() == {}
        await storage.remember("did", "did:web:one.example")
        await storage.remember("window", "7")
        await storage.remember("did", "did:web:two.example")

        assert await storage.settings() == {"did": "did:web:two.example", "window": "7"}

    async def test_to_close_twice_is_no_error(self, storage: Storage) -> None:
        await storage.close()
        await storage.close()


class DurableStorageContract(StorageContract):
    """The rules for a backend that is to be found as it was when it is opened again."""

    async def test_everything_is_there_after_reopening(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        waiting = task(ALICE + "1 1")
        await storage.commit(
            moves(
                move(ALICE + "1", 1),
                progress(ALICE + "1 1", 1),
                move(ALICE + "1", 2, plan=ALICE + "1 1"),
                opening(waiting, task("closed")),
                giving("x"),
                joining("list", ALICE + "1"),
                slicing(slice_of("slice", "shard")),
            )
        )
        await storage.commit(moves(closing(task("closed").key), deferring(waiting, NOW + 3)))
        await storage.remember("did", "did:web:one.example")
        head, plan = await storage.head(ALICE + "1"), await storage.plan(link(ALICE + "1 1"))
        tasks, members = await storage.open_tasks(), await storage.listing("list", limit=10)
        await storage.close()

        again = await self.open(tmp_path)
        try:
            assert head is not None
            assert await again.head(ALICE + "1") == head
            assert await again.scan("", limit=10) == [head]
            assert await again.plan(link(ALICE + "1 1")) == plan
            assert await again.open_tasks() == tasks != []
            assert await again.listing("list", limit=10) == members != []
            assert await again.receipt(link("x")) == b"the receipt of x"
            assert await again.slices(link("slice"), 1) == [slice_of("slice", "shard")]
            assert await again.settings() == {"did": "did:web:one.example"}
            with pytest.raises(HeadMoved):
                await again.commit(move(ALICE + "1", 2))
            await again.commit(move(ALICE + "1", 3))
        finally:
            await again.close()

    async def test_what_was_refused_is_not_there_after_reopening(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        await storage.commit(move(ALICE + "1", 1))
        with pytest.raises(HeadMoved):
            await storage.commit(moves(move(ALICE + "2", 1), move(ALICE + "1", 1)))
        await storage.close()

        again = await self.open(tmp_path)
        try:
            assert names(await again.scan("", limit=10)) == [ALICE + "1"]
        finally:
            await again.close()
