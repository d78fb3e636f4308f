"""Goal: an agent acts for an account if, and only if, whoever reads the account's mail (or runs the
service) said yes to exactly that, in time.

Method: a service in memory, under a clock moved by hand. The letter's secret is made as the service
makes it, and then altered, sent late, twice, or by others."""

from typing import Any

import pytest

from taijitu.ipld.cid import Link
from taijitu.kernel.failures import Fault
from taijitu.machines.login import Asked, Confirmed, Expired, Mail, login_at
from taijitu.protocols import login
from taijitu.protocols.login import LIFETIME_SECONDS
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.principal import from_email
from taijitu.ucan.signer import Signer
from unit.protocols.accounting import Accounting, claimed
from unit.ucan.people import (
    account,
    alice,
    ask,
    bob,
    cap,
    car_link,
    carol,
    mallory,
    now,
    service,
    space,
)

OTHER = "did:mailto:example.com:bob"


@pytest.fixture
def serving() -> Accounting:
    return Accounting()


async def state_of(serving: Accounting, request: Link) -> object:
    return (await serving.engine.read(login_at(request))).state


async def test_the_receipt_says_what_to_wait_for_and_until_when(serving: Accounting) -> None:
    asked, receipt = await serving.authorize()
    assert receipt.out["ok"] == {
        "request": asked.link,
        "expiration": serving.seconds() + LIFETIME_SECONDS,
    }
    assert receipt.join == serving.letter(asked).link


async def test_the_account_gets_one_letter_that_says_who_wants_what(serving: Accounting) -> None:
    async with serving.world.running():
        asked, _ = await serving.authorize(att=["store/*", "upload/add"])
        await serving.send(asked)
        await serving.world.quiet()
    until = (serving.seconds() + LIFETIME_SECONDS) * 1000
    att = ("store/*", "upload/add")
    assert serving.letters == [Mail(account, alice.did, att, asked.link, until)]


async def test_a_letter_that_can_not_be_sent_waits_and_is_sent_later(serving: Accounting) -> None:
    serving.faults = [Fault("no mail server"), Fault("no mail server")]
    async with serving.world.running() as world:
        asked, receipt = await serving.authorize()
        assert receipt.is_ok, "the client is not kept waiting"
        await world.quiet()
        assert serving.letters == []
        while not serving.letters:
            await world.pass_time(60_000)
            assert serving.seconds() < now + LIFETIME_SECONDS
    assert [each.request for each in serving.letters] == [asked.link]
    assert [row.ability for _, row, _ in world.troubles] == ["login/mail"] * 2
    assert (await serving.send(serving.letter_of(serving.letters[0]))).is_ok


async def test_nothing_can_be_claimed_before_somebody_said_yes(serving: Accounting) -> None:
    await serving.authorize()
    assert await serving.claim(alice) == []


async def test_whoever_has_the_letter_says_yes_and_the_agent_claims_a_session(
    serving: Accounting,
) -> None:
    asked, _ = await serving.authorize(att=["store/*", "upload/*"])
    letter = serving.letter(asked, att=["store/*", "upload/*"])
    said = (await serving.send(letter)).out["ok"]
    pair = await serving.claim(alice)
    assert {each.ucan.link for each in claimed(said)} == {each.ucan.link for each in pair}
    granted, attested = sorted((each.ucan for each in pair), key=lambda each: each.issuer)
    assert (granted.issuer, granted.audience, granted.expiration) == (account, alice.did, None)
    assert [(each.can, each.resource) for each in granted.capabilities] == [
        ("store/*", "ucan:*"),
        ("upload/*", "ucan:*"),
    ]
    assert (attested.issuer, attested.audience) == (service.did, alice.did)
    (capability,) = attested.capabilities
    assert capability.fields == cap("ucan/attest", service.did, proof=granted.link)
    facts = [{"access/request": asked.link, "access/confirm": letter.link}]
    assert [*granted.facts] == [*attested.facts] == facts


async def test_the_session_is_as_good_as_the_account(serving: Accounting) -> None:
    session = await serving.log_in()
    assert (await serving.act(session, "plan/get"))["ok"]["product"] == service.did
    refused = await serving.act(session, "plan/get", OTHER)
    assert refused["error"]["name"] == "Unauthorized"


async def test_a_session_for_some_abilities_is_for_no_others(serving: Accounting) -> None:
    session = await serving.log_in(att=["plan/get"])
    assert "ok" in await serving.act(session, "plan/get")
    refused = await serving.act(session, "subscription/list")
    assert refused["error"]["name"] == "Unauthorized"


async def test_to_say_yes_twice_is_to_say_it_once(serving: Accounting) -> None:
    asked, _ = await serving.authorize()
    letter = serving.letter(asked)
    first = await serving.send(letter)
    before = await state_of(serving, asked.link)
    again = serving.asks(service, "access/confirm", service.did, **letter.capabilities[0].nb)
    assert (await serving.send(letter)).data == first.data
    assert (await serving.send(again)).out == first.out
    assert await state_of(serving, asked.link) == before


async def test_the_service_may_say_it_in_its_own_words(serving: Accounting) -> None:
    asked, _ = await serving.authorize()
    letter = serving.letter(asked)
    nb = letter.capabilities[0].nb
    again = serving.asks(service, "access/confirm", service.did, [letter], **nb)
    assert (await serving.send(again, letter)).is_ok
    assert len(await serving.claim(alice)) == 2


async def test_the_operator_says_yes_without_a_letter(serving: Accounting) -> None:
    asked, _ = await serving.authorize()
    assert await serving.logins.confirm(asked.link) is None
    assert await serving.logins.confirm(asked.link) is None
    assert len(await serving.claim(alice)) == 2
    assert (await serving.send(serving.letter(asked))).is_ok, "the letter is not wrong by that"


async def test_what_the_operator_confirms_is_what_the_letter_would_have(
    serving: Accounting,
) -> None:
    asked, _ = await serving.authorize()
    await serving.logins.confirm(asked.link)
    state = await state_of(serving, asked.link)
    assert isinstance(state, Confirmed)
    assert state.confirmation == serving.letter(asked).link


# Who may not


async def confirms(serving: Accounting, sent: Delegation, *proofs: Delegation) -> Any:
    out = (await serving.send(sent, *proofs)).out
    assert await serving.claim(alice) == []
    return out["error"]


@pytest.mark.parametrize("by", [alice, mallory], ids=["the agent", "a stranger"])
async def test_nobody_else_says_yes(serving: Accounting, by: Signer) -> None:
    asked, _ = await serving.authorize()
    nb = serving.letter(asked).capabilities[0].nb
    own = serving.asks(by, "access/confirm", service.did, **nb)
    assert (await confirms(serving, own))["name"] == "Unauthorized"
    at_home = serving.asks(by, "access/confirm", by.did, **nb)
    assert "can confirm a login here" in (await confirms(serving, at_home))["message"]
    forged = serving.letter(asked, by=by.under(service.did))
    assert (await confirms(serving, forged))["name"] == "Unauthorized"


async def test_the_letter_is_no_proof_for_others(serving: Accounting) -> None:
    """Its audience is the service: whoever has it can send it, and nothing else."""
    asked, _ = await serving.authorize()
    letter = serving.letter(asked)
    nb = letter.capabilities[0].nb | {"aud": mallory.did}
    sent = serving.asks(mallory, "access/confirm", service.did, [letter], **nb)
    assert (await confirms(serving, sent, letter))["name"] == "Unauthorized"
    assert await serving.claim(mallory) == []


@pytest.mark.parametrize(
    ("agent", "who", "att"),
    [
        (mallory, account, ["*"]),
        (alice, OTHER, ["*"]),
        (alice, account, ["store/*"]),
        (alice, account, ["*", "store/*"]),
    ],
    ids=["agent", "account", "less", "more"],
)
async def test_what_was_not_asked_for_is_not_confirmed(
    serving: Accounting, agent: Signer, who: str, att: list[str]
) -> None:
    asked, _ = await serving.authorize()
    error = await confirms(serving, serving.letter(asked, agent, who, att))
    assert (error["name"], error["message"]) == ("Unauthorized", "this is not what was asked for")
    assert isinstance(await state_of(serving, asked.link), Asked)
    assert await serving.claim(mallory) == []


async def test_another_login_is_not_confirmed_by_the_letter_of_one(serving: Accounting) -> None:
    hers, _ = await serving.authorize(alice)
    his, _ = await serving.authorize(mallory)
    assert (await serving.send(serving.letter(hers))).is_ok
    assert await serving.claim(mallory) == []
    assert isinstance(await state_of(serving, his.link), Asked)


async def test_what_nobody_asked_for_is_not_confirmed(serving: Accounting) -> None:
    never = ask(alice, cap("access/authorize", alice.did, att=[{"can": "*"}], iss=account))
    assert (await confirms(serving, serving.letter(never)))["name"] == "LoginNotFound"
    error = await serving.logins.confirm(car_link)
    assert error is not None
    assert error.name == "LoginNotFound"


async def test_the_letter_is_worth_nothing_after_its_time(serving: Accounting) -> None:
    asked, _ = await serving.authorize()
    letter = serving.letter(asked)
    serving.world.clock.advance(LIFETIME_SECONDS * 1000)
    assert (await confirms(serving, letter))["name"] == "Unauthorized"
    nb = letter.capabilities[0].nb
    again = serving.asks(service, "access/confirm", service.did, **nb)
    assert (await confirms(serving, again))["name"] == "LoginExpired"
    error = await serving.logins.confirm(asked.link)
    assert error is not None
    assert error.name == "LoginExpired"


async def test_in_the_last_second_it_is_in_time(serving: Accounting) -> None:
    asked, _ = await serving.authorize()
    letter = serving.letter(asked)
    serving.world.clock.advance(LIFETIME_SECONDS * 1000 - 1)
    assert (await serving.send(letter)).is_ok


async def test_what_was_not_confirmed_in_time_waits_no_more(serving: Accounting) -> None:
    async with serving.world.running() as world:
        asked, _ = await serving.authorize()
        await world.pass_time(LIFETIME_SECONDS * 1000)
        assert isinstance(await state_of(serving, asked.link), Expired)
    assert await serving.logins.waiting() == []
    assert (await serving.send(asked)).is_ok, "its receipt was given once"
    assert await serving.claim(alice) == []


async def test_the_logins_that_wait_are_listed_the_newest_first(serving: Accounting) -> None:
    hers, _ = await serving.authorize(alice)
    his, _ = await serving.authorize(bob)
    others, _ = await serving.authorize(carol, OTHER)
    assert [each.request for each in await serving.logins.waiting()] == [
        others.link,
        his.link,
        hers.link,
    ]
    assert [each.request for each in await serving.logins.waiting(account)] == [
        his.link,
        hers.link,
    ]
    await serving.logins.confirm(his.link)
    assert [each.request for each in await serving.logins.waiting(account)] == [hers.link]


# What may be asked for


@pytest.mark.parametrize(
    "att",
    [
        [],
        ["Store/Add"],
        [""],
        ["*/*"],
        ["store"] * 65,
        ["store/add\n"],
        ["store/add\r\nBcc: mallory@example.com"],
        ["a/" * 20 + "a"],
        ["x" * 65],
    ],
    ids=lambda att: f"{att[:1]!r:.40}",
)
async def test_only_abilities_are_asked_for(serving: Accounting, att: list[str]) -> None:
    asked, receipt = await serving.authorize(att=att)
    assert not receipt.is_ok
    assert await serving.logins.waiting() == []
    assert not (await serving.send(serving.letter(asked))).is_ok


async def test_the_same_ability_twice_is_one(serving: Accounting) -> None:
    await serving.authorize(att=["store/*", "*", "store/*"])
    (waiting,) = await serving.logins.waiting()
    assert waiting.att == ("store/*", "*")


async def test_somebody_has_to_be_asked(serving: Accounting) -> None:
    out = (await serving.send(serving.asks(alice, "access/authorize", alice.did, att=[]))).out
    assert "nb.iss must be set" in out["error"]["message"]


@pytest.mark.parametrize(
    "who",
    [
        "alice@example",
        "alice@b.example",
        "a.l.i.c.e+files=tagged!#$%&'*/?^`{|}~-_@mail.example.com",
        "Alice@Example.com",
        "élise@exämple.com",
        f"{'a' * 64}@example.com",
    ],
)
async def test_an_address_is_taken_as_it_is(serving: Accounting, who: str) -> None:
    _, receipt = await serving.authorize(who=from_email(who))
    assert receipt.is_ok, receipt.out


@pytest.mark.parametrize(
    "did",
    [
        "did:mailto:example.com:alice%0d%0aBcc%3A%20mallory%40example.com",
        "did:mailto:example.com:alice%0A",
        "did:mailto:example.com%0d%0aBcc%3A%20mallory%40example.com:alice",
        "did:mailto:example.com:alice%00",
        "did:mailto:example.com:alice%C2%85",
        "did:mailto:example.com:alice%E2%80%A8",
        "did:mailto:example.com:alice%E2%80%AE",
        "did:mailto:example.com:alice%2Cmallory%40example.com",
        "did:mailto:example.com:alice%40example.org",
        "did:mailto:example.com:%3Cmallory%40example.com%3E",
        "did:mailto:example.com:%22alice%22",
        "did:mailto:example.com:a%20b",
        "did:mailto:example.com.:alice",
        "did:mailto:.example.com:alice",
        "did:mailto:example..com:alice",
        "did:mailto:ex%EF%BD%81mple.com:alice",
        "did:mailto:%5B127.0.0.1%5D:alice",
        "did:mailto:example.com:a%6Cice",
        "did:mailto:example.com:alice:bob",
        "did:mailto:example.com:%ff",
        f"did:mailto:example.com:{'a' * 65}",
        f"did:mailto:{'a' * 256}:alice",
    ],
)
async def test_what_is_no_address_or_a_second_spelling_of_one_gets_no_letter(
    serving: Accounting, did: str
) -> None:
    _, receipt = await serving.authorize(who=did)
    assert not receipt.is_ok
    assert await serving.logins.waiting() == []


async def test_an_agent_asks_for_itself_only(serving: Accounting) -> None:
    asked = serving.asks(mallory, "access/authorize", alice.did, iss=account, att=[{"can": "*"}])
    assert (await serving.send(asked)).out["error"]["name"] == "Unauthorized"


# Floods


async def refused_after(
    serving: Accounting, count: int, agents: list[Signer], accounts: list[str]
) -> None:
    """So many are answered, one more is not, and each later one waits its turn."""
    for number in range(count):
        who = accounts[number % len(accounts)]
        _, receipt = await serving.authorize(agents[number % len(agents)], who)
        assert receipt.is_ok, receipt.out
    _, receipt = await serving.authorize(agents[0], accounts[0])
    error = receipt.out["error"]
    assert error["name"] == "TooManyLogins"
    assert "gets no more letters for a while" in error["message"]
    assert len(await serving.logins.waiting()) == count


async def test_an_account_is_not_flooded_with_letters(serving: Accounting) -> None:
    burst, pause = login.LETTERS_TO_ACCOUNT
    await refused_after(serving, burst, [alice, bob, carol, mallory, space], [account])
    _, receipt = await serving.authorize(alice, OTHER)
    assert receipt.is_ok, "others are not hindered"
    serving.world.clock.advance(pause)
    assert (await serving.authorize())[1].is_ok
    assert not (await serving.authorize())[1].is_ok


async def test_an_agent_floods_nobody(serving: Accounting) -> None:
    burst, _ = login.LETTERS_OF_AGENT
    accounts = [f"did:mailto:example.com:a{number}" for number in range(burst)]
    await refused_after(serving, burst, [mallory], accounts)
    assert (await serving.authorize(alice))[1].is_ok


async def test_all_agents_together_have_a_limit(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    burst = 12
    agents = [Signer.from_seed(bytes([number]) * 32) for number in range(burst)]
    accounts = [f"did:mailto:example.com:a{number}" for number in range(burst)]
    monkeypatch.setattr(login, "LETTERS", (burst, 1_000))
    serving.begin(login.Authorization(serving.durable, serving.limits))
    await refused_after(serving, burst, agents, accounts)


async def test_the_same_request_again_costs_no_letter(serving: Accounting) -> None:
    asked, receipt = await serving.authorize()
    for _ in range(20):
        assert (await serving.send(asked)).data == receipt.data
    assert (await serving.authorize())[1].is_ok
