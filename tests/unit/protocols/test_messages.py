"""Whole exchanges: the golden requests, answered by handlers like those they were made with."""

from typing import Any

import pytest

from support import vectors
from taijitu.ipld import car, dagcbor
from taijitu.ipld.cid import Link
from taijitu.protocols.capabilities import (
    SPACE_BLOB_ADD,
    STORE_ADD,
    STORE_LIST,
    Page,
    SpaceBlobAdd,
    StoreAdd,
)
from taijitu.protocols.execution import (
    Error,
    Executed,
    Invocation,
    Ok,
    Outcome,
    Provider,
    Service,
    providers,
    run,
)
from taijitu.ucan import receipt
from taijitu.ucan.issue import delegate
from taijitu.wire import exchange, message
from unit.ucan.people import authority, now, service

MESSAGES: list[dict[str, Any]] = vectors.manifest()["messages"]
UNLUCKY_SIZE, THROWING_SIZE = 13, 14
"""Bytes of a CAR for which the handler answers with an error, or raises."""


async def add(asked: Invocation[StoreAdd]) -> Outcome:
    if asked.nb.size == UNLUCKY_SIZE:
        return Error("Error", "unlucky size")
    if asked.nb.size == THROWING_SIZE:
        raise TypeError("boom")
    return Ok(
        {
            "status": "upload",
            "allocated": asked.nb.size,
            "with": asked.resource,
            "link": asked.nb.link,
            "url": "http://127.0.0.1/put",
            "headers": {"x-amz-checksum-sha256": "AAAA"},
        }
    )


async def list_stored(_: Invocation[Page]) -> Outcome:
    return Ok({"size": 0, "results": []})


async def add_blob(asked: Invocation[SpaceBlobAdd]) -> Outcome:
    """Answers with two tasks of the service: allocate forked, accept joined."""
    blob, space = asked.nb.blob, asked.resource
    allocate = task("allocate", {"blob": blob, "cause": asked.link, "space": space})
    put = {"ucan/await": [".out.ok", allocate.link]}
    accept = task("accept", {"blob": blob, "space": space, "_put": put})
    return Ok(
        {"site": {"ucan/await": [".out.ok.site", accept.link]}},
        fork=(allocate.link,),
        join=accept.link,
        blocks={each.link: each.data for each in (allocate, accept)},
    )


def task(verb: str, nb: dict[str, object]) -> Any:
    capability = {"can": f"web3.storage/blob/{verb}", "with": service.did, "nb": nb}
    return delegate(service, service.did, [capability], expiration=None)


the_service = Service(
    service,
    authority,
    providers(
        Provider(STORE_ADD, add),
        Provider(STORE_LIST, list_stored),
        Provider(SPACE_BLOB_ADD, add_blob),
    ),
    clock=lambda: now,
)


async def answers(case: dict[str, Any]) -> list[Executed]:
    headers = case["request"]["headers"]
    body = vectors.car(case["request"]["file"])
    request = exchange.accept(headers["content-type"], headers["accept"], body)
    assert isinstance(request, message.Message)
    return await run(the_service, request)


def theirs(case: dict[str, Any]) -> car.Car:
    return car.decode(vectors.car(case["response"]["file"]))


def has_stack(value: Any) -> bool:
    """JavaScript puts stack traces into errors. We do not, so those receipts cannot be equal."""
    return isinstance(value, dict) and ("stack" in value or any(map(has_stack, value.values())))


def without_stack(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_stack(item) for key, item in value.items() if key != "stack"}
    return value


def is_exact(case: dict[str, Any]) -> bool:
    """Whether the golden response holds nothing that is an accident of JavaScript."""
    given = theirs(case).blocks
    receipts = (Link.parse(each["cid"]) for each in case["response"]["report"].values())
    return not any(has_stack(dagcbor.decode(given[link])) for link in receipts)


EXACT = [case for case in MESSAGES if is_exact(case)]


def test_all_ten_exchanges_are_tried() -> None:
    assert (len(MESSAGES), len(EXACT)) == (10, 5)


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case["name"])
async def test_an_exchange_has_the_outcome_that_javascript_gives(case: dict[str, Any]) -> None:
    executed = await answers(case)
    report = case["response"]["report"]
    assert {str(each.ran) for each in executed} == report.keys()
    for each in executed:
        expected = report[str(each.ran)]
        given = dagcbor.decode(theirs(case).blocks[Link.parse(expected["cid"])])
        ours = dagcbor.decode(each.receipt.data)
        assert ours["ocm"] == without_stack(given["ocm"])
        assert each.receipt.issuer == expected["iss"]
        assert receipt.verify(each.receipt, [service.key_did])


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case["name"])
async def test_the_invocation_and_its_company_are_sent_back(case: dict[str, Any]) -> None:
    executed = await answers(case)
    headers, body = exchange.answer(each.answer() for each in executed)
    assert headers == case["response"]["headers"]
    ours, given = car.decode(body), theirs(case)
    signed = {Link.parse(each["cid"]) for each in case["response"]["report"].values()}
    signed |= {each.receipt.link for each in executed} | {*ours.roots, *given.roots}
    assert ours.blocks.keys() - signed == given.blocks.keys() - signed
    assert message.decode(body).report.keys() == {each.ran for each in executed}


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case["name"])
async def test_a_response_without_accidents_is_the_same_to_the_byte(case: dict[str, Any]) -> None:
    executed = await answers(case)
    _, body = exchange.answer([each.answer() for each in executed])
    ours, given = car.decode(body), theirs(case)
    assert ours.roots == given.roots
    assert ours.blocks == given.blocks
    if case["name"] != "blob-add-effects":  # where the order of the tasks is free
        assert body == vectors.car(case["response"]["file"])


async def test_the_effects_of_a_receipt_can_be_read_from_the_response() -> None:
    case = next(case for case in MESSAGES if case["name"] == "blob-add-effects")
    (executed,) = await answers(case)
    for link in (*executed.receipt.fork, executed.receipt.join):
        assert isinstance(link, Link)
        assert dagcbor.decode(executed.blocks[link])["att"][0]["can"].startswith("web3.storage/")
