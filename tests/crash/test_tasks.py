"""Goal: no effect exists only in memory. Whatever kind of task a plan asks for, if the process is
killed between the commit and the actor, the task is carried out after the restart.

Method: `dying.py` is the whole service, and kills itself when it comes to a task of one kind. The
real service then opens the same folder and must bring the entry to where it was going.
"""

from collections.abc import Awaitable, Generator
from contextlib import closing, suppress
from pathlib import Path

import aiohttp
import pytest

from crash.mortal import PATIENCE, Mortal, ending
from support.accounts import EMAIL, Device
from support.client import Car, Inside, Space, random_car, talking_to
from support.eventually import eventually
from support.mailbox import MailServer, link_in, serving
from support.service import Service
from taijitu.ipld.car import encode as encode_car
from taijitu.ipld.cid import CAR, RAW, link_to, multihash
from taijitu.server.installation import actors
from taijitu.storage.memory import MemoryStorage
from taijitu.wire.sharded_index import Shard, Slice, encode

DYING = Path(__file__).with_name("dying.py")
HASTY = {"TAIJITU_UPLOAD_WINDOW": "1", "TAIJITU_UPLOAD_GRACE": "1"}
BRIEF = {"TAIJITU_UPLOAD_WINDOW": "3", "TAIJITU_UPLOAD_GRACE": "0"}
"""Time enough for an upload, and not much more."""


@pytest.fixture
def mortal(tmp_path: Path) -> Generator[Mortal]:
    yield from ending(Mortal(tmp_path / "data", DYING))


@pytest.fixture
def hasty(tmp_path: Path) -> Generator[Mortal]:
    yield from ending(Mortal(tmp_path / "data", DYING, HASTY))


@pytest.fixture
def brief(tmp_path: Path) -> Generator[Mortal]:
    yield from ending(Mortal(tmp_path / "data", DYING, BRIEF))


@pytest.mark.parametrize("ability", ["s3/stat", "s3/presign"])
async def test_an_add_is_answered_after_a_restart_although_nobody_looked_before(
    mortal: Mortal, ability: str
) -> None:
    await mortal.start_dying_at(ability)
    async with talking_to(mortal) as client:
        alice, car = client.space("alice"), random_car()
        asked = alice.asks_to_add(car)
        await cut_off(client.send(asked))
        await mortal.wait_for_its_death(ability)
        assert opened(mortal) >= {ability}

        mortal.start()
        await becomes(alice, car, "Receiving")
        added = (await client.send(asked)).out["ok"]
        assert (added["status"], added["allocated"]) == ("upload", car.size)
        assert await client.put(added, car.data) == 200
        assert await alice.place(car) == "Stored"
        await holds(alice, used=car.size)


async def test_an_upload_is_found_after_a_restart_although_its_hint_died(mortal: Mortal) -> None:
    """The upload window is a day: it is not the timer that finds it."""
    await mortal.start_dying_at("s3/put")
    async with talking_to(mortal) as client:
        alice, car = client.space("alice"), random_car()
        added = (await alice.add(car))["ok"]
        await cut_off(client.put(added, car.data))
        await mortal.wait_for_its_death("s3/put")
        assert opened(mortal) == {"s3/put", "task/sleep"}
        assert Inside(mortal.data).place_of(car).read_bytes() == car.data

        mortal.start()
        await becomes(alice, car, "Stored")
        await holds(alice, used=car.size)
        assert await client.fetch(car.link) == car.data


async def test_an_upload_expires_after_a_restart_although_its_timer_died(hasty: Mortal) -> None:
    await hasty.start_dying_at("task/sleep")
    async with talking_to(hasty) as client:
        alice, car = client.space("alice"), random_car()
        await alice.add(car)
        await hasty.wait_for_its_death("task/sleep")
        assert opened(hasty) == {"s3/put", "task/sleep"}

        hasty.start()
        await becomes(alice, car, "Expired")
        await holds(alice)


async def test_bytes_are_swept_after_a_restart_although_their_deletion_died(
    brief: Mortal,
) -> None:
    await brief.start_dying_at("s3/delete")
    inside = Inside(brief.data)
    async with talking_to(brief) as client:
        alice, car = client.space("alice"), random_car()
        await alice.store(car)
        await alice.remove(car)
        await brief.wait_for_its_death("s3/delete")
        assert opened(brief) == {"s3/delete"}
        assert inside.place_of(car).exists()

        brief.start()
        await carried_out(brief, "s3/delete")
        assert list(inside.files()) == []
        assert await client.fetch(car.link) is None
        await holds(alice)
        added = (await alice.add(car))["ok"]
        assert added["status"] == "upload", "the sweep is over; it starts clean"


async def test_an_index_is_known_after_a_restart_although_whoever_looked_died(
    mortal: Mortal,
) -> None:
    await mortal.start_dying_at("index/examine")
    async with talking_to(mortal) as client:
        alice, car = client.space("alice"), random_car()
        slices = (Slice(multihash(car.data[10:20]), 10, 10),)
        data = encode(car.link, [Shard(car.link.multihash, slices)])
        index = Car(link_to(data, CAR), data)
        await alice.store(car)
        await alice.store(index)
        asked = alice.ask("space/index/add", {"index": index.link})
        await cut_off(client.send(asked))
        await mortal.wait_for_its_death("index/examine")
        assert opened(mortal) >= {"index/examine"}
        found = f"SELECT start, length FROM slice WHERE shard = x'{car.link.multihash.hex()}'"
        assert Inside(mortal.data).rows(found) == []

        mortal.start()
        await carried_out(mortal, "index/examine")
        assert Inside(mortal.data).rows(found) == [(10, 10)]
        assert (await client.send(asked)).out == {"ok": {}}


async def test_a_car_is_looked_through_after_a_restart_although_whoever_looked_died(
    mortal: Mortal,
) -> None:
    """The client was told that its bytes are stored, and nobody asks for them again."""
    await mortal.start_dying_at("contents/scan")
    async with talking_to(mortal) as client:
        alice, block = client.space("alice"), b"a block"
        data = encode_car([], [(link_to(block, RAW), block)])
        car = Car(link_to(data, CAR), data)
        added = (await alice.add(car))["ok"]
        await cut_off(client.put(added, car.data))
        await mortal.wait_for_its_death("contents/scan")
        assert opened(mortal) == {"contents/scan"}
        found = "SELECT start, length FROM slice"
        assert Inside(mortal.data).rows(found) == []

        mortal.start()
        await carried_out(mortal, "contents/scan")
        assert Inside(mortal.data).rows(found) == [(len(data) - len(block), len(block))]
        assert await alice.place(car) == "Stored"


async def test_an_operator_is_told_after_a_restart_although_the_alarm_died(
    mortal: Mortal,
) -> None:
    mortal.start()
    async with talking_to(mortal) as client:
        alice, car = client.space("alice"), random_car()
        await alice.store(car)
        mortal.stop()
        Inside(mortal.data).place_of(car).unlink()
        await mortal.start_dying_at("operator/alarm")
        await mortal.wait_for_its_death("operator/alarm")
        assert opened(mortal) >= {"operator/alarm"}
        assert "ALARM" not in mortal.output

        mortal.start()
        await carried_out(mortal, "operator/alarm")
        assert "ALARM" in mortal.output
        assert await alice.place(car) == "Lost"
        await holds(alice)


async def test_a_letter_arrives_after_a_restart_although_its_messenger_died(
    tmp_path: Path,
) -> None:
    async with serving(MailServer()) as server:
        posting = Mortal(tmp_path / "data", DYING, {"TAIJITU_SMTP_URL": f"smtp://{server.host}"})
        with closing(ending(posting)) as mortals:
            mortal = next(mortals)
            await mortal.start_dying_at("login/mail")
            async with talking_to(mortal) as client:
                alice = Device(client)
                asked = alice.asks_to_log_in()
                with suppress(aiohttp.ClientConnectionError):  # the answer may be quicker
                    await client.send(asked)
                await mortal.wait_for_its_death("login/mail")
                assert opened(mortal) == {"login/mail", "task/sleep"}
                assert server.letters == []

                mortal.start()
                await carried_out(mortal, "login/mail")
                assert {each["To"] for each in server.letters} == {EMAIL}
                assert (await client.send(asked)).out["ok"]["request"] == asked.link
                assert not await alice.is_logged_in()
                assert (await client.request("POST", link_in(server.letters[0]))).status == 200
                assert await alice.is_logged_in()


def test_every_ability_that_an_actor_has_is_killed_here() -> None:
    killed = {"s3/stat", "s3/presign", "s3/put", "s3/delete"}
    killed |= {"task/sleep", "operator/alarm", "index/examine", "contents/scan", "login/mail"}
    unused = object()
    all_of_them = set(actors(unused, unused, unused, unused, MemoryStorage(), note=unused))  # type: ignore[arg-type]
    assert all_of_them == killed


async def cut_off(asked: Awaitable[object]) -> None:
    """What was asked gets no answer: whoever would give it dies."""
    with pytest.raises(aiohttp.ClientConnectionError):
        await asked


async def becomes(space: Space, car: Car, state: str) -> None:
    async def place() -> str:
        return await space.place(car)

    await eventually(place, lambda found: found == state, seconds=PATIENCE)


async def carried_out(service: Service, ability: str) -> None:
    """Wait until no task of that kind is open."""

    async def tasks() -> set[str]:
        return opened(service)

    await eventually(tasks, lambda found: ability not in found, seconds=PATIENCE)


async def holds(space: Space, used: int = 0) -> None:
    usage = await space.usage()
    del usage["capacity"]
    assert usage == {"reserved": 0, "used": used, "entries": 1 if used else 0}


def opened(service: Service) -> set[str]:
    """The abilities of the open tasks, as they are on disk."""
    return {ability for (ability,) in Inside(service.data).rows("SELECT ability FROM task")}
