"""How soon a service that was killed answers again, and takes up what was left waiting.

python -m bench.recovery [--entries N] [--waiting SHARE] [--json FILE]

A data folder is filled with entries, most of them stored, some waiting for bytes, by a process
that is killed. Of those that wait a few have got their bytes, and nobody was told: how soon they
are stored shows that no lease of the dead process is waited for.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import apsw

from bench import filling, report
from bench.report import Row, Run
from bench.service import START_SECONDS_MAX, Service, free_port

TAKEN_UP_SECONDS_MAX = 60
LOOK_SECONDS = 0.002
BUSY_MS = 5_000
LIVES = 3
ENTRIES, WAITING = 100_000, 0.1
"""How many by default, and the share of them that waits for bytes."""


def recovery(entries: int, waiting: int) -> Row:
    """Fill once; start and kill three times."""
    with tempfile.TemporaryDirectory(prefix="taijitu-bench-") as folder:
        environ = {
            **os.environ,
            "TAIJITU_DATA": folder,
            "TAIJITU_PORT": str(free_port()),
            "TAIJITU_LOG": "json",
        }
        filling.fill(environ, range(entries), waiting)
        log = Path(folder, "taijitu.db-wal").stat().st_size
        lives = [live(Path(folder), environ, waiting) for _ in range(LIVES)]
    runs = [life.run for life in lives]
    answer = median(run.seconds for run in runs)
    more = {"first_answer_s": f"{answer:.2f}", "log": f"{log / 2**20:.0f}MiB"}
    if waiting:
        more["taken_up_s"] = f"{lives[0].taken_up_seconds:.2f}"
    return report.row(f"restart, {entries:,} entries, {waiting:,} wait", runs, **more)


@dataclass
class Life:
    """A service from its start: the first answer, and how long until what was late was stored."""

    run: Run
    taken_up_seconds: float


def live(folder: Path, environ: Mapping[str, str], waiting: int) -> Life:
    """Start the service, wait for both, and kill it."""
    url = f"http://localhost:{environ['TAIJITU_PORT']}"
    begun = time.monotonic()
    with (folder / "log").open("ab") as log:
        command = [sys.executable, "-m", "taijitu", "serve"]
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        until(begun + START_SECONDS_MAX, lambda: answers(url, process))
        seconds = time.monotonic() - begun
        cpu = Service(process, url, folder).cpu_seconds()
        until(begun + TAKEN_UP_SECONDS_MAX, lambda: are_taken_up(folder, waiting))
        return Life(Run(1, seconds, cpu, [seconds]), time.monotonic() - begun)
    finally:
        process.kill()
        process.wait()


def until(deadline: float, so: Callable[[], bool]) -> None:
    while not so():
        if time.monotonic() > deadline:
            raise RuntimeError("it takes too long")
        time.sleep(LOOK_SECONDS)


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the service ended with {process.returncode}")
    try:
        urllib.request.urlopen(f"{url}/health").close()
    except OSError:
        return False
    return True


def are_taken_up(folder: Path, waiting: int) -> bool:
    """Nothing waits any more for the bytes that came unnoticed."""
    names = [filling.name_of(number) for number in filling.late(waiting)]
    marks = ", ".join("?" * len(names))
    db = apsw.Connection(str(folder / "taijitu.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        db.set_busy_timeout(BUSY_MS)
        query = f"SELECT count(*) FROM task WHERE ability = 's3/put' AND about IN ({marks})"
        return db.execute(query, names).fetchall()[0][0] == 0
    finally:
        db.close()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.recovery")
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--waiting", type=float, default=WAITING, help="their share")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    rows = [recovery(given.entries, int(given.entries * given.waiting))]
    print(report.table(rows))
    if given.json is not None:
        report.save(rows, given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
