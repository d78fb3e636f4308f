"""What every storage backend must do: one suite of tests, for whoever writes a backend.

    class TestMine(DurableStorageContract):
        async def open(self, place: Path) -> Storage:
            return await MyStorage.open(place / "mine")

`open` is called with an empty folder of its own for each test, and by the tests of a durable
backend again with the same folder after the storage was closed. It needs pytest and pytest-asyncio.
"""

import asyncio
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
    PlanRow,
    ReceiptRow,
    Storage,
    TaskKey,
    TaskRow,
)
from taijitu.kernel.effect import NEVER
from taijitu.kernel.failures import BlockMissing, Bug, HeadMoved

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


class StorageContract(ABC):
    """The rules for every backend. Derive a test class and say how to `open` yours."""

    pytestmark = pytest.mark.asyncio

    @abstractmethod
    async def open(self, place: Path) -> Storage:
        """The storage that lies in the folder `place`; an empty one, the first time."""

    @pytest_asyncio.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[Storage]:
        storage = await self.open(tmp_path)
        yield storage
        await storage.close()

    # Heads

    async def test_nothing_is_known_of_a_cell_never_written(self, storage: Storage) -> None:
        assert await storage.head(ALICE + "1") is None
        assert await storage.scan(ALICE, limit=10) == []
        assert await storage.block(link("x")) is None
        assert await storage.plan(link("x")) is None
        assert await storage.receipt(link("x")) is None

    async def test_a_head_comes_with_its_block(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))

        name = ALICE + "1 1"
        expected = HeadRow(ALICE + "1", link(name), 1, data(name), link(name), None, 0, None)
        assert await storage.head(ALICE + "1") == expected
        assert await storage.block(link(name)) == data(name)

    async def test_a_head_comes_with_the_block_and_the_progress_of_an_older_plan(
        self, storage: Storage
    ) -> None:
        first = ALICE + "1 1"
        await storage.commit(moves(move(ALICE + "1", 1), progress(first, 1)))
        await storage.commit(move(ALICE + "1", 2, plan=first))

        head = await storage.head(ALICE + "1")

        assert head is not None
        assert head.cid == link(ALICE + "1 2")
        assert (head.plan, head.planned) == (link(first), data(first))
        assert (head.version, head.progress) == (1, b"progress 1")

    async def test_a_head_whose_block_is_missing_is_not_passed_over(self, storage: Storage) -> None:
        headless = move(ALICE + "1", 1)
        headless.blocks.clear()
        await storage.commit(headless)

        with pytest.raises(BlockMissing):
            await storage.head(ALICE + "1")
        with pytest.raises(BlockMissing):
            await storage.scan(ALICE, limit=1)

    async def test_a_head_whose_plan_has_no_block_is_not_passed_over(
        self, storage: Storage
    ) -> None:
        await storage.commit(move(ALICE + "1", 1, plan="nowhere"))

        with pytest.raises(BlockMissing):
            await storage.head(ALICE + "1")

    async def test_a_block_may_be_written_twice(self, storage: Storage) -> None:
        await storage.commit(Batch(blocks=[(link("x"), b"x"), (link("x"), b"x")]))
        await storage.commit(Batch(blocks=[(link("x"), b"x")]))

        assert await storage.block(link("x")) == b"x"

    async def test_an_empty_batch_changes_nothing(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))
        await storage.commit(Batch())

        assert names(await storage.scan("", limit=10)) == [ALICE + "1"]

    # Commits: all or nothing

    async def test_a_head_that_moved_is_refused(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))

        with pytest.raises(HeadMoved):
            await storage.commit(move(ALICE + "1", 1))
        with pytest.raises(HeadMoved):
            await storage.commit(move(ALICE + "1", 3))

    async def test_a_head_that_was_only_read_must_not_have_moved(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))
        await storage.commit(moves(reading(**{"1": 1}), move(ALICE + "2", 1)))

        with pytest.raises(HeadMoved):
            await storage.commit(moves(reading(**{"1": 0}), move(ALICE + "2", 2)))

        head = await storage.head(ALICE + "2")
        assert head is not None
        assert head.seq == 1

    async def test_that_a_cell_was_absent_is_something_that_was_read(
        self, storage: Storage
    ) -> None:
        await storage.commit(moves(reading(x=0), move(ALICE + "1", 1)))
        await storage.commit(move(ALICE + "x", 1))

        with pytest.raises(HeadMoved):
            await storage.commit(moves(reading(x=0), move(ALICE + "1", 2)))

    async def test_a_plan_that_changed_is_refused(self, storage: Storage) -> None:
        await storage.commit(progress("p", 1))
        await storage.commit(progress("p", 2))

        with pytest.raises(HeadMoved):
            await storage.commit(progress("p", 2))
        with pytest.raises(HeadMoved):
            await storage.commit(progress("q", 2))

    @pytest.mark.parametrize(
        "bad",
        [
            move(ALICE + "old", 1),
            reading(old=7),
            progress("old", 1),
            giving("old"),
        ],
        ids=["head", "read", "plan", "receipt"],
    )
    async def test_a_batch_with_one_bad_expectation_writes_nothing(
        self, storage: Storage, bad: Batch
    ) -> None:
        old = task("old")
        await storage.commit(
            moves(move(ALICE + "old", 1), progress("old", 1), giving("old"), opening(old))
        )
        good = moves(
            move(ALICE + "1", 1),
            progress("new", 1),
            opening(task("new")),
            closing(old.key),
            giving("new"),
        )

        with pytest.raises(HeadMoved):
            await storage.commit(moves(good, bad))

        assert names(await storage.scan("", limit=10)) == [ALICE + "old"]
        assert await storage.block(link(ALICE + "1 1")) is None
        assert await storage.open_tasks() == [old]
        assert await storage.receipt(link("new")) is None
        await storage.commit(good)
        assert names(await storage.scan("", limit=10)) == [ALICE + "1", ALICE + "old"]

    async def test_several_moves_of_one_cell_are_one_commit(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))
        chain = moves(*(move(ALICE + "1", seq) for seq in (2, 3, 4)))

        await storage.commit(chain)

        head = await storage.head(ALICE + "1")
        assert head is not None
        assert (head.seq, head.cid) == (4, link(ALICE + "1 4"))
        for seq in (1, 2, 3, 4):
            assert await storage.block(link(f"{ALICE}1 {seq}")) == data(f"{ALICE}1 {seq}")
        with pytest.raises(HeadMoved):
            await storage.commit(chain)

    async def test_a_chain_is_validated_at_its_first_link(self, storage: Storage) -> None:
        await storage.commit(move(ALICE + "1", 1))

        with pytest.raises(HeadMoved):
            await storage.commit(moves(move(ALICE + "1", 1), move(ALICE + "1", 2)))

    async def test_several_changes_of_one_plan_are_one_commit(self, storage: Storage) -> None:
        made = moves(move(ALICE + "1", 1), progress(ALICE + "1 1", 1), progress(ALICE + "1 1", 2))

        await storage.commit(made)

        head = await storage.head(ALICE + "1")
        assert head is not None
        assert (head.version, head.progress) == (2, b"progress 2")

    async def test_a_large_batch_is_one_commit(self, storage: Storage) -> None:
        cells = [f"{ALICE}{number:04}" for number in range(300)]
        large = moves(*(moves(move(path, 1), opening(task(path, path=path))) for path in cells))

        await storage.commit(large)

        assert names(await storage.scan("", limit=1_000)) == cells
        assert len(await storage.open_tasks()) == 300
        again = moves(*(move(path, 2) for path in cells), move(BOB + "1", 2))
        with pytest.raises(HeadMoved):
            await storage.commit(again)
        assert {row.seq for row in await storage.scan("", limit=1_000)} == {1}

    async def test_of_two_commits_that_race_for_a_head_one_is_made(self, storage: Storage) -> None:
        one = moves(move(ALICE + "1", 1), move(ALICE + "one", 1))
        two = moves(move(ALICE + "1", 1), move(ALICE + "two", 1))

        outcomes = await asyncio.gather(
            storage.commit(one), storage.commit(two), return_exceptions=True
        )

        assert sorted(map(type, outcomes), key=str) == sorted([type(None), HeadMoved], key=str)
        winner = "one" if outcomes[0] is None else "two"
        assert names(await storage.scan(ALICE, limit=10)) == [ALICE + "1", ALICE + winner]

    # Plans

    async def test_a_plan_is_found_by_its_transition(self, storage: Storage) -> None:
        name = ALICE + "1 1"
        await storage.commit(moves(move(ALICE + "1", 1), progress(name, 1)))
        await storage.commit(move(ALICE + "1", 2))

        expected = PlanRow(link(name), ALICE + "1", data(name), 1, b"progress 1")
        assert await storage.plan(link(name)) == expected

    async def test_a_plan_of_which_only_a_task_is_known_is_found(self, storage: Storage) -> None:
        name = ALICE + "1 1"
        await storage.commit(moves(move(ALICE + "1", 1), opening(task(name))))

        expected = PlanRow(link(name), ALICE + "1", data(name), 0, None)
        assert await storage.plan(link(name)) == expected

    async def test_a_plan_whose_block_is_missing_is_not_passed_over(self, storage: Storage) -> None:
        await storage.commit(progress("nowhere", 1))

        with pytest.raises(BlockMissing):
            await storage.plan(link("nowhere"))

    # Scans

    async def test_a_scan_is_in_the_order_of_paths_by_code_point(self, storage: Storage) -> None:
        paths = [ALICE + name for name in ("B", "a", "b", "é", "ｚ", "😀", "!", "10", "9", "Z")]
        await storage.commit(moves(*(move(path, 1) for path in paths)))

        assert names(await storage.scan(ALICE, limit=100)) == sorted(paths)
        backwards = await storage.scan(ALICE, limit=100, backwards=True)
        assert names(backwards) == sorted(paths, reverse=True)

    async def test_a_prefix_is_taken_as_it_is_spelt(self, storage: Storage) -> None:
        paths = [
            "entry/did:key:zA/1",
            "entry/did:key:zA_/1",
            "entry/did:key:zA%/1",
            "entry/did:key:zAB/1",
            "entry/did:key:za/1",
            "entry/did:key:zA0",
            "entry/did:key:zA",
            "entry/did:key:zA.",
        ]
        await storage.commit(moves(*(move(path, 1) for path in paths)))

        for prefix in ("entry/did:key:zA/", "entry/did:key:zA_/", "entry/did:key:zA%/"):
            assert names(await storage.scan(prefix, limit=10)) == [prefix + "1"]
        assert names(await storage.scan("entry/did:key:z", limit=10)) == sorted(paths)

    async def test_a_scan_stops_at_its_limit(self, storage: Storage) -> None:
        paths = [f"{ALICE}{number}" for number in range(5)]
        await storage.commit(moves(*(move(path, 1) for path in paths)))

        assert names(await storage.scan(ALICE, limit=2)) == paths[:2]
        assert names(await storage.scan(ALICE, limit=2, backwards=True)) == paths[:2:-1]
        assert await storage.scan(ALICE, limit=0) == []

    async def test_a_scan_goes_on_after_a_path_and_stops_before_one(self, storage: Storage) -> None:
        paths = [f"{ALICE}{number}" for number in range(5)]
        await storage.commit(moves(*(move(path, 1) for path in [*paths, BOB + "1", "a/1"])))

        async def scan(after: str = "", before: str = "", *, backwards: bool = False) -> list[str]:
            return names(
                await storage.scan(ALICE, after=after, before=before, limit=10, backwards=backwards)
            )

        assert await scan(after=paths[1]) == paths[2:]
        assert await scan(before=paths[3]) == paths[:3]
        assert await scan(after=paths[0], before=paths[4]) == paths[1:4]
        assert await scan(after=paths[0], before=paths[4], backwards=True) == paths[3:0:-1]
        assert await scan(after=ALICE + "1.5") == paths[2:]
        assert await scan(after=paths[4]) == []
        assert await scan(after="a", before="z") == paths
        assert await scan(after=paths[3], before=paths[1]) == []

    async def test_pages_put_together_are_the_whole_scan(self, storage: Storage) -> None:
        paths = [f"{ALICE}{number}" for number in range(7)]
        await storage.commit(moves(*(move(path, 1) for path in paths)))

        forwards: list[str] = []
        while page := names(
            await storage.scan(ALICE, after=forwards[-1] if forwards else "", limit=3)
        ):
            forwards += page
        backwards: list[str] = []
        while page := names(
            await storage.scan(
                ALICE, before=backwards[-1] if backwards else "", limit=3, backwards=True
            )
        ):
            backwards += page

        assert forwards == paths
        assert backwards == paths[::-1]

    # Lists

    async def test_a_list_is_in_the_order_of_arrival_the_newest_first(
        self, storage: Storage
    ) -> None:
        assert await storage.listing("x", limit=10) == []
        await fill(storage, "x", "b", "a", "c")
        await storage.commit(joining("y", ALICE + "a"))

        page = await storage.listing("x", limit=10)

        assert listed(page) == ["c", "a", "b"]
        assert page[0][1] == await storage.head(ALICE + "c")
        positions = [position for position, _ in page]
        assert positions == sorted(positions, reverse=True)
        assert listed(await storage.listing("y", limit=10)) == ["a"]

    async def test_a_list_is_read_page_by_page_in_both_directions(self, storage: Storage) -> None:
        await fill(storage, "x", *"abcde")
        e, d, c, b, a = (position for position, _ in await storage.listing("x", limit=10))

        async def page(older_than: int | None = None, newer_than: int | None = None) -> list[str]:
            return listed(
                await storage.listing("x", older_than=older_than, newer_than=newer_than, limit=2)
            )

        assert await page() == ["e", "d"]
        assert await page(older_than=d) == ["c", "b"]
        assert await page(older_than=b) == ["a"]
        assert await page(older_than=a) == []
        assert await page(newer_than=a) == ["c", "b"]
        assert await page(newer_than=c) == ["e", "d"]
        assert await page(newer_than=d) == ["e"]
        assert await page(newer_than=e) == []
        assert await page(older_than=e, newer_than=b) == ["d", "c"]
        assert await storage.listing("x", limit=0) == []

    async def test_a_cell_keeps_its_position_until_it_leaves(self, storage: Storage) -> None:
        await fill(storage, "x", "a", "b")
        before = await storage.listing("x", limit=10)

        await storage.commit(joining("x", ALICE + "a"))
        assert await storage.listing("x", limit=10) == before

        await storage.commit(leaving("x", ALICE + "a"))
        assert listed(await storage.listing("x", limit=10)) == ["b"]
        await storage.commit(joining("x", ALICE + "a"))
        after = await storage.listing("x", limit=10)
        assert listed(after) == ["a", "b"]
        assert after[0][0] > before[0][0]

    async def test_a_position_is_not_given_out_again(self, storage: Storage) -> None:
        await fill(storage, "x", "a", "b")
        (newest, _), _ = await storage.listing("x", limit=10)

        await storage.commit(leaving("x", ALICE + "b"))
        await storage.commit(joining("x", ALICE + "b"))

        assert listed(await storage.listing("x", newer_than=newest, limit=10)) == ["b"]

    async def test_coming_and_going_in_one_group_count_in_their_order(
        self, storage: Storage
    ) -> None:
        await fill(storage, "x", "a", "b", "c")
        a, b, c, d = (ALICE + name for name in "abcd")

        await storage.commit(
            moves(
                move(d, 1),
                joining("x", d),
                leaving("x", a, b),
                joining("x", a, c),
                leaving("x", d, "nobody"),
            )
        )

        assert listed(await storage.listing("x", limit=10)) == ["a", "c"]

    async def test_a_refused_commit_leaves_lists_as_they_are(self, storage: Storage) -> None:
        await fill(storage, "x", "a")

        with pytest.raises(HeadMoved):
            await storage.commit(moves(leaving("x", ALICE + "a"), move(ALICE + "a", 1)))

        assert listed(await storage.listing("x", limit=10)) == ["a"]

    async def test_a_list_shows_cells_as_they_stand_now(self, storage: Storage) -> None:
        await fill(storage, "x", "a")
        await storage.commit(move(ALICE + "a", 2))

        ((_, head),) = await storage.listing("x", limit=10)

        assert head == await storage.head(ALICE + "a")
        assert head.seq == 2

    # Tasks

    async def test_an_open_task_is_kept_as_it_was_written(self, storage: Storage) -> None:
        row = TaskRow(link("p"), 3, ALICE + "1", "test/do", "x", NOW, 2, "no answer")
        await storage.commit(opening(row))

        assert await storage.open_tasks() == [row]
        assert await storage.claim(NOW, 1, LEASE) == [row]

    async def test_a_closed_task_is_gone(self, storage: Storage) -> None:
        one, two = task("p", 1), task("p", 2)
        await storage.commit(opening(one, two))
        await storage.commit(closing(one.key))

        assert await storage.open_tasks() == [two]
        assert keys(await storage.claim(NOW, 10, LEASE)) == [two.key]

    async def test_to_close_what_is_closed_is_no_error(self, storage: Storage) -> None:
        await storage.commit(opening(task("p")))
        await storage.commit(closing(task("p").key, task("p").key))
        await storage.commit(moves(closing(task("p").key), deferring(task("p"), NOW)))

        assert await storage.open_tasks() == []

    async def test_a_task_opened_and_closed_in_one_group_is_never_seen(
        self, storage: Storage
    ) -> None:
        await storage.commit(moves(opening(task("p", 1), task("p", 2)), closing(task("p", 1).key)))

        assert keys(await storage.open_tasks()) == [task("p", 2).key]

    async def test_a_task_closed_and_opened_in_one_group_is_open(self, storage: Storage) -> None:
        await storage.commit(opening(task("p")))
        later = task("p", ready_at=NOW + 5)

        await storage.commit(moves(closing(later.key), opening(later)))

        assert await storage.open_tasks() == [later]

    async def test_to_open_an_open_task_is_a_bug_and_writes_nothing(self, storage: Storage) -> None:
        await storage.commit(opening(task("p")))

        with pytest.raises(Bug):
            await storage.commit(moves(move(ALICE + "1", 1), opening(task("p", ready_at=5))))

        assert await storage.open_tasks() == [task("p")]
        assert await storage.head(ALICE + "1") is None

    async def test_the_open_tasks_of_one_cell_can_be_listed(self, storage: Storage) -> None:
        mine = task("p", 2, ready_at=NEVER), task("q", 1)
        other = task("p", 3, path=ALICE + "11")
        await storage.commit(opening(*mine, other))

        assert keys(await storage.open_tasks(ALICE + "1")) == [mine[1].key, mine[0].key]
        assert len(await storage.open_tasks()) == 3

    async def test_the_longest_ready_task_is_claimed_first(self, storage: Storage) -> None:
        rows = [task("p", number, ready_at=NOW - ago) for number, ago in enumerate((5, 0, 9, -1))]
        await storage.commit(opening(*rows))

        assert keys(await storage.claim(NOW, 2, LEASE)) == [rows[2].key, rows[0].key]
        assert keys(await storage.claim(NOW, 2, LEASE)) == [rows[1].key]
        assert await storage.claim(NOW, 2, LEASE) == []

    async def test_a_claimed_task_is_nobody_elses_until_the_lease_ends(
        self, storage: Storage
    ) -> None:
        await storage.commit(opening(task("p")))
        assert len(await storage.claim(NOW, 1, LEASE)) == 1

        assert await storage.claim(NOW + LEASE - 1, 1, LEASE) == []
        assert keys(await storage.claim(NOW + LEASE, 1, LEASE)) == [task("p").key]
        assert await storage.claim(NOW + LEASE + 1, 1, LEASE) == []

    async def test_a_released_task_can_be_claimed_at_once(self, storage: Storage) -> None:
        await storage.commit(opening(task("p", 1), task("p", 2)))
        claimed = await storage.claim(NOW, 10, LEASE)

        await storage.release([claimed[1].key])

        assert await storage.claim(NOW, 10, LEASE) == [claimed[1]]

    async def test_many_leased_tasks_in_front_do_not_hide_a_free_one(
        self, storage: Storage
    ) -> None:
        early = [task("p", number, ready_at=NOW - 10) for number in range(200)]
        await storage.commit(opening(*early))
        assert len(await storage.claim(NOW, 200, LEASE)) == 200

        await storage.commit(opening(task("q")))

        assert keys(await storage.claim(NOW, 1, LEASE)) == [task("q").key]

    async def test_a_claim_of_none_takes_none(self, storage: Storage) -> None:
        await storage.commit(opening(task("p")))

        assert await storage.claim(NOW, 0, LEASE) == []
        assert len(await storage.claim(NOW, 1, LEASE)) == 1

    async def test_a_task_that_is_never_ready_is_claimed_by_a_hint_alone(
        self, storage: Storage
    ) -> None:
        parked = task("p", ready_at=NEVER, about="zQmX")
        await storage.commit(opening(parked))

        assert await storage.claim(NEVER - 1, 10, LEASE) == []
        assert await storage.claim(NOW, 10, LEASE, about="zQmY") == []
        assert await storage.claim(NOW, 10, LEASE, about="zQmX") == [parked]
        assert await storage.claim(NOW, 10, LEASE, about="zQmX") == []

    async def test_a_hint_wakes_what_it_is_about_and_nothing_else(self, storage: Storage) -> None:
        late = task("p", 1, about="x", ready_at=NOW + 50)
        ready = task("p", 2, about="x")
        others = task("p", 3, about="xy"), task("p", 4)
        await storage.commit(opening(late, ready, *others))

        assert await storage.claim(NOW, 10, LEASE, about="") == []
        assert keys(await storage.claim(NOW, 10, LEASE, about="x")) == [ready.key, late.key]
        assert sorted(keys(await storage.claim(NOW, 10, LEASE))) == sorted(keys(others))

    async def test_a_deferred_task_waits_and_remembers_its_trouble(self, storage: Storage) -> None:
        await storage.commit(opening(task("p")))
        await storage.claim(NOW, 1, LEASE)

        await storage.commit(deferring(task("p"), NOW + 10, 3, "the disk is full"))

        assert await storage.claim(NOW + 9, 1, LEASE) == []
        (again,) = await storage.claim(NOW + 10, 1, LEASE)
        assert again == task("p")._replace(ready_at=NOW + 10, tries=3, trouble="the disk is full")

    async def test_a_task_may_be_deferred_in_the_group_that_opens_it(
        self, storage: Storage
    ) -> None:
        await storage.commit(moves(opening(task("p")), deferring(task("p"), NOW + 10)))

        assert [row.ready_at for row in await storage.open_tasks()] == [NOW + 10]

    async def test_a_task_opened_anew_is_not_leased_from_before(self, storage: Storage) -> None:
        await storage.commit(opening(task("p")))
        await storage.claim(NOW, 1, LEASE)
        await storage.commit(closing(task("p").key))
        await storage.commit(opening(task("p")))

        assert keys(await storage.claim(NOW, 1, LEASE)) == [task("p").key]

    async def test_a_refused_commit_leaves_leases_as_they_are(self, storage: Storage) -> None:
        await storage.commit(opening(task("p")))
        await storage.claim(NOW, 1, LEASE)

        with pytest.raises(HeadMoved):
            await storage.commit(moves(closing(task("p").key), move(ALICE + "1", 7)))

        assert await storage.claim(NOW, 1, LEASE) == []

    async def test_the_next_time_is_that_of_the_first_free_task(self, storage: Storage) -> None:
        assert await storage.next_ready() is None
        await storage.commit(
            opening(task("p", 1, ready_at=NOW + 7), task("p", 2), task("p", 3, ready_at=NEVER))
        )

        assert await storage.next_ready() == NOW
        await storage.claim(NOW, 1, LEASE)
        assert await storage.next_ready() == NOW + 7
        await storage.release([task("p", 2).key])
        assert await storage.next_ready() == NOW

    async def test_a_leased_task_is_next_when_its_lease_ends(self, storage: Storage) -> None:
        await storage.commit(opening(task("p"), task("q", ready_at=NOW + 2 * LEASE)))
        await storage.claim(NOW, 1, LEASE)

        assert await storage.next_ready() == NOW + LEASE

    async def test_a_task_that_is_never_ready_is_not_next(self, storage: Storage) -> None:
        await storage.commit(opening(task("p", ready_at=NEVER, about="x")))

        assert await storage.next_ready() is None

    # Receipts

    async def test_a_receipt_is_given_once(self, storage: Storage) -> None:
        await storage.commit(giving("x"))

        with pytest.raises(HeadMoved):
            await storage.commit(moves(move(ALICE + "1", 1), giving("x", NOW + 1)))

        assert await storage.receipt(link("x")) == b"the receipt of x"
        assert await storage.head(ALICE + "1") is None

    async def test_old_receipts_are_forgotten(self, storage: Storage) -> None:
        await storage.commit(moves(giving("x", NOW - 1), giving("y", NOW), giving("z", NOW + 1)))

        await storage.forget_receipts(NOW)

        assert await storage.receipt(link("x")) is None
        assert await storage.receipt(link("y")) == b"the receipt of y"
        assert await storage.receipt(link("z")) == b"the receipt of z"
        await storage.commit(giving("x"))

    async def test_however_many_old_receipts_are_forgotten(self, storage: Storage) -> None:
        await storage.commit(moves(*(giving(str(number), NOW - 1) for number in range(2_100))))

        await storage.forget_receipts(NOW)

        left = [number for number in range(2_100) if await storage.receipt(link(str(number)))]
        assert left == []

    # Settings

    async def test_settings_are_remembered(self, storage: Storage) -> None:
        assert await storage.settings() == {}
        await storage.remember("did", "did:web:one.example")
        await storage.remember("window", "7")
        await storage.remember("did", "did:web:two.example")

        assert await storage.settings() == {"did": "did:web:two.example", "window": "7"}

    async def test_to_close_twice_is_no_error(self, storage: Storage) -> None:
        await storage.close()
        await storage.close()


class DurableStorageContract(StorageContract):
    """The rules for a backend that is to be found as it was when it is opened again."""

    async def test_everything_is_there_after_reopening(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        waiting = task(ALICE + "1 1")
        await storage.commit(
            moves(
                move(ALICE + "1", 1),
                progress(ALICE + "1 1", 1),
                move(ALICE + "1", 2, plan=ALICE + "1 1"),
                opening(waiting, task("closed")),
                giving("x"),
                joining("list", ALICE + "1"),
            )
        )
        await storage.commit(moves(closing(task("closed").key), deferring(waiting, NOW + 3)))
        await storage.remember("did", "did:web:one.example")
        head, plan = await storage.head(ALICE + "1"), await storage.plan(link(ALICE + "1 1"))
        tasks, members = await storage.open_tasks(), await storage.listing("list", limit=10)
        await storage.close()

        again = await self.open(tmp_path)
        try:
            assert head is not None
            assert await again.head(ALICE + "1") == head
            assert await again.scan("", limit=10) == [head]
            assert await again.plan(link(ALICE + "1 1")) == plan
            assert await again.open_tasks() == tasks != []
            assert await again.listing("list", limit=10) == members != []
            assert await again.receipt(link("x")) == b"the receipt of x"
            assert await again.settings() == {"did": "did:web:one.example"}
            with pytest.raises(HeadMoved):
                await again.commit(move(ALICE + "1", 2))
            await again.commit(move(ALICE + "1", 3))
        finally:
            await again.close()

    async def test_what_was_refused_is_not_there_after_reopening(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        await storage.commit(move(ALICE + "1", 1))
        with pytest.raises(HeadMoved):
            await storage.commit(moves(move(ALICE + "2", 1), move(ALICE + "1", 1)))
        await storage.close()

        again = await self.open(tmp_path)
        try:
            assert names(await again.scan("", limit=10)) == [ALICE + "1"]
        finally:
            await again.close()
