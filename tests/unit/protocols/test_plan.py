"""Goal: who has a plan is as the operator set it, whatever an account asks; and a client that waits
for a plan hears the one error that means "wait".

Method: a service in memory with each of the three policies."""

from typing import Any

import pytest

from taijitu.machines.account import Known
from taijitu.protocols import plan
from taijitu.protocols.entries import iso
from unit.protocols.accounting import Account, Accounting
from unit.ucan.people import account, bob, mallory, service

OTHER = "did:mailto:example.com:bob"
PRODUCT = "did:web:plan.example"
BETTER = "did:web:better.example"
URL = "https://example.com/back?to=here"

closed = pytest.mark.parametrize("policy", ["assigned", "required"])
every = pytest.mark.parametrize("policy", ["open", "assigned", "required"])


@pytest.fixture
async def serving(policy: Any) -> Accounting:
    return Accounting(policy)


@pytest.fixture
async def hers(serving: Accounting) -> Account:
    return await serving.log_in()


@pytest.mark.parametrize("policy", ["open"])
async def test_where_plans_are_open_every_account_has_one(
    serving: Accounting, hers: Account
) -> None:
    found = await serving.accounts.find(account)
    assert found is not None
    assert await serving.act(hers, "plan/get") == {
        "ok": {"product": service.did, "updatedAt": iso(found.since)}
    }
    assert await serving.act(hers, "plan/create-admin-session", returnURL=URL) == {
        "ok": {"url": URL}
    }


@closed
async def test_else_those_have_one_who_were_given_one(serving: Accounting, hers: Account) -> None:
    assert await serving.act(hers, "plan/get") == {
        "error": {"name": "PlanNotFound", "message": f"could not find a plan for {account}"}
    }
    for can, nb in (
        ("plan/set", {"product": PRODUCT}),
        ("plan/create-admin-session", {"returnURL": URL}),
    ):
        assert (await serving.act(hers, can, **nb))["error"]["name"] == "CustomerNotFound"
    await serving.accounts.assign(account, PRODUCT)
    assert (await serving.act(hers, "plan/get"))["ok"]["product"] == PRODUCT
    assert await serving.act(hers, "plan/create-admin-session", returnURL=URL) == {
        "ok": {"url": URL}
    }


@every
async def test_a_plan_is_changed_by_its_account(serving: Accounting, hers: Account) -> None:
    await serving.accounts.assign(account, PRODUCT)
    serving.world.clock.advance(5_000)
    assert await serving.act(hers, "plan/set", product=BETTER) == {"ok": {}}
    assert await serving.act(hers, "plan/get") == {
        "ok": {"product": BETTER, "updatedAt": iso(serving.engine.now())}
    }


@every
async def test_the_same_plan_again_changes_nothing(serving: Accounting, hers: Account) -> None:
    await serving.accounts.assign(account, PRODUCT)
    before = await serving.act(hers, "plan/get")
    serving.world.clock.advance(5_000)
    await serving.act(hers, "plan/set", product=PRODUCT)
    await serving.accounts.assign(account, PRODUCT)
    assert await serving.act(hers, "plan/get") == before


@pytest.mark.parametrize("policy", ["open"])
async def test_where_plans_are_open_the_first_is_chosen_by_the_account(
    serving: Accounting, hers: Account
) -> None:
    assert await serving.act(hers, "plan/set", product=PRODUCT) == {"ok": {}}
    assert (await serving.act(hers, "plan/get"))["ok"]["product"] == PRODUCT


@every
async def test_a_plan_may_be_given_to_somebody_who_was_never_here(serving: Accounting) -> None:
    given = await serving.accounts.assign(OTHER, PRODUCT)
    assert (given.account, given.confirmed, given.product) == (OTHER, None, PRODUCT)
    his = await serving.log_in(bob, OTHER)
    assert (await serving.act(his, "plan/get"))["ok"]["product"] == PRODUCT
    found = await serving.accounts.find(OTHER)
    assert found is not None
    assert found.confirmed is not None


@every
async def test_nobody_else_is_told_or_chooses(serving: Accounting, hers: Account) -> None:
    await serving.accounts.assign(OTHER, PRODUCT)
    for can, nb in (
        ("plan/get", {}),
        ("plan/set", {"product": BETTER}),
        ("plan/create-admin-session", {"returnURL": URL}),
    ):
        for who in (hers, hers._replace(agent=mallory)):
            out = await serving.act(who, can, OTHER, **nb)
            assert out["error"]["name"] == "Unauthorized"
    found = await serving.accounts.find(OTHER)
    assert found is not None
    assert found.product == PRODUCT


@every
@pytest.mark.parametrize(
    ("can", "nb"),
    [
        ("plan/set", {"product": "a plan"}),
        ("plan/set", {"product": f"did:web:{'x' * plan.PRODUCT_LENGTH_MAX}"}),
        ("plan/set", {}),
        ("plan/create-admin-session", {"returnURL": f"https://{'x' * plan.URL_LENGTH_MAX}"}),
        ("plan/create-admin-session", {"returnURL": "nowhere"}),
    ],
    ids=lambda value: f"{value!s:.30}",
)
async def test_what_makes_no_sense_is_refused(
    serving: Accounting, hers: Account, can: str, nb: dict[str, str]
) -> None:
    await serving.accounts.assign(account, PRODUCT)
    assert "error" in await serving.act(hers, can, **nb)
    assert (await serving.act(hers, "plan/get"))["ok"]["product"] == PRODUCT


@pytest.mark.parametrize("policy", ["open"])
async def test_all_accounts_are_listed_page_by_page(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "PAGE", 2)
    dids = [f"did:mailto:example.com:{name}" for name in ("a", "b", "c%2Fd", "e", "f")]
    for did in dids:
        await serving.accounts.assign(did, PRODUCT)
    found = [each async for each in serving.accounts.all()]
    assert [each.account for each in found] == dids
    assert all(isinstance(each, Known) for each in found)
