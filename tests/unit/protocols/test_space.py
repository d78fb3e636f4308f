"""`space/info`: which proofs are enough to see who provides for a space."""

from typing import Any

import pytest

from taijitu.protocols.space import SpaceInfo
from taijitu.protocols.spaces import Spaces
from unit.protocols.serving import Serving
from unit.ucan.people import alice, cap, car_link, grant, raw_link, service, space

ENOUGH: list[tuple[str, dict[str, Any]]] = [
    ("space/info", {}),
    ("space/*", {}),
    ("*", {}),
    ("store/add", {"link": car_link, "size": 1}),
    ("store/list", {}),
    ("store/remove", {"link": car_link}),
    ("upload/add", {"root": raw_link}),
    ("upload/list", {}),
    ("upload/remove", {"root": raw_link}),
]

NOT_ENOUGH: list[tuple[str, dict[str, Any]]] = [
    ("store/*", {}),
    ("upload/*", {}),
    ("store/get", {"link": car_link}),
    ("store/add", {}),
    ("store/add", {"link": car_link}),
    ("store/remove", {}),
    ("upload/add", {}),
    ("upload/remove", {}),
    ("space/blob/list", {}),
]


@pytest.fixture
async def serving() -> Serving:
    serving = Serving()
    serving.begin(SpaceInfo(serving.spaces, service.did))
    await serving.world.provision(space.did, 1_000)
    return serving


def info() -> dict[str, Any]:
    return {"did": space.did, "providers": [service.did]}


@pytest.mark.parametrize(("can", "nb"), ENOUGH, ids=str)
@pytest.mark.parametrize("agent", [alice, service], ids=["alice", "service"])
async def test_these_delegations_are_enough(
    serving: Serving, agent: Any, can: str, nb: dict[str, Any]
) -> None:
    proof = grant(space, agent, cap(can, **nb))
    assert await serving.ok("space/info", agent=agent, proofs=[proof]) == info()


@pytest.mark.parametrize(("can", "nb"), NOT_ENOUGH, ids=str)
async def test_these_are_not(serving: Serving, can: str, nb: dict[str, Any]) -> None:
    proof = grant(space, alice, cap(can, **nb))
    refused = await serving.error("space/info", agent=alice, proofs=[proof])
    assert refused["name"] == "Unauthorized"


async def test_what_else_is_said_with_the_question_is_not_looked_at(serving: Serving) -> None:
    assert await serving.ok("space/info", delegations={}) == info()


async def test_a_space_that_nobody_provides_for_is_not_found(serving: Serving) -> None:
    unknown = {"name": "SpaceUnknown", "message": "Space not found."}
    assert await serving.error("space/info", alice) == unknown
    await serving.world.provision(alice.did, 1_000)
    assert (await serving.ok("space/info", alice))["did"] == alice.did


async def test_where_spaces_open_on_first_use_all_are_provided_for(serving: Serving) -> None:
    serving.begin(SpaceInfo(Spaces(serving.engine, 1_000), service.did))
    assert (await serving.ok("space/info", alice))["providers"] == [service.did]


async def test_only_a_key_is_a_space(serving: Serving) -> None:
    message = "can only get info for did:key spaces"
    refused = {"name": "SpaceUnknown", "message": message}
    assert await serving.error("space/info", service) == refused
