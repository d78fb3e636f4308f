"""Runs the JavaScript of `tests/interop`: a scenario in, the facts it found out, as JSON."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.service import Service

SCRIPTS = Path(__file__).parents[1] / "interop"
VENV_BIN = Path(__file__).parents[2] / ".venv" / "bin"

SCENARIO_SECONDS_MAX = 120


def run_scenario(script: str, scenario: str, service: Service) -> Any:
    """What `scenario` of `script` answers about `service`: the JSON on its last line of output.

    Skips the test where there is no Node.js; fails if the packages are missing or it throws.
    """
    command = [node(), str(SCRIPTS / script), scenario, service.url, service.did]
    if not (SCRIPTS / "node_modules").is_dir():
        pytest.fail("the JavaScript clients are not installed; `make test` installs them")
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SCENARIO_SECONDS_MAX, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{script} {scenario} failed:\n{done.stderr}\n{done.stdout}", pytrace=False)
    return json.loads(done.stdout.splitlines()[-1])


def node() -> str:
    """The machine's Node.js, or else the one in `.venv`."""
    path = shutil.which("node") or shutil.which("node", path=os.fspath(VENV_BIN))
    if path is None:
        pytest.skip("needs Node.js")
    return path
