"""Goal: what an operator does on the first day works, on a service that is busy.

Method: real processes under the load of a real client; what commands print is what is looked at.
"""

import asyncio
import errno
import json
import shutil
import stat
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.client import Inside, Space, body_of, random_car, talking_to
from support.command import taijitu
from support.service import Serve, Service
from taijitu.server.backup import bring

# Blocking


async def test_a_blocked_space_takes_nothing_new_and_keeps_what_it_has(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client:
        alice = client.space()
        stored, begun, late = random_car(), random_car(), random_car()
        await alice.store(stored)
        upload = (await alice.add(begun))["ok"]

        told = taijitu(service, "space", "block", alice.did)
        assert told.code == 0
        assert "It is blocked" in told.out
        assert "blocked" in taijitu(service, "space", "list").out
        shown = json.loads(taijitu(service, "space", "info", alice.did, "--json").out)
        assert shown["blocked"] is True

        refused = (await alice.add(late))["error"]
        assert refused["name"] == "InsufficientStorage"
        assert refused["message"] == f"{alice.did} is blocked"
        assert await client.put(upload, begun.data) == 200
        assert await client.fetch(stored.link) is None, "the public gets nothing that only it holds"
        assert set(await alice.links()) == {stored.link, begun.link}
        assert (await alice.remove(stored))["ok"] == {"size": stored.size}

        assert taijitu(service, "space", "unblock", alice.did).code == 0
        assert await client.fetch(begun.link) == begun.data
        assert (await alice.add(late))["ok"]["status"] == "upload"


async def test_a_space_can_be_blocked_before_it_is_known_and_be_unknown_again(
    serve: Serve,
) -> None:
    service = serve()
    async with talking_to(service) as client:
        mallory = client.space("mallory")
        assert taijitu(service, "space", "block", mallory.did).code == 0
        assert (await mallory.add(random_car()))["error"]["message"].endswith("is blocked")
        told = taijitu(service, "space", "unblock", mallory.did)
        assert (told.code, told.out) == (
            0,
            f"{mallory.did} is not blocked, and never had room here.\n",
        )
        assert "ok" in await mallory.add(random_car())


# Backups


async def test_a_backup_under_load_is_one_consistent_set(serve: Serve, tmp_path: Path) -> None:
    service = serve()
    folder = tmp_path / "backup"
    async with talking_to(service) as client:
        alice, bob = client.space(), client.space("bob")
        before = [random_car() for _ in range(5)]
        for car in before:
            await alice.store(car)
        async with load(bob):
            told = await asyncio.to_thread(taijitu, service, "backup", str(folder), "--json")
        assert (told.code, told.err) == (0, "")
        manifest = json.loads(told.out)
        assert manifest == json.loads((folder / "backup.json").read_text())
        assert manifest["entries"] >= len(before)
        assert manifest["lost"] == []
        after = random_car()
        await alice.store(after)
        await alice.remove(before[0])

    service.stop()
    shutil.rmtree(service.data)
    restored = taijitu(service, "restore", str(folder))
    assert (restored.code, restored.err) == (0, "")
    assert f"{service.data} is restored" in restored.out
    service.start()
    assert service.did == manifest["did"]
    async with talking_to(service) as client:
        assert client.key == manifest["key"]
        again = Space(client, alice.owner, "alice")
        assert set(await again.links()) == {car.link for car in before}
        for car in before:
            assert await client.fetch(car.link) == car.data
        assert await client.fetch(after.link) is None
        usage = await again.usage()
        assert (usage["used"], usage["reserved"]) == (sum(car.size for car in before), 0)
        audited = Space(client, bob.owner, "bob")
        usage = await audited.usage()
        assert usage["used"] == 1_000 * usage["entries"]
        for link in await audited.links():
            place = await client.admin("place", space=audited.did, cid=str(link))
            if place["state"] == "Stored":
                assert await client.fetch(link) is not None
        assert (await again.add(after))["ok"]["status"] == "upload"


@asynccontextmanager
async def load(space: Space) -> AsyncGenerator[None]:
    """Adds, uploads and removals, for as long as the block lasts. Begins before the block does."""
    begun = asyncio.Event()

    async def keep_on() -> None:
        while True:
            car = random_car()
            await space.store(car)
            if car.data[0] % 2:
                await space.remove(car)
            begun.set()

    workers = [asyncio.create_task(keep_on()) for _ in range(4)]
    await begun.wait()
    try:
        yield
    finally:
        for worker in workers:
            assert not worker.done(), worker
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def test_a_backup_works_without_a_service_and_is_the_same(
    serve: Serve, tmp_path: Path
) -> None:
    service = serve()
    async with talking_to(service) as client:
        await client.space().store(random_car())
    one = json.loads(taijitu(service, "backup", str(tmp_path / "one"), "--json").out)
    service.stop()
    two = json.loads(taijitu(service, "backup", str(tmp_path / "two"), "--json").out)
    assert one | {"made_at": 0} == two | {"made_at": 0}
    for name in ("key", "did"):
        assert (tmp_path / "one" / name).read_bytes() == (service.data / name).read_bytes()
    assert stat.S_IMODE((tmp_path / "one" / "key").stat().st_mode) == 0o600


@pytest.fixture
async def backed_up(serve: Serve, tmp_path: Path) -> Service:
    """A service that has stopped, with a backup of one object beside its data."""
    service = serve()
    async with talking_to(service) as client:
        await client.space().store(random_car())
    assert taijitu(service, "backup", str(tmp_path / "backup")).code == 0
    service.stop()
    return service


async def test_a_backup_goes_nowhere_it_should_not(backed_up: Service, tmp_path: Path) -> None:
    full = taijitu(backed_up, "backup", str(tmp_path / "backup"))
    assert (full.code, "is not empty" in full.err) == (1, True)
    inside = taijitu(backed_up, "backup", str(backed_up.data / "backup"))
    assert (inside.code, "is in the data folder" in inside.err) == (1, True)
    onto = taijitu(backed_up, "restore", str(tmp_path / "backup"))
    assert (onto.code, "is not empty" in onto.err) == (1, True)
    none = taijitu(backed_up, "restore", str(tmp_path), TAIJITU_DATA=str(tmp_path / "new"))
    assert (none.code, "is no backup" in none.err) == (1, True)


def wrong_bytes(folder: Path) -> None:
    victim = next(path for path in (folder / "blobs").rglob("*") if path.is_file())
    data = bytearray(victim.read_bytes())
    victim.unlink()  # its other name is the object itself
    data[0] ^= 1
    victim.write_bytes(data)


def an_object_less(folder: Path) -> None:
    next(path for path in (folder / "blobs").rglob("*") if path.is_file()).unlink()


def damaged_database(folder: Path) -> None:
    database = folder / "taijitu.db"
    database.write_bytes(database.read_bytes()[:-8_192])


def no_database(folder: Path) -> None:
    (folder / "taijitu.db").unlink()


@pytest.mark.parametrize("damage", [wrong_bytes, an_object_less, damaged_database, no_database])
async def test_a_damaged_backup_is_not_restored_and_leaves_nothing(
    backed_up: Service, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(tmp_path / "backup")
    new = tmp_path / "new"
    refused = taijitu(backed_up, "restore", str(tmp_path / "backup"), TAIJITU_DATA=str(new))
    assert refused.code == 1
    assert refused.err.startswith("taijitu: ")
    assert "damaged" in refused.err
    assert [path.name for path in new.rglob("*")] == []


async def test_a_backup_of_what_has_lost_bytes_says_which_and_can_be_restored(
    serve: Serve, tmp_path: Path
) -> None:
    service = serve()
    kept, gone = random_car(), random_car()
    async with talking_to(service) as client:
        alice = client.space()
        await alice.store(kept)
        await alice.store(gone)
    service.stop()
    Inside(service.data).place_of(gone).unlink()
    told = taijitu(service, "backup", str(tmp_path / "backup"))
    assert (told.code, "1 object that is called stored" in told.out) == (0, True), told
    manifest = json.loads((tmp_path / "backup" / "backup.json").read_text())
    assert (manifest["lost"], manifest["objects"]) == ([gone.digest.hex()], 1)
    new = str(tmp_path / "new")
    assert taijitu(service, "restore", str(tmp_path / "backup"), TAIJITU_DATA=new).code == 0


async def test_a_backup_on_another_disk_holds_copies(
    backed_up: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", cannot)
    source = next(path for path in Inside(backed_up.data).files())
    target = tmp_path / "elsewhere" / source.name
    assert bring(source, target) == source.stat().st_size
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_ino != source.stat().st_ino


async def test_a_restore_that_was_cut_short_is_no_installation(
    backed_up: Service, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    assert taijitu(backed_up, "restore", str(tmp_path / "backup"), TAIJITU_DATA=str(new)).code == 0
    (new / "restoring").touch()
    refused = taijitu(backed_up, "space", "list", TAIJITU_DATA=str(new))
    assert (refused.code, "cut short" in refused.err) == (1, True)


# Logs


async def test_every_refusal_is_one_line_that_says_who_wanted_what_and_why_not(
    serve: Serve,
) -> None:
    service = serve()
    async with talking_to(service) as client:
        alice, mallory = client.space(), client.space("mallory")
        wanted = {"link": random_car().link, "size": 1}
        theft = mallory.issue({"can": "store/add", "with": alice.did, "nb": wanted})
        reply = await client.post(body_of([theft]))
        assert reply.status == 200
        assert (await alice.add(random_car(), size=2**60))["error"]
    stolen, too_large = [line for line in lines_of(service) if line["event"] == "refused"]
    assert stolen["request"] == reply.headers["x-request-id"]
    assert stolen["invocation"] == str(theft.link)
    assert (stolen["agent"], stolen["can"], stolen["space"]) == (
        mallory.did,
        "store/add",
        alice.did,
    )
    assert stolen["error"] == "Unauthorized"
    assert f"can not be (self) issued by '{mallory.did}'" in stolen["why"]
    assert too_large["agent"] == alice.did
    asked = [line for line in lines_of(service) if line.get("request") == stolen["request"]]
    assert [line["event"] for line in asked] == ["refused", "request"]


def lines_of(service: Service) -> list[dict[str, Any]]:
    """What a service has logged."""
    return [json.loads(line) for line in service.output.splitlines() if line.startswith("{")]
