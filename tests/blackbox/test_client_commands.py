"""Goal: whoever has a key stores, fetches, lists and removes CARs from a shell, lets others do so,
and is told in one sentence what is missing.

Method: real processes and a real service; what is printed is what is looked at.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from support.accounts import EMAIL
from support.command import taijitu
from support.node import SCRIPTS, node
from support.service import Serve, Service, free_port
from taijitu.cli.key import write
from taijitu.client import new_key
from taijitu.ipld import car
from taijitu.ipld.cid import CAR, RAW, link_to

SECONDS_MAX = 60
"""A command may take no longer, on a slow machine."""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(service: Service, tmp_path: Path) -> Run:
    """A command in an empty folder, whose service is the module's."""

    def run(*arguments: str, stdin: bytes = b"", **settings: str) -> Ended:
        environment = service.environment() | {"TAIJITU_URL": service.url} | settings
        done = subprocess.run(
            [sys.executable, "-m", "taijitu", *arguments],
            env={name: value for name, value in environment.items() if value},
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        err = done.stderr.decode()
        assert "Traceback" not in err
        return Ended(done.returncode, done.stdout.decode("utf-8", "replace"), err)

    return run


@pytest.fixture
def alice(tmp_path: Path) -> str:
    """The DID of a key in `alice.key`."""
    return written(tmp_path / "alice.key")


@pytest.fixture
def bob(tmp_path: Path) -> str:
    """The DID of a key in `bob.key`."""
    return written(tmp_path / "bob.key")


def written(path: Path) -> str:
    """The DID of a new key in a file, as `taijitu key new --out` makes it."""
    signer = new_key()
    write(path, signer)
    return signer.did


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A CAR that nobody has seen before: `photos.car`."""
    block = os.urandom(100_000)
    root = link_to(block, RAW)
    path = tmp_path / "photos.car"
    path.write_bytes(car.encode((root,), [(root, block)]))
    return path


def link_of(path: Path) -> str:
    return str(link_to(path.read_bytes(), CAR))


ALICE = {"TAIJITU_AGENT_KEY": "alice.key"}
BOB = {"TAIJITU_AGENT_KEY": "bob.key"}


def test_a_car_is_put_listed_fetched_and_removed(
    run: Run, alice: str, photos: Path, tmp_path: Path
) -> None:
    link = link_of(photos)
    put = run("put", "photos.car", "--key", "alice.key")
    assert (put.code, put.out) == (0, f"{link}\n")
    assert put.err.startswith(f"stored: 97.7 KiB in {alice}\nopens at http://")

    listed = run("ls", **ALICE)
    assert listed.code == 0
    assert listed.out.startswith(f"{link}   97.7 KiB  20")
    (line,) = run("ls", "--json", **ALICE).out.splitlines()
    told = json.loads(line)
    assert (told["link"], told["size"]) == (link, photos.stat().st_size)

    got = run("get", link)
    assert (got.code, got.out) == (0, f"{link}.car\n")
    assert (tmp_path / f"{link}.car").read_bytes() == photos.read_bytes()

    removed = run("rm", link, **ALICE)
    assert (removed.code, removed.out) == (0, f"removed {link}, 97.7 KiB\n")
    empty = run("ls", **ALICE)
    assert (empty.code, empty.out) == (0, "")
    assert empty.err == f"{alice} holds nothing.\n"


def test_every_answer_is_there_for_programs(
    service: Service, run: Run, alice: str, photos: Path
) -> None:
    link, size = link_of(photos), photos.stat().st_size
    first, again = (run("put", "photos.car", "--json", **ALICE) for _ in range(2))
    (root,) = car.decode(photos.read_bytes()).roots
    told = {"link": link, "url": f"{service.url}/ipfs/{root}", "size": size, "space": alice}
    assert json.loads(first.out) == told | {"allocated": size, "sent": True}
    assert json.loads(again.out) == told | {"allocated": 0, "sent": False}
    got = run("get", link, "--out", "copy.car", "--json")
    assert json.loads(got.out) == {"link": link, "size": size, "file": "copy.car"}
    assert json.loads(run("rm", link, "--json", **ALICE).out) == {"link": link, "size": size}
    assert run("ls", "--json", **ALICE) == (0, "", "")


def test_what_is_piped_in_comes_out_of_the_pipe(run: Run, alice: str) -> None:
    data = b"".join(b"line %d\n" % number for number in range(50_000))
    put = run("put", "-", stdin=data, **ALICE)
    assert put.code == 0, put.err
    got = run("get", put.out.strip(), "-o", "-")
    assert (got.code, got.out, got.err) == (0, data.decode(), "")


def test_what_is_no_car_is_stored_with_a_warning(run: Run, alice: str, tmp_path: Path) -> None:
    (tmp_path / "notes.car").write_bytes(os.urandom(100))
    (tmp_path / "notes").write_bytes(os.urandom(100))
    for arguments in (["notes.car"], ["notes", "--car"]):
        put = run("put", *arguments, **ALICE)
        assert put.code == 0
        warning = f"warning: {arguments[0]} is not a CAR; it is stored as it is\n"
        assert put.err.startswith(warning)
        assert put.out == f"{link_of(tmp_path / arguments[0])}\n"


def test_a_proof_lets_somebody_else_into_a_space(
    run: Run, alice: str, bob: str, photos: Path
) -> None:
    made = run(
        *("delegate", "--space-key", "alice.key", "--to", bob, "--can", "store/*"),
        *("--expires", "30d", "-o", "proof.car"),
    )
    assert (made.code, made.out) == (0, "")
    assert made.err.startswith(f"{bob} may store/* in {alice} until 20")
    put = run("put", "photos.car", "--proof", "proof.car", "--json", **BOB)
    assert json.loads(put.out)["space"] == alice
    assert run("ls", **ALICE).out.startswith(link_of(photos))

    text = run("delegate", "--space-key", "alice.key", "--to", bob, "--can", "store/list").out
    for proof in (text.strip(), "proof.car"):
        assert run("ls", **BOB, TAIJITU_PROOF=proof).out.startswith(link_of(photos))
    told = json.loads(run("whoami", "--json", **BOB, TAIJITU_PROOF="proof.car").out)
    assert (told["agent"], told["space"]) == (bob, alice)
    assert told["proofs"][0]["can"] == ["store/*"]
    words = run("whoami", **BOB, TAIJITU_PROOF=text.strip()).out
    assert f"\nspace  {alice}\n" in words
    assert f"\nproof  store/list on {alice} until 20" in words


def test_what_was_given_is_passed_on_shown_and_taken_back(
    run: Run, alice: str, bob: str, photos: Path, tmp_path: Path
) -> None:
    mallory = written(tmp_path / "mallory.key")
    (tmp_path / "proofs").mkdir()
    owner = ("delegate", "--space-key", "alice.key", "--to", bob, "--can", "store/*")
    assert run(*owner, "-o", "proofs/bob.car").code == 0
    passed = run(
        *("delegate", "--to", mallory, "--can", "store/list", "--proof", "proofs", "--json"), **BOB
    )
    told = json.loads(passed.out)
    assert (told["space"], told["audience"], told["can"]) == (alice, mallory, ["store/list"])
    asking = {"TAIJITU_AGENT_KEY": "mallory.key", "TAIJITU_PROOF": told["proof"]}
    assert run("ls", **asking).code == 0

    shown = run("proof", told["proof"], "--json")
    assert json.loads(shown.out) == {
        "cid": told["cid"],
        "issuer": bob,
        "audience": mallory,
        "can": ["store/list"],
        "with": [alice],
        "expires": told["expires"],
    }
    assert f"from   {bob}\nto     {mallory}\n" in run("proof", told["proof"]).out

    revoked = run("revoke", "proofs/bob.car", **ALICE)
    assert (revoked.code, revoked.out[:12]) == (0, "revoked bafy")
    again = run("revoke", "proofs/bob.car", "--json", **ALICE)
    assert json.loads(again.out) == {"revoked": revoked.out.split()[1]}
    refused = run("ls", **asking)
    assert refused.code == 1
    assert "revoked" in refused.err


def test_a_login_that_nobody_confirms_ends(run: Run, alice: str) -> None:
    ended = run("login", "alice@example.com", "--within", "1s", **ALICE)
    assert ended.code == 1
    assert ended.err.startswith(f"waiting until alice@example.com confirms {alice}\n")
    assert "nobody has confirmed the login of alice@example.com within 1 s" in ended.err
    assert run("login", "alice", **ALICE).code == 1


class Login:
    """`taijitu login`, which waits to be confirmed."""

    def __init__(self, service: Service, folder: Path, key: str) -> None:
        self.service, self.folder = service, folder
        self.settings = {"TAIJITU_AGENT_KEY": key, "TAIJITU_URL": service.url}

    def __call__(self, *more: str) -> Ended:
        environment = self.service.environment() | self.settings
        with subprocess.Popen(
            [sys.executable, "-m", "taijitu", "login", EMAIL, "--within", "1m", *more],
            env={name: value for name, value in environment.items() if value},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            while taijitu(self.service, "account", "confirm", EMAIL).code:
                assert process.poll() is None, "it has asked for nothing"
            out, err = process.communicate(timeout=SECONDS_MAX)
        return Ended(process.returncode, out.decode(), err.decode())


@pytest.mark.usefixtures("photos")
def test_who_logs_in_makes_a_space_with_room_and_finds_it_on_another_device(
    serve: Serve, run: Run, alice: str, bob: str, tmp_path: Path
) -> None:
    service = serve(TAIJITU_PROVISION="closed")
    at = {"TAIJITU_URL": service.url}
    poor = run("put", "photos.car", **ALICE, **at)
    assert poor.err.startswith("taijitu: there is no room: ")
    assert "taijitu space create --account EMAIL" in poor.err
    stranger = run("space", "create", "--account", EMAIL, "--out", "space.key", **ALICE, **at)
    assert (stranger.code, stranger.out) == (1, "")
    assert "taijitu login EMAIL" in stranger.err
    assert not (tmp_path / "space.key").exists()

    asked = Login(service, tmp_path, "alice.key")()
    assert asked.code == 0, asked.err
    assert f"{alice} acts for {EMAIL}; use it with --proof proofs" in asked.err
    assert "It has no space yet" in asked.err
    files = asked.out.splitlines()
    assert sorted(files) == sorted(
        f"proofs/{each.name}" for each in (tmp_path / "proofs").iterdir()
    )

    creating = ("space", "create", "--account", EMAIL, "--proof", "proofs", "--out", "space.key")
    made = run(*creating, **ALICE, **at)
    assert made.code == 0, made.err
    space = made.out.strip()
    assert run("key", "show", "space.key").out.endswith(f"{space}\n")
    put = run("put", "photos.car", "--proof", "space.car", "--json", **ALICE, **at)
    assert json.loads(put.out)["space"] == space
    again = run("space", "create", "--out", "space.key", **ALICE, **at)
    assert (again.code, again.err[:33]) == (1, "taijitu: space.key exists already")

    other = Login(service, tmp_path, "bob.key")("--out", "other", "--json")
    told = json.loads(other.out)
    assert (told["agent"], told["spaces"]) == (bob, [space])
    assert run("ls", "--proof", "other", **BOB, **at).out.startswith(
        link_of(tmp_path / "photos.car")
    )


@pytest.mark.usefixtures("photos")
def test_a_space_is_made_without_an_account_and_told_to_programs(run: Run, alice: str) -> None:
    made = json.loads(run("space", "create", "-o", "my.key", "--json", **ALICE).out)
    assert made == {"space": made["space"], "account": None, "key": "my.key", "proof": "my.car"}
    put = run("put", "photos.car", "--proof", "my.car", "--json", **ALICE)
    assert json.loads(put.out)["space"] == made["space"] != alice


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_the_commands(run: Run, tmp_path: Path, shell: str) -> None:
    script = run("completion", shell)
    assert script.code == 0
    assert "whoami" in script.out
    assert "--hidden" in script.out or "-l hidden" in script.out


def test_whoever_has_no_proof_is_told_how_to_get_one(
    run: Run, alice: str, bob: str, photos: Path
) -> None:
    ended = run("put", "photos.car", "--space", alice, **BOB)
    assert (ended.code, ended.out) == (1, "")
    assert f"taijitu: no delegation for store/add on {alice} to {bob}\n" in ended.err
    assert f"taijitu delegate --space-key FILE --to {bob} --can 'store/*'" in ended.err


def test_whoever_puts_files_is_told_all_that_takes(
    run: Run, alice: str, bob: str, tmp_path: Path
) -> None:
    """What the refusal says is enough, the first time."""
    (tmp_path / "notes.txt").write_bytes(os.urandom(50))
    ended = run("put", "notes.txt", "--space", alice, **BOB)
    wanted = f"taijitu delegate --space-key FILE --to {bob} --can 'space/*' --can 'upload/*' "
    assert wanted in ended.err
    proof = run("delegate", "--space-key", "alice.key", "--to", bob, "--can", "store/*").out.strip()
    refused = run("put", "notes.txt", **BOB, TAIJITU_PROOF=proof)
    assert "--can 'store/*' --can 'space/*' --can 'upload/*' " in refused.err
    can = ("--can", "space/*", "--can", "upload/*")
    enough = run("delegate", "--space-key", "alice.key", "--to", bob, *can).out.strip()
    assert run("put", "notes.txt", **BOB, TAIJITU_PROOF=enough).code == 0


def test_nobody_passes_on_more_or_for_longer_than_he_was_given(
    run: Run, alice: str, bob: str
) -> None:
    given = ("delegate", "--space-key", "alice.key", "--to", bob, "--can", "store/list")
    assert run(*given, "--expires", "2d", "-o", "bob.car").code == 0
    onward = ("delegate", "--to", alice, "--proof", "bob.car")
    more = run(*onward, "--can", "*", **BOB)
    assert (more.code, more.out) == (1, "")
    assert f"no delegation for * on {alice} to {bob}: what is there allows something" in more.err
    first = json.loads(run("proof", "bob.car", "--json").out)["expires"]
    made = json.loads(run(*onward, "--can", "store/list", "--expires", "1y", "--json", **BOB).out)
    assert made["expires"] == first
    both = run(*onward, "--can", "store/list", "--space-key", "alice.key")
    assert (both.code, both.out) == (2, "")


def test_whoever_has_too_little_of_a_proof_is_told_by_the_service(
    run: Run, alice: str, bob: str, photos: Path
) -> None:
    proof = run("delegate", "--space-key", "alice.key", "--to", bob, "--can", "store/list").out
    ended = run("put", "photos.car", **BOB, TAIJITU_PROOF=proof.strip())
    assert ended.code == 1
    assert 'Claim {"can":"store/add"} is not authorized' in ended.err
    assert "taijitu delegate" in ended.err


def test_the_javascript_client_reads_our_proofs(
    run: Run, alice: str, bob: str, tmp_path: Path
) -> None:
    program = node()
    text = run("delegate", "--space-key", "alice.key", "--to", bob, "--can", "store/*").out.strip()
    (tmp_path / "node_modules").symlink_to(SCRIPTS / "node_modules")
    script = tmp_path / "proof.mjs"
    script.write_text(
        "import * as Proof from '@web3-storage/w3up-client/proof'\n"
        f"const proof = await Proof.parse('{text}')\n"
        "console.log(JSON.stringify([proof.issuer.did(), proof.audience.did(), "
        "proof.capabilities[0].can]))\n"
    )
    done = subprocess.run(
        [program, "--preserve-symlinks", str(script)],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [alice, bob, "store/*"]


ABSENT = str(link_to(b"absent", CAR))
DELEGATE = "delegate --space-key alice.key --to"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("put photos.car", 1, "make one with `taijitu key new --out agent.key`"),
        ("put photos.car --key absent.key", 1, "absent.key cannot be read"),
        ("put absent.car --key alice.key", 1, "absent.car cannot be read"),
        ("put photos.car --key photos.car", 1, "photos.car holds no usable key"),
        ("ls --key alice.key --proof photos.car", 1, "photos.car is no proof"),
        ("ls --key alice.key --space alice", 1, "not a DID: 'alice'"),
        ("ls --key alice.key --did did:web:example.org", 1, "not did:web:example.org"),
        ("ls --key alice.key --url localhost:3000", 1, "is not a URL"),
        ("put photos.car more --key alice.key --receipts nowhere", 1, "'nowhere/bafy"),
        ("get photos", 1, "'photos' is not a link"),
        (f"get {ABSENT}", 1, f"{ABSENT} is not stored at http://localhost:"),
        (f"get {ABSENT} -x", 2, "-x"),
        ("rm photos --key alice.key", 1, "'photos' is not a link"),
        ("rm --key alice.key", 2, "Name the link of a CAR"),
        ("put -x", 2, "there is no option -x"),
        (f"{DELEGATE} bob --can store/*", 1, "not a DID: 'bob'"),
        (f"{DELEGATE} did:web:a.b --can store", 1, "'store' is not an ability"),
        (f"{DELEGATE} did:web:a.b --can * --expires soon", 2, "such as 30d, 12h, 1y or never"),
    ],
)
@pytest.mark.usefixtures("alice", "photos")
def test_what_cannot_be_done_is_one_sentence(
    run: Run, tmp_path: Path, line: str, code: int, said: str
) -> None:
    (tmp_path / "more").write_bytes(os.urandom(10))
    ended = run(*line.split())
    assert ended.code == code
    assert said in ended.err
    assert ended.err.startswith("taijitu: ")
    assert ended.out == ""


def test_what_is_not_there_to_remove_does_not_keep_the_rest(
    run: Run, alice: str, photos: Path
) -> None:
    run("put", "photos.car", **ALICE)
    absent = str(link_to(b"absent", CAR))
    ended = run("rm", absent, link_of(photos), **ALICE)
    assert ended.code == 1
    assert ended.err == f"taijitu: {absent} not found in {alice}\n"
    assert ended.out.startswith(f"removed {link_of(photos)}")


@pytest.mark.full
def test_a_service_that_is_away_is_waited_for_in_sight(run: Run, alice: str) -> None:
    ended = run("ls", **ALICE, TAIJITU_URL=f"http://localhost:{free_port()}")
    lines = ended.err.splitlines()
    assert ended.code == 1
    assert len(lines) == 6
    assert all("trying again in" in line for line in lines[:-1])
    assert lines[-1].endswith("connection refused")


def test_a_space_without_room_is_told(serve: Serve, run: Run, alice: str, photos: Path) -> None:
    full = serve(TAIJITU_SPACE_CAPACITY="1000")
    ended = run("put", "photos.car", **ALICE, TAIJITU_URL=full.url)
    assert ended.code == 1
    assert ended.err.startswith("taijitu: there is no room: ")


def test_a_folder_takes_the_file_under_the_name_of_its_link(
    run: Run, alice: str, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "cars").mkdir()
    run("put", "photos.car", **ALICE)
    got = run("get", link_of(photos), "--out", "cars")
    assert got.out == f"cars/{link_of(photos)}.car\n"
    assert [path.name for path in (tmp_path / "cars").iterdir()] == [f"{link_of(photos)}.car"]


def test_a_fetch_that_fails_leaves_no_file(run: Run, tmp_path: Path) -> None:
    ended = run("get", str(link_to(b"absent", CAR)), "--out", "copy.car")
    assert ended.code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_is_shown_how_far_it_is(
    service: Service, run: Run, alice: str, photos: Path, tmp_path: Path
) -> None:
    ours, theirs = os.openpty()
    try:
        with os.fdopen(theirs, "wb") as terminal:
            done = subprocess.run(
                [sys.executable, "-m", "taijitu", "put", "photos.car", "--key", "alice.key"],
                env=service.environment() | {"TAIJITU_URL": service.url, "TERM": "xterm"},
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=terminal,
                timeout=SECONDS_MAX,
                check=False,
            )
        shown = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
    assert done.returncode == 0
    assert done.stdout.decode() == f"{link_of(photos)}\n"
    assert "sending" in shown
    assert "KiB" in shown
