"""Goal: a service that was killed is there again at once, however much it keeps: it reads no more
than it needs to answer, and waits for no lease of the process that is dead.

Method: `bench.recovery` fills a folder, kills the process, starts it and tells how long both took.
The figures are printed, not judged, except against the lease.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.service import SOURCE
from taijitu.engine.dispatch import LEASE_MS

SOME, MANY = 1_000, 10_000
"""Entries."""


@pytest.mark.parametrize("entries", [SOME, pytest.param(MANY, marks=pytest.mark.full)])
def test_what_was_left_waiting_is_taken_up_at_once(
    entries: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    figures = tmp_path / "figures.json"
    subprocess.run(
        [sys.executable, "-m", "bench.recovery", "--entries", str(entries), "--json", figures],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        cwd=SOURCE.parent,
        check=True,
        timeout=300,
    )
    (row,) = json.loads(figures.read_text("utf-8"))["rows"]
    record_property("recovery", row)
    print(row)
    assert row["errors"] == 0
    assert float(row["more"]["taken_up_s"]) < LEASE_MS / 1000 / 4
