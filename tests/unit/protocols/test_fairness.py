"""Turns of a space, and patience with its refusals."""

import asyncio
from collections.abc import Sequence

import pytest

from taijitu.protocols import fairness
from taijitu.protocols.execution import NotReady
from taijitu.protocols.fairness import Patience, Turns


class Guests:
    """Those who wait for a turn, and stay until they are told to go."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.inside: list[str] = []
        self.leave: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str, space: str = "alice") -> Sequence[str]:
        """Let them come in this order; who is inside by then."""
        for name in names:
            self.leave[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self.stay(name, space))
        return await self.settled()

    async def go(self, name: str) -> Sequence[str]:
        self.leave[name].set()
        return await self.settled()

    async def give_up(self, name: str) -> Sequence[str]:
        self.tasks[name].cancel()
        return await self.settled()

    async def stay(self, name: str, space: str) -> None:
        async with self.turns.one(space):
            self.inside.append(name)
            try:
                await self.leave[name].wait()
            finally:
                self.inside.remove(name)

    async def settled(self) -> Sequence[str]:
        for _ in range(5):
            await asyncio.sleep(0)
        return tuple(self.inside)


async def test_who_comes_first_is_first_in_turn() -> None:
    guests = Guests(Turns(running_max=2, waiting_max=2))
    assert await guests.come("a", "b", "c", "d") == ("a", "b")
    assert await guests.go("a") == ("b", "c")
    assert await guests.go("c") == ("b", "d")


async def test_who_finds_too_many_waiting_is_told_to_ask_again() -> None:
    guests = Guests(Turns(running_max=1, waiting_max=1))
    await guests.come("a", "b", "c")
    with pytest.raises(NotReady, match="Too much is under way"):
        await guests.tasks["c"]
    assert await guests.go("a") == ("b",)


async def test_nobody_waits_for_another_space() -> None:
    guests = Guests(Turns(running_max=1, waiting_max=1))
    await guests.come("a", "b", space="alice")
    assert await guests.come("c", space="bob") == ("a", "c")


async def test_who_gives_up_waiting_keeps_nobody_from_his_turn() -> None:
    guests = Guests(Turns(running_max=1, waiting_max=3))
    await guests.come("a", "b", "c")
    await guests.give_up("b")
    assert await guests.go("a") == ("c",)


async def test_who_gives_up_as_his_turn_comes_passes_it_on() -> None:
    guests = Guests(Turns(running_max=1, waiting_max=3))
    await guests.come("a", "b", "c")
    guests.leave["a"].set()
    await asyncio.sleep(0)
    guests.tasks["b"].cancel()
    assert await guests.settled() == ("c",)


async def test_nothing_is_kept_of_those_who_are_gone() -> None:
    guests = Guests(Turns(running_max=1, waiting_max=3))
    await guests.come("a", "b", "c")
    await guests.give_up("c")
    await guests.go("a")
    await guests.go("b")
    assert guests.turns.queues == {}


def test_so_many_refusals_at_once_and_then_one_in_so_long() -> None:
    patience = Patience(refusals_max=3, pause_ms=10_000)
    for _ in range(3):
        patience.check("alice", 0)
        patience.refused("alice", 0)
    with pytest.raises(NotReady, match="Ask again later") as told:
        patience.check("alice", 0)
    assert told.value.retry_after_seconds == 10
    patience.check("bob", 0)
    with pytest.raises(NotReady):
        patience.check("alice", 9_999)
    patience.check("alice", 10_000)
    patience.refused("alice", 10_000)
    with pytest.raises(NotReady):
        patience.check("alice", 10_001)


def test_refusals_are_forgiven_with_time() -> None:
    patience = Patience(refusals_max=2, pause_ms=10)
    patience.refused("alice", 0)
    for _ in range(2):
        patience.check("alice", 1_000)
        patience.refused("alice", 1_000)
    with pytest.raises(NotReady):
        patience.check("alice", 1_000)


def test_only_so_many_spaces_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "SPACES_MAX", 3)
    patience = Patience(refusals_max=1, pause_ms=1_000)
    for name in "abcd":
        patience.refused(name, 0)
    assert set(patience.forgiven) == set("bcd")
