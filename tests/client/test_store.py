"""Goal: whoever has a key and a proof stores, finds, fetches and removes CARs; whoever has not is
told what is missing. Method: a real service; every answer is checked by the client itself."""

import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from support.client import talking_to
from support.service import Serve, Service
from taijitu.client import (
    Added,
    Client,
    HandlerNotFound,
    InsufficientStorage,
    NoDelegation,
    NotAccepted,
    NotFound,
    Signer,
    Unauthorized,
    Untrusted,
    Unusable,
    WrongBytes,
    new_key,
)
from taijitu.client.proofs import Proof
from taijitu.ipld.cid import CAR, link_to
from taijitu.ucan.issue import delegate

Connect = Callable[..., Client]

LONG_AGO = 1_000_000_000


def proof(space: Signer, agent: Signer, can: str, expiration: int | None = None) -> Proof:
    made = delegate(space, agent.did, [{"can": can, "with": space.did}], expiration=expiration)
    return Proof(made, {made.link: made.data})


async def test_bytes_are_stored_fetched_and_removed(connect: Connect, alice: Signer) -> None:
    data = os.urandom(100_000)
    async with connect(alice) as client:
        added = await client.store.add(data)
        assert added == Added(link_to(data, CAR), 100_000, allocated=100_000, sent=True)
        assert await client.fetch(added.link) == data
        item = await client.store.get(added.link)
        assert (item.link, item.size) == (added.link, 100_000)
        assert item.inserted_at is not None
        removed = await client.store.remove(added.link)
        assert (removed.link, removed.size) == (added.link, 100_000)
        assert not await client.store.has(added.link)


async def test_a_file_and_a_stream_are_the_same_as_their_bytes(
    connect: Connect, alice: Signer, bob: Signer, tmp_path: Path
) -> None:
    data = os.urandom(1_000_000)
    path = tmp_path / "photos.car"
    path.write_bytes(data)

    async def pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(data), 70_001):
            yield data[start : start + 70_001]

    async with connect(alice) as client, connect(bob) as other:
        from_file = await client.store.add(path)
        again = await client.store.add(pieces())
        elsewhere = await other.store.add(pieces())
    assert from_file.link == again.link == elsewhere.link == link_to(data, CAR)
    assert (again.allocated, again.sent) == (0, False)
    assert (elsewhere.allocated, elsewhere.sent) == (1_000_000, False)


async def test_when_add_returns_the_service_says_done(
    connect: Connect, service: Service, alice: Signer
) -> None:
    async with connect(alice) as client, talking_to(service) as operator:
        added = await client.store.add(os.urandom(10_000))
        told = await operator.admin("place", space=alice.did, cid=str(added.link))
    assert told["state"] == "Stored"


async def test_progress_is_told_from_nothing_to_all(connect: Connect, alice: Signer) -> None:
    hashing: list[int] = []
    sending: list[int] = []
    fetching: list[int] = []
    async with connect(alice) as client:
        added = await client.store.add(
            os.urandom(600_000), hashing=hashing.append, sending=sending.append
        )
        await client.fetch(added.link, progress=fetching.append)
    assert sending[0] == 0
    for told in (hashing, sending, fetching):
        assert told == sorted(told)
        assert told[-1] == 600_000


async def test_a_list_has_everything_over_all_pages_the_newest_first(
    connect: Connect, alice: Signer
) -> None:
    async with connect(alice) as client:
        added = [(await client.store.add(os.urandom(100))).link for _ in range(5)]
        listed = [item.link async for item in client.store.list(size=2)]
        pages = [len(page.items) async for page in client.store.pages(size=2)]
    assert listed == added[::-1]
    assert pages == [2, 2, 1]


async def test_an_empty_space_lists_nothing(connect: Connect, alice: Signer) -> None:
    async with connect(alice) as client:
        added = await client.store.add(os.urandom(10))
        await client.store.remove(added.link)
        assert [item async for item in client.store.list()] == []


async def test_the_link_of_what_came_before_is_kept(connect: Connect, alice: Signer) -> None:
    async with connect(alice) as client:
        before = await client.store.add(os.urandom(10))
        after = await client.store.add(os.urandom(10), origin=before.link)
        assert (await client.store.get(after.link)).origin == before.link


async def test_a_space_says_who_provides_for_it(connect: Connect, alice: Signer) -> None:
    async with connect(alice) as client:
        await client.store.add(os.urandom(10))
        info = await client.space.info()
        assert info.did == alice.did
        assert info.providers == ((await client.service()).did,)


async def test_a_space_nobody_provides_for_is_not_found(serve: Serve, alice: Signer) -> None:
    async with Client(serve(TAIJITU_PROVISION="closed").url, key=alice) as client:
        with pytest.raises(NotFound):
            await client.space.info()


async def test_a_proof_lets_an_agent_into_a_space(
    connect: Connect, alice: Signer, bob: Signer
) -> None:
    async with connect(bob, proofs=[proof(alice, bob, "store/*")]) as client:
        assert client.space.did == alice.did
        added = await client.store.add(os.urandom(10))
    async with connect(alice) as owner:
        assert await owner.store.has(added.link)


async def test_proofs_for_several_spaces_need_the_space_to_be_named(
    connect: Connect, alice: Signer, bob: Signer
) -> None:
    both = [proof(alice, bob, "store/*"), proof(carol := new_key(), bob, "store/*")]
    async with connect(bob, proofs=both) as client:
        with pytest.raises(Unusable, match="say which"):
            await client.store.add(b"something")
        added = await client.at(carol.did).store.add(os.urandom(10))
    async with connect(bob, proofs=both, space=carol.did) as client:
        assert await client.store.has(added.link)


async def test_without_any_proof_nothing_is_asked(
    connect: Connect, alice: Signer, bob: Signer
) -> None:
    async with connect(bob) as client:
        with pytest.raises(NoDelegation, match=rf"no delegation for store/list on {alice.did}"):
            await client.at(alice.did).store.page()


async def test_a_proof_that_has_expired_is_told_apart(
    connect: Connect, alice: Signer, bob: Signer
) -> None:
    old = proof(alice, bob, "store/*", LONG_AGO)
    async with connect(bob, proofs=[old], space=alice.did) as client:
        with pytest.raises(NoDelegation, match="has expired on 2001-09-09"):
            await client.store.page()


async def test_a_proof_for_somebody_else_is_told_apart(
    connect: Connect, alice: Signer, bob: Signer
) -> None:
    theirs = proof(alice, new_key(), "store/*")
    async with connect(bob, proofs=[theirs], space=alice.did) as client:
        with pytest.raises(NoDelegation, match=f"is for {theirs.delegation.audience}"):
            await client.store.page()


async def test_a_proof_of_another_ability_is_refused_by_the_service(
    connect: Connect, alice: Signer, bob: Signer
) -> None:
    async with connect(bob, proofs=[proof(alice, bob, "store/list")]) as client:
        assert (await client.store.page()).items == ()
        with pytest.raises(Unauthorized, match="Delegated capability not found") as refused:
            await client.store.add(b"something")
    assert refused.value.name == "Unauthorized"


async def test_a_space_without_room_is_told(serve: Serve, alice: Signer) -> None:
    async with Client(serve(TAIJITU_SPACE_CAPACITY="1000").url, key=alice) as client:
        await client.store.add(os.urandom(600))
        with pytest.raises(InsufficientStorage):
            await client.store.add(os.urandom(600))


async def test_an_ability_that_nobody_provides_is_told(connect: Connect, alice: Signer) -> None:
    async with connect(alice) as client:
        with pytest.raises(HandlerNotFound, match="store/dance"):
            await client.invoke("store/dance", {"text": "hello"})


async def test_what_is_not_there_is_not_found(connect: Connect, alice: Signer) -> None:
    absent = link_to(os.urandom(10), CAR)
    async with connect(alice) as client:
        for asking in (client.store.get, client.store.remove, client.fetch, client.size_of):
            with pytest.raises(NotFound):
                await asking(absent)


async def test_nothing_is_not_stored(connect: Connect, alice: Signer, tmp_path: Path) -> None:
    async with connect(alice) as client:
        with pytest.raises(Unusable, match="no bytes"):
            await client.store.add(b"")
        with pytest.raises(Unusable, match="No such file"):
            await client.store.add(tmp_path / "absent")
        with pytest.raises(Unusable):
            await client.store.add(tmp_path)


async def test_more_than_fits_in_memory_is_to_be_streamed(connect: Connect, alice: Signer) -> None:
    async with connect(alice) as client:
        added = await client.store.add(os.urandom(1_000))
        with pytest.raises(Unusable, match="stream it"):
            await client.fetch(added.link, size_max=999)
        assert await client.size_of(added.link) == 1_000


async def test_reading_that_is_closed_is_refused_once(serve: Serve, alice: Signer) -> None:
    async with Client(serve(TAIJITU_READ="closed").url, key=alice) as client:
        added = await client.store.add(os.urandom(10))
        with pytest.raises(NotAccepted, match="signed URL") as refused:
            await client.fetch(added.link)
    assert refused.value.status == 403


async def test_a_file_that_changes_while_it_is_sent_is_told(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.write_bytes(os.urandom(1_000))

    def change(done: int) -> None:
        if done == 1_000:
            path.write_bytes(os.urandom(1_000))

    async with connect(alice) as client:
        with pytest.raises(WrongBytes, match="changed while it was being sent"):
            await client.store.add(path, hashing=change)


async def test_a_file_that_shrinks_while_it_is_sent_is_told(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.write_bytes(os.urandom(1_000))

    def shrink(done: int) -> None:
        if done == 1_000:
            path.write_bytes(b"")

    async with connect(alice) as client:
        with pytest.raises(WrongBytes, match="1000 bytes are missing"):
            await client.store.add(path, hashing=shrink)


# Who the service is


async def test_a_service_that_is_pinned_has_to_be_that_one(
    service: Service, connect: Connect, alice: Signer
) -> None:
    about = service.get_json("/version")
    async with connect(alice, did=about["did"], service_key=about["publicKey"]) as client:
        await client.store.page()
    for pinned in ({"did": "did:web:example.org"}, {"service_key": new_key().did}):
        async with connect(alice, **pinned) as client:
            with pytest.raises(Untrusted, match="not did:"):
                await client.store.page()


async def test_receipts_by_another_key_than_the_pinned_one_are_refused(
    service: Service, connect: Connect, alice: Signer
) -> None:
    did = service.get_json("/version")["did"]
    async with connect(alice, did=did, service_key=new_key().did) as client:
        with pytest.raises(Untrusted, match="did not sign the receipt"):
            await client.store.page()


async def test_reading_takes_no_key_and_asking_does(connect: Connect, alice: Signer) -> None:
    async with connect(alice) as client:
        added = await client.store.add(os.urandom(10))
    async with connect() as client:
        assert len(await client.fetch(added.link)) == 10
        with pytest.raises(Unusable, match="takes a key"):
            await client.store.page()


async def test_a_client_works_only_while_it_is_open(connect: Connect, alice: Signer) -> None:
    client = connect(alice)
    with pytest.raises(RuntimeError, match="async with"):
        await client.store.page()
