"""Goal: where the newer of the two published command lines differs, it gets along with taijitu too.

Method: as in `test_cli_storage.py`, which holds what both can do.
"""

import json
import re
from pathlib import Path

import pytest

from support.service import Service
from support.terminal import NOBODY, STORACHA, Person, same

pytestmark = pytest.mark.full


@pytest.fixture
def alice(service: Service, tmp_path: Path) -> Person:
    return Person(STORACHA, service, tmp_path / "alice")


def test_the_service_is_named_as_the_gateway_of_a_new_space(alice: Person) -> None:
    gateway = json.dumps([{"id": alice.service.did, "serviceEndpoint": alice.service.url}])
    made = alice.does(
        "space", "create", "one", "--no-recovery", *NOBODY, "--authorize-gateway-services", gateway
    )
    (space,) = re.findall(r"Space created: (did:key:\S+)", made)
    assert f"* {space} one" in alice.does("space", "ls")


def test_a_space_is_recovered_from_its_words(alice: Person, tmp_path: Path) -> None:
    made = alice.does(
        "space", "create", "one", "--no-caution", "--no-gateway-authorization", *NOBODY
    )
    words = re.findall(r"^ *((?:[a-z]+ ){23}[a-z]+)", made, re.MULTILINE)
    assert words, made
    (space,) = re.findall(r"Space created: (did:key:\S+)", made)
    elsewhere = Person(STORACHA, alice.service, tmp_path / "elsewhere")
    (tmp_path / "words").write_text(words[0])
    assert space not in elsewhere.does("space", "ls")
    elsewhere.does("space", "recover", "one", "--file", str(tmp_path / "words"))
    assert space in elsewhere.does("space", "ls")


def test_a_listing_says_when_each_upload_was_made(alice: Person, tmp_path: Path) -> None:
    alice.makes_a_space()
    (tmp_path / "photo.jpg").write_bytes(tmp_path.as_posix().encode())
    uploaded = alice.uploads(str(tmp_path / "photo.jpg"), "--no-wrap")
    (item,) = alice.lists("ls")
    assert item["insertedAt"] <= item["updatedAt"]
    assert same(alice.fetches(uploaded, "photo.jpg"), tmp_path / "photo.jpg")
