"""What the storage suite is made of: short ways to write batches, and what each part starts from.

Names stand for links, and cells mostly lie under `ALICE`. Batches are built small and put together
with `moves`, as an engine does.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from taijitu.engine.storage import (
    Batch,
    Deferral,
    HeadChange,
    HeadRow,
    ListChange,
    PlanChange,
    ReceiptRow,
    Storage,
    TaskKey,
    TaskRow,
)

NOW = 1_700_000_000_000
LEASE = 60_000
ALICE = "entry/did:key:zAlice/"
BOB = "entry/did:key:zBob/"


def link(name: str) -> bytes:
    """A link, as far as storage knows."""
    return b"\x01\x71\x12\x20" + name.encode().ljust(32, b"\0")


def data(name: str) -> bytes:
    return b"the block of " + name.encode()


def move(path: str, seq: int, *, plan: str | None = None, expected: int | None = None) -> Batch:
    """The transition `seq` of a cell: its block, and its head."""
    name = f"{path} {seq}"
    head = HeadChange(
        path, seq - 1 if expected is None else expected, seq, link(name), link(plan or name)
    )
    return Batch(heads={path: head}, blocks=[(link(name), data(name))])


def moves(*batches: Batch) -> Batch:
    """One batch that does what all of them do, one after the other."""
    whole = Batch()
    for batch in batches:
        whole.add(batch)
    return whole


def progress(plan: str, version: int, path: str = ALICE + "1") -> Batch:
    change = PlanChange(link(plan), path, version - 1, version, b"progress %d" % version)
    return Batch(plans={change.plan: change})


def task(
    name: str,
    number: int = 0,
    *,
    ready_at: int = NOW,
    about: str = "",
    path: str = ALICE + "1",
) -> TaskRow:
    return TaskRow(link(name), number, path, "test/do", about, ready_at)


def opening(*tasks: TaskRow) -> Batch:
    return Batch(opened={row.key: row for row in tasks})


def closing(*keys: TaskKey) -> Batch:
    return Batch(closed=list(keys))


def deferring(row: TaskRow, ready_at: int, tries: int = 1, trouble: str = "no answer") -> Batch:
    return Batch(deferred={row.key: Deferral(row.plan, row.number, ready_at, tries, trouble)})


def giving(name: str, at: int = NOW) -> Batch:
    row = ReceiptRow(link(name), b"the receipt of " + name.encode(), at)
    return Batch(receipts={row.task: row})


def reading(**seqs: int) -> Batch:
    return Batch(reads={ALICE + name: seq for name, seq in seqs.items()})


def joining(name: str, *paths: str) -> Batch:
    return Batch(lists=[ListChange(name, path, True) for path in paths])


def leaving(name: str, *paths: str) -> Batch:
    return Batch(lists=[ListChange(name, path, False) for path in paths])


def names(rows: Iterable[HeadRow]) -> list[str]:
    return [row.path for row in rows]


def listed(page: Sequence[tuple[int, HeadRow]]) -> list[str]:
    return [row.path.removeprefix(ALICE) for _, row in page]


async def fill(storage: Storage, name: str, *cells: str) -> None:
    """Write cells, and let them come into a list one after the other."""
    for cell in cells:
        await storage.commit(moves(move(ALICE + cell, 1), joining(name, ALICE + cell)))


def keys(rows: Sequence[TaskRow]) -> list[TaskKey]:
    return [row.key for row in rows]


class StorageSuite(ABC):
    """A storage, empty and open, for every test."""

    pytestmark = pytest.mark.asyncio

    @abstractmethod
    async def open(self, place: Path) -> Storage:
        """The storage that lies in the folder `place`; an empty one, the first time."""

    @pytest_asyncio.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[Storage]:
        storage = await self.open(tmp_path)
        yield storage
        await storage.close()
