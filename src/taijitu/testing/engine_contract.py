"""The laws of the engine as a suite: subclass `EngineContract`, say how to open your storage.

    class TestEngineOnMine(EngineContract):
        async def open(self, place: Path) -> Storage: ...

A storage that is opened again at the same place must show what was committed there, if it is
durable; the suite opens it again only in `DurableEngineContract`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from taijitu.engine.actor import Assignment, View
from taijitu.engine.engine import Concluded, Outcome
from taijitu.engine.storage import Batch, Storage, TaskKey
from taijitu.ipld.cid import Link, link_to
from taijitu.kernel.effect import Task, tag
from taijitu.kernel.failures import Contention, Fault, HeadMoved
from taijitu.kernel.machine import State
from taijitu.kernel.receipt import DONE, Ok, Receipt
from taijitu.machines import allocation, blob, entry
from taijitu.machines.entry import Add, entry_at
from taijitu.testing.world import GRACE_MS, WINDOW_MS, SimulatedWorld, name_of

CAR = b"twenty bytes of car!"
OTHER = b"another twenty bytes"
ROOM = 30


class Flaky:
    """A storage whose next commits fail, in the way that is asked for."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.failures: list[Exception] = []
        self.batches: list[Batch] = []

    async def commit(self, batch: Batch) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        await self.storage.commit(batch)
        self.batches.append(batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    @property
    def port(self) -> Storage:
        """This, as the storage that it stands for."""
        return cast(Storage, self)


class EngineContract(ABC):
    @abstractmethod
    async def open(self, place: Path) -> Storage:
        """A storage at `place`, an empty folder the first time."""

    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[Flaky]:
        storage = await self.open(tmp_path)
        yield Flaky(storage)
        await storage.close()

    @pytest.fixture
    async def world(self, storage: Flaky) -> AsyncIterator[SimulatedWorld]:
        async with SimulatedWorld(storage.port).running() as world:
            await world.provision("alice", ROOM)
            yield world

    # One commit

    async def test_state_plan_and_tasks_become_true_in_one_commit(
        self, world: SimulatedWorld, storage: Flaky
    ) -> None:
        before = len(storage.batches)
        await world.add("alice", CAR)
        assert len(storage.batches) == before + 1
        (batch,) = storage.batches[before:]
        assert {path.split("/")[0] for path in batch.heads} == {
            "entry",
            "allocation",
            "ledger",
            "blob",
        }
        assert {row.ability for row in batch.opened.values()} == {"s3/put", "task/sleep"}

    async def test_a_commit_that_fails_leaves_nothing_and_may_be_tried_again(
        self, world: SimulatedWorld, storage: Flaky
    ) -> None:
        storage.failures.append(Fault("the disk is full"))
        with pytest.raises(Fault, match="the disk is full"):
            await world.add("alice", CAR)
        assert isinstance(await world.state("alice", CAR), entry.Absent)
        assert await world.ledger("alice") == (ROOM, 0, 0)
        assert isinstance((await world.add("alice", CAR)).state, entry.Receiving)

    # Transactions

    async def test_a_transaction_that_lost_its_race_runs_again(
        self, world: SimulatedWorld, storage: Flaky
    ) -> None:
        storage.failures += [HeadMoved("another process")] * 3
        assert isinstance((await world.add("alice", CAR)).state, entry.Receiving)
        assert await world.ledger("alice") == (ROOM, len(CAR), 0)

    async def test_one_that_always_loses_says_so(
        self, world: SimulatedWorld, storage: Flaky
    ) -> None:
        storage.failures += [HeadMoved("another process")] * 100
        with pytest.raises(Contention):
            await world.add("alice", CAR)
        storage.failures.clear()
        assert await world.ledger("alice") == (ROOM, 0, 0)

    async def test_what_another_process_wrote_is_seen(self, storage: Flaky) -> None:
        one, other = SimulatedWorld(storage.port), SimulatedWorld(storage.port)
        await one.provision("alice", ROOM)
        await other.provision("alice", 2 * ROOM)
        assert await other.ledger("alice") == (2 * ROOM, 0, 0)
        await one.add("alice", CAR)
        assert await one.ledger("alice") == (2 * ROOM, len(CAR), 0)

    async def test_transactions_that_come_together_share_a_commit_and_never_race(
        self, world: SimulatedWorld, storage: Flaky
    ) -> None:
        await world.provision("alice", 64 * 20)
        before = len(storage.batches)
        data = [b"%20d" % number for number in range(64)]
        added = await asyncio.gather(*(world.add("alice", each) for each in data))
        assert all(isinstance(one.state, entry.Receiving) for one in added)
        assert await world.ledger("alice") == (64 * 20, 64 * 20, 0)
        assert len(storage.batches) - before <= 4

    async def test_a_group_that_fails_takes_down_what_was_built_upon_it(
        self, world: SimulatedWorld, storage: Flaky
    ) -> None:
        storage.failures.append(Fault("gone"))
        first = asyncio.create_task(world.add("alice", CAR))
        await asyncio.sleep(0)
        second = asyncio.create_task(world.add("alice", OTHER))
        done = await asyncio.gather(first, second, return_exceptions=True)
        assert isinstance(done[0], Fault)
        states = [await world.state("alice", CAR), await world.state("alice", OTHER)]
        held = sum(len(CAR) for state in states if isinstance(state, entry.Receiving))
        assert await world.ledger("alice") == (ROOM, held, 0)

    async def test_a_request_that_is_refused_leaves_no_trace(self, world: SimulatedWorld) -> None:
        await world.add("alice", CAR)
        refused = await world.add("alice", OTHER)
        assert isinstance(refused.state, entry.ExceedsLimit)
        for path in (("allocation", "alice", name_of(OTHER)), ("blob", name_of(OTHER))):
            head = await world.engine.read(path)
            assert not isinstance(head.state, allocation.Allocated)
            assert head.state == blob.Kept() or isinstance(head.state, allocation.Vacant)

    # Plans

    async def test_the_next_plan_asks_afresh(self, world: SimulatedWorld) -> None:
        await world.add("alice", CAR)
        await world.pass_time(WINDOW_MS + GRACE_MS)
        assert await world.ledger("alice") == (ROOM, 0, 0)
        await world.add("alice", CAR)
        assert await world.ledger("alice") == (ROOM, len(CAR), 0)

    async def test_tasks_that_only_send_are_dropped_with_their_plan(
        self, world: SimulatedWorld
    ) -> None:
        await world.add("alice", CAR)
        await world.upload(CAR)
        await world.quiet()
        assert not await world.storage.open_tasks()

    async def test_a_plan_that_was_superseded_is_not_heard(self, world: SimulatedWorld) -> None:
        await world.add("alice", CAR)
        rows = {row.ability: row for row in await world.storage.open_tasks()}
        await world.remove("alice", CAR)
        assert not await world.engine.settle(rows["s3/put"].key, Ok({"size": len(CAR)}))
        assert isinstance(await world.state("alice", CAR), entry.Absent)

    async def test_a_message_as_of_another_head_is_not_heard(self, world: SimulatedWorld) -> None:
        await world.add("alice", CAR)
        await world.upload(CAR)
        path, now = entry_at("alice", name_of(CAR)), world.clock.now()
        stale = link_to(b"some other head")
        lost = await world.engine.transact(path, entry.Fail(now, "gone"), as_of=stale)
        assert not lost.heard
        assert isinstance(await world.state("alice", CAR), entry.Stored)

    # Tasks

    async def test_a_task_is_settled_once(self, world: SimulatedWorld) -> None:
        await world.add("alice", CAR)
        rows = {row.ability: row for row in await world.storage.open_tasks()}
        put = rows["s3/put"].key
        settled = await asyncio.gather(
            *(world.engine.settle(put, Ok({"size": len(CAR)})) for _ in range(5))
        )
        assert sorted(settled) == [False, False, False, False, True]
        assert await world.ledger("alice") == (ROOM, 0, len(CAR))

    async def test_a_task_that_nobody_knows_is_not_settled(self, world: SimulatedWorld) -> None:
        assert not await world.engine.settle(TaskKey(link_to(b"no plan").data, 0), DONE)

    async def test_a_fault_is_tried_again_with_growing_pauses_and_is_no_failure(
        self, world: SimulatedWorld
    ) -> None:
        actor = Troubled([Fault("no answer")] * 3, Ok({"size": len(CAR)}))
        world.engine.actors = {**world.engine.actors, "s3/stat": actor}
        await world.add("alice", CAR)
        for pause in (0, 100, 200, 400):
            assert isinstance(await world.state("alice", CAR), entry.Active)
            await world.pass_time(pause)
        assert isinstance(await world.state("alice", CAR), entry.Stored)
        assert [kind for kind, _, _ in world.troubles] == ["fault"] * 3

    async def test_a_bug_parks_the_task_where_it_is_seen(self, world: SimulatedWorld) -> None:
        actor = Troubled([ZeroDivisionError("oops")] * 9, DONE)
        world.engine.actors = {**world.engine.actors, "s3/stat": actor}
        await world.add("alice", CAR)
        await world.quiet()
        (parked,) = (row for row in await world.storage.open_tasks() if row.trouble)
        assert (parked.ability, parked.tries) == ("s3/stat", 1)
        assert "ZeroDivisionError: oops" in parked.trouble
        assert await world.ledger("alice") == (ROOM, len(CAR), 0)

    async def test_a_dead_actor_cannot_keep_an_entry_active(self, world: SimulatedWorld) -> None:
        actor = Troubled([ZeroDivisionError("oops")] * 9, DONE)
        world.engine.actors = {**world.engine.actors, "s3/stat": actor}
        await world.add("alice", CAR)
        await world.pass_time(entry.ACTIVE_MS_MAX)
        assert isinstance(await world.state("alice", CAR), entry.Unavailable)
        assert await world.ledger("alice") == (ROOM, 0, 0)

    async def test_a_bug_in_update_writes_nothing(
        self, world: SimulatedWorld, storage: Flaky, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(world.engine.machines["blob"], "update", broken)
        before = len(storage.batches)
        with pytest.raises(ZeroDivisionError):
            await world.add("alice", CAR)
        assert len(storage.batches) == before

    # No-ops and invocations

    async def test_a_no_op_moves_no_head_and_makes_no_commit(
        self, world: SimulatedWorld, storage: Flaky
    ) -> None:
        first = await world.add("alice", CAR)
        before = len(storage.batches)
        again = await world.add("alice", CAR, invocation=link_to(b"another invocation"))
        assert (again.head, len(storage.batches)) == (first.head, before)

    async def test_the_same_invocation_twice_is_one(self, world: SimulatedWorld) -> None:
        outcomes = await asyncio.gather(*(concluded(world, b"one") for _ in range(5)))
        assert len({outcome.receipt for outcome in outcomes}) == 1
        assert sum(outcome.heard for outcome in outcomes) == 1

    async def test_a_receipt_becomes_true_with_its_transition(
        self, world: SimulatedWorld, storage: Flaky
    ) -> None:
        await concluded(world, b"one")
        batch = storage.batches[-1]
        assert set(batch.receipts) == {link_to(b"one").data}
        assert batch.heads

    async def test_receipts_are_forgotten_in_time_and_effects_are_not(
        self, world: SimulatedWorld
    ) -> None:
        await concluded(world, b"one")
        await world.storage.forget_receipts(world.clock.now() + 1)
        assert await world.storage.receipt(link_to(b"one").data) is None
        assert await world.ledger("alice") == (ROOM, len(CAR), 0)

    async def test_a_list_holds_what_came_in_the_newest_first_until_it_goes(
        self, world: SimulatedWorld
    ) -> None:
        await world.provision("alice", 100)
        for data in (CAR, OTHER):
            await world.add("alice", data)
        page = await world.storage.listing("store/alice", limit=10)
        assert [row.path.split("/")[-1] for _, row in page] == [name_of(OTHER), name_of(CAR)]
        await world.remove("alice", OTHER)
        page = await world.storage.listing("store/alice", limit=10)
        assert [row.path.split("/")[-1] for _, row in page] == [name_of(CAR)]


class DurableEngineContract(EngineContract):
    async def test_after_a_restart_open_tasks_are_taken_up_at_once(self, tmp_path: Path) -> None:
        storage = await self.open(tmp_path)
        world = SimulatedWorld(storage)
        await world.provision("alice", ROOM)
        await world.add("alice", CAR)
        await storage.close()
        world.arrive(CAR)

        storage = await self.open(tmp_path)
        async with SimulatedWorld(storage, world.bucket, world.clock).running() as again:
            await again.quiet()
            assert isinstance(await again.state("alice", CAR), entry.Stored)
            assert await again.ledger("alice") == (ROOM, 0, len(CAR))
        await storage.close()

    async def test_after_a_restart_time_that_passed_has_passed(self, tmp_path: Path) -> None:
        storage = await self.open(tmp_path)
        world = SimulatedWorld(storage)
        await world.provision("alice", ROOM)
        await world.add("alice", CAR)
        await storage.close()
        world.clock.advance(WINDOW_MS + GRACE_MS)

        storage = await self.open(tmp_path)
        async with SimulatedWorld(storage, world.bucket, world.clock).running() as again:
            await again.quiet()
            assert isinstance(await again.state("alice", CAR), entry.Expired)
            assert await again.ledger("alice") == (ROOM, 0, 0)
            assert not await storage.open_tasks()
        await storage.close()

    async def test_after_a_restart_an_invocation_finds_its_receipt(self, tmp_path: Path) -> None:
        storage = await self.open(tmp_path)
        world = SimulatedWorld(storage)
        await world.provision("alice", ROOM)
        first = await concluded(world, b"one")
        await storage.close()

        storage = await self.open(tmp_path)
        again = await concluded(SimulatedWorld(storage, world.bucket, world.clock), b"one")
        assert (again.receipt, again.heard) == (first.receipt, False)
        await storage.close()


class Troubled:
    """An actor that fails as it is told, and then answers."""

    def __init__(self, troubles: list[Exception], answer: Receipt) -> None:
        self.troubles = troubles
        self.answer = answer

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        if self.troubles:
            raise self.troubles.pop(0)
        return self.answer


def broken(*_: object) -> State:
    raise ZeroDivisionError("oops")


async def concluded(world: SimulatedWorld, name: bytes) -> Outcome:
    """Add `CAR` for an invocation, whose receipt is the state that came of it."""
    cause: Link = link_to(name)
    message = Add(world.clock.now(), cause, "alice", name_of(CAR), "did:key:agent", len(CAR))
    return await world.engine.transact(
        entry_at("alice", name_of(CAR)),
        message,
        cause=cause,
        conclude=lambda state, _: Concluded(tag(type(state)).encode()),
    )
