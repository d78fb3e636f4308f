"""Goal: the operator's verbs take what they say they take, and answer plain data or a sentence.

Method: an installation on a folder of its own, without a service.
"""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from taijitu.ipld.cid import CAR, link_to
from taijitu.server import config as configuration
from taijitu.server.admin import Admin, BadRequest
from taijitu.server.installation import opened
from taijitu.ucan.signer import Signer

ALICE = Signer.from_seed(bytes(32)).did
SOMETHING = str(link_to(b"something", CAR))


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncGenerator[Admin]:
    environ = {"TAIJITU_DATA": str(tmp_path / "data"), "TAIJITU_PORT": "3210"}
    async with opened(configuration.load(environ, tmp_path).config) as installation:
        yield Admin(installation)


async def test_a_space_is_provisioned_found_and_listed(admin: Admin) -> None:
    expected = {"space": ALICE, "capacity": 1000, "reserved": 0, "used": 0, "entries": 0}
    assert await admin.ask("provision", {"space": ALICE, "capacity": 1000}) == expected
    assert await admin.ask("space", {"space": ALICE}) == expected
    assert await admin.ask("spaces", {}) == [expected]


async def test_provisioning_again_sets_the_capacity(admin: Admin) -> None:
    await admin.ask("provision", {"space": ALICE, "capacity": 1000})
    await admin.ask("provision", {"space": ALICE, "capacity": 10})
    assert (await admin.ask("space", {"space": ALICE}))["capacity"] == 10


async def test_it_says_who_is_serving_and_where(admin: Admin) -> None:
    about = await admin.ask("about", {})
    assert about["url"] == "http://localhost:3210"
    assert about["did"] == "did:web:localhost%3A3210"
    assert about["key"] == admin.installation.signer.key_did


async def test_an_object_nobody_added_is_absent(admin: Admin) -> None:
    asked = {"space": ALICE, "cid": SOMETHING}
    assert await admin.ask("place", asked) == {"state": "Absent", "tag": "absent", "seq": 0}


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("destroy", {}, "there is no 'destroy' here"),
        ("spaces", {"space": ALICE}, "spaces takes no 'space'; it takes nothing"),
        ("space", {}, "space needs 'space'"),
        ("space", {"space": 7}, "'space' must be a text"),
        ("space", {"space": "alice"}, "not the DID of a space"),
        ("space", {"space": "did:web:example.org"}, "not the DID of a space"),
        ("space", {"space": ALICE}, "has no room here"),
        ("provision", {"space": ALICE}, "provision needs 'capacity'"),
        ("provision", {"space": ALICE, "capacity": "10"}, "must be a whole number"),
        ("provision", {"space": ALICE, "capacity": True}, "must be a whole number"),
        ("provision", {"space": ALICE, "capacity": 1.5}, "must be a whole number"),
        ("provision", {"space": ALICE, "capacity": -1}, "cannot hold -1 bytes"),
        ("provision", {"space": ALICE, "capacity": 2**53}, "cannot hold"),
        ("place", {"space": ALICE, "cid": "nonsense"}, "not a CID"),
        ("history", {"space": ALICE, "cid": SOMETHING}, "nothing ever happened"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_sentence(
    admin: Admin, verb: str, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        await admin.ask(verb, arguments)
    assert said in str(refused.value)
    assert json.dumps(await admin.ask("spaces", {})) == "[]"
