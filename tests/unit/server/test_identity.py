"""The data folder: who owns it, and whose it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from taijitu.server import folder, identity
from taijitu.server.config import Config, load
from taijitu.ucan.signer import Signer

ALICE = Signer.from_seed(bytes(32)).format()
BOB = Signer.from_seed(bytes(31) + b"\x01").format()


def config(tmp_path: Path, **settings: str) -> Config:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    given = {f"TAIJITU_{name}": value for name, value in settings.items()}
    return load({"TAIJITU_DATA": str(data)} | given, tmp_path).config


def refusal(settings: Config) -> str:
    with pytest.raises(identity.BadIdentity) as refused:
        identity.identify(settings)
    return str(refused.value)


def test_a_first_start_makes_a_key_and_the_second_finds_it(tmp_path: Path) -> None:
    first = identity.identify(config(tmp_path))
    second = identity.identify(config(tmp_path))
    assert first.key_did == second.key_did
    assert first.did == "did:web:localhost%3A3000"
    key = tmp_path / "data" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().startswith("MgC")
    assert sorted(path.name for path in key.parent.iterdir()) == ["did", "key"]


def test_two_folders_get_two_keys(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    keys = {identity.identify(config(tmp_path / name)).key_did for name in "ab"}
    assert len(keys) == 2


def test_the_key_that_is_set_wins_and_is_not_written_down(tmp_path: Path) -> None:
    signer = identity.identify(config(tmp_path, KEY=ALICE))
    assert signer.key_did == Signer.parse(ALICE).key_did
    assert not (tmp_path / "data" / "key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    settings = config(tmp_path)
    identity.identify(settings)
    (settings.data / "key").chmod(mode)
    assert "chmod 600" in refusal(settings)


@pytest.mark.parametrize("content", ["", "MgC", ALICE[:-4], ALICE[:-8] + "AAAAAAA=", "\x00" * 99])
def test_a_damaged_key_is_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    settings = config(tmp_path)
    key = settings.data / "key"
    key.write_text(content)
    key.chmod(0o600)
    assert "holds no usable key" in refusal(settings)
    assert key.read_text() == content


def test_a_bad_key_setting_is_refused_without_being_shown(tmp_path: Path) -> None:
    sentence = refusal(config(tmp_path, KEY=ALICE[:-4]))
    assert sentence.startswith("TAIJITU_KEY is no usable key")
    assert ALICE[10:40] not in sentence


def test_data_belongs_to_one_did_for_ever(tmp_path: Path) -> None:
    identity.identify(config(tmp_path))
    sentence = refusal(config(tmp_path, PORT="4000"))
    assert "did:web:localhost%3A3000" in sentence
    assert "did:web:localhost%3A4000" in sentence
    again = config(tmp_path, PORT="4000", DID="did:web:localhost%3A3000")
    assert identity.identify(again).did == "did:web:localhost%3A3000"


def test_the_url_secret_follows_the_key_and_nothing_else(tmp_path: Path) -> None:
    alice, bob = Signer.parse(ALICE), Signer.parse(BOB)
    secret = identity.url_secret(tmp_path, alice)
    assert secret == identity.url_secret(tmp_path, alice.under("did:web:x"))
    assert secret != identity.url_secret(tmp_path, bob)


def test_a_new_key_takes_the_place_of_the_old_one_under_the_same_did(tmp_path: Path) -> None:
    settings = config(tmp_path)
    old = identity.identify(settings)
    made = identity.rotate(settings.data, old, in_folder=True)
    new = identity.identify(settings)
    assert (new.key_did, new.did) == (made.key_did, old.did)
    assert new.key_did != old.key_did
    assert identity.past_keys(settings.data, new) == (old.key_did,)
    assert identity.url_secret(settings.data, new) == identity.url_secret(settings.data, old)
    files = {path.name: path.stat().st_mode & 0o777 for path in settings.data.iterdir()}
    assert files == dict.fromkeys(("did", "key", "past-keys", "url-secret"), 0o600)
    assert old.format() not in "".join(path.read_text() for path in settings.data.iterdir())


def test_a_key_that_leaked_leaves_nothing_that_it_could_sign(tmp_path: Path) -> None:
    settings = config(tmp_path)
    keys = [identity.identify(settings)]
    secrets = [identity.url_secret(settings.data, keys[0])]
    for leaked in (False, True, False):
        identity.rotate(settings.data, keys[-1], in_folder=True, leaked=leaked)
        keys.append(identity.identify(settings))
        secrets.append(identity.url_secret(settings.data, keys[-1]))
    first, _, third, fourth = [key.key_did for key in keys]
    assert identity.past_keys(settings.data, keys[-1]) == (first, third)
    assert fourth not in (first, third)
    assert secrets[0] == secrets[1] != secrets[2] == secrets[3]


def test_a_rotation_that_was_cut_short_can_be_done_again(tmp_path: Path) -> None:
    settings = config(tmp_path)
    old = identity.identify(settings)
    identity.rotate(settings.data, old, in_folder=False)  # all but the key itself
    assert identity.past_keys(settings.data, old) == ()
    identity.rotate(settings.data, old, in_folder=True)
    new = identity.identify(settings)
    assert identity.past_keys(settings.data, new) == (old.key_did,)


def test_a_key_that_is_set_is_rotated_where_it_is_set(tmp_path: Path) -> None:
    settings = config(tmp_path, KEY=ALICE)
    old = identity.identify(settings)
    new = identity.rotate(settings.data, old, in_folder=False)
    assert not (settings.data / "key").exists()
    again = identity.identify(config(tmp_path, KEY=new.format()))
    assert identity.past_keys(settings.data, again) == (old.key_did,)
    assert identity.url_secret(settings.data, again) == identity.url_secret(tmp_path, old)


def test_so_many_keys_are_remembered(tmp_path: Path) -> None:
    settings = config(tmp_path)
    before: list[str] = []
    for _ in range(identity.PAST_KEYS_MAX + 2):
        signer = identity.identify(settings)
        before.append(signer.key_did)
        identity.rotate(settings.data, signer, in_folder=True)
    past = identity.past_keys(settings.data, identity.identify(settings))
    assert list(past) == before[-identity.PAST_KEYS_MAX :]


@pytest.mark.parametrize("text", ["did:web:example.org", "did:key:z6Mk", "hello", "\x00"])
def test_what_is_no_key_is_not_taken_for_one_of_before(tmp_path: Path, text: str) -> None:
    (tmp_path / "past-keys").write_text(text)
    with pytest.raises(identity.BadIdentity, match="no key"):
        identity.past_keys(tmp_path, Signer.parse(ALICE))


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    with folder.take(data):
        assert data.stat().st_mode & 0o777 == 0o700
        with pytest.raises(folder.FolderInUse) as refused:
            folder.take(data)
        assert refused.value.pid == os.getpid()
        assert f"in use by process {os.getpid()}" in str(refused.value)
    folder.take(data).release()


def test_the_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from taijitu.server import folder; "
        "lock = folder.take(Path(sys.argv[1])); print('taken', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"taken\n"
        with pytest.raises(folder.FolderInUse) as refused:
            folder.take(tmp_path)
        assert refused.value.pid == other.pid
        other.kill()
        other.wait()
    folder.take(tmp_path).release()


def test_a_folder_that_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(folder.CannotStart, match="cannot be used"):
        folder.take(tmp_path / "file" / "data")
