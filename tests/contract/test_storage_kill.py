"""What was acknowledged survives the sudden end of the process, and nothing is there by half.

Method: this file, run as a program, commits without end and says so after each commit; the test
kills it with SIGKILL at various moments and looks at what the file holds.
"""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from taijitu.engine.storage import Batch, HeadChange, PlanChange, ReceiptRow, TaskKey, TaskRow
from taijitu.storage.sqlite import SqliteStorage

CELLS = ("entry/alice", "ledger/alice", "blob/zQm")
DEADLINE_S = 60


def link(path: str, seq: int) -> bytes:
    return f"{path} {seq}".encode()


def batch(seq: int) -> Batch:
    """Three cells move, a plan progresses, a task replaces the one before, a receipt is given."""
    made = Batch()
    for path in CELLS:
        made.heads[path] = HeadChange(path, seq - 1, seq, link(path, seq), link(path, seq))
        made.blocks.append((link(path, seq), bytes(2_000)))
    made.plans[b"plan"] = PlanChange(b"plan", CELLS[0], seq - 1, seq, b"%d" % seq)
    made.blocks.append((b"plan", b"the plan"))
    made.opened[TaskKey(b"plan", seq)] = TaskRow(b"plan", seq, CELLS[0], "test/do", "x", seq)
    made.closed.append(TaskKey(b"plan", seq - 1))
    made.receipts[link("receipt", seq)] = ReceiptRow(link("receipt", seq), b"receipt", seq)
    return made


async def commit_without_end(path: str) -> None:
    storage = SqliteStorage.open(path)
    storage._writer._db.wal_autocheckpoint(50)
    seq = 0
    while True:
        seq += 1
        await storage.commit(batch(seq))
        print(seq, flush=True)


def kill_after(path: Path, commits: int) -> int:
    """Let the program run, kill it once it has acknowledged some commits; the last that it did."""
    program = [sys.executable, __file__, str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = [running.stdout.readline() for _ in range(commits)]
        running.send_signal(signal.SIGKILL)
        rest, _ = running.communicate(timeout=DEADLINE_S)
        assert running.returncode == -signal.SIGKILL
    whole = [line for line in ("".join(said) + rest).splitlines(keepends=True) if line[-1] == "\n"]
    return int(whole[-1])


@pytest.mark.parametrize("commits", [1, 2, 17, 60, 150])
async def test_every_acknowledged_commit_outlives_the_process_and_no_half_one_does(
    tmp_path: Path, commits: int
) -> None:
    acknowledged = kill_after(tmp_path / "x.db", commits)

    storage = SqliteStorage.open(tmp_path / "x.db")
    heads = await storage.scan("", limit=10)
    (seq,) = {head.seq for head in heads}
    assert seq >= acknowledged >= commits
    assert [head.path for head in heads] == sorted(CELLS)
    plan = await storage.plan(b"plan")
    assert plan is not None
    assert plan.version == seq
    assert [task.number for task in await storage.open_tasks()] == [seq]
    for each in range(1, seq + 1):
        assert await storage.receipt(link("receipt", each)) == b"receipt"
        assert await storage.block(link(CELLS[0], each)) is not None
    assert await storage.receipt(link("receipt", seq + 1)) is None
    assert await storage.block(link(CELLS[0], seq + 1)) is None
    await storage.commit(batch(seq + 1))
    await storage.close()


if __name__ == "__main__":
    asyncio.run(commit_without_end(sys.argv[1]))
