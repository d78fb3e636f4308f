"""Goal: the history of a cell tells what happened and why, and gives no live secret away.

Method: an upload in the simulated world, taken some way, then read back from storage alone.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from taijitu.engine.history import SUPERSEDED, History, StepSeen, history, redacted
from taijitu.ipld.cid import link_to
from taijitu.kernel import codec
from taijitu.kernel.effect import NEVER
from taijitu.kernel.failures import BlockMissing, UnknownVersion
from taijitu.machines import MACHINES
from taijitu.machines.entry import entry_at
from taijitu.machines.ledger import ledger_at
from taijitu.storage.memory import MemoryStorage
from taijitu.testing.world import GRACE_MS, WINDOW_MS, SimulatedWorld, name_of

CAR = b"twenty bytes of car!"
PATH = entry_at("alice", name_of(CAR))


@pytest.fixture
async def world() -> AsyncIterator[SimulatedWorld]:
    async with SimulatedWorld().running() as world:
        await world.provision("alice", 30)
        yield world


async def told(world: SimulatedWorld, **options: Any) -> History:
    found = await history(world.storage, MACHINES, PATH, **options)
    assert found is not None
    return found


def fates(step: StepSeen) -> dict[str, str]:
    return {task.ability: task.fate for task in step.tasks}


def shown(value: Any) -> str:
    return json.dumps(value, default=str)


async def test_a_cell_that_was_never_written_has_no_history(world: SimulatedWorld) -> None:
    assert await history(world.storage, MACHINES, PATH) is None


async def test_an_upload_under_way_is_told_from_its_beginning(world: SimulatedWorld) -> None:
    cause = link_to(b"an invocation")
    await world.add("alice", CAR, invocation=cause)
    found = await told(world)
    assert (found.path, found.machine, found.is_whole) == (PATH, "entry", True)
    active, receiving = found.steps
    assert [step.state_name for step in found.steps] == ["Active", "Receiving"]
    assert (active.seq, active.at, active.cause) == (1, world.clock.now(), cause)
    assert (receiving.seq, receiving.cause) == (2, cause)
    assert active.message["do"] == "store/add"
    assert active.state["attempt"]["size"] == len(CAR)
    assert (active.is_current, receiving.is_current) == (False, True)


async def test_a_plan_is_told_with_what_came_of_it(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    active, receiving = (await told(world)).steps
    assert [(each.text, each.delivered) for each in active.pipelines] == [
        ("~storage/allocate >> 📬 store/exceed", False),
        ("storage/allocate >> s3/stat >> 📬 store/put", False),
        ("storage/allocate >> ~s3/stat >> s3/presign >> 📬 store/receive", True),
        ("task/sleep >> 📬 store/fail", False),
    ]
    assert fates(active) == {
        "storage/allocate": "ok",
        "s3/stat": "error",
        "s3/presign": "ok",
        "task/sleep": "dropped",
    }
    assert fates(receiving) == {
        "blob/expose": "ok",
        "s3/put": "open",
        "task/sleep": "open",
        "s3/stat": "waiting",
    }
    values = {task.ability: task.value for task in active.tasks}
    assert values["s3/stat"] == {"name": "NotFound", "message": "the bytes are not there"}


async def test_an_open_task_says_when_it_may_start(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    _, receiving = (await told(world)).steps
    tasks = {task.ability: task for task in receiving.tasks}
    assert tasks["task/sleep"].ready_at == world.clock.now() + WINDOW_MS + GRACE_MS
    assert tasks["s3/put"].ready_at == NEVER
    assert (tasks["s3/put"].subject, tasks["s3/put"].tries) == ("did:key:agent", 0)


async def test_the_steps_are_linked_and_end_at_the_head(world: SimulatedWorld) -> None:
    added = await world.add("alice", CAR)
    found = await told(world)
    assert found.steps[-1].cid == added.head
    block = await world.storage.block(found.steps[-1].cid.data)
    assert block is not None
    assert codec.decode(block, MACHINES).previous == found.steps[0].cid


async def test_a_second_face_amends_and_the_plan_goes_on(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    await world.add("alice", CAR, face="blob", invocation=link_to(b"another"))
    _, receiving, amended = (await told(world)).steps
    assert (receiving.amended, amended.amended) == (False, True)
    assert receiving.is_current
    assert amended.is_current
    assert amended.pipelines == amended.tasks == ()


async def test_a_url_is_shown_only_where_it_still_stands(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    active, receiving = (await told(world)).steps
    assert receiving.state["url"].startswith("http://bucket.test/")
    assert receiving.message["url"] == receiving.state["url"]
    presigned = next(task for task in active.tasks if task.ability == "s3/presign")
    assert presigned.value is not None
    assert (presigned.value["url"], presigned.value["headers"]) == (SUPERSEDED, SUPERSEDED)
    assert presigned.value["expires"] == world.clock.now() + WINDOW_MS


@pytest.mark.parametrize("end", ["stored", "expired", "removed", "renewed"])
async def test_no_url_of_a_plan_that_is_over_is_shown(world: SimulatedWorld, end: str) -> None:
    await world.add("alice", CAR)
    url = (await told(world)).steps[-1].state["url"]
    match end:
        case "stored":
            await world.upload(CAR)
        case "expired":
            await world.pass_time(WINDOW_MS + GRACE_MS)
        case "removed":
            await world.remove("alice", CAR)
        case _:
            await world.pass_time(WINDOW_MS - 1)
            await world.add("alice", CAR)
    found = await told(world)
    assert len(found.steps) > 2
    text = shown([(s.message, s.state, [(t.input, t.value) for t in s.tasks]) for s in found.steps])
    assert url not in text
    assert url.rpartition("=")[2] not in text


def test_secrets_are_replaced_however_deep_they_lie() -> None:
    value = {"a": [{"url": "u", "b": 1}], "headers": {"x": "y"}, "c": {"signature": b"s"}}
    assert redacted(value) == {
        "a": [{"url": SUPERSEDED, "b": 1}],
        "headers": SUPERSEDED,
        "c": {"signature": SUPERSEDED},
    }


async def test_a_long_history_is_told_from_its_end(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    await world.upload(CAR)
    found = await told(world, limit=2)
    assert [step.seq for step in found.steps] == [2, 3]
    assert not found.is_whole
    assert (await told(world, limit=3)).is_whole


async def test_a_history_of_no_steps_is_refused(world: SimulatedWorld) -> None:
    with pytest.raises(ValueError, match="0 steps"):
        await history(world.storage, MACHINES, PATH, limit=0)


async def test_other_machines_have_histories_too(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    found = await history(world.storage, MACHINES, ledger_at("alice"))
    assert found is not None
    assert [step.state["reserved"] for step in found.steps] == [0, 20]
    assert found.steps[1].message["can"] == "ledger/reserve"


async def test_what_another_version_wrote_is_not_guessed(world: SimulatedWorld) -> None:
    await world.add("alice", CAR)
    others = {name: machine for name, machine in MACHINES.items() if name != "entry"}
    with pytest.raises(UnknownVersion):
        await history(world.storage, others, PATH)


async def test_a_broken_chain_is_told_as_such() -> None:
    storage = Forgetful()
    async with SimulatedWorld(storage).running() as world:
        await world.provision("alice", 30)
        await world.add("alice", CAR)
        storage.forgotten = (await told(world)).steps[0].cid.data
        with pytest.raises(BlockMissing):
            await told(world)


class Forgetful(MemoryStorage):
    """Loses one block."""

    forgotten = b""

    async def block(self, cid: bytes) -> bytes | None:
        return None if cid == self.forgotten else await super().block(cid)
