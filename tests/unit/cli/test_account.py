"""Goal: an operator confirms logins and sees to plans from the terminal, and is told what happened
so that nobody mistakes it. Method: commands in process, on the data folder of a stopped service."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from taijitu.cli import REFUSED, USAGE
from taijitu.cli.account import in_list, told
from taijitu.ipld.cid import link_to
from taijitu.machines.login import Ask, login_at
from taijitu.server import config as configuration
from taijitu.server.installation import opened
from unit.cli.running import Run
from unit.ucan.people import account, alice, mallory

EMAIL = "alice@example.com"
PLAN = "did:web:plan.example"


@pytest.fixture
def data(run: Run) -> None:
    """A data folder, made by a service that runs no more."""
    assert run("account", "plan", "bob@example.com", PLAN).code == 0


def asks(agent: str = alice.did, att: tuple[str, ...] = ("*",)) -> str:
    """An agent asked to log in while the service ran; the request."""

    async def ask() -> str:
        async with opened(configuration.load().config) as installation:
            now = installation.engine.now()
            request = link_to(f"{agent} {now}".encode())
            message = Ask(now, request, account, agent, att, now // 1000 * 1000 + 600_000)
            await installation.engine.transact(login_at(request), message)
            return str(request)

    return asyncio.run(ask())


@pytest.mark.usefixtures("data")
def test_a_login_is_confirmed_by_the_address(run: Run) -> None:
    asks()
    ended = run("account", "confirm", EMAIL)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Confirmed: {alice.did}\nacts for {EMAIL} now")
    assert run("account", "waiting").out == "No login waits to be confirmed.\n"


@pytest.mark.usefixtures("data")
def test_a_login_is_confirmed_by_the_command_in_the_log(run: Run) -> None:
    request = asks()
    assert json.loads(run("account", "confirm", request, "--json").out)["confirmed"]["agent"] == (
        alice.did
    )
    again = run("account", "confirm", request)
    assert (again.code, again.out) == (0, "It is confirmed, and was before.\n")


@pytest.mark.usefixtures("data")
def test_of_several_it_asks_which(run: Run) -> None:
    hers, others = asks(), asks(mallory.did)
    ended = run("account", "confirm", EMAIL)
    assert (ended.code, ended.out) == (REFUSED, "")
    first, *listed = ended.err.splitlines()
    assert first == (f"taijitu: 2 logins wait for {EMAIL}. Confirm one of them by its request:")
    assert listed[0] == others
    assert listed[3] == hers
    assert mallory.did in listed[2]
    told = run("account", "confirm", EMAIL, "--json")
    assert told.code == REFUSED
    assert [each["request"] for each in json.loads(told.out)["several"]] == [others, hers]
    assert run("account", "confirm", hers).code == 0


@pytest.mark.usefixtures("data")
def test_the_logins_that_wait_are_listed(run: Run) -> None:
    request = asks(att=("store/*", "upload/*"))
    lines = run("account", "waiting").out.splitlines()
    assert lines[0] == request
    assert lines[1] == f"  {EMAIL} · 9 min left"
    assert lines[2] == f"  {alice.did} wants store/*, upload/*"
    (told,) = json.loads(run("account", "waiting", "--json").out)
    assert (told["request"], told["email"]) == (request, EMAIL)


@pytest.mark.usefixtures("data")
def test_what_can_not_be_confirmed_is_told_in_a_sentence(run: Run) -> None:
    for login, why in (
        (EMAIL, f"no login waits to be confirmed for {EMAIL}"),
        (str(link_to(b"never")), "nobody asked for this login"),
        ("alice", "'alice' is neither an e-mail address nor an account"),
    ):
        ended = run("account", "confirm", login)
        assert (ended.code, ended.out, ended.err) == (REFUSED, "", f"taijitu: {why}\n")
    assert run("account", "confirm").code == USAGE


def test_where_there_is_no_service_none_is_made(run: Run, tmp_path: Path) -> None:
    for command in (("confirm", EMAIL), ("waiting",), ("list",), ("plan", EMAIL)):
        ended = run("account", *command)
        assert ended.code == REFUSED
        assert "no data folder" in ended.err
    assert not (tmp_path / "data").exists()


def test_a_plan_can_be_given_before_the_service_was_ever_started(run: Run) -> None:
    ended = run("account", "plan", EMAIL, PLAN)
    assert ended.out == f"{EMAIL}\n  never logged in · plan {PLAN}\n"
    assert run("account", "plan", account).out == ended.out
    told = json.loads(run("account", "plan", EMAIL, "--json").out)
    assert (told["account"], told["product"], told["given"]) == (account, PLAN, True)


@pytest.mark.usefixtures("data")
def test_a_plan_is_named_by_a_did(run: Run) -> None:
    ended = run("account", "plan", EMAIL, "gold")
    assert ended.code == REFUSED
    assert "a plan is named by a DID, such as did:web:plan" in ended.err


@pytest.mark.usefixtures("data")
def test_accounts_are_listed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asks()
    run("account", "confirm", EMAIL)
    one, two, three, four = run("account", "list").out.splitlines()
    assert (one, three) == (EMAIL, "bob@example.com")
    assert two.startswith("  first login 2")
    assert two.endswith("as everybody has")
    assert four == f"  never logged in · plan {PLAN}"
    listed = json.loads(run("account", "list", "--json").out)
    assert [each["email"] for each in listed] == [EMAIL, "bob@example.com"]
    monkeypatch.setenv("TAIJITU_PLANS", "required")
    assert run("account", "list").out.splitlines()[1].endswith(" · no plan")


@pytest.mark.usefixtures("data")
def test_addresses_and_domains_are_shut_out_and_let_in(run: Run) -> None:
    assert run("account", "blocked").out == "Nobody is shut out.\n"
    assert run("account", "block", "Bob@Example.com").out == "bob@example.com is shut out.\n"
    assert run("account", "block", "example.org").code == 0
    assert run("account", "blocked").out == "bob@example.com\nexample.org\n"
    assert json.loads(run("account", "blocked", "--json").out) == ["bob@example.com", "example.org"]
    assert run("account", "list").out.splitlines()[1].endswith(" · blocked")
    assert run("account", "unblock", "bob@example.com").out == "bob@example.com is let in again.\n"
    assert run("account", "unblock", "bob@example.com").out == "bob@example.com was not shut out.\n"
    assert run("account", "blocked").out == "example.org\n"


def test_a_login_that_is_over_is_told_as_that() -> None:
    login = {
        "request": "bafy",
        "email": EMAIL,
        "agent": alice.did,
        "att": ["*", "store/add"],
        "expires": int(time.time() * 1000) - 1,
    }
    assert in_list(login) == (
        "bafy",
        f"  {EMAIL} · too late",
        f"  {alice.did} wants everything, store/add",
    )


def test_an_account_is_told_on_two_lines() -> None:
    told_of = {"email": EMAIL, "confirmed": 0, "product": None, "given": False, "blocked": True}
    assert told(told_of) == (EMAIL, "  first login 1970-01-01 00:00 · no plan · blocked")
