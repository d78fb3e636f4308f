"""The storage suite, part two: cells in an order, by path or by arrival, page by page."""

import pytest

from taijitu.engine.storage import Storage
from taijitu.kernel.failures import HeadMoved
from taijitu.testing.storage_suite import (
    ALICE,
    BOB,
    StorageSuite,
    fill,
    joining,
    leaving,
    listed,
    move,
    moves,
    names,
)


class ListRules(StorageSuite):
    """No page skips a cell, and none shows one twice."""

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
