"""Goal: whom the operator shuts out stays out, at every door and in every spelling, until he is let
in again; and nobody but the operator shuts anybody out.

Method: a service in memory; limits by `rate-limit/*`, and what they do to logins and spaces."""

import asyncio
from typing import Any

import pytest

from taijitu.engine.storage import HeadRow
from taijitu.ipld.cid import CAR, link_to
from taijitu.kernel.failures import Fault
from taijitu.machines import limit
from taijitu.machines.limit import LIMITS_MAX
from taijitu.protocols import spaces
from taijitu.protocols.limits import SUBJECT_LENGTH_MAX, Limits
from unit.protocols.accounting import ROOM, Accounting
from unit.ucan.people import alice, cap, car_link, grant, mallory, service, space

LINK = link_to(b"a car", CAR)


@pytest.fixture
async def serving() -> Accounting:
    serving = Accounting()
    await serving.world.provision(space.did, ROOM)
    return serving


async def shut_out(serving: Accounting, subject: str, rate: float = 0) -> str:
    return (await serving.ok("rate-limit/add", service, subject=subject, rate=rate))["id"]


async def listed(serving: Accounting, subject: str) -> list[dict[str, Any]]:
    return (await serving.ok("rate-limit/list", service, subject=subject))["limits"]


async def test_limits_are_listed_and_removed_by_their_id(serving: Accounting) -> None:
    assert await listed(serving, "example.com") == []
    first = await shut_out(serving, "example.com", 7)
    second = await shut_out(serving, "example.com", 0.5)
    assert await listed(serving, "example.com") == [
        {"id": first, "rate": 7},
        {"id": second, "rate": 0.5},
    ]
    assert await listed(serving, "example.org") == []
    assert await serving.ok("rate-limit/remove", service, id=first) == {}
    assert await listed(serving, "example.com") == [{"id": second, "rate": 0.5}]
    error = await serving.error("rate-limit/remove", service, id=first)
    assert error["name"] == "RateLimitsNotFound"
    await serving.ok("rate-limit/remove", service, id=second)
    assert await listed(serving, "example.com") == []


async def test_the_same_invocation_makes_one_limit(serving: Accounting) -> None:
    asked = serving.asks(service, "rate-limit/add", service.did, subject="a", rate=0)
    for _ in range(2):
        assert (await serving.send(asked)).is_ok
    assert len(await listed(serving, "a")) == 1


@pytest.mark.parametrize(
    "name",
    ["", ":", "x:example.com", f"{car_link}", f"{car_link}:", f"{car_link}:example.com"],
)
async def test_what_names_no_limit_is_not_found(serving: Accounting, name: str) -> None:
    await shut_out(serving, "example.com")
    error = await serving.error("rate-limit/remove", service, id=name)
    assert error["name"] in ("RateLimitsNotFound", "Error")
    assert len(await listed(serving, "example.com")) == 1


@pytest.mark.parametrize("subject", ["", "x" * (SUBJECT_LENGTH_MAX + 1)])
async def test_a_subject_is_neither_empty_nor_endless(serving: Accounting, subject: str) -> None:
    assert (
        "characters"
        in (await serving.error("rate-limit/list", service, subject=subject))["message"]
    )
    error = await serving.error("rate-limit/add", service, subject=subject, rate=0)
    assert "characters" in error["message"]


async def test_a_subject_has_only_so_many(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LIMITS_MAX == 100
    monkeypatch.setattr(limit, "LIMITS_MAX", 2)
    for _ in range(2):
        await shut_out(serving, "a")
    error = await serving.error("rate-limit/add", service, subject="a", rate=0)
    assert error["name"] == "TooManyRateLimits"


async def test_only_the_operator_limits_anybody(serving: Accounting) -> None:
    nb = {"subject": space.did, "rate": 0}
    asked = serving.asks(mallory, "rate-limit/add", service.did, **nb)
    assert (await serving.send(asked)).out["error"]["name"] == "Unauthorized"
    asked = serving.asks(mallory, "rate-limit/add", mallory.did, **nb)
    assert (await serving.send(asked)).out["error"]["name"] == "UnknownProvider"
    assert "ok" in await serving.invoke("store/add", link=LINK, size=1)


async def test_who_was_delegated_to_may(serving: Accounting) -> None:
    may = grant(service, alice, cap("rate-limit/*", service.did))
    nb = {"subject": space.did, "rate": 0}
    asked = serving.asks(alice, "rate-limit/add", service.did, [may], **nb)
    assert (await serving.send(asked, may)).is_ok
    only = grant(service, mallory, cap("rate-limit/add", service.did, subject="a", rate=0))
    asked = serving.asks(mallory, "rate-limit/add", service.did, [only], **nb)
    assert not (await serving.send(asked, only)).is_ok


# What they do


ADDS: dict[str, dict[str, Any]] = {
    "store/add": {"link": LINK, "size": 1},
    "space/blob/add": {"blob": {"digest": LINK.multihash, "size": 1}},
    "upload/add": {"root": LINK, "shards": []},
    "access/delegate": {"delegations": {}},
}


@pytest.mark.parametrize("can", ADDS)
async def test_a_space_is_shut_out_and_let_in_again(serving: Accounting, can: str) -> None:
    name = await shut_out(serving, space.did)
    error = await serving.error(can, **ADDS[can])
    assert (error["name"], error["message"]) == (
        "InsufficientStorage",
        f"{space.did} is blocked",
    )
    await serving.ok("rate-limit/remove", service, id=name)
    assert "ok" in await serving.invoke(can, **ADDS[can])


async def test_a_space_is_shut_out_before_it_is_asked_whether_it_has_room(
    serving: Accounting,
) -> None:
    await shut_out(serving, mallory.did)
    error = await serving.error("store/add", mallory, link=LINK, size=1)
    assert error["message"] == f"{mallory.did} is blocked"
    other = await serving.error("store/add", alice, link=LINK, size=1)
    assert other["message"] == f"{alice.did} has no storage provider"


async def test_what_a_space_holds_stays_readable(serving: Accounting) -> None:
    await serving.ok("upload/add", root=LINK)
    await shut_out(serving, space.did)
    assert (await serving.ok("upload/list"))["size"] == 1
    assert "ok" in await serving.invoke("upload/remove", root=LINK)


@pytest.mark.parametrize("rate", [1, 0.001, 10**9])
async def test_any_other_rate_lets_in(serving: Accounting, rate: float) -> None:
    await shut_out(serving, space.did, rate)
    assert "ok" in await serving.invoke("store/add", link=LINK, size=1)


@pytest.mark.parametrize("rate", ["0", None, True, [0]])
async def test_a_rate_is_a_number(serving: Accounting, rate: object) -> None:
    await serving.error("rate-limit/add", service, subject=space.did, rate=rate)
    assert await listed(serving, space.did) == []


@pytest.mark.parametrize(
    ("subject", "who", "blocked"),
    [
        ("example.com", "example.com:alice", True),
        ("example.com", "EXAMPLE.com:alice", True),
        ("example.com", "sub.example.com:alice", False),
        ("alice@example.com", "example.com:alice", True),
        ("alice@example.com", "Example.Com:Alice", True),
        ("alice@example.com", "example.com:bob", False),
        ("example", "example.com:alice", False),
    ],
)
async def test_an_account_is_shut_out_by_its_address_or_its_domain(
    serving: Accounting, subject: str, who: str, blocked: bool
) -> None:
    await shut_out(serving, subject)
    did = f"did:mailto:{who}"
    _, receipt = await serving.authorize(who=did)
    assert receipt.is_ok != blocked
    if blocked:
        assert receipt.out["error"] == {
            "name": "AccountBlocked",
            "message": f"Account identified by {did} is blocked",
        }


async def test_a_limit_is_remembered_after_a_restart(serving: Accounting) -> None:
    await shut_out(serving, space.did)
    assert await Limits(serving.engine).blocked(space.did)
    assert not await Limits(serving.engine).blocked(mallory.did)


async def test_while_nobody_is_limited_asking_costs_nothing(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not await serving.limits.blocked(space.did)

    async def looks(*_: object, **__: object) -> list[HeadRow]:
        raise Fault("nobody should have asked")

    monkeypatch.setattr(serving.world.storage, "scan", looks)
    monkeypatch.setattr(serving.engine, "peek", looks)
    assert not await serving.limits.blocked(space.did, "example.com")


async def test_a_subject_is_the_same_in_capitals(serving: Accounting) -> None:
    limit = await shut_out(serving, "Example.COM")
    assert [each["id"] for each in await listed(serving, "example.com")] == [
        limit.replace("Example.COM", "example.com")
    ]
    assert not (await serving.authorize())[1].is_ok
    assert await serving.limits.unblock("EXAMPLE.com")
    assert (await serving.authorize())[1].is_ok


async def test_the_operator_is_told_that_a_subject_has_too_many(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit, "LIMITS_MAX", 1)
    await shut_out(serving, "example.com", 5)
    refused = await serving.limits.block("example.com")
    assert refused is not None
    assert refused.name == "TooManyRateLimits"


async def test_a_space_that_was_shut_out_is_shown_so_and_let_in_by_hand(
    serving: Accounting,
) -> None:
    await shut_out(serving, space.did)
    found = await serving.spaces.find(space.did)
    assert found is not None
    assert found.blocked
    assert [each.blocked for each in await serving.spaces.all()] == [True]
    found = await serving.spaces.unblock(space.did)
    assert found is not None
    assert not found.blocked
    assert await serving.spaces.admit(space.did) is None


@pytest.mark.parametrize("subject", ["example.com", "alice@example.com"])
async def test_the_operator_does_it_by_hand_and_takes_back_what_others_did(
    serving: Accounting, subject: str
) -> None:
    await serving.limits.block(subject)
    await serving.limits.block(subject)
    assert len(await listed(serving, subject)) == 1
    assert not (await serving.authorize())[1].is_ok
    await shut_out(serving, subject)
    await shut_out(serving, subject, 5)
    assert [each async for each in serving.limits.all_blocked()] == [subject]
    assert await serving.limits.unblock(subject)
    assert [each["rate"] for each in await listed(serving, subject)] == [5]
    assert [each async for each in serving.limits.all_blocked()] == []
    assert (await serving.authorize())[1].is_ok
    assert not await serving.limits.unblock(subject)


async def test_whoever_watches_spaces_is_told_of_what_shuts_them_out(serving: Accounting) -> None:
    told: list[str] = []
    serving.spaces.observers.append(told.append)
    for subject in ("example.com", "did:key:a/b", "did:mailto:example.com:alice/b"):
        await shut_out(serving, subject)
    assert told == []
    name = await shut_out(serving, space.did)
    assert await serving.spaces.all_blocked() == {space.did}
    await serving.ok("rate-limit/remove", service, id=name)
    assert await serving.spaces.all_blocked() == set()
    await serving.spaces.block(mallory.did)
    assert await serving.spaces.all_blocked() == {mallory.did}
    await serving.spaces.unblock(mallory.did)
    assert told == [space.did, space.did, mallory.did, mallory.did]


async def test_looking_for_all_blocked_spaces_lets_others_have_their_turn(
    serving: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spaces, "LOOKED_AT_ONCE", 2)
    for number in range(8):
        await serving.spaces.block(f"did:key:z{number}")
    looking, turns = asyncio.create_task(serving.spaces.all_blocked()), 0
    while not looking.done():
        turns += 1
        await asyncio.sleep(0)
    assert len(await looking) == 8
    assert turns > 4
