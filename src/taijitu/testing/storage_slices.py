"""The storage suite, part four: where bytes lie within objects."""

import pytest

from taijitu.engine.storage import Batch, SliceRow, Storage
from taijitu.kernel.failures import HeadMoved
from taijitu.testing.storage_suite import ALICE, StorageSuite, link, move, moves, reading


def slice_of(name: str, shard: str, offset: int = 0, length: int = 10) -> SliceRow:
    return SliceRow(link(name), link(shard), offset, length)


def slicing(*rows: SliceRow) -> Batch:
    return Batch(slices=list(rows))


class SliceRules(StorageSuite):
    """What was found out about bytes is found again, from either side, until it is dropped."""

    async def test_bytes_are_found_in_every_object_that_holds_them(self, storage: Storage) -> None:
        here, there = slice_of("a", "one", 5, 7), slice_of("a", "two", 1, 7)
        await storage.commit(slicing(there, slice_of("b", "one")))
        await storage.commit(slicing(here))

        assert list(await storage.slices(link("a"), limit=10)) == [here, there]
        assert list(await storage.slices(link("a"), limit=1)) == [here]
        assert list(await storage.slices(link("a"), limit=0)) == []
        assert list(await storage.slices(link("a"), after=link("one"), limit=10)) == [there]
        assert list(await storage.slices(link("a"), after=link("two"), limit=10)) == []
        assert list(await storage.slices(link("nothing"), limit=10)) == []

    async def test_what_lies_in_an_object_is_read_page_by_page(self, storage: Storage) -> None:
        rows = [slice_of(name, "one", offset) for offset, name in enumerate("abcde")]
        await storage.commit(slicing(*reversed(rows), slice_of("c", "two")))

        assert list(await storage.slices_in(link("one"), limit=2)) == rows[:2]
        assert list(await storage.slices_in(link("one"), after=link("b"), limit=2)) == rows[2:4]
        assert list(await storage.slices_in(link("one"), after=link("e"), limit=2)) == []
        assert list(await storage.slices_in(link("one"), limit=0)) == []
        assert list(await storage.slices_in(link("none"), limit=2)) == []

    async def test_of_one_object_the_first_place_stands(self, storage: Storage) -> None:
        first, second = slice_of("a", "one", 0), slice_of("a", "one", 50)
        await storage.commit(slicing(first, second))
        await storage.commit(slicing(second))

        assert list(await storage.slices(link("a"), limit=10)) == [first]
        assert list(await storage.slices_in(link("one"), limit=10)) == [first]

    async def test_what_lies_in_one_object_is_dropped_for_it_alone(self, storage: Storage) -> None:
        stays = slice_of("n0", "two")
        many = [slice_of(f"n{number}", "one", number) for number in range(2_100)]
        await storage.commit(slicing(*many, stays))

        await storage.forget_slices(link("one"))
        await storage.forget_slices(link("never known"))

        assert list(await storage.slices_in(link("one"), limit=10)) == []
        assert list(await storage.slices(link("n0"), limit=10)) == [stays]
        again = slice_of("n0", "one", 9)
        await storage.commit(slicing(again))
        assert list(await storage.slices(link("n0"), limit=10)) == [again, stays]

    async def test_numbers_may_be_large(self, storage: Storage) -> None:
        row = slice_of("a", "one", 2**53 - 1, 2**53 - 1)
        await storage.commit(slicing(row))
        assert list(await storage.slices(link("a"), limit=1)) == [row]

    async def test_slices_become_known_with_the_rest_of_a_batch_or_not_at_all(
        self, storage: Storage
    ) -> None:
        row = slice_of("a", "one")
        assert slicing(row).is_empty is False
        with pytest.raises(HeadMoved):
            await storage.commit(moves(slicing(row), move(ALICE + "1", 1), reading(**{"2": 3})))
        assert list(await storage.slices(link("a"), limit=1)) == []

        await storage.commit(moves(slicing(row), move(ALICE + "1", 1)))
        assert list(await storage.slices(link("a"), limit=1)) == [row]
