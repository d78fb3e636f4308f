"""Goal: pauses grow, stay within their limits, and heed what the service asks for."""

import pytest

from taijitu.client import Retry, Retrying, Unavailable
from taijitu.client.retry import WAIT_MAX, Again, Patience, wait_wanted

USUAL = Retry(pause=1.0, pause_max=10.0)


@pytest.mark.parametrize(
    ("number", "least", "most"), [(1, 0.5, 1), (2, 1, 2), (3, 2, 4), (9, 5, 10), (99, 5, 10)]
)
def test_pauses_double_up_to_a_limit(number: int, least: float, most: float) -> None:
    for _ in range(100):
        assert least <= USUAL.seconds(number, None) <= most


def test_pauses_are_not_all_the_same() -> None:
    assert len({USUAL.seconds(1, None) for _ in range(100)}) > 1


def test_what_the_service_asks_for_is_heeded_within_reason() -> None:
    assert USUAL.seconds(1, 30.0) == 30.0
    assert USUAL.seconds(1, 1e9) == WAIT_MAX
    assert USUAL.seconds(1, 0.0) > 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("", None),
        (None, None),
        ("-1", None),
        ("1e9", None),
        ("9" * 400, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_a_retry_after_is_seconds_or_nothing(header: str | None, seconds: float | None) -> None:
    assert wait_wanted(header) == seconds


async def test_patience_tells_each_retry_and_ends_with_the_last_reason() -> None:
    told: list[Retrying] = []
    tries: list[int] = []

    async def fail() -> None:
        tries.append(len(tries) + 1)
        raise Again(f"reason {len(tries)}")

    patience = Patience("asking", Retry(tries=3, pause=0.001), told.append)
    with pytest.raises(Unavailable, match="asking failed, 3 times: reason 3"):
        await patience.keep(fail)
    assert tries == [1, 2, 3]
    assert [(each.what, each.number, each.why) for each in told] == [
        ("asking", 1, "reason 1"),
        ("asking", 2, "reason 2"),
    ]


async def test_what_goes_further_has_patience_anew() -> None:
    patience = Patience("reading", Retry(tries=2, pause=0.001), lambda _: None)
    for _ in range(5):
        await patience.wait(Again("broke"))
        patience.renew()
    await patience.wait(Again("broke"))
    with pytest.raises(Unavailable):
        await patience.wait(Again("broke"))


async def test_a_service_that_says_when_to_ask_again_has_not_failed_as_long_as_there_is_time() -> (
    None
):
    told: list[Retrying] = []
    patience = Patience("asking", Retry(tries=2, pause=0.001), told.append, within=60.0)
    for _ in range(5):
        await patience.wait(Again("not yet", 0.0))
    assert [each.number for each in told] == [0] * 5
    await patience.wait(Again("broke"))
    with pytest.raises(Unavailable, match="asking failed, 2 times: broke"):
        await patience.wait(Again("broke"))


async def test_time_for_that_ends() -> None:
    patience = Patience("asking", Retry(tries=2, pause=0.001), lambda _: None, within=0.0)
    await patience.wait(Again("not yet", 0.0))
    with pytest.raises(Unavailable, match="not yet"):
        await patience.wait(Again("not yet", 0.0))
