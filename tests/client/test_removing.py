"""Goal: a space gets back all the room of an upload that goes, its index included, and nothing goes
that another upload needs.

Method: a real service, asked afterwards what the space still holds.
"""

import os
from collections.abc import Callable

import pytest

from taijitu.client import Client, NotFound, Put, Signer
from taijitu.client.removing import Removing
from taijitu.ipld import car
from taijitu.ipld.cid import RAW, Link, link_to

Connect = Callable[..., Client]


async def blobs_of(client: Client) -> set[bytes]:
    return {blob.digest async for blob in client.blobs.list()}


def digests(*links: Link) -> set[bytes]:
    return {link.multihash for link in links}


async def put(client: Client) -> Put:
    return await client.put(os.urandom(100))


async def test_shards_and_index_go_with_an_upload(connect: Connect, alice: Signer) -> None:
    async with connect(alice) as client:
        other, made, later = [await put(client) for _ in range(3)]
        removed = await client.space.remove(made.root)
        assert [each.link for each in removed] == [*made.shards, made.index]
        assert sum(each.size or 0 for each in removed) == made.stored
        left = digests(*other.shards, other.index, *later.shards, later.index)
        assert await blobs_of(client) == left
        with pytest.raises(NotFound):
            await client.space.remove(made.root)


async def test_many_uploads_go_with_one_list_of_blobs(connect: Connect, alice: Signer) -> None:
    asked: list[str] = []

    class Counting(Client):
        async def invoke(self, can: str, *rest: object, **more: object) -> object:  # type: ignore[override]
            asked.append(can)
            return await super().invoke(can, *rest, **more)  # type: ignore[arg-type]

    async with connect(alice) as client:
        made = [await put(client) for _ in range(3)]
    async with Counting(client.url, key=alice) as counting:
        removing = counting.space.removing()
        for number, each in enumerate(made):
            asked.clear()
            await removing.remove(each.root)
            assert asked.count("space/blob/list") == (0 if number else 2)
        assert await blobs_of(counting) == set()


async def test_a_shard_that_another_upload_has_stays_until_that_goes(
    connect: Connect, alice: Signer
) -> None:
    async with connect(alice) as client:
        made = await put(client)
        twin = link_to(os.urandom(10), RAW)
        await client.uploads.add(twin, made.shards)
        assert [each.link for each in await client.space.remove(made.root)] == [made.index]
        assert await blobs_of(client) == digests(*made.shards)
        removed = await client.space.remove(twin)
        assert [each.link for each in removed] == [*made.shards]
        assert await blobs_of(client) == set()


async def test_what_was_noted_since_the_last_one_went_is_seen(
    connect: Connect, alice: Signer
) -> None:
    async with connect(alice) as client:
        before, made = await put(client), await put(client)
        removing = Removing(client.space)
        await removing.remove(before.root)
        await client.uploads.add(link_to(os.urandom(10), RAW), made.shards)
        assert [each.link for each in await removing.remove(made.root)] == [made.index]
        assert await blobs_of(client) == digests(*made.shards)


async def test_shards_that_were_stored_as_cars_go_as_well(connect: Connect, alice: Signer) -> None:
    """Older clients store them so."""
    block = os.urandom(100)
    root = link_to(block, RAW)
    data = car.encode([root], [(root, block)])
    async with connect(alice) as client:
        added = await client.store.add(data)
        await client.uploads.add(root, [added.link])
        (removed,) = await client.space.remove(root)
        assert (removed.link, removed.size) == (added.link, len(data))
        with pytest.raises(NotFound):
            await client.store.get(added.link)
