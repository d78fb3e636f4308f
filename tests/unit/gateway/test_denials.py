"""Goal: what the operator denied, and what only blocked spaces hold, is found out.

Method: an installation on a folder of its own; spaces hold bytes because their allocations say so.
"""

import asyncio
from typing import Any

import pytest

from taijitu.gateway.denials import Denials
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
    assert await Denials(installation.engine).find(LINK.multihash) is not None


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
    assert not await denials.is_held(LINK.multihash)
    assert looks == 2


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
