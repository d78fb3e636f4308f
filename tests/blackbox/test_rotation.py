"""Goal: a service that gets a new key stays the service it was, for everybody who knew it; unless
the old key is in other hands. Method: a real service is stopped, given a new key, started again.
"""

import asyncio
import os
from pathlib import Path
from time import time
from typing import Any

import pytest
from msgspec.structs import replace

from support.client import Client as Raw
from support.client import random_car, talking_to
from support.command import taijitu
from support.service import Serve, Service
from taijitu.client import Client, Untrusted, asking, new_key
from taijitu.ipld.cid import CAR, link_to
from taijitu.ucan.issue import absent, delegate
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import Signer
from taijitu.wire import message

ACCOUNT = "did:mailto:example.com:alice"


def rotate(service: Service, *options: str) -> None:
    service.stop()
    ended = taijitu(service, "key", "rotate", *options)
    assert ended.code == 0, ended.err
    service.start()


def key_of(service: Service) -> Signer:
    """The service's own key, under its DID."""
    return Signer.parse((service.data / "key").read_text().strip()).under(service.did)


def keys_named(service: Service) -> list[str]:
    """The keys in its DID document."""
    methods = service.get_json("/.well-known/did.json")["verificationMethod"]
    return [f"did:key:{each['publicKeyMultibase']}" for each in methods]


def report_of(receipt: Receipt) -> bytes:
    """The message that a receipt comes in."""
    blocks = {receipt.link: receipt.data}
    return message.encode(report={receipt.ran: receipt.link}, blocks=blocks)


async def asked_by_an_account(client: Raw, key: Signer, space: Signer, agent: Signer) -> Any:
    """What is said to an agent that logged in: `key` attests the session."""
    given = delegate(space, ACCOUNT, [{"can": "*", "with": space.did}], expiration=None)
    everything = [{"can": "*", "with": "ucan:*"}]
    session = absent(ACCOUNT, agent.did, everything, expiration=None, proofs=[given.link])
    attests = {"can": "ucan/attest", "with": client.did, "nb": {"proof": session.link}}
    attested = delegate(key, agent.did, [attests], expiration=None)
    asked = delegate(
        agent,
        client.did,
        [{"can": "store/list", "with": space.did}],
        expiration=int(time()) + 600,
        proofs=[session.link, attested.link],
        nonce=os.urandom(4).hex(),
    )
    return (await client.send(asked, proofs=[given, session, attested])).out


async def test_what_the_old_key_signed_stays_good(serve: Serve) -> None:
    service, car = serve(), random_car()
    old = key_of(service)
    async with talking_to(service) as client:
        alice = client.space()
        asked = alice.asks_to_add(car)
        before = await client.send(asked)
    await asyncio.to_thread(rotate, service)
    assert keys_named(service) == [key_of(service).key_did, old.key_did]
    async with talking_to(service) as client:
        assert client.key == key_of(service).key_did != old.key_did
        alice.client = client
        assert await client.put(before.out["ok"], car.data) == 200
        assert await alice.links() == [car.link]
        client.key = old.key_did
        again = await client.send(asked)
        assert again.link == before.link
        client.key = key_of(service).key_did
        assert "ok" in await asked_by_an_account(client, old, new_key(), new_key())
        assert "ok" in await asked_by_an_account(client, key_of(service), new_key(), new_key())


async def test_what_a_leaked_key_signed_is_worth_nothing(serve: Serve) -> None:
    service, car = serve(), random_car()
    old = key_of(service)
    async with talking_to(service) as client:
        alice = client.space()
        ok = (await alice.add(car))["ok"]
        assert "ok" in await asked_by_an_account(client, old, new_key(), new_key())
    await asyncio.to_thread(rotate, service, "--leaked")
    assert keys_named(service) == [key_of(service).key_did]
    async with talking_to(service) as client:
        assert await client.put(ok, car.data) == 403
        refused = await asked_by_an_account(client, old, new_key(), new_key())
        assert "Unable to resolve" in refused["error"]["message"]
        alice.client = client
        assert "ok" in await alice.remove(car)
        assert (await client.put((await alice.add(car))["ok"], car.data)) == 200


async def test_a_client_that_knew_the_old_key_goes_on_with_the_new_one(serve: Serve) -> None:
    service, data = serve(), os.urandom(1_000)
    async with Client(service.url, key=new_key()) as client:
        await client.store.add(data)
        await asyncio.to_thread(rotate, service)
        assert await client.store.has(link_to(data, CAR))
        assert (await client.service()).key == key_of(service).key_did
        await asyncio.to_thread(rotate, service, "--leaked")
        with pytest.raises(Untrusted, match="did not sign"):
            await client.store.page()


async def test_a_client_that_comes_later_knows_the_keys_of_before(serve: Serve) -> None:
    """The same invocation twice has one receipt, whoever signed it at the time."""
    service, car = serve(), random_car()
    async with talking_to(service) as raw:
        before = await raw.send(raw.space().asks_to_add(car))
    await asyncio.to_thread(rotate, service)
    async with Client(service.url, key=new_key()) as client:
        known = await client.service()
        assert asking.receipt_in(report_of(before), before.ran, known).link == before.link
        with pytest.raises(Untrusted, match="did not sign"):
            asking.receipt_in(report_of(before), before.ran, replace(known, past=()))


async def test_a_backup_holds_what_the_keys_of_before_are_known_by(
    serve: Serve, tmp_path: Path
) -> None:
    service = serve()
    await asyncio.to_thread(rotate, service)
    service.stop()
    assert taijitu(service, "backup", str(tmp_path / "backup")).code == 0
    new = tmp_path / "new"
    restored = taijitu(service, "restore", str(tmp_path / "backup"), TAIJITU_DATA=str(new))
    assert restored.code == 0, restored.err
    for name in ("key", "past-keys", "url-secret"):
        assert (new / name).read_bytes() == (service.data / name).read_bytes()
        assert (new / name).stat().st_mode & 0o777 == 0o600
