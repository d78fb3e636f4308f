"""Goal: what people do with either of the published command lines, they can do with taijitu.

Method: the programs as they are published, pinned, in a home folder of one's own, against the
service as a process. What comes back is held against what went in, byte by byte.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from support.client import talking_to
from support.command import new_did
from support.service import Service
from support.terminal import STORACHA, W3, Person, library, same, script

pytestmark = pytest.mark.full


@pytest.fixture(scope="module", params=[W3, STORACHA], ids=["w3", "storacha"])
def alice(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Person:
    """She has a space. It is hers alone, but shared by the tests: each brings its own content."""
    alice = Person(request.param, service, tmp_path_factory.mktemp("alice"))
    alice.makes_a_space()
    return alice


@pytest.fixture
def bob(alice: Person, tmp_path: Path) -> Person:
    """He uses the same program, and has nothing yet."""
    return Person(alice.program, alice.service, tmp_path / "bob")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return some_file(tmp_path / "photo.jpg")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with a folder in it."""
    (tmp_path / "album" / "summer").mkdir(parents=True)
    for name in ("cover.jpg", "summer/one.jpg", "summer/two.jpg"):
        some_file(tmp_path / "album" / name)
    return tmp_path / "album"


def some_file(path: Path, size: int = 3_000) -> Path:
    path.write_bytes(os.urandom(size))
    return path


def some_car(path: Path) -> dict[str, str]:
    """The names of a CAR of one block: `root`, `car`, `digest`."""
    return json.loads(script("car.mjs", str(path)))


def test_a_file_is_uploaded_and_comes_back_as_it_was(alice: Person, photo: Path) -> None:
    uploaded = alice.uploads(str(photo), "--no-wrap")
    assert same(alice.fetches(uploaded, photo.name), photo)


def test_a_file_comes_back_from_where_the_service_commits_itself_to_have_it(
    alice: Person, photo: Path
) -> None:
    alice.does("can", "blob", "add", str(photo))
    did, key = alice.does("key", "create").split()[-2:]
    proof = alice.does("delegation", "create", did, "-c", "space/blob/add", "--base64").strip()
    ours = {"w3": "w3up", "storacha": "storacha"}[alice.program.name]
    facts = library(ours, "found", alice.service, photo, proof, key)
    assert facts["can"] == "assert/location"
    assert facts["audience"] == facts["space"]
    assert facts["identical"]


def test_a_file_of_many_blocks_comes_back_as_it_was(alice: Person, tmp_path: Path) -> None:
    film = some_file(tmp_path / "film.mp4", 3_500_000)
    assert same(alice.fetches(alice.uploads(str(film), "--no-wrap"), film.name), film)


def test_a_folder_is_uploaded_and_comes_back_as_it_was(
    alice: Person, album: Path, tmp_path: Path
) -> None:
    uploaded = alice.uploads(str(album))
    assert same(alice.fetches(uploaded, tmp_path.name), album)


def test_a_folder_of_2000_files_comes_back_as_it_was(
    alice: Person, bob: Person, tmp_path: Path
) -> None:
    (tmp_path / "archive").mkdir()
    for number in range(2_000):
        some_file(tmp_path / "archive" / f"{number}.jpg", 100)
    bob.makes_a_space()
    uploaded = bob.uploads(str(tmp_path / "archive"))
    assert same(bob.fetches(uploaded), tmp_path / "archive")


def test_a_person_is_told_that_it_is_stored(alice: Person, photo: Path) -> None:
    said = alice.does("up", str(photo))
    assert "Stored 1 file" in said
    assert re.search(r"/ipfs/bafy\w+", said)


def test_what_is_stored_already_is_listed_once(alice: Person, photo: Path) -> None:
    first = alice.uploads(str(photo))
    second = alice.uploads(str(photo))
    assert first == second
    assert len(first.shards) == 1


def test_a_car_is_uploaded_as_it_is(alice: Person, tmp_path: Path) -> None:
    names = some_car(tmp_path / "x.car")
    uploaded = alice.uploads("--car", str(tmp_path / "x.car"))
    assert uploaded.root == names["root"]
    alice.fetches(uploaded, "of-a-car")


def test_the_shards_of_an_upload_are_shown(alice: Person, photo: Path) -> None:
    uploaded = alice.uploads(str(photo))
    said = alice.does("ls", "--shards")
    assert uploaded.root in said
    assert all(shard in said for shard in uploaded.shards)


def test_a_removed_upload_is_listed_no_more_and_its_shards_stay(
    alice: Person, tmp_path: Path
) -> None:
    names = some_car(tmp_path / "x.car")
    alice.does("up", "--car", str(tmp_path / "x.car"))
    alice.does("rm", names["root"])
    assert names["root"] not in alice.listed()
    assert names["digest"] in alice.does("can", "blob", "ls", "--size", "1000")


def test_an_upload_is_removed_with_its_shards(alice: Person, tmp_path: Path) -> None:
    names = some_car(tmp_path / "x.car")
    alice.does("up", "--car", str(tmp_path / "x.car"))
    alice.does("rm", names["root"], "--shards")
    assert names["root"] not in alice.listed()
    assert names["digest"] not in alice.does("can", "blob", "ls", "--size", "1000")


def test_what_was_removed_can_be_uploaded_again(alice: Person, photo: Path) -> None:
    first = alice.uploads(str(photo))
    alice.does("rm", first.root, "--shards")
    assert alice.uploads(str(photo)) == first
    assert alice.fetches(first, "again").exists()


def test_a_blob_is_stored_listed_and_removed(alice: Person, photo: Path) -> None:
    (digest,) = re.findall(r"Stored (z\w+)", alice.does("can", "blob", "add", str(photo)))
    (newest,) = alice.lists("can", "blob", "ls", "--size", "1")
    assert newest["blob"]["size"] == photo.stat().st_size
    alice.does("can", "blob", "rm", digest)
    assert digest not in alice.does("can", "blob", "ls", "--size", "1000")


def test_an_index_is_refused_that_nobody_has_stored(alice: Person) -> None:
    said = alice.fails("can", "index", "add", f"bagbaiera{'a' * 52}")
    assert "failed space/index/add invocation" in said
    assert "IndexNotFound" in said


def test_an_upload_is_noted_listed_and_removed_by_its_abilities(
    alice: Person, tmp_path: Path
) -> None:
    names = some_car(tmp_path / "x.car")
    alice.does("can", "blob", "add", str(tmp_path / "x.car"))
    alice.does("can", "upload", "add", names["root"], names["car"])
    (newest,) = alice.lists("can", "upload", "ls", "--size", "1")
    assert newest["root"]["/"] == names["root"]
    assert newest["shards"] == [{"/": names["car"]}]
    alice.does("can", "upload", "rm", names["root"])
    assert "UploadNotFound" in alice.fails("can", "upload", "rm", names["root"])


def test_a_space_tells_who_provides_it(alice: Person) -> None:
    said = alice.does("space", "info", "--json")
    info = json.loads(said[said.index("{") :])
    assert info["providers"] == [alice.service.did]
    assert f"Providers: {alice.service.did}" in alice.does("space", "info")


def test_a_space_of_ones_own_is_not_seen_by_others(alice: Person, bob: Person, photo: Path) -> None:
    uploaded = alice.uploads(str(photo))
    bob.makes_a_space()
    assert uploaded.root not in bob.listed()


def test_what_is_kept_on_the_persons_machine_needs_no_service(
    alice: Person, tmp_path: Path
) -> None:
    carol = Person(alice.program, Unreachable(tmp_path / "nowhere"), tmp_path / "carol")
    assert carol.does("whoami").startswith("did:key:z6Mk")
    space = carol.makes_a_space("mine")
    assert f"* {space} mine" in carol.does("space", "ls")
    assert carol.does("key", "create").splitlines()[1].startswith("MgC")
    assert carol.does("delegation", "create", new_did(), "--base64").startswith("m")
    (given,) = carol.lists("delegation", "ls")
    assert {each["with"] for each in given["capabilities"]} == {space}


class Unreachable(Service):
    """One that does not run, known by name."""

    @property
    def did(self) -> str:
        return f"did:web:localhost%3A{self.port}"


async def test_every_byte_of_a_space_is_accounted_for(bob: Person, photo: Path) -> None:
    space = bob.makes_a_space()
    bob.does("up", str(photo))
    blobs = bob.lists("can", "blob", "ls", "--size", "1000")
    async with talking_to(bob.service) as client:
        told: Any = await client.admin("space", space=space)
    assert len(blobs) == 2, "a shard and its index"
    assert told["used"] == sum(each["blob"]["size"] for each in blobs)
    assert told["reserved"] == 0
