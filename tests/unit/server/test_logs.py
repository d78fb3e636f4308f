"""Log lines: what they are, and what never stands in them."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from taijitu.server import logs
from unit.server.running import Service, fresh


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    for name in ("stream", "render"):
        monkeypatch.setattr(logs.log, name, getattr(logs.log, name))
    logs.configure("json", stream)
    yield stream
    logging.basicConfig(handlers=handlers, level=level, force=True)


def events(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_line_is_one_json_object_whatever_is_in_it(lines: io.StringIO) -> None:
    logs.log.info("two\nlines", what=b"bytes", where=object)
    (event,) = events(lines)
    assert event["event"] == "two\nlines"
    assert event["level"] == "info"


def test_a_traceback_is_a_field(lines: io.StringIO) -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError as why:
        logs.log.exception("failed")
        logs.log.error("failed", exc_info=why)
        logging.getLogger("asyncio").exception("failed")
    for event in events(lines):
        assert str(event["exception"]).startswith("Traceback (most recent call last):")
        assert str(event["exception"]).endswith("RuntimeError: broken")
        assert (event["level"], "exc_info" in event) == ("error", False)
    assert len(events(lines)) == 3


def test_a_line_says_when_in_utc(lines: io.StringIO) -> None:
    before = datetime.now(UTC)
    logs.log.warning("odd")
    (event,) = events(lines)
    assert str(event["timestamp"]).endswith("Z")
    assert before <= datetime.fromisoformat(str(event["timestamp"])) <= datetime.now(UTC)


def test_lines_of_libraries_look_like_ours_and_their_chatter_is_left_out(
    lines: io.StringIO,
) -> None:
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("uvicorn.error").warning("odd %s", "thing")
    (event,) = events(lines)
    assert (event["event"], event["logger"], event["level"]) == (
        "odd thing",
        "uvicorn.error",
        "warning",
    )


def test_for_people_a_line_is_text(lines: io.StringIO) -> None:
    logs.configure("console", lines)
    logs.log.info("hello", who="alice")
    assert "hello" in lines.getvalue()
    assert "who=alice" in lines.getvalue()
    assert "info" in lines.getvalue()


def test_for_people_a_traceback_follows_its_line(lines: io.StringIO) -> None:
    logs.configure("console", lines)
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logs.log.exception("failed")
    first, *_, last = lines.getvalue().rstrip().splitlines()
    assert "failed" in first
    assert last.endswith("RuntimeError: broken")


async def test_the_signature_of_a_url_is_never_logged(lines: io.StringIO, service: Service) -> None:
    data = fresh(10)
    _, upload = service.upload(data)
    assert (await service.put(upload.url, fresh(10), upload.headers))[0] == 400
    assert "X-Amz" not in lines.getvalue()
    last = events(lines)[-1]
    assert (last["event"], last["method"], last["status"]) == ("request", "PUT", 400)


async def test_the_line_of_a_request_that_is_refused_says_why(
    lines: io.StringIO, service: Service
) -> None:
    _, upload = service.upload(fresh(10))
    status, body = await service.put(upload.url, fresh(11), upload.headers)
    assert status >= 400
    async with service.http.get(f"{service.url}/receipt/nonsense<&>") as answer:
        told = (await answer.text()).strip()
    put, get = events(lines)[-2:]
    code = body.split("<Code>")[1].split("</Code>")[0]
    assert str(put["why"]).startswith(f"{code}: ")
    assert get["why"] == told


async def test_the_line_of_a_request_that_is_granted_has_no_reason(
    lines: io.StringIO, service: Service
) -> None:
    async with service.http.get(f"{service.url}/version") as answer:
        assert answer.status == 200
    assert "why" not in events(lines)[-1]


def test_a_reason_is_cut_where_it_is_too_long_for_a_line() -> None:
    assert len(logs.why(b"x" * 10_000)) == logs.WHY_CHARS_MAX
