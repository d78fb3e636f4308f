from typing import Any

import pytest

from support import vectors
from taijitu.ipld import car, dagcbor
from taijitu.ipld.cid import RAW, Link, link_to
from taijitu.wire import message
from taijitu.wire.message import EXECUTE_MAX, REPORT_MAX, VARIANT, MalformedMessage, Message

MESSAGES: list[dict[str, Any]] = vectors.manifest()["messages"]
INVOCATION = dagcbor.encode({"not": "really an invocation"})
RECEIPT = dagcbor.encode({"not": "really a receipt"})
RAN, GIVEN = link_to(INVOCATION), link_to(RECEIPT)
BLOCKS = {RAN: INVOCATION, GIVEN: RECEIPT}


def packed(root: object) -> bytes:
    """A CAR whose root block holds this value."""
    block = dagcbor.encode(root)
    link = link_to(block)
    return car.encode([link], [(link, block)])


def test_all_ten_exchanges_are_tried() -> None:
    assert len(MESSAGES) == 10


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case["name"])
def test_a_request_is_read_and_written_as_javascript_does(case: dict[str, Any]) -> None:
    body = vectors.car(case["request"]["file"])
    read = message.decode(body)
    assert [str(link) for link in read.execute] == case["request"]["execute"]
    assert not read.report
    assert message.encode(read.execute, blocks=without_root(body, read)) == body


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case["name"])
def test_a_response_is_read_and_written_as_javascript_does(case: dict[str, Any]) -> None:
    body = vectors.car(case["response"]["file"])
    read = message.decode(body)
    assert read.execute == ()
    expected = {ran: receipt["cid"] for ran, receipt in case["response"]["report"].items()}
    assert {str(ran): str(receipt) for ran, receipt in read.report.items()} == expected
    assert message.encode(report=read.report, blocks=without_root(body, read)) == body


def without_root(body: bytes, read: Message) -> dict[Link, bytes]:
    root = car.decode(body).roots[0]
    return {link: block for link, block in read.blocks.items() if link != root}


def test_a_message_may_hold_both_and_keeps_order_and_repetition() -> None:
    body = message.encode([RAN, GIVEN, RAN], {RAN: GIVEN}, BLOCKS)
    read = message.decode(body)
    assert read.execute == (RAN, GIVEN, RAN)
    assert read.report == {RAN: GIVEN}
    assert list(read.blocks)[:2] == [RAN, GIVEN]


def test_an_empty_message_is_legal() -> None:
    read = message.decode(message.encode())
    assert (read.execute, dict(read.report)) == ((), {})
    assert message.decode(packed({VARIANT: {"execute": [], "report": {}}})).execute == ()


def test_what_else_stands_in_a_message_is_left_alone() -> None:
    read = message.decode(packed({VARIANT: {"execute": [RAN], "delegate": [GIVEN]}}))
    assert read.execute == (RAN,)


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        (None, "not a map"),
        ([], "not a map"),
        ({}, "ucanto/message@7.0.0"),
        ({"ucanto/message@0.6.0": {}}, "ucanto/message@7.0.0"),
        ({VARIANT: {}, "more": {}}, "ucanto/message@7.0.0"),
        ({VARIANT: []}, "ucanto/message@7.0.0"),
        ({VARIANT: None}, "ucanto/message@7.0.0"),
        ({VARIANT: {"execute": RAN}}, "not a list of links"),
        ({VARIANT: {"execute": None}}, "not a list of links"),
        ({VARIANT: {"execute": {}}}, "not a list of links"),
        ({VARIANT: {"execute": [RAN, str(RAN)]}}, "not a list of links"),
        ({VARIANT: {"execute": [RAN.data]}}, "not a list of links"),
        ({VARIANT: {"report": [GIVEN]}}, "not a map of links"),
        ({VARIANT: {"report": None}}, "not a map of links"),
        ({VARIANT: {"report": {str(RAN): str(GIVEN)}}}, "not a link under"),
        ({VARIANT: {"report": {"bafy": GIVEN}}}, "a key that is not a link"),
        ({VARIANT: {"report": {str(RAN): GIVEN, str(RAN).upper(): GIVEN}}}, "in two ways"),
        ({VARIANT: {"execute": [RAN] * (EXECUTE_MAX + 1)}}, "more than 1024 invocations"),
        (
            {VARIANT: {"report": {str(link_to(bytes(n))): RAN for n in range(REPORT_MAX + 1)}}},
            "more than 1024 receipts",
        ),
    ],
)
def test_a_malformed_message_is_refused_with_its_reason(root: object, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        message.decode(packed(root))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Unexpected end of data"),
        (car.encode([], []), "no root"),
        (car.encode([RAN], []), "is not in the CAR"),
        (car.encode([link_to(b"\xa0", RAW)], [(link_to(b"\xa0", RAW), b"\xa0")]), "not DAG-CBOR"),
        (car.encode([link_to(b"\xff")], [(link_to(b"\xff"), b"\xff")]), "not DAG-CBOR"),
        (car.encode([RAN], [(RAN, RECEIPT)]), "do not hash to its link"),
    ],
)
def test_a_body_that_holds_no_message_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        message.decode(body)


def test_limits_can_be_narrowed() -> None:
    body = message.encode([RAN], {}, BLOCKS)
    with pytest.raises(MalformedMessage, match="over the limit"):
        message.decode(body, car.Limits(size_max=len(body) - 1))
