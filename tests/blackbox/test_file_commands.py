"""Goal: whoever has a key puts files, folders and pipes from a shell, opens them by URL, lists,
shows, gets and removes them; whatever breaks off can be gone on with.

Method: real processes and a real service; what is printed is what is looked at.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest

from support.client import Inside
from support.eventually import eventually
from support.service import Service
from taijitu.cli.key import write
from taijitu.client import new_key
from taijitu.ipld.cid import RAW, link_to

SECONDS_MAX = 120
"""A command may take no longer, on a slow machine."""

MIB = 1024 * 1024
ALICE = {"TAIJITU_AGENT_KEY": "alice.key"}


class Ended(NamedTuple):
    code: int
    out: bytes
    err: str

    @property
    def line(self) -> str:
        """The one line that was printed."""
        (line,) = self.out.decode().splitlines()
        return line


class Shell:
    """Commands in a folder, whose service is the module's."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.folder = folder
        self.url = service.url
        environment = service.environment() | {"TAIJITU_URL": service.url} | ALICE
        self.environment = {name: value for name, value in environment.items() if value}

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "taijitu", *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended:
        with self.start(*arguments) as process:
            out, err = process.communicate(stdin, timeout=SECONDS_MAX)
        assert "Traceback" not in err.decode()
        return Ended(process.returncode, out, err.decode())

    def fetched(self, url: str) -> tuple[str, bytes]:
        """What a browser would be given: type and bytes."""
        with urlopen(url) as answer:
            return answer.headers["content-type"], answer.read()


@pytest.fixture
def shell(service: Service, tmp_path: Path) -> Shell:
    write(tmp_path / "alice.key", new_key())
    return Shell(service, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "holiday"
    (folder / "day one").mkdir(parents=True)
    (folder / "notes.txt").write_bytes(b"sun " + os.urandom(8).hex().encode())
    (folder / "day one" / "beach.bin").write_bytes(os.urandom(2 * MIB + 1))
    (folder / ".hidden").write_text("secret")
    return folder


def opens_at(err: str) -> str:
    """The URL in what was said."""
    return err.partition("opens at ")[2].strip()


def test_a_file_is_put_opens_and_is_got_back(shell: Shell, folder: Path) -> None:
    data = (folder / "notes.txt").read_bytes()
    put = shell("put", "holiday/notes.txt")
    assert put.line == str(link_to(data, RAW))
    assert put.err.startswith("stored: 20 B in did:key:")
    kind, body = shell.fetched(opens_at(put.err))
    assert (kind.partition(";")[0], body) == ("text/plain", data)
    got = shell("get", put.line, "-o", "copy.txt")
    assert (got.code, got.line, got.err) == (0, "copy.txt", "verified: 20 B\n")
    assert (shell.folder / "copy.txt").read_bytes() == data


def test_a_folder_is_put_listed_shown_got_back_and_removed(shell: Shell, folder: Path) -> None:
    put = shell("put", "holiday")
    cid = put.line
    _, page = shell.fetched(opens_at(put.err))
    assert b"notes.txt" in page

    listed = shell("ls").out.decode().splitlines()
    assert [line.split()[:3] for line in listed] == [[cid, "1", "shard"]]
    entries = [line.split(maxsplit=3) for line in shell("ls", cid).out.decode().splitlines()]
    assert [entry[3] for entry in entries] == ["day one", "notes.txt"]
    tree = shell("tree", cid).out.decode().splitlines()
    assert tree == [cid, "  day one/", "    beach.bin  2 MiB", "  notes.txt  20 B"]

    got = shell("get", cid, "-o", "back")
    assert (got.line, got.err) == ("back", "verified: 2 MiB, 2 files\n")
    for name in ("notes.txt", "day one/beach.bin"):
        assert (shell.folder / "back" / name).read_bytes() == (folder / name).read_bytes()
    again = shell("get", cid, "-o", "back")
    assert (again.code, again.line) == (0, f"back/{cid}")
    part = shell("get", f"{cid}/day one/beach.bin", "-o", "-")
    assert part.out == (folder / "day one" / "beach.bin").read_bytes()

    removed = shell("rm", cid)
    assert (removed.code, removed.line[: len(cid) + 8]) == (0, f"removed {cid}")
    assert shell("ls").out == b""
    assert shell("rm", cid).code == 1


def test_every_answer_is_there_for_programs(shell: Shell, folder: Path) -> None:
    first, again = (json.loads(shell("put", "holiday", "--json").out) for _ in range(2))
    assert first["url"] == f"{shell.url}/ipfs/{first['cid']}"
    assert first["sent"] == first["stored"] > first["size"] == 2 * MIB + 21
    assert (again["cid"], again["sent"]) == (first["cid"], 0)
    (upload,) = map(json.loads, shell("ls", "--json").out.splitlines())
    assert (upload["cid"], upload["shards"]) == (first["cid"], first["shards"])
    entries = [json.loads(line) for line in shell("ls", first["cid"], "--json").out.splitlines()]
    assert [entry["name"] for entry in entries] == ["day one", "notes.txt"]
    tree = [json.loads(line) for line in shell("tree", first["cid"], "--json").out.splitlines()]
    assert [each["path"] for each in tree] == ["", "day one", "day one/beach.bin", "notes.txt"]
    got = json.loads(shell("get", first["cid"], "-o", "back", "--json").out)
    told = {"cid": first["cid"], "kind": "folder", "size": first["size"], "files": 2}
    assert got == told | {"file": "back"}


def test_a_pipe_is_a_file(shell: Shell, folder: Path) -> None:
    data = os.urandom(3 * MIB + 5)
    put = shell("put", "-", stdin=data)
    (shell.folder / "same").write_bytes(data)
    same = shell("put", "same")
    assert same.line == put.line
    assert "and the service had the bytes already" in same.err
    assert shell("get", put.line, "-o", "-").out == data


def test_several_files_are_a_folder(shell: Shell, folder: Path) -> None:
    cid = shell("put", "holiday/notes.txt", "holiday/day one").line
    assert cid == shell("put", "holiday").line


async def test_a_put_that_is_killed_is_gone_on_with(shell: Shell, service: Service) -> None:
    data = os.urandom(300 * MIB)
    (shell.folder / "large").write_bytes(data)
    alone, inside = shell.start("put", "large"), Inside(service.data)

    async def stored() -> bool:
        return any(
            path.parent.name != "incoming" and path.stat().st_size > 100 * MIB
            for path in inside.files()
        )

    await eventually(stored, bool, seconds=SECONDS_MAX)
    alone.kill()
    alone.communicate()
    resumed = shell("put", "large", "--resume", "--json")
    made = json.loads(resumed.out)
    assert len(made["shards"]) == 3
    assert made["sent"] < made["stored"] - 100 * MIB
    assert shell("get", made["cid"], "-o", "-").out == data


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("put", 2, "which? Name files and folders"),
        ("put - more", 2, "standard input is one file"),
        ("put a b --car", 2, "one file at a time"),
        ("put absent", 1, "absent cannot be read: No such file"),
        ("get nonsense", 1, "'nonsense' is not a link"),
        ("ls nonsense", 1, "'nonsense' is not a link"),
        ("tree nonsense", 1, "'nonsense' is not a link"),
        (f"get {link_to(b'x', RAW)}", 1, "404"),
        (f"get {link_to(b'x', RAW)}/../..", 1, "leads out of its root"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(shell: Shell, line: str, code: int, said: str) -> None:
    ended = shell(*line.split())
    assert ended.code == code
    assert said in ended.err
    assert ended.err.startswith("taijitu: ")
    assert ended.out == b""
