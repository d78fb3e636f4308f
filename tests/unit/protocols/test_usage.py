"""Goal: a report of usage is the truth about any period, however long the history and whatever
happened in it. Method: random histories in the simulated world, beside a record of what the ledger
said after each step; then single sentences about what is told, and to whom."""

import random
from bisect import bisect_left
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from taijitu.ipld.cid import CAR, Link, link_to
from taijitu.kernel.machine import State
from taijitu.machines.entry import Add, entry_at
from taijitu.machines.ledger import Blocked, Provisioned, Unprovisioned, ledger_at
from taijitu.machines.subscription import Subscribe, subscription_at
from taijitu.protocols import usage as reports
from taijitu.protocols.entries import iso
from taijitu.protocols.store import Store
from taijitu.protocols.usage import (
    SECOND,
    SECONDS_MAX,
    Budget,
    Period,
    Reports,
    TooLongAgo,
    Usage,
    held,
    is_provided,
    period_of,
    recently,
    usage,
)
from taijitu.testing.world import SimulatedWorld, name_of
from taijitu.ucan.issue import absent
from taijitu.ucan.signer import Signer
from unit.protocols.serving import Serving
from unit.ucan.people import account, alice, ask, bob, cap, carol, grant, mallory, service, space

ALICE = "did:key:alice"
FOR_EVER = Period(0, SECONDS_MAX * SECOND)


class Record:
    """What a space held after each step of a random history, by the time of the step."""

    def __init__(self, world: SimulatedWorld, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.times: list[int] = []
        self.held: list[int] = []
        self.causes: set[Link] = set()

    async def run(self, length: int) -> None:
        await self.world.provision(ALICE, 300)
        for number in range(length):
            await self.step(number)
            self.times.append(self.world.clock.now())
            self.held.append(held((await self.world.engine.read(ledger_at(ALICE))).state))
            if self.random.random() < 0.7:
                await self.world.pass_time(self.random.choice((1, 400, 700, 1_000, 7_000, 200_000)))
                self.times.append(self.world.clock.now())
                self.held.append(held((await self.world.engine.read(ledger_at(ALICE))).state))

    async def step(self, number: int) -> None:
        data = bytes([self.random.randrange(8)]) * self.random.choice((10, 60, 110))
        match self.random.choice(("add", "add", "upload", "remove", "other")):
            case "add":
                cause = link_to(f"invocation {number}".encode())
                self.causes.add(cause)
                await self.world.add(ALICE, data, invocation=cause)
            case "upload":
                await self.world.upload(data)
            case "remove":
                await self.world.remove(ALICE, data)
            case _:
                await self.world.provision(ALICE, self.random.choice((200, 300, 400)))

    def at(self, time: int) -> int:
        """What was held just before a time."""
        place = bisect_left(self.times, time)
        return self.held[place - 1] if place else 0

    def moment(self) -> int:
        """Some time, on a second, on a step, or beside one."""
        low, high = self.times[0] - 2_000, self.times[-1] + 2_000
        some = self.random.randint(low, high)
        return self.random.choice(
            (
                some,
                some // SECOND * SECOND,
                self.random.choice(self.times) + self.random.randint(0, 1),
            )
        )


@pytest.mark.parametrize("seed", range(12))
async def test_any_period_of_any_history_is_told_as_it_was(seed: int) -> None:
    async with SimulatedWorld().running() as world:
        record = Record(world, seed)
        await record.run(60)
        for _ in range(40):
            start, end = sorted((record.moment(), record.moment()))
            found = await usage(world.engine, ALICE, Period(start, end), Budget())
            assert found.period == Period(start, end)
            assert (found.initial, found.final) == (record.at(start), record.at(end))
            assert found.final == found.initial + sum(event.delta for event in found.events)
            times = [event.at for event in found.events]
            assert times == sorted(times)
            assert all(start <= each < end for each in times)
            assert all(event.delta for event in found.events)
        assert record.causes & {event.cause for event in (await whole(world)).events}


async def whole(world: SimulatedWorld) -> Usage:
    return await usage(world.engine, ALICE, FOR_EVER, Budget())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("budget", [(10_000, 5), (9, 10_000)], ids=["events", "steps"])
async def test_a_long_history_is_told_piece_by_piece(seed: int, budget: tuple[int, int]) -> None:
    """Each report ends where the one after it began. Only what is too far back is not told."""
    async with SimulatedWorld().running() as world:
        record = Record(world, seed)
        await record.run(40)
        told = await whole(world)
        pieces: list[Usage] = []
        end = FOR_EVER.end
        while end > 0:
            limits = Budget(budget[0] * (len(pieces) + 1), budget[1])
            try:
                piece = await usage(world.engine, ALICE, Period(0, end), limits)
            except TooLongAgo:
                break
            assert piece.period.end == end
            assert piece.final == piece.initial + sum(event.delta for event in piece.events)
            assert piece.period.start < end, "it would be asked for without end"
            pieces.append(piece)
            end = piece.period.start
        assert len(pieces) > 1
        for piece, before in pairwise(pieces):
            assert piece.initial == before.final
        events = [event for piece in reversed(pieces) for event in piece.events]
        assert events == list(told.events[len(told.events) - len(events) :])
        if budget[1] == 5:
            assert events == list(told.events)


async def test_what_is_too_far_back_is_not_guessed() -> None:
    world = SimulatedWorld()
    for capacity in range(1, 9):
        await world.provision(ALICE, capacity)
    with pytest.raises(TooLongAgo):
        await usage(world.engine, ALICE, Period(0, world.clock.now() - 1), Budget(steps=3))


async def test_times_that_are_out_of_order_leave_no_gap() -> None:
    """What was stamped first may be written down last."""
    world = SimulatedWorld()
    now = world.clock.now()
    await world.provision(ALICE, 100)
    for at, data in ((2_000, b"second"), (1_000, b"first of all"), (3_000, b"third")):
        name, cause = name_of(data), link_to(data)
        message = Add(now + at, cause, ALICE, name, "did:key:agent", len(data))
        await world.engine.transact(entry_at(ALICE, name), message)
    full = await whole(world)
    for split in range(now - 1, now + 4_000, 500):
        first = await usage(world.engine, ALICE, Period(0, split), Budget())
        second = await usage(world.engine, ALICE, Period(split, FOR_EVER.end), Budget())
        assert first.final == second.initial
        assert first.events + second.events == full.events


# What is told


session = absent(account, alice.did, [cap("*", "ucan:*")], expiration=None)
attested = grant(service, alice, cap("ucan/attest", service.did, proof=session.link))


class Told(Serving):
    """A service that tells of usage, and accounts that it is told of."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(
            Reports(self.engine, service.did),
            Store(self.durable, self.spaces, 1_000_000),
        )

    async def subscribe(self, one: Signer, provider: str = service.did) -> None:
        cause = link_to(one.did.encode())
        message = Subscribe(self.engine.now(), cause, one.did, account, provider, 1_000)
        await self.engine.transact(subscription_at(one.did), message)

    async def account(self, **nb: Any) -> Any:
        """What is said to an agent that logged in to the account."""
        asked = ask(alice, cap("account/usage/get", account, **nb), [session, attested])
        return (await self.send(asked, session, attested)).out

    async def report(self, start: int = 0, end: int = SECONDS_MAX) -> Any:
        return await self.ok("usage/report", period={"from": start, "to": end})


@pytest.fixture
def serving() -> Told:
    return Told()


async def test_a_space_that_nobody_provides_for_has_no_usage(serving: Told) -> None:
    assert await serving.report() == {}
    await serving.spaces.block(space.did)
    assert await serving.report() == {}


async def test_what_an_invocation_took_is_told_with_its_link(serving: Told) -> None:
    await serving.world.provision(space.did, 1_000)
    asked = ask(space, cap("store/add", link=link_to(b"a car", CAR), size=5))
    assert (await serving.send(asked)).is_ok
    now = serving.engine.now()
    assert await serving.report(0, now // SECOND + 1) == {
        service.did: {
            "provider": service.did,
            "space": space.did,
            "period": {"from": "1970-01-01T00:00:00.000Z", "to": iso((now // SECOND + 1) * SECOND)},
            "size": {"initial": 0, "final": 5},
            "events": [{"cause": asked.link, "delta": 5, "receiptAt": iso(now)}],
        }
    }


async def test_who_provides_is_told(serving: Told) -> None:
    await serving.subscribe(space, "did:web:other.example")
    assert [*await serving.report()] == ["did:web:other.example"]


async def test_an_event_that_nobody_asked_for_is_told_with_its_transition(serving: Told) -> None:
    async with serving.world.running() as world:
        await world.provision(space.did, 100)
        await world.add(space.did, b"never put")
        await world.pass_time(10 * 60_000)
        added, expired = (await serving.report())[service.did]["events"]
        assert (added["delta"], expired["delta"]) == (9, -9)
        head = await world.engine.read(ledger_at(space.did))
        assert expired["cause"] == head.cid


async def test_a_period_that_ends_before_it_begins_is_empty(serving: Told) -> None:
    await serving.world.provision(space.did, 100)
    await serving.world.add(space.did, b"bytes")
    late = serving.engine.now() // SECOND + 9
    told = (await serving.report(late, 1))[service.did]
    assert (told["size"], told["events"]) == ({"initial": 5, "final": 5}, [])


async def test_what_would_take_too_long_is_refused_in_words(
    serving: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "Budget", lambda: Budget(steps=2))
    for capacity in range(1, 9):
        await serving.world.provision(space.did, capacity)
    error = await serving.error("usage/report", period={"from": 0, "to": 1})
    assert "later end" in error["message"]


async def test_an_account_is_told_of_all_its_spaces(serving: Told) -> None:
    for one, size in ((bob, 20), (carol, 3)):
        await serving.subscribe(one)
        await serving.world.add(one.did, bytes(size))
    await serving.world.provision(mallory.did, 100)
    await serving.world.add(mallory.did, b"of somebody else")
    told = (await serving.account(period={"from": 0, "to": SECONDS_MAX}))["ok"]
    assert told["total"] == 23
    assert {name: each["total"] for name, each in told["spaces"].items()} == {
        bob.did: 20,
        carol.did: 3,
    }
    report = told["spaces"][bob.did]["providers"][service.did]
    assert (report["space"], report["size"]) == (bob.did, {"initial": 0, "final": 20})
    (event,) = report["events"]
    assert event["delta"] == 20


async def test_an_account_may_ask_for_some_of_its_spaces_and_for_no_others(serving: Told) -> None:
    for one in (bob, carol):
        await serving.subscribe(one)
        await serving.world.add(one.did, b"bytes")
    told = (await serving.account(spaces=[carol.did]))["ok"]
    assert [*told["spaces"]] == [carol.did]
    assert told["total"] == 5
    error = (await serving.account(spaces=[carol.did, mallory.did]))["error"]
    assert error["name"] == "NoSubscription"
    assert f"for account {account} in space {mallory.did}" in error["message"]


@pytest.mark.parametrize("strange", ["did:key:", "did:key:a/b", "did:key:zzz"])
async def test_what_is_no_space_is_nobodys(serving: Told, strange: str) -> None:
    assert (await serving.account(spaces=[strange]))["error"]["name"] == "NoSubscription"


async def test_an_account_with_very_many_spaces_has_to_say_which(
    serving: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "SPACES_MAX", 1)
    for one in (bob, carol):
        await serving.subscribe(one)
    assert "ask for some" in (await serving.account())["error"]["message"]
    assert "ok" in await serving.account(spaces=[bob.did])


async def test_an_account_without_spaces_has_used_nothing(serving: Told) -> None:
    assert (await serving.account())["ok"] == {"total": 0, "spaces": {}}


async def test_all_spaces_of_an_account_share_what_one_answer_may_cost(
    serving: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (bob, carol):
        await serving.subscribe(one)
        for size in range(1, 5):
            await serving.world.add(one.did, bytes(size))
    monkeypatch.setattr(reports, "Budget", lambda: Budget(steps=6))
    long_ago = {"from": 0, "to": serving.engine.now() // SECOND - 1}
    assert "fewer spaces" in (await serving.account(period=long_ago))["error"]["message"]


@pytest.mark.parametrize(
    ("delegated", "asked", "allowed"),
    [
        ({}, {"spaces": [bob.did]}, True),
        ({"spaces": [bob.did, carol.did]}, {"spaces": [bob.did]}, True),
        ({"spaces": [bob.did]}, {"spaces": [bob.did, carol.did]}, False),
        ({"period": {"from": 1, "to": 2}}, {"period": {"from": 1, "to": 2}}, True),
        ({"period": {"from": 1, "to": 2}}, {"period": {"from": 0, "to": 2}}, False),
    ],
)
async def test_no_more_is_told_than_was_delegated(
    serving: Told, delegated: dict[str, Any], asked: dict[str, Any], allowed: bool
) -> None:
    for one in (bob, carol):
        await serving.subscribe(one)
    can = "account/usage/get"
    onwards = grant(alice, bob, cap(can, account, **delegated), proofs=[session, attested])
    wanted = ask(bob, cap(can, account, **asked), [onwards])
    out = (await serving.send(wanted, onwards, session, attested)).out
    assert ("ok" in out) == allowed, out


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-03-15T10:00:00+00:00", "2026-02-01T00:00:00+00:00"),
        ("2026-01-31T23:59:59+00:00", "2025-12-01T00:00:00+00:00"),
    ],
)
def test_recently_is_since_the_beginning_of_last_month(now: str, start: str) -> None:
    at, since = (int(datetime.fromisoformat(text).timestamp()) * 1_000 for text in (now, start))
    assert recently(at) == Period(since, at + 1)


def test_times_that_no_date_can_name_are_the_last_one() -> None:
    assert period_of({"from": 2**53 - 1, "to": 2**53 - 1}) == Period(FOR_EVER.end, FOR_EVER.end)
    assert iso(FOR_EVER.end) == "9999-12-31T23:59:59.000Z"


@pytest.mark.parametrize(
    ("state", "provided", "bytes_held"),
    [
        (Unprovisioned(), False, 0),
        (Provisioned(9, 2, 3), True, 5),
        (Blocked(9, 2, 3), True, 5),
        (Blocked(None), False, 0),
    ],
)
def test_a_blocked_space_holds_what_it_held(state: State, provided: bool, bytes_held: int) -> None:
    assert (is_provided(state), held(state)) == (provided, bytes_held)
