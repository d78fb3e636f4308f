"""Goal: a history is told so that people can follow it, and a line fits a terminal."""

from typing import Any

import pytest
from rich.cells import cell_len

from taijitu.cli import story

CID = "bafyreic2imxuhoakftk2em6mxslt5eurhd7mn6gtg6oxgx6pvllujuclie"
AT = 1_700_000_000_000
MARKS = {"Receiving": "🚦"}


def step(**fields: Any) -> dict[str, Any]:
    return {
        "seq": 2,
        "cid": CID,
        "at": AT,
        "cause": None,
        "message": {"do": "store/receive"},
        "state": {"status": "receiving"},
        "state_name": "Receiving",
        "amended": False,
        "is_current": True,
        "pipelines": [],
        "tasks": [],
    } | fields


def task(**fields: Any) -> dict[str, Any]:
    return {
        "ability": "s3/stat",
        "actor": "S3",
        "subject": "zQm",
        "input": {},
        "fate": "open",
        "value": None,
        "ready_at": None,
        "tries": 0,
        "trouble": "",
    } | fields


def lines(**fields: Any) -> list[str]:
    return [line.plain for line in story.told(step(**fields), MARKS)]


def test_a_step_begins_with_what_led_where_and_when() -> None:
    assert lines() == [
        "  2  2023-11-14 22:13:20.000  📬 store/receive ──▶ 🚦 Receiving",
        f"     block    {CID}",
    ]


def test_who_asked_is_told_where_somebody_did() -> None:
    assert f"     cause    {CID}" in lines(cause=CID)


def test_a_request_of_another_cell_is_named_by_its_ability() -> None:
    assert "📬 ledger/reserve" in lines(message={"can": "ledger/reserve"})[0]


def test_sizes_and_times_are_told_as_such_and_urls_not_at_all() -> None:
    message = {
        "do": "store/receive",
        "at": AT,
        "url": "http://localhost/secret",
        "headers": {"x": "y"},
        "size": 65_634,
        "expires": AT + 1,
    }
    told = "\n".join(lines(message=message))
    assert "65,634 bytes · expires 2023-11-14 22:13:20.001" in told
    assert "secret" not in told


def test_the_pipeline_that_came_to_its_end_is_marked() -> None:
    pipelines = [
        {"text": "~storage/allocate >> 📬 store/exceed", "delivered": False},
        {"text": "storage/allocate >> 📬 store/put", "delivered": True},
    ]
    assert lines(pipelines=pipelines)[2:] == [
        "     plan       ~storage/allocate >> 📬 store/exceed",
        "              ▸ storage/allocate >> 📬 store/put",
    ]


def test_a_plan_that_goes_on_is_said_to() -> None:
    assert "     plan     the one before goes on" in lines(amended=True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"fate": "ok", "value": {"size": 7}}, "✅ s3/stat@S3 · 7 bytes"),
        ({"fate": "ok", "value": {}}, "✅ s3/stat@S3"),
        (
            {"fate": "error", "value": {"name": "Absent", "message": "not there"}},
            "❌ s3/stat@S3 · not there",
        ),
        ({"ready_at": AT}, "⏳ s3/stat@S3 · due 2023-11-14 22:13:20"),
        ({"ready_at": 2**53 - 1}, "⏳ s3/stat@S3 · under way"),
        ({"fate": "waiting"}, "⏳ s3/stat@S3 · not asked for yet"),
        ({"fate": "dropped"}, "   s3/stat@S3 · no longer needed"),
        (
            {"tries": 2, "trouble": "no answer"},
            "⏳ s3/stat@S3 · under way · tried 2 times: no answer",
        ),
    ],
)
def test_a_task_is_told_with_how_it_went(fields: dict[str, Any], said: str) -> None:
    assert lines(tasks=[task(**fields)])[-1] == f"     tasks    {said}"


def test_facts_go_on_in_the_next_line_where_they_do_not_fit() -> None:
    message = {"do": "store/add"} | {f"fact{n}": "x" * 20 for n in range(5)}
    told = lines(message=message)[2:]
    assert len(told) == 3
    assert max(map(cell_len, told)) <= story.WIDTH


def test_what_sent_a_message_can_be_told_by_the_end_of_its_pipeline() -> None:
    assert "s3/put >> 📬 store/receive".endswith(story.sent(step()))
    assert not "s3/put >> 📬 store/put".endswith(story.sent(step()))


def test_each_state_of_the_entry_has_the_mark_of_the_chart() -> None:
    marks = story.marks()
    assert (marks["Active"], marks["Stored"], marks["Expired"]) == ("🚦", "🏁", "🚫")
