"""Goal: the dispatcher loses no task, doubles none, and comes to rest."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from taijitu.actors import WIDTHS
from taijitu.buckets.port import PENDING
from taijitu.engine.actor import Assignment, View
from taijitu.engine.dispatch import LEASE_MS, PAUSE_MS, POLL_MS, RUNNING_MAX, Dispatcher, always
from taijitu.engine.engine import Outcome
from taijitu.engine.storage import Deferral, TaskKey, TaskRow
from taijitu.kernel.effect import NEVER, Task
from taijitu.kernel.failures import Fault, HeadMoved
from taijitu.kernel.receipt import Ok, Receipt, failure
from taijitu.machines import entry
from taijitu.machines.contents import Scan
from taijitu.storage.memory import MemoryStorage
from taijitu.testing.engine_contract import Flaky
from taijitu.testing.world import GRACE_MS, WINDOW_MS, SimulatedWorld, name_of

CAR = b"twenty bytes of car!"


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with SimulatedWorld().running() as world:
        await world.provision("alice", 10_000)
        yield world


class Waiting:
    """An actor that answers when it is told to, and counts how many wait for it."""

    def __init__(self) -> None:
        self.runs = 0
        self.may_answer = asyncio.Event()

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        self.runs += 1
        await self.may_answer.wait()
        return Ok({"size": len(CAR)})


class Answering(Waiting):
    """Answers within the transaction that nothing is there."""

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        return failure("NotFound", "nothing is there")


class Unreachable(Waiting):
    """Has a fault whenever it is asked."""

    async def run(self, assignment: Assignment) -> Receipt | None:
        raise Fault("no answer")


async def rounds(count: int = 30) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_task_under_way_is_not_begun_again_when_the_clock_jumps(
    world: SimulatedWorld,
) -> None:
    actor = Waiting()
    world.engine.actors = {**world.engine.actors, "s3/stat": actor}
    await world.add("alice", CAR)
    await rounds()
    world.clock.advance(LEASE_MS + 1)
    await rounds()
    await_hint = asyncio.create_task(world.dispatcher.hint(name_of(CAR)))
    await rounds()
    assert actor.runs == 1
    actor.may_answer.set()
    await await_hint
    await world.quiet()


async def test_an_upload_that_could_not_be_looked_at_waits_for_a_hint_again(
    world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add("alice", CAR)

    async def unwell(_: bytes) -> int | None:
        raise Fault("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(world.bucket, "stat", unwell)
        await world.dispatcher.hint(name_of(CAR))
    for _ in range(10):
        await world.pass_time(3_000)
    (put,) = [row for row in await world.storage.open_tasks() if row.ability == "s3/put"]
    assert (put.ready_at, put.trouble) == (NEVER, "")
    assert len(world.troubles) == 1
    await world.upload(CAR)
    assert isinstance(await world.state("alice", CAR), entry.Stored)


async def test_after_a_start_no_more_is_looked_at_at_once_than_allowed() -> None:
    first = SimulatedWorld()
    await first.provision("alice", 100_000)
    for number in range(3 * RUNNING_MAX):
        await first.add("alice", b"%20d" % number)
    again = SimulatedWorld(first.storage, first.bucket, first.clock)
    actor = Waiting()
    again.dispatcher.promises = always
    again.engine.actors = {**again.engine.actors, "s3/put": actor}
    async with again.running():
        await rounds()
        assert actor.runs <= RUNNING_MAX
        actor.may_answer.set()
        await again.quiet()
        assert actor.runs == 3 * RUNNING_MAX


async def test_after_a_start_what_waits_for_bytes_that_are_not_there_is_not_opened() -> None:
    first = SimulatedWorld()
    await first.provision("alice", 1_000)
    for number in range(5):
        await first.add("alice", b"%20d" % number)
    first.arrive(b"%20d" % 3)
    again = SimulatedWorld(first.storage, first.bucket, first.clock)
    actor = Waiting()
    again.engine.actors = {**again.engine.actors, "s3/put": actor}
    async with again.running():
        await rounds()
        assert actor.runs == 1
        actor.may_answer.set()
        await again.quiet()
        assert isinstance(await again.state("alice", b"%20d" % 3), entry.Stored)
        assert isinstance(await again.state("alice", b"%20d" % 4), entry.Receiving)


async def test_an_upload_that_a_bug_has_parked_is_tried_again_after_a_start() -> None:
    first = SimulatedWorld()
    await first.provision("alice", 1_000)
    await first.add("alice", CAR)
    (put,) = [row for row in await first.storage.open_tasks() if row.ability == "s3/put"]
    await first.engine.defer(Deferral(put.plan, put.number, NEVER, 1, "a bug"))
    again = SimulatedWorld(first.storage, first.bucket, first.clock)
    async with again.running():
        await again.quiet()
    (row,) = [row for row in await again.storage.open_tasks() if row.ability == "s3/put"]
    assert (row.ready_at, row.trouble) == (NEVER, "")


async def test_what_a_bug_has_parked_is_tried_again_after_a_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = SimulatedWorld()
    async with first.running():
        await first.provision("alice", 10_000)
        await first.add("alice", CAR)

        async def mistaken(_: Assignment) -> Receipt | None:
            raise TypeError("a mistake of ours")

        monkeypatch.setattr(first.engine.actors["task/sleep"], "run", mistaken)
        await first.pass_time(WINDOW_MS + GRACE_MS + 1)
        parked = [row for row in await first.storage.open_tasks() if row.trouble]
        assert [row.ability for row in parked] == ["task/sleep"]
        assert isinstance(await first.state("alice", CAR), entry.Receiving)
    again = SimulatedWorld(first.storage, first.bucket, first.clock)
    async with again.running():
        await again.quiet()
        assert isinstance(await again.state("alice", CAR), entry.Expired)


class Paged(MemoryStorage):
    """Knows how many open tasks were asked for at once."""

    largest = 0

    async def asleep(self, after: TaskKey | None, limit: int) -> Sequence[TaskRow]:
        rows = await super().asleep(after, limit)
        self.largest = max(self.largest, len(rows))
        return rows

    async def open_tasks(self, path: str | None = None) -> Sequence[TaskRow]:
        assert path is not None, "all of them may be very many"
        return await super().open_tasks(path)


async def test_after_a_start_what_waits_is_read_in_pages() -> None:
    storage, count = Paged(), 3 * RUNNING_MAX + 1
    first = SimulatedWorld(storage)
    await first.provision("alice", 100_000)
    for number in range(count):
        await first.add("alice", b"%20d" % number)
        first.arrive(b"%20d" % number)
    again = SimulatedWorld(storage, first.bucket, first.clock)
    async with again.running():
        await again.quiet()
        for number in range(count):
            assert isinstance(await again.state("alice", b"%20d" % number), entry.Stored)
    assert 0 < storage.largest <= RUNNING_MAX


class Unwell(MemoryStorage):
    """Does not answer which tasks sleep, or which are free, as often as it is told."""

    faults = 0

    async def asleep(self, after: TaskKey | None, limit: int) -> Sequence[TaskRow]:
        self.fail()
        return await super().asleep(after, limit)

    async def claim(
        self,
        now: int,
        limit: int,
        lease_ms: int,
        about: str | None = None,
        *,
        ability: str | None = None,
    ) -> Sequence[TaskRow]:
        if about:
            self.fail()
        return await super().claim(now, limit, lease_ms, about, ability=ability)

    def fail(self) -> None:
        if self.faults:
            self.faults -= 1
            raise Fault("busy")


@pytest.mark.parametrize("faults", [0, 1, 2])
async def test_what_waits_for_a_hint_is_looked_at_after_a_start_whatever_goes_wrong(
    faults: int,
) -> None:
    storage = Unwell()
    first = SimulatedWorld(storage)
    await first.provision("alice", 100)
    await first.add("alice", CAR)
    first.arrive(CAR)
    storage.faults = faults
    again = SimulatedWorld(storage, first.bucket, first.clock)
    async with again.running():
        await again.quiet()
        for _ in range(faults):
            await again.pass_time(PAUSE_MS)
        storage.faults = 0
        assert isinstance(await again.state("alice", CAR), entry.Stored)
    assert not first.troubles


class SlowToSay(MemoryStorage):
    """Takes its time to say when the next task is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.may_say = asyncio.Event()
        self.may_say.set()

    async def next_ready(self) -> Mapping[str, int]:
        ready = await super().next_ready()
        await self.may_say.wait()
        return ready


async def test_what_is_committed_while_the_dispatcher_looks_is_not_overlooked() -> None:
    storage = SlowToSay()
    async with SimulatedWorld(storage).running() as world:
        await world.provision("alice", 100)
        await world.add("alice", CAR)
        await rounds()
        world.arrive(CAR)
        (put,) = [row for row in await storage.open_tasks() if row.ability == "s3/put"]
        storage.may_say.clear()
        world.clock.advance(POLL_MS)
        await rounds()
        soon = world.clock.now() + 1
        await world.engine.defer(Deferral(put.plan, put.number, soon, 1, "no answer"))
        storage.may_say.set()
        await rounds()
        world.clock.advance(1)
        await rounds()
        assert isinstance(await world.state("alice", CAR), entry.Stored)


async def test_timers_go_on_while_a_bucket_hangs() -> None:
    world = SimulatedWorld()
    bucket = Waiting()
    world.engine.actors = {**world.engine.actors, "s3/stat": bucket}
    async with world.running():
        await world.provision("alice", 100_000)
        for number in range(2 * RUNNING_MAX):
            await world.add("alice", b"%20d" % number)
        await rounds()
        assert bucket.runs == RUNNING_MAX
        world.engine.actors = {**world.engine.actors, "s3/stat": Answering()}
        await world.provision("bob", 100)
        await world.add("bob", CAR)
        world.clock.advance(WINDOW_MS + GRACE_MS + 1)
        await rounds(100)
        assert isinstance(await world.state("bob", CAR), entry.Expired)
        bucket.may_answer.set()


class Looking(Waiting):
    """As one who looks through CARs, and is told for how long. `seen`: whose turn has come."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.failing: set[str] = set()

    async def run(self, assignment: Assignment) -> Receipt | None:
        assert isinstance(assignment.task, Scan)
        name = assignment.task.multihash
        if name in self.failing:
            self.failing.discard(name)
            raise Fault("no answer")
        self.seen.append(name)
        await super().run(assignment)
        return failure("NoCar", "these are just bytes", gone=False)


async def store(world: SimulatedWorld, number: int) -> str:
    """Store some bytes, a moment after others. Answers their name."""
    data = b"%20d" % number
    await world.add("alice", data)
    await world.upload(data)
    world.clock.advance(1)
    await rounds()
    return name_of(data)


async def test_a_lane_is_no_wider_than_its_actor_can_work(world: SimulatedWorld) -> None:
    """So nobody waits for his turn while the time of his try runs."""
    actor = Looking()
    world.engine.actors = {**world.engine.actors, "contents/scan": actor}
    for number in range(3 * WIDTHS["contents/scan"]):
        await store(world, number)
    assert world.dispatcher.lanes["contents/scan"] == actor.runs == WIDTHS["contents/scan"] == 2
    actor.may_answer.set()
    await world.quiet()
    assert actor.runs == 3 * WIDTHS["contents/scan"]


async def test_where_there_is_a_queue_who_comes_first_has_the_first_turn(
    world: SimulatedWorld,
) -> None:
    actor = Looking()
    world.engine.actors = {**world.engine.actors, "contents/scan": actor}
    names = [await store(world, number) for number in range(20)]
    actor.may_answer.set()
    await world.quiet()
    assert actor.seen == names


async def test_who_had_a_fault_does_not_wait_behind_all_who_come_later(
    world: SimulatedWorld,
) -> None:
    actor = Looking()
    world.engine.actors = {**world.engine.actors, "contents/scan": actor}
    for number in range(2):
        await store(world, number)
    actor.failing.add(name_of(b"%20d" % 2))
    unlucky = await store(world, 2)
    actor.may_answer.set()
    await rounds(100)
    actor.may_answer.clear()
    assert actor.failing == set()
    meanwhile = [await store(world, number) for number in range(3, 5)]
    world.clock.advance(PAUSE_MS)
    later = [await store(world, number) for number in range(5, 12)]
    actor.may_answer.set()
    await world.quiet()
    assert actor.seen[2:] == [*meanwhile, unlucky, *later]


async def test_whoever_waits_for_those_under_way_waits_for_those_in_the_queue_too(
    world: SimulatedWorld,
) -> None:
    actor = Looking()
    world.engine.actors = {**world.engine.actors, "contents/scan": actor}
    names = [await store(world, number) for number in range(7)]
    waits = asyncio.create_task(world.dispatcher.caught_up("contents/scan", 60))
    await rounds()
    assert not waits.done()
    actor.may_answer.set()
    assert await waits
    assert sorted(actor.seen) == sorted(names)


async def test_what_failed_together_does_not_come_again_together() -> None:
    world = SimulatedWorld()
    chances = iter((0.0, 0.5, 0.999))
    world.dispatcher = Dispatcher(world.engine, chance=lambda: next(chances))
    world.engine.actors = {**world.engine.actors, "s3/stat": Unreachable()}
    async with world.running():
        await world.provision("alice", 1_000)
        for number in range(3):
            await world.add("alice", b"%20d" % number)
        await rounds(100)
        now = world.clock.now()
        failed = [row for row in await world.storage.open_tasks() if row.trouble]
        pauses = sorted(row.ready_at - now for row in failed)
    assert pauses == [PAUSE_MS / 2, PAUSE_MS * 3 / 4, PAUSE_MS]


async def test_a_deferral_that_lost_its_race_is_written_again() -> None:
    storage = Flaky(MemoryStorage())
    async with SimulatedWorld(storage.port).running() as world:
        await world.provision("alice", 100)
        await world.add("alice", CAR)
        (put,) = [row for row in await world.storage.open_tasks() if row.ability == "s3/put"]
        storage.failures.append(HeadMoved("another process"))
        await world.engine.defer(Deferral(put.plan, put.number, NEVER, 1, "parked"))
        assert [row.trouble for row in await world.storage.open_tasks() if row.tries] == ["parked"]


async def test_a_hint_is_not_lost_on_what_did_not_become_true() -> None:
    storage = Flaky(MemoryStorage())
    async with SimulatedWorld(storage.port).running() as world:
        await world.provision("alice", 100)
        await world.add("alice", CAR)
        storage.failures.append(Fault("the disk is full"))
        removing = asyncio.create_task(world.remove("alice", CAR))
        await asyncio.sleep(0)
        await world.upload(CAR)
        assert isinstance(await removing_failed(removing), Fault)
        assert isinstance(await world.state("alice", CAR), entry.Stored)


async def removing_failed(removing: asyncio.Task[Outcome]) -> BaseException | None:
    await asyncio.wait([removing])
    return removing.exception()


async def test_whoever_wants_what_is_under_way_to_be_over_waits_for_it_and_not_for_ever(
    world: SimulatedWorld,
) -> None:
    actor = Waiting()
    assert not await world.dispatcher.caught_up("s3/stat", 60)
    world.engine.actors = {**world.engine.actors, "s3/stat": actor}
    world.bucket.stat_now = lambda _: PENDING  # type: ignore[method-assign]
    await world.add("alice", CAR)
    await rounds()
    assert not await world.dispatcher.caught_up("contents/scan", 60)
    assert await world.dispatcher.caught_up("s3/stat", 0)
    assert actor.runs == 1
    waits = asyncio.create_task(world.dispatcher.caught_up("s3/stat", 60))
    await rounds()
    assert not waits.done()
    actor.may_answer.set()
    assert await waits
    assert isinstance(await world.state("alice", CAR), entry.Stored)
