"""Goal: a program notes uploads and finds them again. Method: a real service; every answer is
checked by the client itself."""

import os
from collections.abc import Callable

import pytest

from taijitu.client import Client, NotFound, Signer, Unusable, Upload
from taijitu.client.answers import upload
from taijitu.client.failures import Untrusted
from taijitu.ipld.cid import CAR, RAW, Link, link_to

Connect = Callable[..., Client]


def fresh(codec: int) -> Link:
    return link_to(os.urandom(10), codec)


async def test_an_upload_is_noted_grows_and_is_forgotten(connect: Connect, alice: Signer) -> None:
    root, one, two = fresh(RAW), fresh(CAR), fresh(CAR)
    async with connect(alice) as client:
        assert await client.uploads.add(root) == Upload(root, ())
        await client.uploads.add(str(root), [one])
        added = await client.uploads.add(root, [str(two)])
        assert added == Upload(root, tuple(sorted((one, two))))
        found = await client.uploads.get(root)
        assert found.shards == added.shards
        assert found.inserted_at is not None
        assert found.updated_at is not None
        assert found.inserted_at <= found.updated_at
        removed = await client.uploads.remove(root)
        assert removed == added
        for asking in (client.uploads.get, client.uploads.remove):
            with pytest.raises(NotFound, match=f"{root} not found in {alice.did}"):
                await asking(root)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
async def test_the_list_has_every_upload_once_the_newest_first(
    connect: Connect, alice: Signer, size: int
) -> None:
    roots = [fresh(RAW) for _ in range(4)]
    async with connect(alice) as client:
        assert [each async for each in client.uploads.list(size)] == []
        for root in roots:
            await client.uploads.add(root)
        assert [each.root async for each in client.uploads.list(size)] == roots[::-1]


async def test_another_space_has_uploads_of_its_own(
    connect: Connect, alice: Signer, bob: Signer
) -> None:
    root = fresh(RAW)
    async with connect(alice) as client, connect(bob) as other:
        await client.uploads.add(root)
        with pytest.raises(NotFound):
            await other.uploads.get(root)


async def test_what_is_no_link_is_not_sent(connect: Connect, alice: Signer) -> None:
    async with connect(alice) as client:
        with pytest.raises(Unusable):
            await client.uploads.add(fresh(RAW), ["not a link"])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"shards": []}, "'root'"),
        ({"root": link_to(b"root"), "shards": 7}, "'shards'"),
        ({"root": link_to(b"root"), "shards": ["shard"]}, "not a link"),
        ("upload", "not an item"),
    ],
)
def test_an_answer_that_is_no_upload_is_not_believed(answer: object, why: str) -> None:
    with pytest.raises(Untrusted, match=why):
        upload(answer)


def test_a_service_need_not_name_shards() -> None:
    assert upload({"root": link_to(b"root")}) == Upload(link_to(b"root"), ())
