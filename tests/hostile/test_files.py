"""Goal: a disk that is full, read-only, damaged or holds another's files gets a sentence, and
nothing that was acknowledged is lost.
"""

import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.client import Inside, body_of, random_car, talking_to
from support.eventually import eventually
from support.service import Serve, Service, running

START_SECONDS_MAX = 30
DISK_SIZE = "8m"
ADDS_MAX = 3_000
CHUNK = 4_096

ORDINARY = """
import ctypes, os, sys
for capability in (1, 2, 3):  # to pass over the modes of files, as root may
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Starts Python as somebody for whom the modes of files hold, whoever runs the tests."""


def refused(service: Service) -> str:
    """What a service says that does not start: words, and no traceback."""
    done = subprocess.run(
        [sys.executable, "-c", ORDINARY, "-m", "taijitu", "serve"],
        env=service.environment(),
        capture_output=True,
        text=True,
        timeout=START_SECONDS_MAX,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode not in (0, -9), said
    assert "Traceback" not in said
    return " ".join(said.split())


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.fixture
def used(serve: Serve) -> Service:
    """A service that has run, and runs no more."""
    service = serve()
    service.stop()
    return service


def test_a_folder_that_cannot_be_written_is_told(used: Service, tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    with mode(empty, 0o500):
        said = refused(Service(empty / "data"))
        assert f"the data folder {empty / 'data'} cannot be used: Permission denied" in said
    files = [path for path in used.data.rglob("*") if path.is_file()]
    with mode(used.data, 0o500):
        for path in files:
            path.chmod(0o400)
        said = refused(used)
    assert "cannot be used: Permission denied" in said or "cannot be opened" in said
    for path in files:
        path.chmod(0o600)
    used.start()


def test_bytes_that_cannot_be_written_are_told_at_the_start(used: Service) -> None:
    for folder in ("incoming", "7f"):
        with mode(used.data / "blobs" / folder, 0o500):
            said = refused(used)
        assert "Permission denied" in said
        assert str(used.data / "blobs" / folder) in said
    used.start()


BAD_KEYS: list[tuple[Callable[[Path], object], str]] = [
    (lambda key: key.write_text("no key\n"), "holds no usable key"),
    (lambda key: key.write_bytes(key.read_bytes()[:40]), "holds no usable key"),
    (lambda key: key.write_bytes(b""), "holds no usable key"),
    (lambda key: key.chmod(0o644), "can be read by other users"),
    (lambda key: key.chmod(0o000), "cannot be read: Permission denied"),
    (lambda key: (key.unlink(), key.mkdir()), "cannot be read: Is a directory"),
]


def test_a_key_that_is_none_is_told_and_not_replaced(used: Service) -> None:
    key = used.data / "key"
    genuine = key.read_bytes()
    for spoil, reason in BAD_KEYS:
        spoil(key)
        assert reason in refused(used)
        if key.is_dir():
            key.rmdir()
        else:
            key.unlink()
        key.write_bytes(genuine)
        key.chmod(0o600)
    used.start()


def test_a_damaged_database_is_told_and_left_as_it_is(used: Service) -> None:
    database = used.data / "taijitu.db"
    genuine = database.read_bytes()
    for spoiled in (
        bytes(100) + genuine[100:],
        genuine[:100] + b"\xff" * 4_000 + genuine[4_100:],
        b"These are my notes.\n" * 100,
    ):
        database.write_bytes(spoiled)
        assert str(database) in refused(used)
        assert database.read_bytes() == spoiled
    database.write_bytes(genuine)
    used.start()


async def test_bytes_are_not_swept_because_the_database_was_lost(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client:
        alice, car = client.space("alice"), random_car()
        await alice.store(car)
        service.stop()
        inside = Inside(service.data)
        genuine = inside.database.read_bytes()
        for lose in (inside.database.unlink, lambda: inside.database.write_bytes(b"")):
            lose()
            for _ in ("at once", "when the first try has made a new one"):
                assert f"{inside.database} is empty, and there are bytes" in refused(service)
            assert inside.place_of(car).read_bytes() == car.data
        inside.database.write_bytes(genuine)
        service.start()
        assert await client.fetch(car.link) == car.data


async def test_half_an_upload_that_was_left_over_is_gone_and_the_whole_can_come(
    serve: Serve,
) -> None:
    service = serve()
    async with talking_to(service) as client:
        alice, car = client.space("alice"), random_car(100_000)
        ok = (await alice.add(car))["ok"]
        service.kill()
        inside = Inside(service.data)
        half = service.data / "blobs" / "incoming" / f"{car.digest.hex()}.half"
        half.write_bytes(car.data[: car.size // 2])
        service.start()
        assert inside.unfinished() == []
        assert await alice.place(car) == "Receiving"
        assert await client.put(ok, car.data) == 200
        assert await client.fetch(car.link) == car.data


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of its own with little room."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("needs leave to mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on it; the file that takes it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(CHUNK))
    return filler


def test_a_disk_that_is_full_at_the_start_is_told(small_disk: Path) -> None:
    service = Service(small_disk / "data")
    filler = fill(small_disk)
    assert f"{small_disk / 'data'}" in refused(service)
    filler.unlink()
    service.log = small_disk / "service.log"
    with running(service):
        assert service.is_healthy()


async def test_a_full_disk_is_told_loses_nothing_and_works_again_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    service = Service(small_disk / "data")
    service.log = tmp_path / "service.log"
    with running(service):
        async with talking_to(service) as client:
            alice, stored, awaited = client.space("alice"), random_car(), random_car(500_000)
            await alice.store(stored)
            ok = (await alice.add(awaited))["ok"]
            filler = fill(small_disk)

            assert await client.put(ok, awaited.data) == 503
            asked = alice.asks_to_add(random_car())
            added = 0
            while (reply := await client.post(body_of([asked]))).status == 200:
                asked = alice.asks_to_add(random_car())
                added += 1
                assert added < ADDS_MAX, "the disk never was full"
            assert reply.status == 503
            assert reply.headers["retry-after"] == "1"
            assert "cannot do this right now" in reply.text

            assert await client.fetch(stored.link) == stored.data
            assert (await alice.get(stored))["ok"]["size"] == stored.size
            assert Inside(service.data).unfinished() == []

            filler.unlink()

            async def again() -> int:
                return (await client.post(body_of([asked]))).status

            await eventually(again, lambda status: status == 200, seconds=10)
            assert await client.put(ok, awaited.data) == 200
            assert await client.fetch(awaited.link) == awaited.data
            usage = await alice.usage()
            assert usage["reserved"] == (added + 1) * random_car().size
            assert usage["used"] == stored.size + awaited.size
            service.kill()
            service.start()
            assert await alice.usage() == usage
            assert await client.fetch(awaited.link) == awaited.data
