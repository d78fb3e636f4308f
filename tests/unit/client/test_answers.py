"""Goal: what services answer is read however they write it."""

from datetime import UTC, datetime

import pytest

from taijitu.client.answers import moment

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T12:00:00Z",
        "2026-11-24T12:00:00.000Z",
        "2026-11-24T12:00:00.000000000Z",
        "2026-11-24T13:00:00+01:00",
        "2026-11-24T12:00:00",
    ],
)
def test_a_time_can_be_compared_however_it_was_written(text: str) -> None:
    assert moment(text) == NOON
    assert sorted(filter(None, [moment("2026-11-24T12:00:01Z"), moment(text)]))[0] == NOON


@pytest.mark.parametrize("value", ["yesterday", "", 7, None, {}])
def test_what_is_no_time_is_none(value: object) -> None:
    assert moment(value) is None
