"""Goal: whoever has a key puts files, folders and pipes from a shell, opens them by URL, lists,
shows, gets and removes them; whatever breaks off can be gone on with.

Method: real processes and a real service; what is printed is what is looked at.
"""

import json
import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest

from support.client import Inside
from support.eventually import eventually
from support.service import Serve, Service
from taijitu.cli.key import write
from taijitu.client import new_key
from taijitu.ipld import car
from taijitu.ipld.cid import RAW, link_to
from taijitu.wire.shards import SHARD_SIZE

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
    large = shell("get", cid, "-o", "large", "--max-size", "2MiB")
    assert (large.code, large.err) == (1, "taijitu: it is more than 2,097,152 bytes\n")
    assert shell("get", cid, "-o", "large", "--max-size", "lots").code == 2
    assert shell("get", cid, "-o", "large", "--max-size", "3MiB").code == 0
    part = shell("get", f"{cid}/day one/beach.bin", "-o", "-")
    assert part.out == (folder / "day one" / "beach.bin").read_bytes()

    removed = shell("rm", cid)
    assert (removed.code, removed.line[: len(cid) + 8]) == (0, f"removed {cid}")
    assert shell("ls").out == b""
    assert shell("rm", cid).code == 1


def test_what_a_space_holds_is_listed_with_what_it_belongs_to(shell: Shell, folder: Path) -> None:
    put = json.loads(shell("put", "holiday", "--json").out)
    (shard,) = put["shards"]
    lines = [line.split() for line in shell("ls", "--blobs").out.decode().splitlines()]
    assert {line[0]: line[5:] for line in lines} == {put["index"]: [], shard: [put["cid"]]}
    told = [json.loads(line) for line in shell("ls", "--blobs", "--json").out.splitlines()]
    assert sum(each["size"] for each in told) == put["stored"]
    uploads = {each["link"]: each["uploads"] for each in told}
    assert uploads == {put["index"]: [], shard: [put["cid"]]}

    assert shell("rm", put["index"]).code == 0
    assert [line.split()[0] for line in shell("ls", "--blobs").out.decode().splitlines()] == [shard]
    assert shell("ls", put["cid"], "--blobs").code == 2
    assert shell("rm", shard).code == 0
    empty = shell("ls", "--blobs")
    assert (empty.out, empty.err.endswith(" holds no blobs.\n")) == (b"", True)


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


def test_a_put_that_is_refused_ends_however_quiet_its_pipe_is(serve: Serve, tmp_path: Path) -> None:
    write(tmp_path / "alice.key", new_key())
    shell = Shell(serve(TAIJITU_SPACE_CAPACITY="1MiB"), tmp_path)
    process = shell.start("put", "-")
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        for _ in range(SHARD_SIZE // MIB + 4):  # a shard, and what fills the pipe
            process.stdin.write(os.urandom(16) + bytes(MIB - 16))
        process.stdin.flush()
        assert process.wait(timeout=SECONDS_MAX) == 1
        assert process.stderr.read().startswith(b"taijitu: there is no room")
    finally:
        process.kill()
        with suppress(BrokenPipeError):
            process.communicate()


def test_where_temporary_files_have_no_room_is_told(shell: Shell) -> None:
    shell.environment["TMPDIR"] = str(shell.folder)
    with shell.start("put", "-") as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (MIB, MIB))
        out, err = process.communicate(os.urandom(4 * MIB), timeout=SECONDS_MAX)
    assert (process.returncode, out) == (1, b"")
    told = f"taijitu: temporary files cannot be written in {shell.folder}: File too large"
    assert err.decode() == f"{told}; TMPDIR says where they go\n"


def test_where_no_gateway_is_the_key_of_the_environment_opens_the_shards(
    serve: Serve, tmp_path: Path, folder: Path
) -> None:
    write(tmp_path / "alice.key", new_key())
    shell = Shell(serve(TAIJITU_GATEWAY="off"), tmp_path)
    put = shell("put", "holiday")
    assert "opens at" not in put.err
    assert shell("get", put.line, "-o", "back").code == 0
    assert (tmp_path / "back" / "notes.txt").read_bytes() == (folder / "notes.txt").read_bytes()
    del shell.environment["TAIJITU_AGENT_KEY"]
    nobody = shell("get", put.line, "-o", "again")
    assert (nobody.code, nobody.out) == (1, b"")
    assert "its gateway is off" in nobody.err


def test_a_file_whose_name_is_no_text_is_put_and_got_back(shell: Shell) -> None:
    name = os.fsdecode(b"caf\xe9 \xff.txt")
    (shell.folder / name).write_bytes(data := os.urandom(50))
    put = shell("put", name)
    assert put.line == str(link_to(data, RAW))
    assert opens_at(put.err).endswith("?filename=caf%EF%BF%BD%20%EF%BF%BD.txt")
    assert shell.fetched(opens_at(put.err))[1] == data
    assert json.loads(shell("put", name, "--json").out)["cid"] == put.line
    got = shell("get", put.line, "-o", f"copy of {name}")
    assert got.out == b"copy of caf\xe9 \xff.txt\n"
    assert (shell.folder / f"copy of {name}").read_bytes() == data
    told = json.loads(shell("get", put.line, "-o", f"again {name}", "--json").out)
    assert told["file"] == "again caf\ufffd \ufffd.txt"


def test_a_file_is_written_to_a_pipe_that_has_a_name(shell: Shell) -> None:
    data = os.urandom(50_000)
    put = shell("put", "-", stdin=data)
    os.mkfifo(shell.folder / "pipe")
    reading = os.open(shell.folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert shell("get", put.line, "-o", "pipe") == (0, b"", "")
        assert os.read(reading, 2 * len(data)) == data
    finally:
        os.close(reading)
    assert shell("get", put.line, "-o", "/dev/null").code == 0


def test_a_car_is_unpacked_and_opens_by_its_root(shell: Shell) -> None:
    block = os.urandom(2000)
    root = link_to(block, RAW)
    (shell.folder / "x.car").write_bytes(car.encode([root], [(root, block)]))
    made = json.loads(shell("put", "x.car", "--unpack", "--json").out)
    assert (made["cid"], made["url"]) == (str(root), f"{shell.url}/ipfs/{root}")
    assert shell("ls").out.decode().split()[0] == str(root)
    assert shell("put", "-", "--unpack", stdin=(shell.folder / "x.car").read_bytes()).line == str(
        root
    )
    assert shell("get", str(root), "-o", "-").out == block


def test_a_car_that_is_stored_as_it_is_opens_by_its_root_as_well(shell: Shell) -> None:
    block = os.urandom(2000)
    root = link_to(block, RAW)
    (shell.folder / "x.car").write_bytes(car.encode([root], [(root, block)]))
    put = shell("put", "x.car")
    assert opens_at(put.err) == f"{shell.url}/ipfs/{root}"
    assert shell.fetched(opens_at(put.err))[1] == block
    assert json.loads(shell("put", "x.car", "--json").out)["url"] == opens_at(put.err)


def test_an_index_or_a_shard_is_let_go_of_by_its_link(shell: Shell) -> None:
    made = json.loads(shell("put", "-", "--json", stdin=os.urandom(100)).out)
    for link in (made["index"], *made["shards"]):
        assert shell("rm", link).line.startswith(f"removed {link}, ")
        again = shell("rm", link)
        assert (again.code, again.out) == (1, b"")


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
        ("put a b --unpack", 2, "one file at a time"),
        ("put a --car --unpack", 2, "--car or --unpack"),
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
