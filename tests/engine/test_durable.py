"""Goal: an invocation waits for its answer when the world is slow, and nothing is lost by it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from taijitu.engine.actor import Assignment, View
from taijitu.ipld.cid import link_to
from taijitu.kernel.effect import Task
from taijitu.kernel.machine import State
from taijitu.kernel.receipt import Ok as Done
from taijitu.kernel.receipt import Receipt
from taijitu.kernel.record import Record
from taijitu.machines import entry
from taijitu.machines.entry import Add, entry_at
from taijitu.protocols.durable import ANSWER_MS_MAX, Durable
from taijitu.protocols.execution import Invocation, NotReady, Ok, Outcome, Recorded
from taijitu.testing.world import SimulatedWorld, name_of
from taijitu.ucan.issue import delegate
from taijitu.ucan.signer import Signer

CAR = b"twenty bytes of car!"
service = Signer.from_seed(b"s" * 32)
alice = Signer.from_seed(b"a" * 32)


class Slow:
    """A remote bucket that looks when it is told to."""

    def __init__(self) -> None:
        self.may_look = asyncio.Event()

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        await self.may_look.wait()
        return Done({"size": len(CAR)})


class SlowWorld(SimulatedWorld):
    def __init__(self) -> None:
        super().__init__()
        self.slow = Slow()
        self.engine.actors = {**self.engine.actors, "s3/stat": self.slow}


@pytest.fixture
async def world() -> AsyncIterator[SlowWorld]:
    world = SlowWorld()
    async with world.running():
        await world.provision(alice.did, 30)
        yield world


async def ask(world: SlowWorld) -> Outcome:
    capability = {"can": "store/add", "with": alice.did}
    asked = delegate(alice, service.did, [capability], expiration=None)
    invocation = Invocation(asked.link, alice.did, alice.did, Record(), asked, (asked,), {})
    message = Add(world.clock.now(), asked.link, alice.did, name_of(CAR), alice.did, len(CAR))

    def answer(state: State, _: Receipt) -> Ok | None:
        return Ok({"stored": True}) if isinstance(state, entry.Stored) else None

    path = entry_at(alice.did, name_of(CAR))
    durable = Durable(world.engine, service)
    if (known := await durable.recorded(asked.link)) is not None:
        return known
    return await durable.carry_out(invocation, path, message, answer)


async def test_the_answer_comes_once_the_world_has_answered(world: SlowWorld) -> None:
    asking = asyncio.create_task(ask(world))
    await asyncio.sleep(0)
    world.slow.may_look.set()
    done = await asking
    assert isinstance(done, Recorded)
    assert done.receipt.out == {"ok": {"stored": True}}
    again = await ask(world)
    assert isinstance(again, Recorded)
    assert again.receipt.data == done.receipt.data


async def test_no_answer_in_time_is_no_receipt_and_asking_again_finds_it(
    world: SlowWorld,
) -> None:
    asking = asyncio.create_task(ask(world))
    for _ in range(50):
        await asyncio.sleep(0)
    world.clock.advance(ANSWER_MS_MAX)
    with pytest.raises(NotReady):
        await asking
    assert isinstance(await world.state(alice.did, CAR), entry.Active)
    world.slow.may_look.set()
    await world.quiet()
    done = await ask(world)
    assert isinstance(done, Recorded)
    assert done.receipt.out == {"ok": {"stored": True}}


async def test_nothing_is_recorded_before_there_is_an_answer(world: SlowWorld) -> None:
    message = Add(world.clock.now(), link_to(b"x"), alice.did, name_of(CAR), alice.did, len(CAR))
    done = await world.engine.transact(
        entry_at(alice.did, name_of(CAR)),
        message,
        cause=link_to(b"x"),
        conclude=lambda *_: None,
    )
    assert done.receipt is None
    assert await world.storage.receipt(link_to(b"x").data) is None
