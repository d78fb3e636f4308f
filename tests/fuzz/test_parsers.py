"""Goal: no input from outside makes a parser fail in another way than its own, be believed where
it is forged, or be read in two ways.
Method: Hypothesis spoils valid inputs, keeps those that fail, and makes them simpler. How many it
tries in all is set by `TAIJITU_FUZZ`.
"""

import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.mutation import SCRIPT_STEPS_MAX, STEP, spoiled
from fuzz.targets import TARGETS, Target
from support.fuzzed import PROPERTY

INPUTS = int(os.environ.get("TAIJITU_FUZZ", "10000"))
"""Over all targets."""
ROUND_MAX = 10_000
"""Inputs after which Hypothesis begins anew: it remembers all of a round."""
SHARES = sum(target.share for target in TARGETS)

QUIET = settings(deadline=None, database=None, print_blob=True)


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_no_input_is_more_than_refused(
    target: Target, record_property: Callable[[str, object], None]
) -> None:
    tried, wanted = 0, max(1, round(INPUTS * target.share / SHARES))

    @given(st.integers(0, len(target.samples) - 1), st.binary(max_size=STEP * SCRIPT_STEPS_MAX))
    def attempt(sample: int, script: bytes) -> None:
        nonlocal tried
        tried += 1
        target.judge(spoiled(target.samples[sample], target.samples, script), sample)

    while tried < wanted:
        size = min(ROUND_MAX, wanted - tried)
        settings(QUIET, max_examples=size)(attempt)()
    record_property(PROPERTY, tried)
