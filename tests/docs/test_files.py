"""Goal: what the page about files shows, works. Method: it is run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.service import SOURCE, Service

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "files.md").read_text(encoding="utf-8")
SECONDS_MAX = 180
LOGIN = "taijitu login alice@example.com"
SAYING_YES = "(until taijitu account confirm alice@example.com 2>confirmed; do :; done)"
"""What whoever reads the mail does meanwhile."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photos in it, and the command line on the path."""
    (tmp_path / "photos" / "more").mkdir(parents=True)
    (tmp_path / "photos" / "beach.txt").write_text("sand")
    (tmp_path / "photos" / "more" / "sea.bin").write_bytes(os.urandom(2_000_000))
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "taijitu"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m taijitu "$@"\n')
    command.chmod(0o755)
    return tmp_path


def run(service: Service, folder: Path, *command: str) -> str:
    """What is printed."""
    environment = os.environ | {
        "PYTHONPATH": str(SOURCE),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "TAIJITU_URL": service.url,
        "TAIJITU_DATA": str(service.data),
    }
    done = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_can_be_followed_from_top_to_bottom(service: Service, folder: Path) -> None:
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    assert shell.count(LOGIN) == 1
    shell = shell.replace(LOGIN, f"{SAYING_YES} & {LOGIN}")
    told = run(service, folder, "bash", "-euo", "pipefail", "-c", shell)
    assert (folder / "space.key").exists()
    assert "  beach.txt  4 B\n" in told
    assert "sand" in told
    assert "\nrevoked bafy" in told
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    here = program.replace("http://localhost:3000", service.url)
    told = run(service, folder, sys.executable, "-c", here)
    assert "beach.txt bafk" in told
    assert "b'sand'" in told
    assert (folder / "again" / "beach.txt").read_text() == "sand"
