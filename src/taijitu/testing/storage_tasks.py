"""The storage suite, part three: open tasks, who holds them, and when they are next."""

import pytest

from taijitu.engine.storage import Storage, TaskCounts, TaskRow
from taijitu.kernel.effect import NEVER
from taijitu.kernel.failures import Bug, HeadMoved
from taijitu.testing.storage_suite import (
    ALICE,
    LEASE,
    NOW,
    StorageSuite,
    closing,
    deferring,
    keys,
    link,
    move,
    moves,
    opening,
    task,
)

DO = task("p").ability


def of(ability: str, number: int, ready_at: int) -> TaskRow:
    """A task of another ability than usual."""
    return task("p", number, ready_at=ready_at)._replace(ability=ability)


class TaskRules(StorageSuite):
    """A ready task is held by one at a time, and by none for ever."""

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
        assert await storage.next_ready() == {}
        await storage.commit(
            opening(task("p", 1, ready_at=NOW + 7), task("p", 2), task("p", 3, ready_at=NEVER))
        )

        assert await storage.next_ready() == {DO: NOW}
        await storage.claim(NOW, 1, LEASE)
        assert await storage.next_ready() == {DO: NOW + 7}
        await storage.release([task("p", 2).key])
        assert await storage.next_ready() == {DO: NOW}

    async def test_each_ability_has_a_next_time_of_its_own(self, storage: Storage) -> None:
        rows = [of("test/a", 1, NOW + 3), of("test/b", 2, NOW + 1), of("test/b", 3, NOW + 2)]
        await storage.commit(opening(*rows, of("test/c", 4, NEVER)))

        assert await storage.next_ready() == {"test/a": NOW + 3, "test/b": NOW + 1}
        await storage.claim(NOW + 2, 10, LEASE, ability="test/b")
        assert await storage.next_ready() == {"test/a": NOW + 3, "test/b": NOW + 2 + LEASE}

    async def test_a_claim_of_one_ability_takes_none_of_another(self, storage: Storage) -> None:
        many = [of("test/a", number, NOW - 9) for number in range(200)]
        mine = of("test/b", 200, NOW), of("test/b", 201, NOW - 1)
        await storage.commit(opening(*many, *mine, of("test/b", 202, NOW + 1)))

        assert keys(await storage.claim(NOW, 10, LEASE, ability="test/b")) == [
            mine[1].key,
            mine[0].key,
        ]
        assert await storage.claim(NOW, 10, LEASE, ability="test/b") == []
        assert await storage.claim(NOW, 10, LEASE, ability="test") == []
        assert len(await storage.claim(NOW, 10, LEASE, ability="test/a")) == 10

    async def test_what_sleeps_is_read_in_pages(self, storage: Storage) -> None:
        names = [("p", 1), ("p", 2), ("q", 0), ("r", 7), ("r", 11)]
        asleep = sorted((task(*name, ready_at=NEVER) for name in names), key=lambda row: row.key)
        await storage.commit(opening(*asleep, task("p", 3), task("s", ready_at=NOW + 5)))
        await storage.claim(NOW, 10, LEASE, about=asleep[0].about)

        first = await storage.asleep(None, 2)
        assert first == asleep[:2]
        rest = await storage.asleep(first[-1].key, 10)
        assert rest == asleep[2:]
        assert await storage.asleep(rest[-1].key, 10) == []
        assert await storage.asleep(None, 0) == []

    async def test_a_leased_task_is_next_when_its_lease_ends(self, storage: Storage) -> None:
        await storage.commit(opening(task("p"), task("q", ready_at=NOW + 2 * LEASE)))
        await storage.claim(NOW, 1, LEASE)

        assert await storage.next_ready() == {DO: NOW + LEASE}

    async def test_a_task_that_is_never_ready_is_not_next(self, storage: Storage) -> None:
        await storage.commit(opening(task("p", ready_at=NEVER, about="x")))

        assert await storage.next_ready() == {}

    async def test_open_tasks_are_counted_by_how_they_stand(self, storage: Storage) -> None:
        assert await storage.task_counts(NOW) == (0, 0, 0, 0, 0)

        asked = task("p", ready_at=NEVER)
        ready = [task("q", number, ready_at=NOW - number) for number in range(2)]
        later = [task("r", number, ready_at=NOW + 1 + number) for number in range(3)]
        failing = [task("s", number)._replace(trouble="no answer") for number in range(4)]
        parked = [
            task("t", number, ready_at=NEVER)._replace(trouble="a bug") for number in range(5)
        ]
        await storage.commit(opening(asked, *ready, *later, *failing, *parked))

        assert await storage.task_counts(NOW) == TaskCounts(
            asked=1, later=3, ready=2, failing=4, parked=5
        )
        assert (await storage.task_counts(NOW + 3)).ready == 5
