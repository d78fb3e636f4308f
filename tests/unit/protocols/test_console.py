"""`console/*`: what is said comes back as it was said."""

from typing import Any

import pytest

from taijitu.protocols.console import Console
from unit.protocols.serving import Serving
from unit.ucan.people import alice, ask, bob, cap, grant, raw_link, space

VALUES = ["hello", 7, 1.5, True, [1, [b"two"]], {"a": {"b": raw_link}}, b"bytes", raw_link]


@pytest.fixture
def serving() -> Serving:
    serving = Serving()
    serving.begin(Console())
    return serving


@pytest.mark.parametrize("value", VALUES, ids=str)
async def test_what_is_said_comes_back_as_it_is(serving: Serving, value: Any) -> None:
    assert await serving.invoke("console/log", value=value) == {"ok": value}


@pytest.mark.parametrize("nb", [{}, {"value": None}], ids=str)
async def test_nothing_comes_back_as_an_empty_map(serving: Serving, nb: dict[str, Any]) -> None:
    assert await serving.invoke("console/log", **nb) == {"ok": {}}


@pytest.mark.parametrize("error", VALUES, ids=str)
async def test_a_failure_has_the_cause_that_was_given(serving: Serving, error: Any) -> None:
    failure = {"name": "Error", "message": "Error from console", "cause": error}
    assert await serving.invoke("console/error", error=error) == {"error": failure}


@pytest.mark.parametrize("nb", [{}, {"error": None}], ids=str)
async def test_a_failure_without_a_cause_has_an_empty_one(
    serving: Serving, nb: dict[str, Any]
) -> None:
    failure = {"name": "Error", "message": "Error from console", "cause": {}}
    assert await serving.invoke("console/error", **nb) == {"error": failure}


@pytest.mark.parametrize("can", ["console/*", "console/log", "*"])
async def test_it_takes_a_delegation_from_whoever_it_is_about(serving: Serving, can: str) -> None:
    proof = grant(space, alice, cap(can))
    told = await serving.ok("console/log", agent=alice, proofs=[proof], value="hello")
    assert told == "hello"
    refused = await serving.error("console/log", agent=bob, proofs=[proof], value="hello")
    assert refused["name"] == "Unauthorized"


async def test_nothing_is_kept_of_it(serving: Serving) -> None:
    asked = ask(space, cap("console/log", value="hello"))
    receipt = await serving.send(asked)
    assert receipt.out == {"ok": "hello"}
    assert await serving.engine.receipt(asked.link) is None
