"""Goal: keys are made, kept and told without ever being given away by accident."""

import json
import stat
from pathlib import Path

import pytest

from taijitu.cli import REFUSED
from taijitu.server import folder
from taijitu.ucan.signer import Signer
from unit.cli.running import Run


def test_a_new_key_is_printed_with_the_did_that_belongs_to_it(run: Run) -> None:
    ended = run("key", "new", "--json")
    made = json.loads(ended.out)
    assert made["key"].startswith("MgC")
    assert Signer.parse(made["key"]).did == made["did"]


def test_no_two_new_keys_are_the_same(run: Run) -> None:
    assert run("key", "new").out != run("key", "new").out


def test_a_key_goes_to_a_file_that_only_its_owner_can_use(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    ended = run("key", "new", "--out", str(path))
    text = path.read_text()
    assert ended.code == 0
    assert text.strip() not in ended.out
    assert Signer.parse(text.strip()).did in ended.out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_exists_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    path.write_text("precious")
    ended = run("key", "new", "--out", str(path))
    assert ended.code == REFUSED
    assert "exists already" in ended.err
    assert path.read_text() == "precious"


def test_showing_a_key_file_tells_the_did_and_not_the_key(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    run("key", "new", "--out", str(path))
    alice = Signer.parse(path.read_text().strip())
    assert json.loads(run("key", "show", str(path), "--json").out) == {"did": alice.did}
    assert "Mg" not in run("key", "show", str(path)).out


def test_the_private_key_is_shown_to_whoever_asks_for_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    run("key", "new", "--out", str(path))
    shown = json.loads(run("key", "show", str(path), "--private", "--json").out)
    assert shown["key"] == path.read_text().strip()


def test_a_key_file_that_others_can_use_is_warned_about(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    run("key", "new", "--out", str(path))
    path.chmod(0o644)
    ended = run("key", "show", str(path))
    assert ended.code == 0
    assert f"chmod 600 {path}" in ended.err


@pytest.mark.parametrize("text", ["", "Mg", "hello", "MgCnot a key", "z" * 5000])
def test_a_file_that_holds_no_key_is_refused_without_its_text(
    run: Run, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "alice.key"
    path.write_text(text)
    ended = run("key", "show", str(path))
    assert ended.code == REFUSED
    assert "holds no usable key" in ended.err
    assert "not a key" not in ended.err


def test_the_services_key_comes_from_the_setting_first(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Signer.from_seed(bytes(32))
    monkeypatch.setenv("TAIJITU_KEY", service.format())
    shown = json.loads(run("key", "show", "--json").out)
    assert shown == {"did": "did:web:localhost%3A3000", "publicKey": service.did}


def test_the_services_key_in_the_data_folder_is_shown_under_the_did_of_the_folder(
    run: Run, tmp_path: Path
) -> None:
    service = Signer.from_seed(bytes(32))
    data = tmp_path / "data"
    data.mkdir()
    (data / "key").touch(0o600)
    (data / "key").write_text(service.format())
    (data / "did").write_text("did:web:store.example.org\n")
    shown = json.loads(run("key", "show", "--json").out)
    assert shown == {"did": "did:web:store.example.org", "publicKey": service.did}


def test_showing_the_key_of_a_service_that_never_started_makes_nothing(
    run: Run, tmp_path: Path
) -> None:
    ended = run("key", "show")
    assert ended.code == REFUSED
    assert "there is no data folder" in ended.err
    assert not (tmp_path / "data").exists()


def test_the_service_gets_a_new_key_and_goes_on_naming_the_old_one(
    run: Run, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "did").write_text("did:web:store.example.org\n")
    run("key", "new", "--out", str(data / "key"))
    before = json.loads(run("key", "show", "--json").out)["publicKey"]
    shown = json.loads(run("key", "rotate", "--json").out)
    now = json.loads(run("key", "show", "--json").out)
    assert shown == {**now, "before": before}
    assert (now["did"], now["publicKey"] == before) == ("did:web:store.example.org", False)
    assert (data / "past-keys").read_text() == f"{before}\n"
    assert "MgC" not in run("key", "rotate").out
    run("key", "rotate", "--leaked")
    third = (data / "past-keys").read_text().split()
    assert third == [before, now["publicKey"]]


def test_a_key_from_the_setting_is_made_anew_to_be_set(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Signer.from_seed(bytes(32))
    monkeypatch.setenv("TAIJITU_KEY", service.format())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "did").write_text("did:web:store.example.org\n")
    ended = run("key", "rotate", "--json")
    shown = json.loads(ended.out)
    assert "Set TAIJITU_KEY" in ended.err
    assert Signer.parse(shown["key"]).did == shown["publicKey"]
    assert shown["before"] == service.did
    assert not (tmp_path / "data" / "key").exists()


def test_a_did_that_is_a_key_has_no_other(run: Run, tmp_path: Path) -> None:
    service = Signer.from_seed(bytes(32))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "did").write_text(f"{service.did}\n")
    ended = run("key", "rotate")
    assert ended.code == REFUSED
    assert "name of its own key" in ended.err


def test_the_key_of_a_service_that_runs_is_left_alone(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "did").write_text("did:web:store.example.org\n")
    run("key", "new", "--out", str(data / "key"))
    before = (data / "key").read_text()
    with folder.take(data):
        ended = run("key", "rotate")
    assert ended.code == REFUSED
    assert "in use" in ended.err
    assert (data / "key").read_text() == before
