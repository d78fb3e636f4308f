"""Goal: whoever speaks `space/blob/*` over HTTP is promised a place, puts the bytes there, and gets
them back from the URL that the service commits itself to.

Method: the service as a process, under a `did:web`, and requests as published clients make them.
"""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from support import blobs
from support.client import Client, Space, random_car, talking_to
from support.service import Service, running
from taijitu.ucan.issue import delegate
from taijitu.ucan.signer import Signer

SIZE_MAX = 1_000_000
"""Bytes."""
KEY = Signer.from_seed(bytes(range(32)))
DID = "did:web:blobs.example"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    settings = {
        "TAIJITU_DID": DID,
        "TAIJITU_KEY": KEY.format(),
        "TAIJITU_BLOB_SIZE_MAX": str(SIZE_MAX),
    }
    data: Path = tmp_path_factory.mktemp("blobs") / "data"
    with running(Service(data, settings)) as service:
        yield service


@pytest.fixture
async def client(service: Service) -> AsyncGenerator[Client]:
    async with talking_to(service) as client:
        yield client


@pytest.fixture
def alice(client: Client) -> Space:
    return client.space("alice")


async def test_the_bytes_are_where_the_service_commits_itself_to_have_them(alice: Space) -> None:
    car, client = random_car(50_000), alice.client

    added = await blobs.add(alice, car)

    assert await client.put(added.allocated["address"], car.data) == 200
    await blobs.conclude(alice, added)
    url = await blobs.location(alice, added)
    whole = await client.request("GET", url)
    assert (whole.status, whole.body) == (200, car.data)
    assert whole.headers["accept-ranges"] == "bytes"
    part = await client.request("GET", url, headers={"range": "bytes=100-199"})
    assert (part.status, part.body) == (206, car.data[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{car.size}"
    last = await client.request("GET", url, headers={"range": "bytes=-10"})
    assert (last.status, last.body) == (206, car.data[-10:])
    beyond = await client.request("GET", url, headers={"range": f"bytes={car.size}-"})
    assert beyond.status == 416
    head = await client.request("HEAD", url)
    assert (head.status, head.headers["content-length"]) == (200, str(car.size))


async def test_receipts_are_there_as_soon_as_it_is_concluded_and_not_before(alice: Space) -> None:
    car = random_car()
    added = await blobs.add(alice, car)
    assert await blobs.settled(alice, added.allocate) == {"ok": added.allocated}
    assert await blobs.settled(alice, added.put) is None
    assert await blobs.settled(alice, added.accept) is None
    await blobs.conclude(alice, added)
    assert await blobs.settled(alice, added.accept) is None, "there are no bytes yet"

    assert await alice.client.put(added.allocated["address"], car.data) == 200
    await blobs.conclude(alice, added)

    assert await blobs.settled(alice, added.put) == {"ok": {}}
    assert (await blobs.settled(alice, added.accept)).keys() == {"ok"}


async def test_receipts_of_a_blob_outlive_a_restart(alice: Space, service: Service) -> None:
    car = random_car()
    asked = blobs.asks_to_add(alice, car)
    before = await blobs.ask(alice, asked)
    service.restart()

    added = await blobs.ask(alice, asked)

    assert (added.receipt.data, added.blocks.keys()) == (before.receipt.data, before.blocks.keys())
    assert await alice.client.put(added.allocated["address"], car.data) == 200
    await blobs.conclude(alice, added)
    settled = [await blobs.settled(alice, task) for task in added.tasks]
    service.restart()
    await blobs.conclude(alice, added)
    assert [await blobs.settled(alice, task) for task in added.tasks] == settled
    assert (await alice.client.request("GET", await blobs.location(alice, added))).body == car.data


async def test_no_bytes_are_a_blob_too(alice: Space) -> None:
    nothing = random_car(0)
    added = await blobs.add(alice, nothing)
    if "address" in added.allocated:
        assert await alice.client.put(added.allocated["address"], b"") == 200
        await blobs.conclude(alice, added)
    whole = await alice.client.request("GET", await blobs.location(alice, added))
    assert (whole.status, whole.body) == (200, b"")


async def test_only_the_bytes_that_were_promised_are_taken(alice: Space) -> None:
    car = random_car()
    added = await blobs.add(alice, car)
    address = added.allocated["address"]
    assert await alice.client.put(address, random_car(car.size).data) == 400
    assert await alice.client.put(address, car.data + b"!", content_length=str(car.size + 1)) == 403
    await blobs.conclude(alice, added)
    assert await blobs.settled(alice, added.accept) is None


async def test_a_blob_that_is_too_large_is_counted_and_logged_as_refused(
    alice: Space, service: Service
) -> None:
    added = await blobs.ask(alice, blobs.asks_to_add(alice, random_car(), SIZE_MAX + 1))
    assert added.receipt.is_ok
    name = "BlobSizeOutsideOfSupportedRange"
    assert (await blobs.settled(alice, added.allocate))["error"]["name"] == name
    for task in (added.put, added.accept):
        assert (await blobs.settled(alice, task))["error"]["name"] == "AwaitError"
    metrics = (await alice.client.request("GET", f"{service.url}/metrics")).text
    refused = f'taijitu_invocations_total{{ability="space/blob/add",outcome="{name}"}} 1.0'
    assert refused in metrics.splitlines()
    assert f"{name}" in service.output


async def test_the_service_may_ask_itself(alice: Space, client: Client) -> None:
    car, us = random_car(), KEY.under(DID)
    assert us.did == client.did
    asked = blobs.asks_to_add(alice, car)
    blob = {"digest": car.link.multihash, "size": car.size}

    def task(can: str, **nb: object) -> blobs.Delegation:
        capability = {"can": f"web3.storage/blob/{can}", "with": us.did, "nb": {"blob": blob} | nb}
        return delegate(us, us.did, [capability], expiration=None)

    put = {"ucan/await": [".out.ok", asked.link]}
    accept = task("accept", space=alice.did, _put=put)
    allocated = await client.send(task("allocate", cause=asked.link, space=alice.did))
    assert allocated.out["ok"]["size"] == car.size
    early = await client.send(accept)
    assert early.out["error"]["name"] == "AllocatedMemoryHadNotBeenWrittenTo"
    assert await client.put(allocated.out["ok"]["address"], car.data) == 200
    accepted = await client.send(accept)
    assert accepted.out["ok"]["site"] == accepted.fork[0]
    assert (await alice.usage())["used"] == car.size
