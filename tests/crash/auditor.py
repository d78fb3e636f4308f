"""Holds what the clients were told against what is so: by HTTP, in the database, on the disk."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from crash.workload import Diary, Known
from support.client import Client, Inside, Space
from support.eventually import eventually
from support.service import Service
from taijitu.ipld.cid import Link, multihash

OVER = ("Absent", "Expired")
"""Where an entry that is not stored has to have come in the end."""


class Auditor:
    def __init__(self, service: Service, client: Client, diary: Diary) -> None:
        self.service = service
        self.inside = Inside(service.data)
        self.client = client
        self.diary = diary

    async def everything_is_in_order(self, spaces: Collection[Space], seconds: float) -> None:
        """All that an auditor looks at, once everything has come to its end, in time."""
        await self.everything_came_to_its_end(seconds)
        await self.every_place_is_as_was_told()
        await self.every_total_is_the_sum_of_its_entries(spaces)
        await self.every_byte_is_where_it_should_be_and_no_other()
        self.what_is_known_lies_in_what_is_kept()
        self.the_block_of_every_car_is_found()
        await self.every_receipt_holds()
        self.nothing_went_wrong_inside()

    async def everything_came_to_its_end(self, seconds: float) -> None:
        """No task is open, and no upload left anything unfinished."""

        async def tasks() -> list[object]:
            return self.inside.rows("SELECT ability, path, tries, trouble FROM task")

        await eventually(tasks, lambda found: not found, seconds=seconds)
        assert self.inside.unfinished() == []

    async def every_place_is_as_was_told(self) -> None:
        for known in self.diary.known:
            place = await known.space.place(known.car)
            wanted = ("Stored",) if known.stored else OVER
            assert place in wanted, (known.space, known.car.link, place)

    async def every_total_is_the_sum_of_its_entries(self, spaces: Iterable[Space]) -> None:
        stored = by_space(self.diary.known)
        for space in spaces:
            usage, here = await self.usage(space), stored[space]
            used = sum(known.car.size for known in here)
            assert (usage["reserved"], usage["used"], usage["entries"]) == (0, used, len(here))
            assert in_order(await self.listed(space)) == in_order(known.car.link for known in here)

    async def listed(self, space: Space) -> list[Link]:
        return await space.links()

    async def usage(self, space: Space) -> dict[str, int]:
        """The totals of a space. One that was killed before its first commit has none: zeros."""
        known = {each["space"]: each for each in await space.client.admin("spaces")}
        return known.get(space.did, {"reserved": 0, "used": 0, "entries": 0})

    async def every_byte_is_where_it_should_be_and_no_other(self) -> None:
        kept = {known.car.link for known in self.diary.known if known.stored}
        assert self.inside.digests() == {link.digest for link in kept}
        for car in {known.car for known in self.diary.known}:
            wanted = car.data if car.link in kept else None
            assert await self.client.fetch(car.link) == wanted

    def what_is_known_lies_in_what_is_kept(self) -> None:
        kept = {each.car.link.multihash: each.car.data for each in self.diary.known if each.stored}
        for shard, name, start, length in self.slices():
            assert shard in kept, "known of bytes that are gone"
            assert multihash(kept[shard][start : start + length]) == name

    def the_block_of_every_car_is_found(self) -> None:
        lies = {shard: place for shard, *place in self.slices()}
        for car in {known.car for known in self.diary.known if known.stored}:
            name, start, length = lies[car.link.multihash]
            assert start + length == car.size
            assert multihash(car.data[start:]) == name

    def slices(self) -> list[Any]:
        """What is known to lie where."""
        return self.inside.rows("SELECT shard, multihash, start, length FROM slice")

    async def every_receipt_holds(self) -> None:
        """Asked again, each invocation gets the receipt it got, byte for byte."""
        for invocation, data in self.diary.acknowledged:
            assert (await self.client.send(invocation)).data == data
            recorded = await self.client.receipt(invocation.link)
            assert recorded is not None
            assert recorded.data == data

    def nothing_went_wrong_inside(self) -> None:
        """What the service itself calls a bug of its own."""
        for words in ("Traceback", "task parked", "request failed", "hint not taken"):
            assert words not in self.service.output, self.service.output


def by_space(known: Iterable[Known]) -> dict[Space, list[Known]]:
    stored: defaultdict[Space, list[Known]] = defaultdict(list)
    for each in known:
        if each.stored:
            stored[each.space].append(each)
    return stored


def in_order(links: Iterable[Link]) -> list[str]:
    return sorted(str(link) for link in links)
