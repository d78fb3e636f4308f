"""So many at once, then one now and then: what a pace allows."""

import pytest

from taijitu.protocols import pace
from taijitu.protocols.pace import Pace


def done(pace: Pace, name: str, now: int) -> bool:
    """Do it if that is allowed."""
    if not pace.allows(name, now):
        return False
    pace.note(name, now)
    return True


def test_a_burst_and_then_one_every_pause() -> None:
    three = Pace(3, 1_000)
    assert [done(three, "alice", 0) for _ in range(4)] == [True, True, True, False]
    assert not done(three, "alice", 999)
    assert [done(three, "alice", 1_000) for _ in range(2)] == [True, False]
    assert done(three, "bob", 1_000)


def test_after_a_rest_there_is_a_burst_again_and_no_more() -> None:
    three = Pace(3, 1_000)
    for at in (0, 1_000_000):
        assert [done(three, "alice", at) for _ in range(4)] == [True, True, True, False]


def test_over_a_long_time_it_is_one_every_pause() -> None:
    two = Pace(2, 1_000)
    times = [at for at in range(0, 100_000, 50) if done(two, "alice", at)]
    assert len(times) == 2 + 99


def test_those_who_came_long_ago_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "NAMES_MAX", 2)
    one = Pace(1, 1_000)
    assert all(done(one, name, at) for at, name in enumerate(["alice", "bob", "carol"]))
    assert not done(one, "bob", 3)
    assert not done(one, "carol", 3)
    assert done(one, "alice", 3)
