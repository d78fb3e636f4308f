"""Goal: whoever uses one of the two published client libraries can use taijitu without noticing.

Method: both as they are published, pinned, in Node.js, against the service as a process; all that
comes back is held against what went in. Nobody reads e-mail: the operator types what the log says.
"""

import json
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import pytest

from support.service import Service, running
from support.terminal import CONFIRM, library, operator, same, script

pytestmark = pytest.mark.full

MIB: Final = 2**20

LOOK_SECONDS: Final = 0.1

Run = Callable[..., Any]


@pytest.fixture(params=["w3up", "storacha"])
def run(request: pytest.FixtureRequest) -> Run:
    """What a scenario of one of the libraries finds out about a service."""
    return partial(library, request.param)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """Whoever wants room here needs an account. Whoever asks for one gets it."""
    data = tmp_path_factory.mktemp("closed") / "data"
    with (
        running(Service(data, {"TAIJITU_PROVISION": "closed"})) as service,
        confirming(service),
    ):
        yield service


@contextmanager
def confirming(service: Service) -> Generator[None]:
    """The operator reads the log and types what it says, for as long as the block lasts."""
    done = Event()

    def watch() -> None:
        typed = 0
        while not done.wait(LOOK_SECONDS):
            for line in CONFIRM.findall(service.output)[typed:]:
                operator(service, line)
                typed += 1

    thread = Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture
def email() -> str:
    """Somebody who has never been here."""
    return f"{secrets.token_hex(8)}@example.com"


def some_file(path: Path, size: int) -> Path:
    """Of bytes that nobody has stored before."""
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - start)))
    return path


def comes_back(service: Service, facts: Any, source: Path) -> bool:
    target = source.with_name(f"{source.name}-back")
    fetched(service, facts, target)
    return same(source, target)


def fetched(service: Service, facts: Any, target: Path) -> None:
    """What was uploaded, by its URLs, every block verified."""
    script("unpack.mjs", service.url, str(target), facts["root"], *facts["shards"])


def test_a_file_comes_back_as_it_was(run: Run, service: Service, tmp_path: Path) -> None:
    photo = some_file(tmp_path / "photo.jpg", 5_000)
    facts = run("file", service, photo)
    assert facts["noted"] == facts["shards"]
    assert comes_back(service, facts, photo)


def test_a_file_in_several_shards_comes_back_as_it_was(
    run: Run, service: Service, tmp_path: Path
) -> None:
    film = some_file(tmp_path / "film.mp4", 3_500_000)
    facts = run("sharded", service, film)
    assert len(facts["shards"]) == 3
    assert comes_back(service, facts, film)


def test_a_folder_comes_back_as_it_was(run: Run, service: Service, tmp_path: Path) -> None:
    (tmp_path / "album" / "summer").mkdir(parents=True)
    for name in ("cover.jpg", "summer/one.jpg", "summer/two.jpg"):
        some_file(tmp_path / "album" / name, 3_000)
    assert comes_back(service, run("folder", service, tmp_path / "album"), tmp_path / "album")


def test_the_blocks_of_a_car_come_back_as_they_were(
    run: Run, service: Service, tmp_path: Path
) -> None:
    names = json.loads(script("car.mjs", str(tmp_path / "x.car")))
    facts = run("car", service, tmp_path / "x.car")
    assert facts["root"] == names["root"]
    fetched(service, facts, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() in (tmp_path / "x.car").read_bytes()


def test_what_is_stored_already_is_not_sent_again(run: Run, service: Service) -> None:
    assert run("again", service) == {"same": True, "sent": [2, 0]}


def test_the_service_commits_itself_to_where_the_bytes_are(run: Run, service: Service) -> None:
    facts = run("claim", service)
    assert facts["can"] == "assert/location"
    assert facts["by"] == service.get_json("/version")["publicKey"]
    assert facts["issuer"] == service.did
    assert facts["audience"] == facts["space"]
    assert facts["identical"]


def test_uploads_are_listed_page_by_page_the_newest_first(run: Run, service: Service) -> None:
    facts = run("pages", service)
    assert facts["found"] == facts["roots"][::-1]


def test_an_upload_is_removed_with_its_shards(run: Run, service: Service) -> None:
    facts = run("removed", service)
    assert facts["before"] == facts["shards"] + 1, "the shards, and the index of them"
    assert facts["after"] == 1, "the index is known by no name of the upload's"
    assert facts["get"] == "UploadNotFound"


def test_who_was_let_out_is_refused(run: Run, service: Service) -> None:
    assert run("revoked", service) == {"before": 0, "revoked": True, "after": "Unauthorized"}


def test_an_account_provides_a_space_and_finds_it_elsewhere(
    run: Run, closed: Service, email: str
) -> None:
    facts = run("account", closed, email)
    assert facts["account"] == f"did:mailto:example.com:{email.partition('@')[0]}"
    assert facts["plan"].startswith("did:web:")
    assert facts["consumers"] == [facts["space"]]
    assert facts["used"] == facts["stored"] > 1_000
    assert facts["elsewhere"] == [facts["root"]]


def test_a_space_is_shared_with_somebody_who_logs_in_later(
    run: Run, closed: Service, email: str
) -> None:
    facts = run("shared", closed, email, f"mate-of-{email}")
    assert facts["seen"] == [facts["root"]]


def test_an_agent_with_an_rsa_key_is_served(run: Run, closed: Service, email: str) -> None:
    facts = run("rsa", closed, email)
    assert facts["agent"].startswith("did:key:z4MX")
    assert facts["noted"] == facts["root"]
