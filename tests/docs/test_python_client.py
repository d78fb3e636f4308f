"""Goal: what the documentation of the client shows, works. Method: it is run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import taijitu.client
from support.service import SOURCE, Service
from taijitu.ipld.cid import CAR, link_to

ROOT = Path(__file__).parents[2]
HOW_TO = Path("docs", "how-to", "python-client.md")
PAGE = (ROOT / HOW_TO).read_text(encoding="utf-8")

SECONDS_MAX = 60


def python(folder: Path, *arguments: str) -> str:
    """What a program prints, run in a folder with a `photos.car` and an `agent.key`."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos.car").write_bytes(os.urandom(1_000))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "beach.txt").write_text("sand")
    (tmp_path / "agent.key").write_text(taijitu.client.new_key().format())
    return tmp_path


@pytest.mark.parametrize("page", [Path("README.md"), HOW_TO], ids=str)
def test_the_program_in_the_page_runs(service: Service, folder: Path, page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "http://localhost:3000" in code
    here = code.replace("http://localhost:3000", service.url)
    told = python(folder, "-c", f"{here}\nprint('done')")
    assert told == "done\n"


def test_the_examples_run(service: Service, folder: Path) -> None:
    examples = ROOT / "examples"
    link = str(link_to((folder / "photos.car").read_bytes(), CAR))
    stored = python(folder, str(examples / "store_and_fetch.py"), "photos.car", service.url)
    assert stored == f"{link} 1000\n1000 bytes, fetched and verified\n"
    assert "size=8" in python(folder, str(examples / "share_a_space.py"), service.url)
    assert {path.name for path in examples.glob("*.py")} == {
        "store_and_fetch.py",
        "share_a_space.py",
    }


def test_every_exception_is_in_the_table_and_no_other() -> None:
    table = PAGE.partition("## What can go wrong")[2].partition("## Retries")[0]
    rows = "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| "))
    named = set(re.findall(r"`(\w+)`", rows))
    exported = {
        name
        for name in taijitu.client.__all__
        if isinstance(kind := getattr(taijitu.client, name), type)
        and issubclass(kind, taijitu.client.ClientError)
    }
    assert named == exported - {"ClientError"}


def test_every_setting_in_the_table_is_one() -> None:
    from taijitu.server.config import ELSEWHERE, PREFIX

    rows = re.findall(r"^\| `--[\w-]+` \| `(TAIJITU_\w+)` \|", PAGE, re.MULTILINE)
    assert set(rows) == {f"{PREFIX}{name}" for name in ELSEWHERE - {"CONFIG"}}
