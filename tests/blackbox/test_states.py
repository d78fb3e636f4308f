"""Goal: an upload reaches every state that a client can bring about, in real time.

Method: the service as a process, with an upload window of a second. Nothing is simulated and no
door is opened for tests: states are asked for at the operator's door, bytes come and go by HTTP,
and what takes its time is looked at again until it is so.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator

import pytest

from support.client import Car, Client, Inside, Space, random_car, talking_to
from support.eventually import eventually
from support.service import Serve, Service, running
from taijitu.ipld.cid import CAR, link_to

CAPACITY = 100_000
"""Bytes of a space that nobody has provisioned."""

WINDOW, GRACE = 1, 2
"""Seconds: to begin an upload, and to end one that began in time."""

PATIENCE = WINDOW + GRACE + 8
"""Seconds until whatever has to happen by itself has happened, on a slow machine."""


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service whose uploads are over after a second."""
    settings = {
        "TAIJITU_UPLOAD_WINDOW": str(WINDOW),
        "TAIJITU_UPLOAD_GRACE": str(GRACE),
        "TAIJITU_SPACE_CAPACITY": str(CAPACITY),
    }
    with running(Service(tmp_path_factory.mktemp("hasty") / "data", settings)) as service:
        yield service


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service whose uploads have time enough, and not much more."""
    settings = {"TAIJITU_UPLOAD_WINDOW": "3", "TAIJITU_UPLOAD_GRACE": "0"}
    with running(Service(tmp_path_factory.mktemp("brief") / "data", settings)) as service:
        yield service


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service whose uploads are not over while a test runs."""
    settings = {"TAIJITU_SPACE_CAPACITY": str(CAPACITY)}
    with running(Service(tmp_path_factory.mktemp("patient") / "data", settings)) as service:
        yield service


@pytest.fixture
async def client(patient: Service) -> AsyncGenerator[Client]:
    async with talking_to(patient) as client:
        yield client


@pytest.fixture
async def hasty_client(hasty: Service) -> AsyncGenerator[Client]:
    async with talking_to(hasty) as client:
        yield client


@pytest.fixture
async def brief_client(brief: Service) -> AsyncGenerator[Client]:
    async with talking_to(brief) as client:
        yield client


@pytest.fixture
def alice(client: Client) -> Space:
    return client.space("alice")


@pytest.fixture
def bob(client: Client) -> Space:
    return client.space("bob")


@pytest.fixture
def hasty_alice(hasty_client: Client) -> Space:
    return hasty_client.space("alice")


def holds(reserved: int = 0, used: int = 0, entries: int = 0) -> dict[str, int]:
    """What a space is told to hold."""
    return {"capacity": CAPACITY, "reserved": reserved, "used": used, "entries": entries}


# Room


async def test_an_add_reserves_room_and_the_bytes_turn_it_into_use(alice: Space) -> None:
    car = random_car()
    added = (await alice.add(car))["ok"]
    assert (added["status"], added["allocated"]) == ("upload", car.size)
    assert await alice.place(car) == "Receiving"
    assert await alice.usage() == holds(reserved=car.size)
    assert await alice.client.put(added, car.data) == 200
    assert await alice.place(car) == "Stored"
    assert await alice.usage() == holds(used=car.size, entries=1)
    assert await alice.client.fetch(car.link) == car.data


async def test_where_there_is_no_room_nothing_is_taken_until_something_is_removed(
    alice: Space,
) -> None:
    large, larger = random_car(CAPACITY - 10), random_car(11)
    await alice.store(large)
    refused = (await alice.add(larger))["error"]
    assert refused["name"] == "InsufficientStorage"
    assert "10 of 100000 are free" in refused["message"]
    assert await alice.place(larger) == "ExceedsLimit"
    assert await alice.usage() == holds(used=large.size, entries=1)
    assert await alice.links() == [large.link]

    assert await alice.remove(large) == {"ok": {"size": large.size}}
    assert await alice.usage() == holds()
    assert (await alice.add(larger))["ok"]["status"] == "upload"
    assert await alice.usage() == holds(reserved=larger.size)


async def test_room_is_filled_to_the_last_byte_and_not_beyond(alice: Space) -> None:
    await alice.store(random_car(CAPACITY))
    assert await alice.usage() == holds(used=CAPACITY, entries=1)
    refused = (await alice.add(random_car(1)))["error"]
    assert refused["name"] == "InsufficientStorage"


async def test_an_upload_that_is_set_aside_counts_like_one_that_is_stored(alice: Space) -> None:
    await alice.add(random_car(CAPACITY))
    refused = (await alice.add(random_car(1)))["error"]
    assert refused["name"] == "InsufficientStorage"


async def test_a_space_that_is_not_provisioned_is_not_opened_by_asking(serve: Serve) -> None:
    service = serve(TAIJITU_PROVISION="closed")
    async with talking_to(service) as client:
        alice, car = client.space("alice"), random_car()
        error = (await alice.add(car))["error"]
        assert error["name"] == "InsufficientStorage"
        assert error["message"] == f"{alice.did} has no storage provider"
        assert (await alice.info())["error"]["name"] == "SpaceUnknown"
        assert await client.admin("spaces") == []
        await client.admin("provision", space=alice.did, capacity=car.size)
        assert (await alice.add(car))["ok"]["status"] == "upload"


# Bytes that are here already


async def test_bytes_we_hold_are_stored_at_once_in_a_second_space_which_pays_for_them(
    alice: Space, bob: Space
) -> None:
    car = random_car()
    await alice.store(car)
    added = (await bob.add(car))["ok"]
    assert added == {"status": "done", "allocated": car.size, "with": bob.did, "link": car.link}
    assert await bob.place(car) == "Stored"
    assert await alice.usage() == await bob.usage() == holds(used=car.size, entries=1)


async def test_bytes_that_the_space_holds_are_not_charged_again(alice: Space) -> None:
    car = random_car()
    await alice.store(car)
    added = (await alice.add(car))["ok"]
    assert added == {"status": "done", "allocated": 0, "with": alice.did, "link": car.link}
    assert await alice.usage() == holds(used=car.size, entries=1)


async def test_an_upload_under_way_is_joined_and_not_charged_again(alice: Space) -> None:
    car = random_car()
    first, second = (await alice.add(car))["ok"], (await alice.add(car))["ok"]
    assert (first["allocated"], second["allocated"]) == (car.size, 0)
    assert second["url"] == first["url"]
    assert await alice.usage() == holds(reserved=car.size)


async def test_shared_bytes_stay_until_the_last_space_lets_go(brief_client: Client) -> None:
    alice, bob, car = brief_client.space("alice"), brief_client.space("bob"), random_car()
    await alice.store(car)
    assert (await bob.add(car))["ok"]["status"] == "done"

    await alice.remove(car)
    assert (await alice.usage())["used"] == 0
    assert await brief_client.fetch(car.link) == car.data

    await bob.remove(car)
    assert await brief_client.fetch(car.link) is None, "at once, before they are swept"
    await gone(brief_client, car)
    assert (await bob.usage())["used"] == 0


async def test_no_bytes_at_all_can_be_stored_too(alice: Space) -> None:
    nothing = Car(link_to(b"", CAR), b"")
    await alice.store(nothing)
    assert await alice.place(nothing) == "Stored"
    assert await alice.usage() == holds(entries=1)
    assert await alice.client.fetch(nothing.link) == b""


# Time


async def test_an_upload_that_never_comes_expires_and_its_room_is_free_again(
    hasty_alice: Space,
) -> None:
    car = random_car()
    before = time.time()
    added = (await hasty_alice.add(car))["ok"]
    assert added["status"] == "upload"
    assert await hasty_alice.usage() == holds(reserved=car.size)

    await expired(hasty_alice, car)
    assert time.time() - before > GRACE, "what began in time may still come"
    assert await hasty_alice.usage() == holds()
    assert await hasty_alice.links() == []
    assert (await hasty_alice.get(car))["error"]["name"] == "StoreItemNotFound"


async def test_what_expired_can_be_added_again(hasty_alice: Space) -> None:
    car = random_car()
    first = (await hasty_alice.add(car))["ok"]
    await expired(hasty_alice, car)
    second = (await hasty_alice.add(car))["ok"]
    assert (second["status"], second["allocated"]) == ("upload", car.size)
    assert second["url"] != first["url"]
    assert await hasty_alice.usage() == holds(reserved=car.size)


async def test_a_put_that_comes_after_expiry_is_refused_and_leaves_nothing(
    hasty_alice: Space, hasty: Service
) -> None:
    car = random_car()
    added = (await hasty_alice.add(car))["ok"]
    await expired(hasty_alice, car)
    assert await hasty_alice.client.put(added, car.data) == 403
    assert await hasty_alice.client.fetch(car.link) is None
    assert not Inside(hasty.data).place_of(car).exists()
    assert await hasty_alice.place(car) == "Expired"


async def test_bytes_that_nobody_told_us_of_are_found_before_the_upload_expires(
    hasty_alice: Space, hasty: Service
) -> None:
    """They lie in the bucket and no hint ever came, as when an event of the bucket gets lost."""
    car = random_car()
    assert (await hasty_alice.add(car))["ok"]["status"] == "upload"
    Inside(hasty.data).bring(car)
    assert await hasty_alice.place(car) == "Receiving"

    async def place() -> str:
        return await hasty_alice.place(car)

    found = await eventually(place, lambda state: state != "Receiving", seconds=PATIENCE)
    assert found == "Stored"
    assert await hasty_alice.usage() == holds(used=car.size, entries=1)
    assert await hasty_alice.client.fetch(car.link) == car.data


async def test_bytes_that_come_by_a_live_url_after_removal_are_swept(
    brief_client: Client,
) -> None:
    alice, car = brief_client.space("alice"), random_car()
    added = (await alice.add(car))["ok"]
    await alice.remove(car)
    assert (await alice.usage())["reserved"] == 0
    assert await brief_client.put(added, car.data) == 200
    assert await brief_client.fetch(car.link) is None, "nobody holds it"
    assert Inside(brief_client.service.data).place_of(car).exists()

    await gone(brief_client, car)
    assert await alice.place(car) == "Absent"
    assert (await alice.usage())["used"] == 0


# Sizes that are not true


@pytest.mark.parametrize("wrong_by", [-1, 1])
async def test_a_wrong_size_is_refused_at_the_upload_and_never_stored(
    hasty_alice: Space, hasty: Service, wrong_by: int
) -> None:
    car = random_car()
    added = (await hasty_alice.add(car, car.size + wrong_by))["ok"]
    as_it_is = await hasty_alice.client.put(added, car.data, content_length=str(car.size))
    assert as_it_is == 403, "the announced length is signed"
    as_declared = car.data[: car.size + wrong_by].ljust(car.size + wrong_by, b"\0")
    assert await hasty_alice.client.put(added, as_declared) in (400, 403), "other bytes"

    await expired(hasty_alice, car)
    assert not Inside(hasty.data).place_of(car).exists()
    assert await hasty_alice.usage() == holds()


@pytest.mark.parametrize("wrong_by", [-1, 1])
async def test_a_wrong_size_of_bytes_we_hold_is_noticed_at_once(
    alice: Space, bob: Space, wrong_by: int
) -> None:
    car = random_car()
    await alice.store(car)
    refused = (await bob.add(car, car.size + wrong_by))["error"]
    assert refused["name"] == "SizeMismatch"
    assert await bob.place(car) == "SizeMismatch"
    assert await bob.usage() == holds()
    assert (await bob.add(car))["ok"]["status"] == "done"
    assert await alice.usage() == holds(used=car.size, entries=1)


async def test_one_upload_has_one_size(alice: Space) -> None:
    car = random_car()
    await alice.add(car)
    refused = (await alice.add(car, car.size + 1))["error"]
    assert refused["name"] == "SizeMismatch"
    assert await alice.usage() == holds(reserved=car.size)


# Many at once

MANY = 64


@pytest.mark.parametrize("together", [True, False], ids=["one message", "a message each"])
async def test_many_adds_at_once_in_one_space_take_exactly_their_room(
    client: Client, together: bool
) -> None:
    alice = client.space("alice")
    cars = [random_car(1_000 + number) for number in range(MANY)]
    whole = sum(car.size for car in cars)
    await client.admin("provision", space=alice.did, capacity=whole)

    asked = [alice.asks_to_add(car) for car in cars]
    if together:
        receipts = await client.send(*asked)
    else:
        receipts = await asyncio.gather(*[client.send(each) for each in asked])
    answers = [receipt.out["ok"] for receipt in receipts]
    assert [(each["link"], each["allocated"]) for each in answers] == [
        (car.link, car.size) for car in cars
    ]
    taken = {"capacity": whole, "reserved": whole, "used": 0, "entries": 0}
    assert await alice.usage() == taken
    assert (await alice.add(random_car(1)))["error"]["name"] == "InsufficientStorage"

    puts = [client.put(ok, car.data) for ok, car in zip(answers, cars, strict=True)]
    assert await asyncio.gather(*puts) == [200] * MANY
    assert await alice.usage() == taken | {"reserved": 0, "used": whole, "entries": MANY}
    links = await alice.links()
    assert len(links) == MANY
    assert set(links) == {car.link for car in cars}


async def test_of_many_adds_that_do_not_all_fit_as_many_succeed_as_fit(client: Client) -> None:
    alice, fits = client.space("alice"), 10
    cars = [random_car(1_000) for _ in range(MANY)]
    await client.admin("provision", space=alice.did, capacity=fits * 1_000 + 999)
    outs = await asyncio.gather(*[alice.add(car) for car in cars])
    assert sum("ok" in out for out in outs) == fits
    refusals = {out["error"]["name"] for out in outs if "error" in out}
    assert refusals == {"InsufficientStorage"}
    assert (await alice.usage())["reserved"] == fits * 1_000


async def test_the_same_bytes_added_many_times_at_once_are_charged_once(alice: Space) -> None:
    car = random_car()
    outs = await asyncio.gather(*[alice.add(car) for _ in range(MANY)])
    assert sorted(out["ok"]["allocated"] for out in outs) == [0] * (MANY - 1) + [car.size]
    assert len({out["ok"]["url"] for out in outs}) == 1
    assert await alice.usage() == holds(reserved=car.size)


async def expired(space: Space, car: Car) -> None:
    async def place() -> str:
        return await space.place(car)

    state = await eventually(place, lambda state: state != "Receiving", seconds=PATIENCE)
    assert state == "Expired"


async def gone(client: Client, car: Car) -> None:
    """Returns once its bytes are no longer on the disk."""
    place = Inside(client.service.data).place_of(car)

    async def exists() -> bool:
        return place.exists()

    await eventually(exists, lambda found: not found, seconds=PATIENCE)
