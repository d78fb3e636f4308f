"""Goal: with either of the published command lines, people let others into a space and out again.

Method: two persons, each with a home folder of their own, one service. A delegation goes from one
to the other as a file or as text, and is revoked.
"""

from pathlib import Path

import pytest

from support.service import Service
from support.terminal import STORACHA, W3, Person

pytestmark = pytest.mark.full

READING = ["space/info", "upload/list"]
WRITING = ["upload/add", "space/blob/add", "space/index/add", "filecoin/offer"]


@pytest.fixture(params=[W3, STORACHA], ids=["w3", "storacha"])
def alice(request: pytest.FixtureRequest, service: Service, tmp_path: Path) -> Person:
    """She has a space."""
    alice = Person(request.param, service, tmp_path / "alice")
    alice.makes_a_space()
    return alice


@pytest.fixture
def bob(alice: Person, tmp_path: Path) -> Person:
    """He uses the same program, and has nothing."""
    return Person(alice.program, alice.service, tmp_path / "bob")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(path.as_posix().encode())
    return path


def gives(giver: Person, to: Person, *abilities: str) -> str:
    """The CID of a delegation that went from hand to hand as a file."""
    before = {each["cid"] for each in giver.lists("delegation", "ls")}
    proof = giver.home / f"proof-{len(before)}.ucan"
    options = [word for ability in abilities for word in ("-c", ability)]
    giver.does("delegation", "create", to.did, *options, "-o", str(proof))
    to.does("space", "add", str(proof))
    (made,) = {each["cid"] for each in giver.lists("delegation", "ls")} - before
    return made


def test_a_colleague_uploads_and_lists(alice: Person, bob: Person, photo: Path) -> None:
    gives(alice, bob, *READING, *WRITING)
    uploaded = bob.uploads(str(photo), "--no-wrap")
    assert uploaded.root in alice.listed()
    assert bob.fetches(uploaded, photo.name).read_bytes() == photo.read_bytes()


def test_a_colleague_may_do_what_was_delegated_and_no_more(
    alice: Person, bob: Person, photo: Path
) -> None:
    uploaded = alice.uploads(str(photo))
    gives(alice, bob, *READING)
    assert uploaded.root in bob.listed()
    refused = bob.fails("rm", uploaded.root)
    assert "upload/remove" in refused
    assert uploaded.root in alice.listed()


def test_a_delegation_is_read_as_text_too(alice: Person, bob: Person, photo: Path) -> None:
    uploaded = alice.uploads(str(photo))
    text = alice.does("delegation", "create", bob.did, "-c", "upload/list", "--base64").strip()
    bob.does("space", "add", text)
    assert uploaded.root in bob.listed()


def test_a_proof_is_shown_to_whom_it_was_given(alice: Person, bob: Person) -> None:
    made = gives(alice, bob, *READING)
    assert made in bob.does("proof", "ls")


def test_who_was_let_out_is_refused_and_told_why(alice: Person, bob: Person) -> None:
    made = gives(alice, bob, *READING)
    bob.does("ls")
    assert "revoked" in alice.does("delegation", "revoke", made)
    refused = bob.fails("ls")
    assert "Unauthorized" in refused
    assert made in refused
    assert "revoked" in refused
    alice.does("ls")


def test_a_revocation_outlives_the_service(alice: Person, bob: Person) -> None:
    made = gives(alice, bob, *READING)
    alice.does("delegation", "revoke", made)
    alice.service.restart()
    assert "revoked" in bob.fails("ls")


def test_who_was_let_out_is_let_in_again_by_another_delegation(alice: Person, bob: Person) -> None:
    alice.does("delegation", "revoke", gives(alice, bob, *READING))
    bob.fails("ls")
    gives(alice, bob, "upload/*", "space/info")
    bob.does("ls")
