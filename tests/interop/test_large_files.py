"""Goal: however much a client library sends, the service holds little of it at once, keeps nobody
else waiting, and gives all of it back.

Method: both libraries as they are published make the content while they send it. The service's
memory is measured at its highest, as the kernel counts it; somebody else asks it all the time.
"""

import hashlib
import json
import subprocess
import time
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, TypeAlias

import pytest

from hostile.memory import MIB
from support.client import Inside
from support.eventually import eventually
from support.service import Service
from support.terminal import begun, script

pytestmark = pytest.mark.full

FILE_SIZE: Final = 300 * MIB
SHARDS: Final = 3
"""In which the libraries send so much: of 133,169,152 bytes at most."""
FILES: Final = 2_000

GROWTH_MAX: Final = 32 * MIB
"""Bytes of memory that it may take beyond what a small file takes. Measured were 3 MiB; one shard
alone would be 127."""

WAIT_SECONDS_MAX: Final = 2
"""How long an answer to somebody else may take meanwhile. Measured were 0.1 s at most where clients
and service share two processors, and 0.6 s where ten others wanted them too."""
PAUSE_SECONDS: Final = 0.01
"""Between two questions of somebody else."""

REQUESTS_MAX: Final = 16
"""That it takes to send a folder, however many files there are."""

BEGUN_SIZE: Final = 4 * MIB
"""Bytes after which a client is ended: more than has arrived by then can hardly be under way."""
SHORTER_SIZE: Final = 100 * MIB
"""Bytes of what it sends: one shard."""

LIBRARIES: Final = ("w3up", "storacha")
SECONDS_MAX: Final = 240
"""A client may take no longer, on a slow machine."""

Facts: TypeAlias = dict[str, Any]


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def busy(service: Service) -> Service:
    """A service that has taken in a file already, and so has in memory what it needs for any."""
    upload(service, "w3up", "file", MIB)
    return service


def test_300_mebibytes_come_back_and_memory_stays_flat(
    busy: Service, library: str, tmp_path: Path
) -> None:
    with staying_small(busy), answering_others(busy):
        facts = upload(busy, library, "file", FILE_SIZE)
    assert len(facts["shards"]) == SHARDS
    assert fetched(busy, facts, tmp_path / "film") == facts["digests"]


def test_2000_files_come_back_and_memory_stays_flat(
    busy: Service, library: str, tmp_path: Path
) -> None:
    with staying_small(busy), answering_others(busy):
        facts = upload(busy, library, "folder", FILES)
    assert sum(each["count"] for each in facts["requests"].values()) <= REQUESTS_MAX
    assert len(facts["digests"]) == FILES
    assert fetched(busy, facts, tmp_path / "album") == facts["digests"]


async def test_a_client_that_dies_while_it_sends_leaves_nothing_and_can_come_again(
    busy: Service, tmp_path: Path
) -> None:
    inside = Inside(busy.data)

    async def unfinished() -> int:
        return size(inside.unfinished())

    before = size(inside.files())
    with sending(busy, "storacha", "file", SHORTER_SIZE) as client:
        await eventually(unfinished, lambda size: size >= BEGUN_SIZE, seconds=SECONDS_MAX)
        client.kill()
    await eventually(unfinished, lambda size: size == 0, seconds=5)
    assert size(inside.files()) < before + SHORTER_SIZE, "there may be the index, not the shard"

    facts = upload(busy, "storacha", "file", SHORTER_SIZE)
    assert fetched(busy, facts, tmp_path / "film") == facts["digests"]


def upload(service: Service, library: str, kind: str, amount: int) -> Facts:
    """What a client tells that has sent a file of so many bytes, or a folder of so many files."""
    with sending(service, library, kind, amount) as client:
        said, why = client.communicate(timeout=SECONDS_MAX)
    assert client.returncode == 0, why
    return json.loads(said.splitlines()[-1])


def sending(
    service: Service, library: str, kind: str, amount: int
) -> AbstractContextManager[subprocess.Popen[str]]:
    """A client that sends; it does not outlive the block."""
    return begun("large.mjs", library, kind, service.url, service.did, str(amount))


def fetched(service: Service, facts: Facts, target: Path) -> dict[str, str]:
    """The digest of every file, by its name, as the service gives them back: the blocks of its
    shards, put together at `target`."""
    words = [service.url, str(target), facts["root"], *facts["shards"]]
    script("unpack.mjs", *words, seconds=SECONDS_MAX)
    paths = [target] if target.is_file() else target.iterdir()
    return {path.name: digest(path) for path in paths}


def size(files: Iterable[Path]) -> int:
    """Bytes in all of them; one may go while one looks."""
    found = 0
    for path in files:
        with suppress(FileNotFoundError):
            found += path.stat().st_size
    return found


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def staying_small(service: Service) -> Generator[None]:
    """Fails if the service needs more than `GROWTH_MAX` for what is done in the block."""
    process = Path(f"/proc/{service.running().pid}")
    if not process.is_dir():
        pytest.skip("how much memory a process needs is asked of Linux")
    (process / "clear_refs").write_text("5", encoding="ascii")  # forget what was needed at most
    before = peak(process)
    yield
    growth = peak(process) - before
    assert growth < GROWTH_MAX, f"{growth / MIB:.1f} MiB beyond {before / MIB:.1f}"


def peak(process: Path) -> int:
    """The most that it had in memory at once, in bytes."""
    lines = (process / "status").read_text(encoding="ascii").splitlines()
    (found,) = [line for line in lines if line.startswith("VmHWM")]
    return int(found.split()[1]) * 1024


@contextmanager
def answering_others(service: Service) -> Generator[None]:
    """Fails if the service keeps somebody waiting who asks all the time."""
    done = Event()
    waited: list[float] = []

    def ask() -> None:
        connection = HTTPConnection("localhost", service.port, timeout=SECONDS_MAX)
        while not done.wait(PAUSE_SECONDS):
            began = time.monotonic()
            connection.request("GET", "/health")
            connection.getresponse().read()
            waited.append(time.monotonic() - began)
        connection.close()

    thread = Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert max(waited) < WAIT_SECONDS_MAX
