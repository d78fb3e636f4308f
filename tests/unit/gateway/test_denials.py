"""Goal: what the operator denied, and what only blocked spaces hold, is found out.

Method: an installation on a folder of its own; spaces hold bytes because their allocations say so.
"""

import pytest

from taijitu.gateway.denials import Denials
from taijitu.ipld.cid import CAR, RAW, link_to, link_with, multihash
from taijitu.server.admin import Admin, BadRequest
from taijitu.server.installation import Installation
from unit.gateway.holding import ALICE, BOB, hold, let_go

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


async def test_an_operator_denies_lists_and_allows(installation: Installation) -> None:
    admin = Admin(installation)
    denied = await admin.ask("deny", {"cid": str(LINK), "why": "because"})
    assert (denied["cid"], denied["why"]) == (str(LINK), "because")
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
