"""`admin/*/inspect`: the operator, and nobody else, finds out which spaces hold something."""

from typing import Any

import pytest

from taijitu.ipld.cid import CAR, RAW, link_to
from taijitu.protocols import inspect
from taijitu.protocols.inspect import Inspection
from taijitu.protocols.upload import Uploads
from taijitu.ucan.signer import Signer
from unit.protocols.serving import Serving
from unit.ucan.people import alice, bob, cap, carol, grant, raw_link, service, space

BYTES = b"bytes of a car"
CAR_LINK = link_to(BYTES, CAR)
NOON = "2023-11-14T22:13:20.000Z"


@pytest.fixture
async def serving() -> Serving:
    serving = Serving()
    inspection = Inspection(serving.engine, serving.spaces, service.did)
    serving.begin(inspection, Uploads(serving.durable, serving.spaces))
    for owner in (space, alice, bob):
        await serving.world.provision(owner.did, 1_000)
    return serving


def held_by(*owners: Signer, at: str = NOON) -> dict[str, Any]:
    dids = sorted(owner.did for owner in owners)
    return {"spaces": [{"did": did, "insertedAt": at} for did in dids]}


async def stored(serving: Serving, link: Any = CAR_LINK, **more: Any) -> Any:
    return await serving.ok("admin/store/inspect", service, link=link, **more)


async def uploaded(serving: Serving, root: Any = raw_link) -> Any:
    return await serving.ok("admin/upload/inspect", service, root=root)


async def test_who_asked_for_room_holds_bytes_before_they_come_and_after(serving: Serving) -> None:
    assert await stored(serving) == {"spaces": []}
    await serving.world.add(space.did, BYTES)
    await serving.world.add(bob.did, BYTES)
    assert await stored(serving) == held_by(space, bob)
    serving.world.clock.advance(1_000)
    await serving.world.upload(BYTES)
    assert await stored(serving) == held_by(space, bob)
    await serving.world.remove(bob.did, BYTES)
    assert await stored(serving) == held_by(space)


async def test_bytes_are_found_by_whatever_name_and_face(serving: Serving) -> None:
    await serving.world.add(space.did, BYTES, face="blob")
    serving.world.clock.advance(1_000)
    await serving.world.add(space.did, BYTES, face="store")
    assert await stored(serving) == held_by(space)
    assert await stored(serving, link_to(BYTES, RAW)) == held_by(space)


async def test_a_space_that_was_refused_holds_nothing(serving: Serving) -> None:
    large = bytes(2_000)
    await serving.world.add(space.did, large)
    assert await stored(serving, link_to(large, CAR)) == {"spaces": []}


async def test_the_spaces_that_have_an_upload_are_found(serving: Serving) -> None:
    assert await uploaded(serving) == {"spaces": []}
    await serving.ok("upload/add", space, root=raw_link)
    serving.world.clock.advance(1_000)
    await serving.ok("upload/add", space, root=raw_link, shards=[CAR_LINK])
    assert await uploaded(serving) == held_by(space)
    await serving.ok("upload/add", alice, root=raw_link)
    await serving.ok("upload/remove", space, root=raw_link)
    assert await uploaded(serving) == held_by(alice, at="2023-11-14T22:13:21.000Z")


async def test_a_blocked_space_is_found_too(serving: Serving) -> None:
    await serving.ok("upload/add", space, root=raw_link)
    await serving.spaces.block(space.did)
    assert await uploaded(serving) == held_by(space)


async def test_an_answer_names_so_many_spaces_and_says_that_there_are_more(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspect, "SPACES_MAX", 2)
    monkeypatch.setattr(inspect, "SPACES_AT_ONCE", 1)
    one, two, three = sorted((space, alice, bob), key=lambda owner: owner.did)
    for owner in (one, two):
        await serving.ok("upload/add", owner, root=raw_link)
    assert await uploaded(serving) == held_by(one, two)
    await serving.ok("upload/add", three, root=raw_link)
    assert await uploaded(serving) == {**held_by(one, two), "more": True}


@pytest.mark.parametrize("can", ["admin/*", "admin/store/inspect", "*"])
async def test_the_service_may_name_others_who_ask(serving: Serving, can: str) -> None:
    await serving.world.add(space.did, BYTES)
    proof = grant(service, alice, cap(can, service.did))
    assert await stored(serving, agent=alice, proofs=[proof]) == held_by(space)


async def test_nobody_else_may_ask(serving: Serving) -> None:
    proof = grant(service, alice, cap("admin/store/inspect", service.did))
    refused = await serving.error(
        "admin/store/inspect", service, agent=carol, proofs=[proof], link=CAR_LINK
    )
    assert refused["name"] == "Unauthorized"
    proof = grant(service, alice, cap("admin/store/inspect", service.did, link=CAR_LINK))
    refused = await serving.error(
        "admin/store/inspect", service, agent=alice, proofs=[proof], link=raw_link
    )
    assert "violates imposed link constraint" in refused["message"]


@pytest.mark.parametrize(
    ("can", "nb"),
    [
        ("admin/store/inspect", {"link": CAR_LINK}),
        ("admin/upload/inspect", {"root": raw_link}),
    ],
)
async def test_only_over_the_service_and_not_over_a_did_of_ones_own(
    serving: Serving, can: str, nb: dict[str, Any]
) -> None:
    assert await serving.error(can, alice, **nb) == {
        "name": "UnknownProvider",
        "message": f"Provider {alice.did} not found",
        "did": alice.did,
    }
