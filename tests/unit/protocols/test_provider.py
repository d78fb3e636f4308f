"""Goal: a space is provided for once, at the expense of an account that agreed and may, and
everybody who asks is told the same about it.

Method: a service in memory that gives unknown spaces no room; accounts that log in."""

import asyncio
from typing import Any

import pytest

from taijitu.ipld.cid import CAR, link_to
from taijitu.machines.ledger import Provisioned, ledger_at
from taijitu.machines.subscription import Subscribed, subscription_at
from taijitu.protocols import provider, subscribed
from taijitu.ucan.signer import Signer
from unit.protocols.accounting import ROOM, SMALL, SMALL_ROOM, Account, Accounting
from unit.ucan.people import account, alice, bob, carol, mallory, service, space

OTHER = "did:mailto:example.com:bob"
LINK = link_to(b"a car", CAR)


@pytest.fixture
def serving() -> Accounting:
    return Accounting()


@pytest.fixture
async def hers(serving: Accounting) -> Account:
    return await serving.log_in()


def named(owner: Signer, who: str = account, by: str = service.did) -> str:
    return f"{who}:{owner.did}@{by}"


async def add(
    serving: Accounting, who: Account, consumer: str = space.did, by: str = service.did
) -> Any:
    return await serving.act(who, "provider/add", provider=by, consumer=consumer)


async def refusal(serving: Accounting, who: Account, **more: str) -> tuple[str, str]:
    """Why a space is not provided for; and it is not."""
    error = (await add(serving, who, **more))["error"]
    state = (await serving.engine.read(subscription_at(more.get("consumer", space.did)))).state
    assert not isinstance(state, Subscribed)
    return error["name"], error["message"]


async def test_a_space_gets_room_and_the_subscription_a_name(
    serving: Accounting, hers: Account
) -> None:
    assert await add(serving, hers) == {"ok": {"id": named(space)}}
    found = await serving.spaces.find(space.did)
    assert found is not None
    assert (found.capacity, found.used) == (ROOM, 0)
    assert "ok" in await serving.invoke("store/list")


async def test_another_name_of_ours_gives_other_room(serving: Accounting, hers: Account) -> None:
    assert await add(serving, hers, by=SMALL) == {"ok": {"id": named(space, by=SMALL)}}
    found = await serving.spaces.find(space.did)
    assert found is not None
    assert found.capacity == SMALL_ROOM


async def test_a_space_that_has_room_keeps_what_it_has(serving: Accounting, hers: Account) -> None:
    """The operator gave it some, or it was opened on first use."""
    await serving.world.provision(space.did, 5 * ROOM)
    assert "ok" in await add(serving, hers, by=SMALL)
    found = await serving.spaces.find(space.did)
    assert found is not None
    assert found.capacity == 5 * ROOM


# Why not, in the order in which it is looked at


async def test_only_an_account_has_spaces_provided_for(serving: Accounting) -> None:
    asked = serving.asks(alice, "provider/add", alice.did, provider=service.did, consumer=space.did)
    error = (await serving.send(asked)).out["error"]
    assert error["name"] == "Unauthorized"
    assert "did:mailto:" in error["message"]


async def test_an_account_agrees_by_a_session(serving: Accounting, hers: Account) -> None:
    stranger = hers._replace(agent=mallory, proofs=[])
    assert (await refusal(serving, stranger))[0] == "Unauthorized"
    assert (await refusal(serving, hers._replace(did=OTHER)))[0] == "Unauthorized"


async def test_a_delegation_of_the_account_is_enough(serving: Accounting) -> None:
    session = await serving.log_in(att=["provider/add"])
    assert "ok" in await add(serving, session)
    other = await serving.log_in(bob, att=["provider/get", "plan/*"])
    assert (await refusal(serving, other, consumer=carol.did))[0] == "Unauthorized"


@pytest.mark.parametrize("consumer", ["did:key:z", "did:key:zzz", "did:key:../x", "did:key:z6Mk"])
async def test_what_is_no_space_is_not_provided_for(
    serving: Accounting, hers: Account, consumer: str
) -> None:
    assert "is not the DID of a space" in (await add(serving, hers, consumer))["error"]["message"]


@pytest.mark.parametrize("subject", ["example.com", "alice@example.com"])
async def test_a_blocked_account_is_told_so_before_anything_else(
    serving: Accounting, hers: Account, subject: str
) -> None:
    serving.accounts.policy = "required"
    await serving.ok("rate-limit/add", service, subject=subject, rate=0)
    text = f"Account identified by {account} is blocked"
    assert await refusal(serving, hers, by="did:web:unknown.example") == ("AccountBlocked", text)


async def test_a_plan_comes_before_the_name_of_the_provider(
    serving: Accounting, hers: Account
) -> None:
    serving.accounts.policy = "required"
    text = f"Account identified by {account} has not selected a payment plan"
    unknown = "did:web:unknown.example"
    assert await refusal(serving, hers, by=unknown) == ("AccountPlanMissing", text)
    await serving.accounts.assign(account, "did:web:plan.example")
    text = f"Invalid provider: {unknown}"
    assert await refusal(serving, hers, by=unknown) == ("InvalidProvider", text)
    assert "ok" in await add(serving, hers)


@pytest.mark.parametrize("policy", ["open", "assigned"])
async def test_a_plan_is_needed_only_where_it_is_required(
    serving: Accounting, hers: Account, policy: Any
) -> None:
    serving.accounts.policy = policy
    assert "ok" in await add(serving, hers)


@pytest.mark.parametrize("by", [service.did, SMALL])
async def test_a_space_is_provided_for_once(serving: Accounting, hers: Account, by: str) -> None:
    await add(serving, hers)
    his = await serving.log_in(bob, OTHER)
    for who in (hers, his):
        error = (await add(serving, who, by=by))["error"]
        assert error["name"] == "SpaceAlreadyProvisioned"
        assert error["message"] == f"{space.did} already has a storage provider"
    assert await serving.act(his, "subscription/list") == {"ok": {"results": []}}


async def test_of_two_at_once_one_has_it(serving: Accounting, hers: Account) -> None:
    his = await serving.log_in(bob, OTHER)
    outs = await asyncio.gather(add(serving, hers), add(serving, his, by=SMALL))
    (won,) = [out["ok"]["id"] for out in outs if "ok" in out]
    (lost,) = [out["error"]["name"] for out in outs if "error" in out]
    assert lost == "SpaceAlreadyProvisioned"
    state = (await serving.engine.read(subscription_at(space.did))).state
    assert isinstance(state, Subscribed)
    assert provider.name_of(state) == won
    ledger = (await serving.engine.read(ledger_at(space.did))).state
    assert isinstance(ledger, Provisioned)
    assert ledger.capacity == (ROOM if state.customer == account else SMALL_ROOM)


async def test_the_same_invocation_again_gets_the_same_receipt(
    serving: Accounting, hers: Account
) -> None:
    nb = {"provider": service.did, "consumer": space.did}
    asked = serving.asks(alice, "provider/add", account, hers.proofs, **nb)
    first, second = await asyncio.gather(
        *[serving.send(asked, company=hers.blocks) for _ in range(2)]
    )
    third = await serving.send(asked, company=hers.blocks)
    assert first.data == second.data == third.data
    assert first.is_ok


async def test_a_blocked_space_stays_blocked(serving: Accounting, hers: Account) -> None:
    await serving.spaces.block(space.did)
    await add(serving, hers)
    error = await serving.error("store/add", link=LINK, size=1)
    assert error["message"] == f"{space.did} is blocked"


# What is told


async def test_an_account_lists_what_it_has_the_newest_first(
    serving: Accounting, hers: Account
) -> None:
    assert await serving.act(hers, "subscription/list") == {"ok": {"results": []}}
    await add(serving, hers)
    await add(serving, hers, bob.did, SMALL)
    await add(serving, await serving.log_in(bob, OTHER), carol.did)
    assert (await serving.act(hers, "subscription/list"))["ok"]["results"] == [
        {
            "provider": SMALL,
            "consumers": [bob.did],
            "subscription": named(bob, by=SMALL),
        },
        {"provider": service.did, "consumers": [space.did], "subscription": named(space)},
    ]


async def test_a_long_list_ends_with_what_one_answer_holds(
    serving: Accounting, hers: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner in (space, bob, carol):
        await add(serving, hers, owner.did)
    monkeypatch.setattr(subscribed, "PAGE", 1)
    monkeypatch.setattr(provider, "SUBSCRIPTIONS_MAX", 2)
    listed = (await serving.act(hers, "subscription/list"))["ok"]["results"]
    assert [each["consumers"] for each in listed] == [[carol.did], [bob.did]]


async def test_a_space_tells_by_which_name_it_is_provided_for(
    serving: Accounting, hers: Account
) -> None:
    await add(serving, hers, by=SMALL)
    assert (await serving.ok("space/info"))["providers"] == [SMALL]


async def test_the_service_is_told_who_has_a_space_provided_for(
    serving: Accounting, hers: Account
) -> None:
    assert await serving.ok("consumer/has", service, consumer=space.did) is False
    error = await serving.error("consumer/get", service, consumer=space.did)
    assert error["name"] == "ConsumerNotFound"
    await add(serving, hers)
    await serving.world.add(space.did, b"bytes")
    assert await serving.ok("consumer/has", service, consumer=space.did) is True
    assert await serving.ok("consumer/get", service, consumer=space.did) == {
        "did": space.did,
        "allocated": 5,
        "limit": ROOM,
        "subscription": named(space),
        "customer": account,
    }
    assert await serving.ok("customer/get", service, customer=account) == {
        "did": account,
        "subscriptions": [named(space)],
    }
    assert await serving.ok("subscription/get", service, subscription=named(space)) == {
        "customer": account,
        "consumer": space.did,
    }


async def test_a_space_that_the_operator_lets_in_has_a_provider_and_no_account(
    serving: Accounting,
) -> None:
    await serving.world.provision(space.did, ROOM)
    assert await serving.ok("consumer/has", service, consumer=space.did) is True
    error = await serving.error("consumer/get", service, consumer=space.did)
    assert error["name"] == "ConsumerNotFound"


async def test_an_account_that_only_logged_in_is_known(serving: Accounting, hers: Account) -> None:
    assert await serving.ok("customer/get", service, customer=hers.did) == {
        "did": account,
        "subscriptions": [],
    }
    error = await serving.error("customer/get", service, customer=OTHER)
    assert error["name"] == "CustomerNotFound"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "@",
        space.did,
        f"{OTHER}:{space.did}@{service.did}",
        f"{account}:{space.did}@{SMALL}",
        f"{account}:did:key:../x@{service.did}",
        "x" * 100_000,
    ],
    ids=lambda name: f"{name:.30}",
)
async def test_another_name_is_no_subscription(
    serving: Accounting, hers: Account, name: str
) -> None:
    await add(serving, hers)
    error = await serving.error("subscription/get", service, subscription=name)
    assert error["name"] == "SubscriptionNotFound"
    assert len(error["message"]) < 2_000


NB = {
    "consumer/has": {"consumer": space.did},
    "consumer/get": {"consumer": space.did},
    "customer/get": {"customer": account},
    "subscription/get": {"subscription": named(space)},
}


@pytest.mark.parametrize("can", NB)
async def test_about_others_only_the_service_is_told(
    serving: Accounting, hers: Account, can: str
) -> None:
    await add(serving, hers)
    other = mallory.under("did:web:mallory.example")
    asked = serving.asks(mallory, can, service.did, (), **NB[can])
    assert (await serving.send(asked)).out["error"]["name"] == "Unauthorized"
    asked = serving.asks(mallory, can, other.did, (), **NB[can])
    assert "error" in (await serving.send(asked)).out
    assert "error" in await serving.act(hers, can, service.did, **NB[can])
