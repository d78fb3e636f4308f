"""Goal: a check finds what a start would trip over, says so in words, and changes nothing."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from taijitu.cli import REFUSED
from taijitu.server import folder
from taijitu.ucan.signer import Signer
from unit.cli.running import Run

Settle = Callable[[], Path]


@pytest.fixture
def data(tmp_path: Path, port: int) -> Path:
    """A data folder with the identity that the settings ask for."""
    data = tmp_path / "data"
    data.mkdir(0o700)
    (data / "key").touch(0o600)
    (data / "key").write_text(Signer.from_seed(bytes(32)).format())
    (data / "did").write_text(f"did:web:localhost%3A{port}\n")
    return data


def verdicts(run: Run) -> dict[str, tuple[str, str]]:
    """What was found, by what it is about: verdict and text."""
    found = json.loads(run("check", "--json").out)
    return {each["about"]: (each["verdict"], each["text"]) for each in found}


@pytest.mark.usefixtures("port")
def test_before_the_first_start_all_is_well_and_nothing_is_made(run: Run, tmp_path: Path) -> None:
    ended = run("check")
    assert ended.code == 0
    assert ended.out.endswith("All is well.\n")
    assert list(tmp_path.iterdir()) == []


def test_an_installation_that_is_whole_is_well(run: Run, data: Path) -> None:
    found = verdicts(run)
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert found["key"][1] == Signer.from_seed(bytes(32)).did
    assert {path.name for path in data.iterdir()} == {"key", "did", folder.LOCK}


def test_a_port_that_is_taken_is_wrong(run: Run, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        ended = run("check")
    assert ended.code == REFUSED
    assert f"✘ port           port {port} on 127.0.0.1 is in use" in ended.out
    assert ended.out.endswith("1 thing is wrong.\n")


def test_every_setting_that_is_wrong_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAIJITU_PORT", "http")
    monkeypatch.setenv("TAIJITU_PROVISION", "perhaps")
    ended = run("check")
    assert ended.code == REFUSED
    assert "TAIJITU_PORT" in ended.out
    assert "TAIJITU_PROVISION" in ended.out
    assert ended.out.endswith("2 things are wrong.\n")


def test_a_setting_that_is_misspelt_is_a_warning(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAIJITU_PROT", "3000")
    ended = run("check")
    assert ended.code == 0
    assert "did you mean TAIJITU_PORT?" in ended.out


def test_a_key_that_others_can_read_is_wrong(run: Run, data: Path) -> None:
    (data / "key").chmod(0o644)
    verdict, text = verdicts(run)["key"]
    assert verdict == "wrong"
    assert "chmod 600" in text


def test_a_folder_that_belongs_to_another_service_is_wrong(run: Run, data: Path) -> None:
    (data / "did").write_text("did:web:store.example.org\n")
    verdict, text = verdicts(run)["DID"]
    assert verdict == "wrong"
    assert "TAIJITU_DID=did:web:store.example.org" in text


def test_a_damaged_database_is_wrong_and_stays_as_it_is(run: Run, data: Path) -> None:
    (data / "taijitu.db").write_bytes(b"no database" * 1000)
    verdict, text = verdicts(run)["database"]
    assert verdict == "wrong"
    assert "damaged, or no database" in text
    assert (data / "taijitu.db").read_bytes() == b"no database" * 1000


def test_a_data_folder_that_is_a_file_is_wrong(run: Run, tmp_path: Path, port: int) -> None:
    (tmp_path / "data").write_text("")
    verdict, text = verdicts(run)["data folder"]
    assert verdict == "wrong"
    assert "is not a folder" in text


def test_a_folder_that_another_process_owns_is_wrong(run: Run, data: Path) -> None:
    with folder.take(data):
        verdict, text = verdicts(run)["database"]
    assert verdict == "wrong"
    assert "is in use by process" in text
