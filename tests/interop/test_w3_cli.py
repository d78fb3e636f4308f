"""Goal: what only the older of the two published command lines can do, it can do with taijitu.

Method: as in `test_cli_storage.py`, which holds what both can do.
"""

import json
import os
from pathlib import Path

import pytest

from support.client import talking_to
from support.service import Service
from support.terminal import STORACHA, W3, Person, script

pytestmark = pytest.mark.full


@pytest.fixture
def alice(service: Service, tmp_path: Path) -> Person:
    alice = Person(W3, service, tmp_path / "alice")
    alice.makes_a_space()
    return alice


def test_a_car_is_stored_listed_and_removed_by_its_abilities(alice: Person, tmp_path: Path) -> None:
    link = json.loads(script("car.mjs", str(tmp_path / "x.car")))["car"]
    assert link in alice.does("can", "store", "add", str(tmp_path / "x.car"))
    (item,) = alice.lists("can", "store", "ls")
    assert (item["link"]["/"], item["size"]) == (link, (tmp_path / "x.car").stat().st_size)
    alice.does("can", "store", "rm", link)
    assert not alice.lists("can", "store", "ls")
    assert "StoreItemNotFound" in alice.fails("can", "store", "rm", link)


async def test_what_came_in_by_one_door_is_paid_for_once_at_the_other(
    alice: Person, tmp_path: Path
) -> None:
    space = alice.does("space", "ls").split()[1]
    script("car.mjs", str(tmp_path / "x.car"))
    alice.does("can", "store", "add", str(tmp_path / "x.car"))
    alice.does("can", "blob", "add", str(tmp_path / "x.car"))
    async with talking_to(alice.service) as client:
        told = await client.admin("space", space=space)
    assert told["used"] == (tmp_path / "x.car").stat().st_size


def test_a_delegation_of_the_older_program_is_used_by_the_newer(
    alice: Person, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(os.urandom(1_000))
    uploaded = alice.uploads(str(photo))
    bob = Person(STORACHA, alice.service, tmp_path / "bob")
    proof = str(tmp_path / "proof.ucan")
    alice.does("delegation", "create", bob.did, "-c", "upload/list", "-o", proof)
    bob.does("space", "add", proof)
    assert uploaded.root in bob.listed()
