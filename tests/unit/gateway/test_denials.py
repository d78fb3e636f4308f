"""Goal: what the operator denied, and what only blocked spaces hold, is found out.

Method: an installation on a folder of its own; spaces hold bytes because their allocations say so.
"""

import asyncio
from typing import Any

import pytest

from taijitu.gateway.denials import LOOKED_UP_AT_ONCE, Denials
from taijitu.ipld.cid import CAR, RAW, link_to, link_with, multihash
from taijitu.kernel.failures import Fault
from taijitu.server.admin import Admin, BadRequest
from taijitu.server.installation import Installation
from unit.gateway.holding import ALICE, BOB, hold, let_go, store

DATA = b"something"
LINK = link_to(DATA, RAW)


async def test_what_is_denied_is_so_by_every_name_of_its_bytes(installation: Installation) -> None:
    denials = installation.denials
    assert await denials.find(LINK.multihash) is None
    await denials.deny(link_with(LINK.multihash, CAR), "a court says so")
    found = await denials.find(LINK.multihash)
    assert found is not None
    assert (found.cid, found.why) == (link_with(LINK.multihash, CAR), "a court says so")
    assert await denials.find(multihash(b"something else")) is None


async def test_what_is_allowed_again_is_no_longer_found_or_listed(
    installation: Installation,
) -> None:
    denials = installation.denials
    other = link_to(b"other", RAW)
    await denials.deny(LINK, "")
    await denials.deny(other, "")
    assert [each.cid for each in await denials.all()] == [other, LINK]
    assert await denials.allow(LINK) is not None
    assert await denials.allow(LINK) is None
    assert await denials.find(LINK.multihash) is None
    assert [each.cid for each in await denials.all()] == [other]


async def test_another_process_finds_what_was_denied_before_it_began(
    installation: Installation,
) -> None:
    await installation.denials.deny(LINK, "")
    again = Denials(installation.engine, installation.spaces)
    assert await again.find(LINK.multihash) is not None


async def test_while_nothing_is_denied_nobody_asks_storage_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def looks(*_: object, **__: object) -> Any:
        raise Fault("nobody should have asked")

    assert await installation.denials.find(LINK.multihash) is None
    monkeypatch.setattr(installation.engine.storage, "scan", looks)
    monkeypatch.setattr(installation.engine, "read", looks)
    assert await installation.denials.find(LINK.multihash) is None


async def test_bytes_are_held_while_a_space_holds_them(installation: Installation) -> None:
    denials = installation.denials
    assert not await denials.is_held(LINK.multihash)
    await hold(installation, LINK.multihash)
    assert await denials.is_held(LINK.multihash)
    await let_go(installation, LINK.multihash)
    assert not await denials.is_held(LINK.multihash)


async def test_what_only_blocked_spaces_hold_is_not_held(installation: Installation) -> None:
    admin, denials = Admin(installation), installation.denials
    await hold(installation, LINK.multihash)
    await hold(installation, LINK.multihash, BOB)
    await admin.ask("block", {"space": ALICE})
    assert await denials.is_held(LINK.multihash)
    await admin.ask("block", {"space": BOB})
    assert not await denials.is_held(LINK.multihash)
    await admin.ask("unblock", {"space": ALICE})
    assert await denials.is_held(LINK.multihash)


async def test_all_who_ask_wait_for_one_look_at_the_blocked_spaces(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, denials = Admin(installation), installation.denials
    looks, storage = 0, installation.engine.storage
    scan = storage.scan

    async def counted(prefix: str, **given: Any) -> Any:
        nonlocal looks
        looks += prefix == "ledger/" and not given["after"]
        return await scan(prefix, **given)

    monkeypatch.setattr(storage, "scan", counted)
    await hold(installation, LINK.multihash)
    asked = [asyncio.create_task(denials.is_held(LINK.multihash)) for _ in range(20)]
    await asyncio.sleep(0)
    asked.pop(0).cancel()  # whoever goes away takes nothing from the others
    assert await asyncio.gather(*asked) == [True] * 19
    assert looks == 1
    await admin.ask("block", {"space": ALICE})
    assert not await denials.is_held(LINK.multihash)
    assert looks == 1, "a space that is blocked later is looked at alone"


async def test_what_a_space_holds_that_a_limit_shuts_out_is_not_held(
    installation: Installation,
) -> None:
    """Found by the look at all of them, and by those that follow it."""
    spaces = installation.spaces
    await hold(installation, LINK.multihash)
    await spaces.limits.block(ALICE)
    assert not await installation.denials.is_held(LINK.multihash)
    await spaces.limits.unblock(ALICE)
    assert await installation.denials.is_held(LINK.multihash)
    await spaces.limits.block(ALICE)
    assert not await installation.denials.is_held(LINK.multihash)
    await spaces.unblock(ALICE)
    assert await installation.denials.is_held(LINK.multihash)


async def test_limits_of_what_is_no_space_change_nothing(installation: Installation) -> None:
    await hold(installation, LINK.multihash)
    for subject in ("example.com", "did:key:a/b", "did:mailto:example.com:a%2Fb"):
        assert await installation.denials.is_held(LINK.multihash)
        await installation.spaces.limits.block(subject)
        assert await installation.denials.is_held(LINK.multihash)
    again = Denials(installation.engine, installation.spaces)
    assert await again.is_held(LINK.multihash)


async def test_what_was_found_before_a_space_was_blocked_is_forgotten(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The space is blocked while somebody asks who holds the bytes."""
    await hold(installation, LINK.multihash)
    await installation.spaces.block(BOB)
    denials, storage = installation.denials, installation.engine.storage
    head = storage.head

    async def meanwhile(path: str) -> Any:
        monkeypatch.setattr(storage, "head", head)
        await installation.spaces.block(ALICE)
        return await head(path)

    await denials.is_held(multihash(b"something else"))
    monkeypatch.setattr(storage, "head", meanwhile)
    assert await denials.is_held(LINK.multihash)
    assert not await denials.is_held(LINK.multihash)


async def test_who_holds_bytes_is_found_out_once_and_costs_no_cell_its_place(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many spaces are blocked: the cells that tell it are not kept at hand, others have
    their turn in between, and nobody looks again until something changes."""
    blocked = [f"did:key:z{number}" for number in range(3 * LOOKED_UP_AT_ONCE)]
    denials, storage = installation.denials, installation.engine.storage
    await hold(installation, LINK.multihash)
    await asyncio.gather(*map(installation.spaces.block, blocked))
    await denials.is_held(multihash(b"something else"))
    at_hand, head, read = len(installation.engine.newest.heads.known), storage.head, list[str]()

    async def counted(path: str) -> Any:
        read.append(path)
        return await head(path)

    monkeypatch.setattr(storage, "head", counted)
    asked = asyncio.create_task(denials.is_held(LINK.multihash))
    turns = 0
    while not asked.done():
        turns += 1
        await asyncio.sleep(0)
    assert await asked
    assert await denials.is_held(LINK.multihash)
    assert len(read) == len(blocked)
    assert len(installation.engine.newest.heads.known) == at_hand
    assert turns > 3
    await hold(installation, LINK.multihash, BOB)
    assert await denials.is_held(LINK.multihash)
    assert len(read) > 2 * len(blocked), "somebody else holds them, too"


async def test_a_look_at_the_blocked_spaces_that_failed_is_begun_anew(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hold(installation, LINK.multihash)

    async def broken(prefix: str, **given: Any) -> Any:
        raise Fault("no disk")

    with monkeypatch.context() as patched:
        patched.setattr(installation.engine.storage, "scan", broken)
        with pytest.raises(Fault):
            await installation.denials.is_held(LINK.multihash)
    assert await installation.denials.is_held(LINK.multihash)


async def test_an_operator_is_told_where_else_the_bytes_lie(installation: Installation) -> None:
    admin = Admin(installation)
    one = link_with(await store(installation, [DATA, b"one"]), CAR)
    two = link_with(await store(installation, [DATA, b"two"]), CAR)
    denied = await admin.ask("deny", {"cid": str(LINK), "why": ""})
    assert sorted(denied["also_in"]) == sorted(map(str, [one, two]))
    assert (await admin.ask("deny", {"cid": str(one), "why": ""}))["also_in"] == []
    denied = await admin.ask("deny", {"cid": str(LINK), "why": ""})
    assert denied["also_in"] == [str(two)]


async def test_an_operator_denies_lists_and_allows(installation: Installation) -> None:
    admin = Admin(installation)
    denied = await admin.ask("deny", {"cid": str(LINK), "why": "because"})
    assert (denied["cid"], denied["why"]) == (str(LINK), "because")
    assert denied.pop("also_in") == []
    assert await admin.ask("denied", {}) == [denied]
    assert await admin.ask("allow", {"cid": str(LINK)}) == {"cid": str(LINK), "denied": True}
    assert await admin.ask("allow", {"cid": str(LINK)}) == {"cid": str(LINK), "denied": False}


@pytest.mark.parametrize(
    ("cid", "why", "said"),
    [
        ("nonsense", "", "is not a CID"),
        ("bafkqaaa", "", "holds its bytes itself"),
        (str(LINK), "two\nlines", "one line"),
        (str(LINK), "x" * 201, "up to 200 characters"),
    ],
)
async def test_what_cannot_be_denied_is_refused_with_a_sentence(
    installation: Installation, cid: str, why: str, said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        await Admin(installation).ask("deny", {"cid": cid, "why": why})
