"""Goal: whoever follows a page about the published clients gets where it says.

Method: the pages are typed as they stand, block by block, into shells with the programs as they are
published; each person has a home folder. Only the installation is left to the lock of the tests.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from docs.test_how_to import blocks, page
from support.service import Serve, Service
from support.terminal import (
    CLIENTS,
    COLOURS,
    GUARD,
    PACKAGES,
    SECONDS_MAX,
    W3,
    Ended,
    Program,
    at_home,
    each_program,
    installed,
    operator,
    same,
    told_to_type,
)

PINNED: Final = json.loads((CLIENTS / "package.json").read_text())["dependencies"].keys()
BLOCK_SECONDS_MAX: Final = 3 * SECONDS_MAX
"""A block is a few commands."""

PHOTO: Final = b"a photo " * 500


class Desk:
    """A person's shell, with the programs that the pages speak of, and an album to upload."""

    def __init__(self, program: Program, service: Service, home: Path) -> None:
        self.program = program
        self.service = service
        self.home = home
        (home / "bin").mkdir(parents=True)
        (home / "album").mkdir()
        (home / "album" / "photo.jpg").write_bytes(PHOTO)
        self.has("taijitu", sys.executable, "-m", "taijitu")
        self.has(program.name, installed(), str(PACKAGES / program.script))
        self.has("ipfs-car", installed(), str(PACKAGES / "ipfs-car" / "bin.js"))

    def has(self, name: str, *command: str) -> None:
        """A program by its name."""
        path = self.home / "bin" / name
        path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)

    def sits_down(self, block: str) -> subprocess.Popen[str]:
        """Begin to run a block. The variables are set in every shell."""
        settings = f'eval "$(taijitu env {self.program.name})"\n'
        ours = self.service.environment() | at_home(self.home)
        return subprocess.Popen(
            ["/bin/sh", "-euc", settings + block],
            env=ours
            | {"PATH": f"{self.home / 'bin'}{os.pathsep}{ours['PATH']}"}
            | {"ELSEWHERE": str(self.home / "elsewhere")},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ends(self, process: subprocess.Popen[str]) -> Ended:
        try:
            said, _ = process.communicate(timeout=BLOCK_SECONDS_MAX)
        finally:
            process.kill()
        assert not (self.home / "elsewhere").exists(), (self.home / "elsewhere").read_text()
        return Ended(process.returncode, COLOURS.sub("", said))

    def types(self, block: str) -> str:
        """What a block prints. It has to end well."""
        code, said = self.ends(self.sits_down(block))
        assert code == 0, f"{block}\n{said}\n{self.service.output[-3_000:]}"
        return said

    def logs_in(self, login: str, confirm: str) -> str:
        """What the person sees while the operator types what the page says, and the log."""
        before = len(self.service.output)
        waiting = self.sits_down(login)
        assert told_to_type(self.service, before, "alice@example.com").startswith("taijitu account")
        operator(self.service, confirm)
        code, said = self.ends(waiting)
        assert code == 0, said
        return said


@pytest.fixture
def closed(serve: Serve) -> Service:
    """A service that gives strangers no room: where accounts matter."""
    return serve(TAIJITU_PROVISION="closed")


@each_program
def test_the_page_of_a_command_line_is_followed(
    program: Program, closed: Service, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    install, login, confirm, fill, back, verified, away = blocks(page(program.name))
    alice = Desk(program, closed, tmp_path / "alice")
    packages, settings = install.splitlines()
    assert set(packages.removeprefix("npm install --global ").split()) <= PINNED
    assert settings == f'eval "$(taijitu env {program.name})"'
    assert "Agent was authorized by did:mailto:example.com:alice" in alice.logs_in(login, confirm)
    filled = alice.types(fill)
    assert "Stored 1 file" in filled
    assert f"Providers: {closed.did}" in filled
    alice.types(back)
    assert same(alice.home / "album-again", alice.home / "album")
    alice.types(verified)
    assert same(alice.home / "verified.car", alice.home / "album.car")
    alice.types(away)
    assert "bafy" not in alice.types(f"{program.name} ls")


def test_the_pages_about_colleagues_are_followed(service: Service, tmp_path: Path) -> None:
    alice, bob = (Desk(W3, service, tmp_path / name) for name in ("alice", "bob"))
    alice.types("w3 space create photos --no-recovery --no-customer --no-account")
    who, give, use = typed_by("colleague", "Bob", "Alice", "Bob")
    bob.types(who)
    hand_over(bob, alice, "bob.did")
    alice.types(give)
    hand_over(alice, bob, "bob.ucan")
    assert "Stored 1 file" in bob.types(use)
    look, revoke, refused = typed_by("revoke", "Alice", "Alice", "Bob")
    assert "upload/list" in alice.types(look)
    assert "revoked" in alice.types(revoke)
    code, said = bob.ends(bob.sits_down(refused))
    assert code != 0
    assert "revoked" in said


def typed_by(name: str, *names: str) -> list[str]:
    """The blocks of a page, each of which begins with the name of who types it."""
    found = blocks(page(name))
    assert [block.split()[1] for block in found] == list(names)
    return found


def hand_over(giver: Desk, taker: Desk, name: str) -> None:
    """What one person sends to another."""
    (taker.home / name).write_bytes((giver.home / name).read_bytes())


@pytest.mark.parametrize(
    "package", ["@storacha/client", "@web3-storage/w3up-client"], ids=["storacha", "w3up"]
)
def test_the_program_for_node_runs(package: str, closed: Service, tmp_path: Path) -> None:
    text = page("node").read_text(encoding="utf-8")
    (code,) = re.findall(r"```js\n(.*?)```", text, re.DOTALL)
    for theirs, ours in (
        ("http://localhost:3000", closed.url),
        ("did:web:localhost%3A3000", closed.did),
        ("@storacha/client", package),
    ):
        assert theirs in code
        code = code.replace(theirs, ours)
    assert set(code.splitlines()[0].removeprefix("// npm install ").split()) <= PINNED
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    said = node_says(code, closed, tmp_path)
    assert re.search(r"^baf[yk]\w+ is in bagb\w+$", said, re.MULTILINE)
    assert "the space holds 1 upload" in said
    assert re.search(r"^\d{4} bytes of a CAR came back$", said, re.MULTILINE)


def node_says(code: str, service: Service, folder: Path) -> str:
    """What a program prints, whose login the operator confirms."""
    (folder / "program.mjs").write_text(f"{code}\nprocess.exit(0)\n")
    node = installed()
    (folder / "node_modules").symlink_to(PACKAGES)
    before = len(service.output)
    process = subprocess.Popen(
        [node, "program.mjs"],
        env=os.environ | {"NODE_OPTIONS": GUARD, "ELSEWHERE": str(folder / "elsewhere")},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        operator(service, told_to_type(service, before, "alice@example.com"))
        said, _ = process.communicate(timeout=SECONDS_MAX)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert not (folder / "elsewhere").exists(), (folder / "elsewhere").read_text()
    return said
