"""Whatever is asked of them, in whatever order: memory and SQLite answer alike and hold the same.

Method: random groups of small batches over few names, so that they collide often, with claims,
hints and releases between them, are given to both; every answer and the contents are compared.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from taijitu.engine.storage import (
    Batch,
    Deferral,
    HeadChange,
    ListChange,
    PlanChange,
    ReceiptRow,
    SliceRow,
    Storage,
    TaskKey,
    TaskRow,
)
from taijitu.kernel.effect import NEVER
from taijitu.kernel.failures import Bug, HeadMoved
from taijitu.storage.memory import MemoryStorage
from taijitu.storage.sqlite import SqliteStorage

PATHS = ("a/1", "a/2", "ab/1")
LINKS = (b"p", b"q", b"r")
TIMES = (0, 5, 10, NEVER)
ABOUT = ("", "x", "y")
ABILITIES = ("test/do", "test/wait")

seqs = st.integers(0, 2)
paths = st.sampled_from(PATHS)
links = st.sampled_from(LINKS)
times = st.sampled_from(TIMES)
task_keys = st.builds(TaskKey, links, st.integers(0, 1))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    batch = Batch()
    for path in draw(st.sets(paths, max_size=2)):
        seq = draw(seqs)
        cid = f"{path} {seq + 1}".encode()
        batch.heads[path] = HeadChange(path, seq, seq + 1, cid, cid)
        batch.blocks.append((cid, b"block of " + cid))
    for path in draw(st.sets(paths, max_size=1)):
        batch.reads[path] = draw(seqs)
    for plan in draw(st.sets(links, max_size=1)):
        version = draw(seqs)
        change = PlanChange(plan, draw(paths), version, version + 1, b"%d" % version)
        batch.plans[plan] = change
        batch.blocks.append((plan, b"block of " + plan))
    for key in draw(st.sets(task_keys, max_size=2)):
        about, ready_at = draw(st.sampled_from(ABOUT)), draw(times)
        ability = draw(st.sampled_from(ABILITIES))
        batch.opened[key] = TaskRow(*key, draw(paths), ability, about, ready_at)
    batch.closed = draw(st.lists(task_keys, max_size=2))
    for key in draw(st.sets(task_keys, max_size=1)):
        batch.deferred[key] = Deferral(*key, draw(times), draw(seqs), "no answer")
    for plan in draw(st.sets(links, max_size=1)):
        batch.receipts[plan] = ReceiptRow(plan, b"receipt of " + plan, draw(times))
    batch.slices = draw(st.lists(st.builds(SliceRow, links, links, seqs, seqs), max_size=2))
    names = st.sampled_from(("list", "other"))
    batch.lists = draw(st.lists(st.builds(ListChange, names, paths, st.booleans()), max_size=3))
    return batch


@st.composite
def groups(draw: st.DrawFn) -> Batch:
    group = Batch()
    for batch in draw(st.lists(batches(), min_size=1, max_size=3)):
        group.add(batch)
    return group


claims = st.tuples(
    st.just("claim"),
    st.integers(0, 12),
    st.integers(0, 3),
    st.sampled_from((None, *ABOUT)),
    st.sampled_from((None, *ABILITIES)),
)
releases = st.tuples(st.just("release"), st.lists(task_keys, max_size=2))
forgetting = st.one_of(
    st.tuples(st.just("forget"), times), st.tuples(st.just("forget slices"), links)
)
commits = st.tuples(st.just("commit"), groups())
steps = st.lists(st.one_of(commits, commits, claims, releases, forgetting), max_size=12)


async def do(storage: Storage, step: tuple[Any, ...]) -> object:
    """The answer to a step, or the kind of its refusal."""
    match step:
        case ("commit", batch):
            try:
                await storage.commit(batch)
            except (HeadMoved, Bug) as refusal:
                return type(refusal)
        case ("claim", now, limit, about, ability):
            return await storage.claim(now, limit, 5, about, ability=ability)
        case ("release", keys):
            await storage.release(keys)
        case ("forget", before):
            await storage.forget_receipts(before)
        case ("forget slices", shard):
            await storage.forget_slices(shard)
        case _:
            raise AssertionError(step)
    return None


async def contents(storage: Storage) -> list[object]:
    """All that can be read, without the positions in lists: only their order is promised."""
    pages = [await storage.listing(name, limit=10) for name in ("list", "other")]
    return [
        await storage.scan("", limit=10),
        await storage.scan("a/", limit=1, backwards=True),
        [await storage.plan(plan) for plan in LINKS if await storage.block(plan)],
        [await storage.block(plan) for plan in LINKS],
        [await storage.receipt(plan) for plan in LINKS],
        [await storage.slices(plan, limit=10) for plan in LINKS],
        [await storage.slices(plan, after=LINKS[0], limit=1) for plan in LINKS],
        [await storage.slices_in(plan, after=LINKS[0], limit=10) for plan in LINKS],
        [[head for _, head in page] for page in pages],
        await storage.open_tasks(),
        await storage.open_tasks(PATHS[0]),
        await storage.next_ready(),
        await storage.asleep(None, 10),
        await storage.asleep(TaskKey(LINKS[0], 1), 1),
    ]


async def compare(script: list[tuple[Any, ...]], place: Path) -> None:
    memory, sqlite = MemoryStorage(), SqliteStorage.open(place / "x.db")
    try:
        for step in script:
            assert await do(sqlite, step) == await do(memory, step)
            assert await contents(sqlite) == await contents(memory)
    finally:
        await sqlite.close()


@settings(max_examples=100, deadline=None)
@given(script=steps)
def test_memory_and_sqlite_cannot_be_told_apart(script: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(compare(script, Path(place)))
