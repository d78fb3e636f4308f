"""Goal: whatever is done to the clock of the machine, ours goes on: never back, never standing,
and close to what everybody else says the time is as soon as that has lasted.
"""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taijitu.engine.clock import BELIEVED_AFTER_MS, SLEW, SystemClock

START = 1_700_000_000_000
HOUR = 3_600_000


class Machine:
    """A machine whose clock can be set, and a clock of ours on it that is looked at often."""

    def __init__(self) -> None:
        self.passed = 0
        self.set_by = 0
        self.clock = SystemClock(lambda: START + self.passed + self.set_by, lambda: self.passed)

    def go_on(self, ms: int, step: int = 100) -> int:
        """Let real time pass; the time on our clock after that."""
        for _ in range(0, ms, step):
            self.passed += step
            self.clock.now()
        return self.clock.now()


def test_a_clock_that_nobody_sets_tells_the_time() -> None:
    assert Machine().go_on(HOUR) == START + HOUR


def test_a_jump_ahead_and_back_stops_no_timer() -> None:
    machine = Machine()
    machine.set_by = HOUR
    assert machine.go_on(5_000) <= START + 5_500
    machine.set_by = 0
    assert machine.go_on(60_000) == START + 65_000


def test_a_jump_ahead_that_lasts_is_believed_and_a_jump_back_still_stops_no_timer() -> None:
    machine = Machine()
    machine.set_by = HOUR
    believed = machine.go_on(BELIEVED_AFTER_MS + 1_000)
    assert believed == START + machine.passed + HOUR
    machine.set_by = 0
    assert believed + 54_000 == machine.go_on(60_000)
    assert machine.go_on(11 * HOUR, 1_000) == START + machine.passed


def test_a_clock_that_is_set_back_is_followed_slowly() -> None:
    machine = Machine()
    machine.set_by = -HOUR
    assert machine.go_on(60_000) == START + 54_000
    assert machine.go_on(11 * HOUR, 1_000) == START + machine.passed - HOUR


def test_a_small_difference_is_made_good_within_ten_times_its_length() -> None:
    for by in (1_000, -1_000):
        machine = Machine()
        machine.set_by = by
        assert machine.go_on(10_000) == START + 10_000 + by


def test_a_machine_that_slept_finds_its_time_again() -> None:
    machine = Machine()
    assert machine.go_on(HOUR, HOUR) == START + HOUR


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(-HOUR, HOUR)), max_size=40))
def test_it_never_runs_back_and_never_stands(steps: list[tuple[int, int]]) -> None:
    machine = Machine()
    for passed, set_by in steps:
        before = machine.clock.now()
        machine.set_by = set_by
        machine.passed += passed
        assert machine.clock.now() >= before + passed - passed // SLEW - 1


@pytest.mark.parametrize("set_by", [HOUR, -HOUR])
async def test_a_wait_lasts_as_long_as_it_should_whatever_the_clock_is_set_to(set_by: int) -> None:
    offset = 0
    now = asyncio.get_running_loop().time
    began = now()
    clock = SystemClock(lambda: START + int(now() * 1000) + offset, lambda: int(now() * 1000))
    until = clock.now() + 50
    offset = set_by
    while clock.now() < until:
        await clock.wait(asyncio.Event(), until)
    assert 0.04 <= now() - began < 5
