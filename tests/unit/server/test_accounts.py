"""Goal: an operator confirms exactly the login that he means, and what he is told of accounts is
plain data. Method: an installation on a folder of its own, without a service."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from taijitu.engine.clock import wall_ms
from taijitu.ipld.cid import Link, link_to
from taijitu.machines.login import Ask, Confirmed, login_at
from taijitu.protocols import login
from taijitu.server import config as configuration
from taijitu.server.admin import Admin
from taijitu.server.installation import opened
from taijitu.server.trouble import BadRequest
from unit.ucan.people import account, alice, bob, mallory

EMAIL = "alice@example.com"
OTHER = "did:mailto:example.com:bob"
PLAN = "did:web:plan.example"


@pytest.fixture(params=["open"])
async def admin(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Admin]:
    environ = {
        "TAIJITU_DATA": str(tmp_path / "data"),
        "TAIJITU_PORT": "3210",
        "TAIJITU_PLANS": request.param,
    }
    async with opened(configuration.load(environ, tmp_path).config) as installation:
        yield Admin(installation)


async def asks(
    admin: Admin, agent: str = alice.did, who: str = account, *, left: int = 600_000
) -> Link:
    """An agent asks for a login that can be confirmed for `left` ms."""
    now = admin.engine.now()
    request = link_to(f"{agent} {who} {now} {left}".encode())
    message = Ask(now, request, who, agent, ("*",), (now + left) // 1000 * 1000)
    await admin.engine.transact(login_at(request), message)
    return request


async def is_confirmed(admin: Admin, request: Link) -> bool:
    state = (await admin.engine.read(login_at(request))).state
    return isinstance(state, Confirmed)


async def refusal(admin: Admin, verb: str, **arguments: Any) -> str:
    with pytest.raises(BadRequest) as refused:
        await admin.ask(verb, arguments)
    return str(refused.value)


@pytest.mark.parametrize("login", [EMAIL, account])
async def test_the_login_that_waits_for_an_account_is_confirmed(admin: Admin, login: str) -> None:
    request = await asks(admin)
    other = await asks(admin, bob.did, OTHER)
    answer = await admin.ask("confirm", {"login": login})
    assert answer["confirmed"]["request"] == str(request)
    assert answer["confirmed"]["agent"] == alice.did
    assert await is_confirmed(admin, request)
    assert not await is_confirmed(admin, other)


async def test_a_login_is_confirmed_by_its_request(admin: Admin) -> None:
    one, two = await asks(admin), await asks(admin, bob.did)
    answer = await admin.ask("confirm", {"login": str(one)})
    assert answer["confirmed"]["email"] == EMAIL
    assert await is_confirmed(admin, one)
    assert not await is_confirmed(admin, two)
    again = await admin.ask("confirm", {"login": str(one)})
    assert again == {"confirmed": {"request": str(one)}}


async def test_a_request_is_found_however_many_wait(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "LOGINS_SHOWN_MAX", 1)
    request = await asks(admin)
    await asks(admin, bob.did)
    answer = await admin.ask("confirm", {"login": str(request)})
    assert answer["confirmed"]["agent"] == alice.did


async def test_of_several_none_is_confirmed_by_the_address(admin: Admin) -> None:
    """One of them may be mallory's, who knows the address, too."""
    hers, others = await asks(admin), await asks(admin, mallory.did)
    answer = await admin.ask("confirm", {"login": EMAIL})
    assert [each["agent"] for each in answer["several"]] == [mallory.did, alice.did]
    assert not await is_confirmed(admin, hers)
    assert not await is_confirmed(admin, others)
    await admin.ask("confirm", {"login": str(hers)})
    answer = await admin.ask("confirm", {"login": EMAIL})
    assert answer["confirmed"]["agent"] == mallory.did, "the one that is left"


async def test_those_that_wait_are_told_with_all_that_matters(admin: Admin) -> None:
    request = await asks(admin)
    (told,) = await admin.ask("logins", {})
    assert told == {
        "request": str(request),
        "account": account,
        "email": EMAIL,
        "agent": alice.did,
        "att": ["*"],
        "at": told["at"],
        "expires": told["expires"],
    }
    assert 0 <= wall_ms() - told["at"] < 60_000
    assert 0 < told["expires"] - told["at"] <= 600_000
    assert json.dumps(told)


async def test_what_can_not_be_confirmed_is_refused_in_words(admin: Admin) -> None:
    late = await asks(admin, left=0)
    assert "not confirmed in time" in await refusal(admin, "confirm", login=str(late))
    never = link_to(b"never sent")
    assert "nobody asked for this login" in await refusal(admin, "confirm", login=str(never))
    assert "no login waits" in await refusal(admin, "confirm", login=EMAIL)
    assert await admin.ask("logins", {}) == []


@pytest.mark.parametrize(
    "text",
    ["", "alice", "did:key:z6Mk", "@example.com", "a b@example.com", "did:mailto:x", "x" * 999],
)
async def test_what_is_no_account_is_refused_in_words(admin: Admin, text: str) -> None:
    why = "is neither an e-mail address nor an account"
    for verb, more in (("account", {}), ("plan", {"product": PLAN})):
        said = await refusal(admin, verb, account=text, **more)
        assert why in said
        assert len(said) < 200
    assert why in await refusal(admin, "confirm", login=text)
    assert await admin.ask("accounts", {}) == []


async def test_an_account_is_known_once_it_has_logged_in(admin: Admin) -> None:
    assert "nobody ever logged in" in await refusal(admin, "account", account=EMAIL)
    await asks(admin)
    assert await admin.ask("accounts", {}) == []
    await admin.ask("confirm", {"login": EMAIL})
    (told,) = await admin.ask("accounts", {})
    assert told == await admin.ask("account", {"account": EMAIL})
    assert told == {
        "account": account,
        "email": EMAIL,
        "since": told["since"],
        "confirmed": told["since"],
        "product": "did:web:localhost%3A3210",
        "given": False,
        "blocked": False,
    }


@pytest.mark.parametrize("admin", ["open", "assigned", "required"], indirect=True)
async def test_a_plan_is_given_to_whomever(admin: Admin) -> None:
    given = await admin.ask("plan", {"account": EMAIL, "product": PLAN})
    assert (given["account"], given["confirmed"]) == (account, None)
    assert (given["product"], given["given"]) == (PLAN, True)
    assert await admin.ask("account", {"account": account}) == given


@pytest.mark.parametrize("admin", ["assigned", "required"], indirect=True)
async def test_without_one_there_is_none(admin: Admin) -> None:
    await asks(admin)
    await admin.ask("confirm", {"login": EMAIL})
    told = await admin.ask("account", {"account": EMAIL})
    assert (told["product"], told["given"]) == (None, False)


@pytest.mark.parametrize("product", ["", "gold", "did:", "did:key:z", f"did:web:{'x' * 600}"])
async def test_a_plan_is_named_by_a_did(admin: Admin, product: str) -> None:
    assert "DID" in await refusal(admin, "plan", account=EMAIL, product=product)
    assert await admin.ask("accounts", {}) == []


@pytest.mark.parametrize("subject", [EMAIL, "Alice@Example.com", "example.com"])
async def test_who_is_shut_out_is_told_as_blocked_until_let_in(admin: Admin, subject: str) -> None:
    await admin.ask("plan", {"account": EMAIL, "product": PLAN})
    for _ in range(2):
        assert await admin.ask("account-block", {"subject": subject}) == {
            "subject": subject.lower()
        }
    assert await admin.ask("account-blocked", {}) == [subject.lower()]
    assert (await admin.ask("account", {"account": EMAIL}))["blocked"] is True
    for blocked in (True, False):
        answer = await admin.ask("account-unblock", {"subject": subject})
        assert answer == {"subject": subject.lower(), "blocked": blocked}
    assert (await admin.ask("account", {"account": EMAIL}))["blocked"] is False
    assert await admin.ask("account-blocked", {}) == []


@pytest.mark.parametrize("subject", ["", "@", "a b", "did:key:z6Mk", "alice@", "a@b@c", "x" * 999])
async def test_only_addresses_and_domains_are_shut_out(admin: Admin, subject: str) -> None:
    why = await refusal(admin, "account-block", subject=subject)
    assert "is neither an e-mail address nor a domain" in why
    assert await admin.ask("account-blocked", {}) == []
