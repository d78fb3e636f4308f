"""Goal: no input from outside makes a parser fail in another way than its own, be believed where
it is forged, or be read in two ways.
Method: Hypothesis spoils valid inputs, keeps those that fail, and makes them simpler. How many it
tries over all targets is 10,000, in a soak a million, or what `TAIJITU_FUZZ` says.
"""

import os
from collections.abc import Callable
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.mutation import SCRIPT_STEPS_MAX, STEP, spoiled
from fuzz.targets import TARGETS, Target
from support.fuzzed import PROPERTY

SET = os.environ.get("TAIJITU_FUZZ")
INPUTS, SOAK_INPUTS = (int(SET), int(SET)) if SET else (10_000, 1_000_000)
ROUND_MAX = 10_000
"""Inputs after which Hypothesis begins anew: it remembers all of a round."""
SHARES = sum(target.share for target in TARGETS)

QUIET = settings(deadline=None, database=None, print_blob=True)


@pytest.mark.parametrize(
    "inputs", [INPUTS, pytest.param(SOAK_INPUTS, marks=pytest.mark.soak)], ids=["few", "many"]
)
@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_no_input_is_more_than_refused(
    target: Target, inputs: int, record_property: Callable[[str, object], None]
) -> None:
    tried, wanted = 0, ceil(inputs * target.share / SHARES)

    def attempt(sample: int, script: bytes) -> None:
        nonlocal tried
        tried += 1
        target.judge(spoiled(target.samples[sample], target.samples, script), sample)

    samples = st.integers(0, len(target.samples) - 1)
    scripts = st.binary(max_size=STEP * SCRIPT_STEPS_MAX)
    while tried < wanted:
        round_of = settings(QUIET, max_examples=min(ROUND_MAX, wanted - tried))
        round_of(given(samples, scripts)(attempt))()
    record_property(PROPERTY, tried)
