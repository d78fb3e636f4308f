"""Goal: an agent acts for an account once that has said yes, passes on what it may do, and whoever
may do so takes it back.

Method: a real service; what the letter holds is sent in its place.
"""

import os
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import pytest

from support.service import Serve, Service
from taijitu.cli.login import keep
from taijitu.client import (
    Client,
    NoDelegation,
    Signer,
    Unauthorized,
    Unavailable,
    Unusable,
    accounts,
    asking,
)
from taijitu.client.proofs import read
from taijitu.client.session import HEADERS
from taijitu.ipld.cid import Link
from taijitu.server.identity import existing_key
from taijitu.ucan import session
from taijitu.ucan.session import Login

Connect = Callable[..., Client]

ALICE = "alice@example.com"
ACCOUNT = "did:mailto:example.com:alice"


async def confirmed(client: Client, service: Service, request: str, expires: int) -> None:
    """Say yes, as the link in the letter does."""
    key = existing_key(service.data)
    assert key is not None
    login = Login(Link.parse(request), ACCOUNT, client.agent.did, ("*",), expires)
    letter = session.confirmation(key.under(service.did), login)
    body = asking.body_of(letter, {})
    answer = await client.connection.ask("POST", f"{client.url}/", body, HEADERS)
    receipt = asking.receipt_in(answer.body, letter.link, await client.service())
    assert receipt.is_ok, receipt.out


async def logged_in(client: Client, service: Service) -> None:
    """Log in, and confirm it as soon as it was asked for."""
    ask = client.exchange

    async def exchange(can: str, *rest: Any, **more: Any) -> asking.Answered:
        answer = await ask(can, *rest, **more)
        if can == "access/authorize":
            ok = answer.receipt.out["ok"]
            await confirmed(client, service, str(ok["request"]), ok["expiration"])
        return answer

    client.exchange = exchange
    await client.login(ALICE, within=30)


async def test_who_has_logged_in_has_the_spaces_of_the_account(
    service: Service, connect: Connect, alice: Signer, bob: Signer, tmp_path: Path
) -> None:
    async with connect(alice) as client:
        await logged_in(client, service)
        made = await client.create_space(ALICE)
        assert client.spaces() == [made.did]
        added = await client.put(os.urandom(100))
        kept = keep(client.proofs, tmp_path / "proofs")
    async with connect(alice, proofs=[Path(each) for each in kept]) as again:
        assert (await again.space.info()).did == made.did
        assert [each.root async for each in again.uploads.list()] == [added.root]


async def test_a_space_of_the_account_is_there_on_every_device(
    service: Service, connect: Connect, alice: Signer, bob: Signer
) -> None:
    """Also on one that has logged in before, and when the files of the space are lost."""
    async with connect(alice) as client, connect(bob) as device:
        await logged_in(device, service)
        known = {*device.spaces()}
        await logged_in(client, service)
        made = await client.create_space(ALICE)
        added = await client.at(made.did).blobs.add(os.urandom(100))
        device.hold(*await accounts.claim(device))
        assert {*device.spaces()} - known == {made.did}
        assert [each.digest async for each in device.at(made.did).blobs.list()] == [
            added.link.multihash
        ]


async def test_a_login_that_nobody_confirms_is_given_up(connect: Connect, alice: Signer) -> None:
    async with connect(alice) as client:
        with pytest.raises(Unavailable, match="nobody has confirmed the login of alice@"):
            await client.login(ALICE, within=0.1)
        with pytest.raises(Unusable):
            await client.login("nobody")
        assert client.proofs == ()


async def test_what_was_passed_on_can_be_taken_back(
    connect: Connect, alice: Signer, bob: Signer
) -> None:
    mallory = Signer.from_seed(os.urandom(32))
    async with connect(alice) as owner:
        to_bob = owner.delegate(bob.did, ["upload/*"], expiration=None)
        async with connect(bob, proofs=[to_bob]) as client:
            assert client.space.did == alice.did
            end = int(time()) + 1000
            to_mallory = client.delegate(mallory.did, ["upload/list"], expiration=end)
            assert to_mallory.delegation.proofs == (to_bob.delegation.link,)
            async with connect(mallory, proofs=[to_mallory]) as other:
                assert [each async for each in other.uploads.list()] == []
                await owner.revoke(to_bob)
                with pytest.raises(Unauthorized, match="revoked"):
                    [each async for each in other.uploads.list()]
            with pytest.raises(Unauthorized):
                [each async for each in client.uploads.list()]


async def test_nobody_passes_on_what_he_was_not_given(
    connect: Connect, alice: Signer, bob: Signer
) -> None:
    async with connect(bob) as client:
        with pytest.raises(NoDelegation):
            client.delegate(bob.did, ["store/*"], expiration=None, space=alice.did)
        with pytest.raises(Unusable, match="not a DID"):
            client.delegate("bob", ["store/*"], expiration=None)


async def test_a_space_of_its_own_can_be_made_without_an_account(
    serve: Serve, alice: Signer
) -> None:
    service = serve()
    async with Client(service.url, key=alice) as client:
        made = await client.create_space()
        assert made.did != alice.did
        assert client.space.did == made.did
        await client.put(b"hello")
        assert read(made.proof).delegation.issuer == made.key.did
