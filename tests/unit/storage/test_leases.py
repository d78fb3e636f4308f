"""Leases end by themselves, and what has ended takes no room."""

from taijitu.engine.storage import TaskKey
from taijitu.storage.leases import Leases

ONE, TWO = TaskKey(b"p", 1), TaskKey(b"p", 2)


def test_a_lease_holds_until_its_end() -> None:
    leases = Leases()
    leases.hold([ONE], now=100, lease_ms=10)

    assert not leases.free(ONE, 109)
    assert leases.free(ONE, 110)
    assert leases.free(TWO, 100)
    assert leases.ends(ONE) == 110


def test_what_was_never_given_back_is_forgotten_in_time() -> None:
    leases = Leases()
    for number in range(1_000):
        leases.hold([TaskKey(b"p", number)], now=number * 10, lease_ms=100)

    assert len(leases.until) < 30
