"""`ucan/conclude`: whatever is said, only what is seen is believed, and nothing is written down."""

from typing import Any

import pytest
from msgspec.structs import replace

from support.blobs import Added
from taijitu.engine.storage import Batch
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import link_to, multihash
from taijitu.protocols.conclude import put_by
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.receipt import Receipt
from unit.protocols.blobs import Keeping, blob_of
from unit.ucan.people import alice, ask, bob, mallory, service, space

DATA = b"some bytes that somebody says are there"
DIGEST = multihash(DATA)


def http_put(issuer: Any, body: object, **nb: object) -> Delegation:
    """A task to put something, as mallory would make it up."""
    given = {"body": body, "url": "http://mallory.example", "headers": {}, **nb}
    capability = {"can": "http/put", "with": issuer.did, "nb": given}
    return delegate(issuer, issuer.did, [capability], expiration=None)


def forged(receipt: Receipt) -> Receipt:
    """The same words under a signature that nobody made."""
    block = dagcbor.decode(receipt.data)
    block["sig"] = block["sig"][:-1] + bytes([block["sig"][-1] ^ 1])
    data = dagcbor.encode(block)
    return receipts.decode(link_to(data), data)


@pytest.fixture
async def keeping() -> Keeping:
    return await Keeping().open()


@pytest.fixture
async def added(keeping: Keeping) -> Added:
    return await keeping.add(DATA)


async def test_a_receipt_that_comes_before_the_bytes_settles_nothing(
    keeping: Keeping, added: Added
) -> None:
    said = await keeping.conclude(added.put_done())
    assert said == {"ok": {"time": keeping.world.clock.now()}}
    assert await keeping.settled(added.accept) is None
    keeping.world.arrive(DATA)
    assert "ok" in await keeping.conclude(added.put_done())
    assert "ok" in await keeping.settled(added.accept)


@pytest.mark.parametrize("is_put", [False, True])
@pytest.mark.parametrize("words", ["forged", "of mallory", "an error", "of a foreign task"])
async def test_whatever_is_said_of_some_bytes_they_are_looked_at_and_nothing_else(
    keeping: Keeping, added: Added, words: str, is_put: bool
) -> None:
    task = http_put(mallory, blob_of(DATA)) if words == "of a foreign task" else added.put
    said = {
        "forged": forged(added.put_done()),
        "an error": added.put_done({"error": {"name": "Sorry", "message": "not put"}}),
    }.get(words, receipts.issue(mallory, task.link, {"ok": {}}))
    if is_put:
        keeping.world.arrive(DATA)

    assert "ok" in await keeping.conclude(said, task, agent=mallory)

    accepted = await keeping.settled(added.accept)
    assert (accepted is not None and "ok" in accepted) == is_put
    assert await keeping.settled(added.put) == ({"ok": {}} if is_put else None)


async def test_a_task_that_was_promised_need_not_come_along(keeping: Keeping, added: Added) -> None:
    keeping.world.arrive(DATA)
    assert "ok" in await keeping.conclude(added.put_done(), agent=bob)
    assert "ok" in await keeping.settled(added.accept)


async def test_nobody_can_say_how_our_own_tasks_went(keeping: Keeping, added: Added) -> None:
    for task in added.tasks:
        lie = receipts.issue(mallory, task.link, {"ok": {"site": task.link}})
        assert "ok" in await keeping.conclude(lie, task, agent=mallory)
    assert await keeping.settled(added.accept) is None
    assert await keeping.settled(added.put) is None
    assert await keeping.settled(added.allocate) == {"ok": added.allocated}


async def test_the_bytes_of_one_space_are_there_for_all_who_wait_for_them() -> None:
    keeping = await Keeping().open(alice, bob)
    of_alice, of_bob = await keeping.add(DATA, alice), await keeping.add(DATA, bob)
    keeping.world.arrive(DATA)
    assert "ok" in await keeping.conclude(of_alice.put_done())
    for each in (of_alice, of_bob):
        assert "ok" in await keeping.settled(each.accept)
    assert await keeping.settled(of_alice.accept) != await keeping.settled(of_bob.accept), (
        "each space has a commitment of its own"
    )


async def test_what_nobody_waits_for_is_heard_and_nothing_comes_of_it(keeping: Keeping) -> None:
    keeping.world.arrive(DATA)
    await keeping.add(b"something else")
    commits = commits_of(keeping)
    tasks = [
        http_put(mallory, blob_of(DATA)),
        http_put(mallory, blob_of(b"never heard of")),
        http_put(mallory, {"digest": b"", "size": 1}),
        http_put(mallory, {"digest": bytes(5_000), "size": 1}),
        http_put(mallory, blob_of(DATA), url={"ucan/await": []}),
        http_put(mallory, "no blob"),
        ask(mallory),
    ]
    for task in tasks:
        said = receipts.issue(mallory, task.link, {"ok": {}})
        assert "ok" in await keeping.conclude(said, task, agent=mallory)
        assert "ok" in await keeping.conclude(said, agent=mallory)
    nowhere = receipts.issue(mallory, link_to(b"no block"), {"ok": {}})
    assert "ok" in await keeping.conclude(nowhere, agent=mallory)
    assert commits == []
    await keeping.add(DATA)
    assert len(commits) == 1


def commits_of(keeping: Keeping) -> list[Batch]:
    """Whatever is written down from now on."""
    storage, commits = keeping.world.storage, list[Batch]()
    real = storage.commit

    async def commit(batch: Batch) -> None:
        commits.append(batch)
        await real(batch)

    storage.commit = commit
    return commits


async def test_a_receipt_has_to_come_along_and_to_be_one(keeping: Keeping, added: Added) -> None:
    receipt = added.put_done()
    missing = await keeping.conclude(receipt, receipt_comes=False)
    assert missing["error"]["message"] == f"the receipt {receipt.link} did not come along"
    no_receipt = replace(receipt, link=added.put.link, data=added.put.data)
    assert (await keeping.conclude(no_receipt))["error"]["message"] == (
        "not a receipt: 'ocm' must be a map"
    )


async def test_nobody_concludes_in_the_name_of_another(keeping: Keeping, added: Added) -> None:
    receipt = added.put_done()
    capability = {"can": "ucan/conclude", "with": alice.did, "nb": {"receipt": receipt.link}}
    asked = ask(mallory, capability)
    out = (await keeping.execute(asked, {receipt.link: receipt.data})).receipt.out
    assert out["error"]["name"] == "Unauthorized"


def test_only_a_put_says_which_bytes_it_puts() -> None:
    assert put_by(http_put(mallory, blob_of(DATA))) == DIGEST
    assert put_by(http_put(mallory, {"digest": "text", "size": 1})) is None
    assert put_by(ask(space)) is None
    assert put_by(delegate(service, service.did, [], expiration=None)) is None
