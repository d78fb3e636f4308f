"""Goal: an examination finds what ails an installation, says so in words, and changes nothing."""

import asyncio
import json
import shutil
import time
from collections import namedtuple
from pathlib import Path

import pytest

from taijitu.cli import REFUSED, doctor
from taijitu.engine.storage import Batch, ReceiptRow
from taijitu.storage.sqlite import SqliteStorage
from taijitu.ucan.signer import Signer
from unit.cli.running import Run

HOUR_MS = 3_600_000
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def data(run: Run, tmp_path: Path, port: int) -> Path:
    """The data folder of a service that has a database with one receipt in it."""
    assert run("key", "show").code == REFUSED, "there is one already"
    data = tmp_path / "data"
    data.mkdir(0o700)
    (data / "key").touch(0o600)
    (data / "key").write_text(Signer.from_seed(bytes(32)).format())
    (data / "did").write_text(f"did:web:localhost%3A{port}\n")
    record(data, time.time_ns() // 1_000_000)
    return data


def record(data: Path, at: int) -> None:
    """A receipt of some time (ms since 1970)."""

    async def commit() -> None:
        storage = SqliteStorage.open(data / "taijitu.db")
        name = b"%d" % at
        await storage.commit(Batch(receipts={name: ReceiptRow(name, b"receipt", at)}))
        await storage.close()

    asyncio.run(commit())


def verdicts(run: Run) -> dict[str, tuple[str, str]]:
    found = json.loads(run("doctor", "--json").out)
    return {each["about"]: (each["verdict"], each["text"]) for each in found}


@pytest.mark.usefixtures("port")
def test_before_the_first_start_all_is_well_and_nothing_is_made(run: Run, tmp_path: Path) -> None:
    ended = run("doctor")
    assert ended.code == 0
    assert ended.out.endswith("All is well.\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("data")
def test_an_installation_that_is_whole_is_sound_and_at_rest(run: Run) -> None:
    found = verdicts(run)
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert found["soundness"][1] == "the database is sound"
    assert found["waiting"][1] == "everything is at rest"


def test_a_folder_that_others_may_enter_is_a_warning(run: Run, data: Path) -> None:
    data.chmod(0o755)
    verdict, text = verdicts(run)["permissions"]
    assert (verdict, f"chmod 700 {data}" in text) == ("warning", True)
    ended = run("doctor")
    assert ended.code == 0
    assert "mind the lines with a !" in ended.out


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(("left", "verdict"), [(1, "wrong"), (2**30, "warning"), (2**40, "ok")])
def test_a_disk_that_is_almost_full_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, left: int, verdict: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**41, 0, left))
    assert verdicts(run)["space left"][0] == verdict
    assert run("doctor").code == (REFUSED if verdict == "wrong" else 0)


def test_a_clock_that_was_set_back_is_wrong(run: Run, data: Path) -> None:
    record(data, time.time_ns() // 1_000_000 + 3 * HOUR_MS)
    verdict, text = verdicts(run)["clock"]
    assert verdict == "wrong"
    assert "set back by 2 h" in text or "set back by 3 h" in text


def test_a_clock_that_runs_away_from_the_service_is_a_warning() -> None:
    wall = 1_800_000_000_000
    assert doctor.clock(wall, wall + 1_000, wall).verdict == "ok"
    found = doctor.clock(wall, wall - HOUR_MS, wall)
    assert (found.verdict, "catches up slowly" in found.text) == ("warning", True)


@pytest.mark.usefixtures("data")
def test_a_clock_that_was_never_set_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "wall_ms", lambda: 0)
    assert verdicts(run)["clock"] == ("wrong", "it says 1970-01-01 00:00:00 UTC: set it")


def test_a_database_with_a_hole_in_it_is_wrong(run: Run, data: Path) -> None:
    database = data / "taijitu.db"
    raw = bytearray(database.read_bytes())
    for page in range(4, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    database.write_bytes(raw)
    ended = run("doctor")
    assert ended.code == REFUSED
    assert "damaged" in ended.out
