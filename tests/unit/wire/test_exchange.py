from typing import Any

import pytest

from support import vectors
from taijitu.ipld import dagcbor
from taijitu.ipld.cid import link_to
from taijitu.wire import exchange, message
from taijitu.wire.exchange import CONTENT_TYPE, Answer, Refusal
from taijitu.wire.message import Message

HTTP: list[dict[str, Any]] = vectors.manifest()["http"]
INVOCATION, RECEIPT, TASK = (dagcbor.encode({"n": number}) for number in range(3))
RAN, GIVEN, FORKED = link_to(INVOCATION), link_to(RECEIPT), link_to(TASK)
BODY = message.encode([RAN], {}, {RAN: INVOCATION})


def test_all_four_refusals_are_tried() -> None:
    assert len(HTTP) == 4


@pytest.mark.parametrize("case", HTTP, ids=lambda case: case["name"])
def test_a_bad_request_is_refused_as_javascript_refuses_it(case: dict[str, Any]) -> None:
    headers = {"content-type": CONTENT_TYPE, "accept": CONTENT_TYPE} | case["headers"]
    body = bytes.fromhex(case["body_hex"]) if "body_hex" in case else BODY
    refusal = exchange.accept(headers["content-type"], headers["accept"], body)
    assert isinstance(refusal, Refusal)
    assert refusal.status == case["status"]
    assert refusal.text == case["text"]
    expected = {name.lower(): value for name, value in case["response_headers"].items()}
    assert refusal.headers == expected


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        " ",
        "*/*",
        "application/*",
        CONTENT_TYPE,
        "text/html, application/vnd.ipld.car;q=0.5",
        "text/html,*/*;q=0.1",
        "Application/VND.ipld.CAR",
        "application/vnd.ipld.car; version=1",
    ],
)
def test_whatever_allows_our_type_is_accepted(accept: str | None) -> None:
    request = exchange.accept(CONTENT_TYPE, accept, BODY)
    assert isinstance(request, Message)
    assert request.execute == (RAN,)


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/json, text/*",
        "application/vnd.ipld.car;q=0",
        "*/*; q=0.000",
        "application/vnd.ipld.carx",
        "text/html," * 1_000 + "*/*",
    ],
)
def test_whatever_rules_out_our_type_is_refused(accept: str) -> None:
    refusal = exchange.accept(CONTENT_TYPE, accept, BODY)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 406


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/car", "application/vnd.ipld.car; charset=utf-8", "*/*", " "],
)
def test_the_content_type_must_be_exactly_ours(content_type: str | None) -> None:
    refusal = exchange.accept(content_type, CONTENT_TYPE, BODY)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.headers) == (415, {"accept": CONTENT_TYPE})


def test_the_reason_of_a_refusal_is_bounded() -> None:
    root = {message.VARIANT: {"report": {"x" * 10_000: RAN}}}
    block = dagcbor.encode(root)
    body = exchange.message.car.encode([link_to(block)], [(link_to(block), block)])
    refusal = exchange.accept(CONTENT_TYPE, None, body)
    assert isinstance(refusal, Refusal)
    assert refusal.text.startswith("Bad request: Malformed payload - `report`")
    assert len(refusal.text) <= 600


def test_an_answer_carries_each_receipt_and_its_company() -> None:
    blocks = {RAN: INVOCATION, FORKED: TASK, GIVEN: RECEIPT}
    headers, body = exchange.answer([Answer(RAN, GIVEN, blocks), Answer(FORKED, GIVEN, blocks)])
    read = message.decode(body)
    assert headers == {"content-type": CONTENT_TYPE}
    assert read.execute == ()
    assert read.report == {RAN: GIVEN, FORKED: GIVEN}
    assert read.blocks.items() >= blocks.items()


def test_one_invocation_has_one_answer() -> None:
    _, body = exchange.answer([Answer(RAN, GIVEN, {GIVEN: RECEIPT})] * 2)
    assert message.decode(body).report == {RAN: GIVEN}


def test_no_receipts_make_an_empty_message() -> None:
    _, body = exchange.answer([])
    assert body == vectors.car("message-empty.res.car")
