"""People at a terminal, with the command lines as they are published.

Each person has a home folder of their own, in which the program keeps its agent. Nothing but this
machine can be reached from there; that a program tried fails the test.
"""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import pytest

from support.command import taijitu
from support.node import SCRIPTS, node
from support.service import Service
from taijitu.cli.env import Client, variables

CLIENTS: Final = SCRIPTS / "clients"
PACKAGES: Final = CLIENTS / "node_modules"
GUARD: Final = f"--import={(CLIENTS / 'only-here.mjs').as_uri()}"

SECONDS_MAX: Final = 90
"""A program may take no longer, on a slow machine."""

LOOK_SECONDS: Final = 0.05
"""Between two looks at what a service has printed."""

COLOURS: Final = re.compile(r"\x1b\[\d+m")
CONFIRM: Final = re.compile(r"taijitu account confirm [^\s\"']+")
"""What an operator is told to type when somebody wants to log in."""


class Program(NamedTuple):
    """A published command line."""

    name: Client
    script: str
    """Below `PACKAGES`."""


W3: Final = Program("w3", "@web3-storage/w3cli/shim.js")
STORACHA: Final = Program("storacha", "@storacha/cli/bin.js")

each_program = pytest.mark.parametrize("program", [W3, STORACHA], ids=["w3", "storacha"])


class Ended(NamedTuple):
    """How a program ended, and what it said on both of its outputs."""

    code: int
    said: str


class Uploaded(NamedTuple):
    """Content of a space, by its names."""

    root: str
    shards: list[str]


class Person:
    """Somebody who uses one program with one service."""

    def __init__(self, program: Program, service: Service, home: Path) -> None:
        self.program = program
        self.service = service
        self.home = home
        home.mkdir(exist_ok=True)
        self.elsewhere = home / "elsewhere"

    @property
    def command(self) -> list[str]:
        return [installed(), str(PACKAGES / self.program.script)]

    @property
    def did(self) -> str:
        """Of the program's agent in this home."""
        return self.does("whoami").strip()

    def environment(self) -> dict[str, str]:
        """What `taijitu env` prints, and a home of one's own."""
        told = variables(self.program.name, self.service.url, self.service.did)
        return at_home(self.home) | {"ELSEWHERE": str(self.elsewhere)} | told

    def tries(self, *words: str) -> Ended:
        """Run a command, however it ends."""
        with self.begun(*words) as begun:
            said = begun.communicate(timeout=SECONDS_MAX)[0]
        return self.ended(begun, said)

    def does(self, *words: str) -> str:
        """Run a command that has to go well; what it prints."""
        code, said = self.tries(*words)
        assert code == 0, f"{shlex.join(words)} ended with {code}:\n{said}\n{self.told()}"
        return said

    def fails(self, *words: str) -> str:
        """Run a command that may not go well; what it prints."""
        code, said = self.tries(*words)
        assert code != 0, f"{shlex.join(words)} should have failed:\n{said}"
        return said

    def lists(self, *words: str) -> list[Any]:
        """What a command prints with `--json`: values, one a line."""
        said = self.does(*words, "--json")
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    def begun(self, *words: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """A command that is under way, both of its outputs in one."""
        command = [*self.command, *words]
        return under_way(command, self.environment(), self.home, errors=subprocess.STDOUT)

    def ended(self, process: subprocess.Popen[str], said: str) -> Ended:
        assert not self.elsewhere.exists(), (process.args, self.elsewhere.read_text())
        return Ended(process.returncode, COLOURS.sub("", said))

    def told(self) -> str:
        """The end of what the service has printed."""
        return "\n".join(self.service.output.splitlines()[-10:])

    def login(self, email: str) -> str:
        """Log in; the operator types what the service's log says. What the person sees."""
        before = len(self.service.output)
        with self.begun("login", email) as begun:
            operator(self.service, told_to_type(self.service, before, email))
            said = begun.communicate(timeout=SECONDS_MAX)[0]
        code, said = self.ended(begun, said)
        assert code == 0, said
        return said

    def makes_a_space(self, name: str = "photos", account: str | None = None) -> str:
        """Its DID. With an account it is provisioned by it, and can be used from elsewhere."""
        whose = ["--customer", account, "--account", account] if account else NOBODY
        made = self.does(
            "space", "create", name, "--no-recovery", "--no-gateway-authorization", *whose
        )
        return re.findall(r"Space created: (did:key:\S+)", made)[0]

    def uploads(self, *words: str) -> Uploaded:
        """`up`, and what the space knows about it then."""
        (answer,) = self.lists("up", *words)
        root = answer["root"]["/"]
        return Uploaded(root, self.listed()[root])

    def listed(self) -> dict[str, list[str]]:
        """The shards of each upload, by its root."""
        return {
            each["root"]["/"]: [shard["/"] for shard in each["shards"]] for each in self.lists("ls")
        }

    def fetches(self, uploaded: Uploaded, name: str = "back") -> Path:
        """The content as the service hands it out, every block of it verified."""
        target = self.home / name
        script("unpack.mjs", self.service.url, str(target), uploaded.root, *uploaded.shards)
        return target


NOBODY: Final = ["--no-customer", "--no-account"]


def installed() -> str:
    """Node.js, where the packages are installed too."""
    path = node()
    if not PACKAGES.is_dir():
        pytest.fail("the published clients are not installed; `make test` installs them")
    return path


def at_home(home: Path) -> dict[str, str]:
    """The environment of a program that has nothing but this folder."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "NO_UPDATE_NOTIFIER": "1",
        "FORCE_COLOR": "0",
        "NODE_OPTIONS": GUARD,
    }


def operator(service: Service, line: str) -> str:
    """What a command prints at the operator's terminal."""
    code, out, err = taijitu(service, *shlex.split(line)[1:])
    assert code == 0, f"{line}: {err}"
    return out


def told_to_type(service: Service, before: int, email: str) -> str:
    """The command with which the service's log, after `before`, lets somebody in."""
    deadline = time.monotonic() + SECONDS_MAX
    while not (found := CONFIRM.findall(service.output[before:])):
        assert time.monotonic() < deadline, f"nobody was told about {email}:\n{service.output}"
        time.sleep(LOOK_SECONDS)
    return found[0]


def script(name: str, *words: str, seconds: float = SECONDS_MAX) -> str:
    """What a script of `clients/` prints."""
    with begun(name, *words) as process:
        said, why = process.communicate(timeout=seconds)
    assert process.returncode == 0, f"{name} {shlex.join(words)}:\n{why}\n{said}"
    return said


@contextmanager
def begun(name: str, *words: str) -> Generator[subprocess.Popen[str]]:
    """A script of `clients/` that is under way."""
    with TemporaryDirectory() as folder:
        elsewhere = Path(folder) / "elsewhere"
        environment = os.environ | {"NODE_OPTIONS": GUARD, "ELSEWHERE": str(elsewhere)}
        with under_way([installed(), str(CLIENTS / name), *words], environment) as process:
            yield process
        assert not elsewhere.exists(), (name, elsewhere.read_text())


@contextmanager
def under_way(
    command: Sequence[str],
    environment: Mapping[str, str],
    home: Path | None = None,
    errors: int = subprocess.PIPE,
) -> Generator[subprocess.Popen[str]]:
    """A program that is under way; it does not outlive the block."""
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def library(name: str, scenario: str, service: Service, *words: object) -> Any:
    """What a scenario of a client library, `w3up` or `storacha`, finds out about a service."""
    said = script("library.mjs", name, scenario, service.url, service.did, *map(str, words))
    return json.loads(said.splitlines()[-1])


def same(one: Path, other: Path) -> bool:
    """Whether two files, or all that is in two folders, are byte for byte the same."""
    if one.is_file():
        return one.read_bytes() == other.read_bytes()
    return contents(one) == contents(other)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
