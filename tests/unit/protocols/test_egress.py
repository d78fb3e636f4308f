"""What gateways say that they have served of a space is noted, if the space lets them."""

from typing import Any

import pytest

from taijitu.ipld.cid import IDENTITY, RAW, link_to, link_with
from taijitu.machines.egress import BYTES_MAX, Serve, Served, Unserved, egress_at, update
from taijitu.protocols.egress import Egress
from taijitu.protocols.entries import TIME_MAX
from unit.protocols.serving import Serving
from unit.ucan.people import alice, ask, bob, cap, carol, grant, raw_link, space

RECORD = "space/content/serve/egress/record"
SERVED = {"resource": raw_link, "bytes": 500, "servedAt": 1_700_000_000}


@pytest.fixture
async def serving() -> Serving:
    serving = Serving()
    serving.begin(Egress(serving.durable, serving.spaces))
    await serving.world.provision(space.did, 1_000)
    return serving


async def total(serving: Serving) -> Any:
    return (await serving.engine.read(egress_at(space.did))).state


@pytest.mark.parametrize("can", [RECORD, "space/content/serve/*", "space/*", "*"])
async def test_a_gateway_that_may_serve_a_space_says_what_it_served(
    serving: Serving, can: str
) -> None:
    proof = grant(space, alice, cap(can))
    found = await serving.ok(RECORD, agent=alice, proofs=[proof], **SERVED)
    state = await total(serving)
    assert state == Served(space.did, 500, 1, found["cause"])
    assert {**found, "cause": None} == {
        "space": space.did,
        "resource": raw_link,
        "bytes": 500,
        "servedAt": "1970-01-20T16:13:20.000Z",
        "cause": None,
    }


async def test_what_was_served_adds_up(serving: Serving) -> None:
    for size in (500, 1, 99):
        await serving.ok(RECORD, **{**SERVED, "bytes": size})
    state = await total(serving)
    assert (state.bytes, state.times) == (600, 3)


def test_what_cannot_be_true_is_added_up_to_a_limit() -> None:
    full = Served(space.did, BYTES_MAX - 1, 7, link_to(b"before"))
    word = Serve(1, link_to(b"word"), space.did, raw_link, 2**53 - 1, 0, alice.did)
    step = update(full, word)
    assert step.state == Served(space.did, BYTES_MAX, 8, word.invocation)


async def test_the_same_word_counts_once(serving: Serving) -> None:
    said = {**cap(RECORD), "nb": SERVED}
    word, another = ask(space, said), ask(space, said, nonce="another")
    first, other, again = [await serving.send(each) for each in (word, another, word)]
    assert first.link == again.link != other.link
    assert (await total(serving)).times == 2


@pytest.mark.parametrize("can", ["space/content/serve/transport/http", "space/info", "store/*"])
async def test_nobody_else_says_anything_about_it(serving: Serving, can: str) -> None:
    proof = grant(space, alice, cap(can))
    for agent, proofs in ((alice, [proof]), (carol, [])):
        refused = await serving.error(RECORD, agent=agent, proofs=proofs, **SERVED)
        assert refused["name"] == "Unauthorized"
    assert await total(serving) == Unserved()


async def test_a_space_that_nobody_provides_for_is_not_found(serving: Serving) -> None:
    refused = await serving.error(RECORD, bob, **SERVED)
    assert refused == {
        "name": "ConsumerNotFound",
        "message": f"{bob.did} not found",
        "did": bob.did,
    }


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("bytes", 0, "Unauthorized"),
        ("bytes", -1, "Unauthorized"),
        ("servedAt", -1, "Unauthorized"),
        ("resource", "text", "Unauthorized"),
        ("servedAt", TIME_MAX + 1, "Error"),
        ("resource", link_with(bytes([IDENTITY, 127]) + bytes(127), RAW), "Error"),
    ],
)
async def test_what_cannot_have_happened_is_refused(
    serving: Serving, field: str, value: Any, name: str
) -> None:
    refused = await serving.error(RECORD, **{**SERVED, field: value})
    assert refused["name"] == name
    assert await total(serving) == Unserved()
    await serving.ok(RECORD, **{**SERVED, "servedAt": TIME_MAX})
