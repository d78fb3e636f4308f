"""Goal: what the how-to pages say can be done, can be done as they say it.

Method: links lead somewhere, commands and settings exist, and those about backups are run.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from support.client import Car, random_car, talking_to
from support.eventually import eventually
from support.service import Serve, Service
from taijitu.cli.commands import app
from taijitu.ipld import car
from taijitu.ipld.cid import CAR, link_to
from taijitu.server.config import PREFIX, Reader, assemble
from unit.gateway.site import file, folder

PAGES: Final = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("*.md"))
COMMAND: Final = re.compile(
    r"(?:^|(?<!exec)[ '(]|bin/)taijitu (?!taijitu)([a-z]+(?: [a-z]+)?)", re.MULTILINE
)
"""A command of ours, wherever in a line; `exec taijitu` names a container."""

OPERATORS: Final = [page for page in PAGES if page.stem not in ("python-client", "files")]
"""The pages about the service. Clients have settings of their own."""

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


def blocks(page: Path) -> list[str]:
    """What is to be typed into a shell."""
    return re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


@each_page
def test_every_command_exists(page: Path) -> None:
    for words in (words for block in blocks(page) for words in COMMAND.findall(block)):
        _, commands, unused = app.parse_commands(shlex.split(words))
        assert commands[1:], f"taijitu {words}"
        nested = commands[-1].default_command is None
        assert not nested, f"taijitu {words} is a family of commands, and {unused} is none of it"


@pytest.mark.parametrize("page", OPERATORS, ids=[page.stem for page in OPERATORS])
def test_every_setting_exists(page: Path, tmp_path: Path) -> None:
    reader = Reader({})
    assemble(reader, tmp_path)
    known = {f"{PREFIX}{name.upper()}" for name in reader.known}
    assert set(re.findall(r"\bTAIJITU_\w+", page.read_text(encoding="utf-8"))) <= known


@pytest.fixture
async def used(serve: Serve) -> Service:
    """A service that holds something."""
    service = serve()
    async with talking_to(service) as client:
        await client.space().store(random_car())
    return service


def page(name: str) -> Path:
    return next(page for page in PAGES if page.stem == name)


def typed(service: Service, script: str, tmp_path: Path) -> str:
    """What a block prints, its paths being those of this test. It has to end well."""
    program = tmp_path / "bin" / "taijitu"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m taijitu "$@"\n')
    program.chmod(0o755)
    for theirs, ours in (
        ("/var/lib/taijitu", service.data),
        ("/var/backups/taijitu", tmp_path / "backups"),
        ("/tmp/taijitu-trial", tmp_path / "trial"),
    ):
        script = script.replace(theirs, str(ours))
    environment = service.environment()
    environment["PATH"] = f"{program.parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-euc", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (script, done.stdout, done.stderr)
    return done.stdout


def test_a_backup_is_made_tried_and_restored_as_it_stands_there(
    used: Service, tmp_path: Path
) -> None:
    make, copy, trial, back, nightly = blocks(page("backup"))
    assert "A backup is in" in typed(used, make, tmp_path)
    assert copy.startswith("rsync ")
    assert "all checked" in typed(used, trial, tmp_path)
    typed(used, nightly, tmp_path)
    assert len(list((tmp_path / "backups").iterdir())) == 2
    used.stop()
    assert "all checked" in typed(used, back, tmp_path)
    used.start()
    assert used.is_healthy()


def test_before_an_upgrade_and_back_again_as_it_stands_there(used: Service, tmp_path: Path) -> None:
    before, back = blocks(page("upgrade"))
    typed(used, before, tmp_path)
    used.stop()
    typed(used, back, tmp_path)
    used.start()
    assert used.is_healthy()


def test_a_new_key_is_given_as_it_stands_there(used: Service, tmp_path: Path) -> None:
    rotate, leaked = blocks(page("new-key"))
    keys = [used.get_json("/version")["publicKey"]]
    for script, past in ((rotate, keys[:1]), (leaked, keys[:1])):
        used.stop()
        typed(used, script, tmp_path)
        used.start()
        about = used.get_json("/version")
        assert about["pastKeys"] == past
        keys.append(about["publicKey"])
    assert len(set(keys)) == 3


async def test_content_is_opened_and_blocked_as_it_stands_there(
    service: Service, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    photos = folder({"film.webm": file(os.urandom(3_000_000)), "a.txt": file(b"a")})
    top = folder({"photos": photos})
    data = car.encode([top.link], [(each.link, bytes(each.data)) for each in top.blocks])
    async with talking_to(service) as client:
        await client.space().store(Car(link_to(data, CAR), data))

        async def look() -> int:
            return (await client.request("HEAD", f"{service.url}{top.path}?format=raw")).status

        await eventually(look, lambda found: found == 200, seconds=30)
    reading, blocking = (
        each.replace("http://localhost:3000", service.url).replace("CID", str(top.link))
        for each in blocks(page("gateway"))
    )
    assert "./film.webm" in typed(service, reading, tmp_path)
    assert (tmp_path / "film.webm").stat().st_size == 3_000_000
    archive = car.decode((tmp_path / "photos.car").read_bytes())
    assert archive.roots == (top.link,)
    told = typed(service, blocking, tmp_path)
    assert "a court order, 2026-11-24" in told
    assert "is given out again" in told
