"""Goal: a shell completes what can be typed, and whoever waits at a terminal sees how far it is.

Method: a real shell, and a terminal of the test's own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.service import Service
from taijitu.cli.key import write
from taijitu.client import new_key
from taijitu.ipld.cid import Link

SECONDS_MAX = 120
MIB = 1024 * 1024

TYPED = """
set -u
. ./script
complete -p taijitu
COMP_WORDS=({words}) COMP_CWORD=$(({count} - 1)) COMPREPLY=()
_taijitu
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def taijitu(service: Service, folder: Path, *arguments: str, stderr: int) -> str:
    """What is printed."""
    done = subprocess.run(
        [sys.executable, "-m", "taijitu", *arguments],
        env=service.environment() | {"TAIJITU_URL": service.url, "TERM": "xterm"},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        timeout=SECONDS_MAX,
        check=True,
    )
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["who"], ["whoami"]),
        (["put", "--hid"], ["--hidden"]),
        (["space", "cre"], ["create"]),
        (["nonsense"], []),
    ],
)
def test_bash_completes_what_is_typed(
    service: Service, tmp_path: Path, words: list[str], completed: list[str]
) -> None:
    script = taijitu(service, tmp_path, "completion", "bash", stderr=subprocess.DEVNULL)
    (tmp_path / "script").write_text(script)
    typed = TYPED.format(words=" ".join(["taijitu", *words]), count=len(words) + 1)
    done = subprocess.run(
        ["bash", "-c", typed],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n")[:-1] == ["complete -F _taijitu taijitu", *(completed or [""])]


def test_a_terminal_is_shown_how_far_files_are(service: Service, tmp_path: Path) -> None:
    write(tmp_path / "alice.key", new_key())
    (tmp_path / "file").write_bytes(os.urandom(20 * MIB))
    ours, theirs = os.openpty()
    try:
        told = taijitu(service, tmp_path, "put", "file", "--key", "alice.key", stderr=theirs)
        shown = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert Link.parse(told.strip())
    for each in ("packing", "sending", "shard 1 of 1", "20.0 MiB", "/s", "0:0"):
        assert each in shown
