"""Goal: with either of the published command lines, people log in, get room by their account, and
find their spaces again on another device.

Method: a service that gives no room to strangers. Nobody reads e-mail: the operator types what the
log says. Each device is a home folder.
"""

import json
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from support.service import Service, running
from support.terminal import STORACHA, W3, Person

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """Whoever wants room here needs an account, or the operator."""
    data = tmp_path_factory.mktemp("closed") / "data"
    with running(Service(data, {"TAIJITU_PROVISION": "closed"})) as service:
        yield service


@pytest.fixture(params=[W3, STORACHA], ids=["w3", "storacha"])
def stranger(request: pytest.FixtureRequest, closed: Service, tmp_path: Path) -> Person:
    return Person(request.param, closed, tmp_path / "alice")


@pytest.fixture
def email() -> str:
    """An address of one's own: so many letters to one are sent, and no more."""
    return f"{secrets.token_hex(8)}@example.com"


@pytest.fixture
def alice(stranger: Person, email: str) -> Person:
    """She has logged in."""
    stranger.login(email)
    return stranger


def account_of(email: str) -> str:
    name, _, domain = email.partition("@")
    return f"did:mailto:{domain}:{name}"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(path.as_posix().encode() * 30)
    return path


def test_a_login_that_the_operator_confirms_authorizes_the_agent(
    stranger: Person, email: str
) -> None:
    assert f"Agent was authorized by {account_of(email)}" in stranger.login(email)
    assert stranger.does("account", "ls").strip() == account_of(email)


def test_an_account_has_a_plan(alice: Person, email: str) -> None:
    assert "did:web:" in alice.does("plan", "get")
    assert "did:web:" in alice.does("plan", "get", email)


def test_a_space_of_an_account_is_provided_and_holds_something(
    alice: Person, photo: Path, email: str
) -> None:
    alice.makes_a_space(account=email)
    assert f"Providers: {alice.service.did}" in alice.does("space", "info")
    uploaded = alice.uploads(str(photo), "--no-wrap")
    assert alice.fetches(uploaded, "back.jpg").read_bytes() == photo.read_bytes()


def test_a_space_that_nobody_pays_for_holds_nothing_until_somebody_does(
    alice: Person, photo: Path, email: str
) -> None:
    space = alice.makes_a_space()
    assert "Providers: none" in alice.does("space", "info")
    refused = alice.fails("up", str(photo))
    assert "InsufficientStorage" in refused
    assert f"{space} has no storage provider" in refused
    alice.does("space", "provision", "photos", "--customer", email)
    assert alice.uploads(str(photo)).shards


def test_a_space_is_provided_once(alice: Person, email: str) -> None:
    alice.makes_a_space(account=email)
    said = alice.fails("space", "provision", "photos", "--customer", email)
    assert "Failed to set up billing account" in said


def test_the_report_of_usage_says_what_is_stored(alice: Person, photo: Path, email: str) -> None:
    space = alice.makes_a_space(account=email)
    alice.does("up", str(photo))
    stored = sum(each["blob"]["size"] for each in alice.lists("can", "blob", "ls"))
    (report,) = [each for each in alice.lists("usage", "report") if each["space"] == space]
    assert (report["account"], report["provider"]) == (account_of(email), alice.service.did)
    assert report["size"]["final"] == stored
    assert f"Size: {stored}" in alice.does("usage", "report")


def test_a_space_and_what_is_in_it_are_found_on_another_device(
    alice: Person, photo: Path, tmp_path: Path, email: str
) -> None:
    space = alice.makes_a_space(account=email)
    uploaded = alice.uploads(str(photo))
    laptop = Person(alice.program, alice.service, tmp_path / "laptop")
    laptop.login(email)
    assert space in laptop.does("space", "ls")
    laptop.does("space", "use", "photos")
    assert uploaded.root in laptop.listed()
    laptop.does("rm", uploaded.root)
    assert uploaded.root not in alice.listed()


def test_a_device_that_logged_in_before_learns_of_a_space_when_it_asks(
    alice: Person, tmp_path: Path, email: str
) -> None:
    laptop = Person(alice.program, alice.service, tmp_path / "laptop")
    laptop.login(email)
    space = alice.makes_a_space(account=email)
    assert space not in laptop.does("space", "ls")
    laptop.does("can", "access", "claim")
    assert space in laptop.does("space", "ls")


def test_a_session_outlives_the_service(alice: Person, photo: Path, email: str) -> None:
    alice.service.restart()
    alice.makes_a_space(account=email)
    assert alice.uploads(str(photo)).shards


def test_an_account_pays_for_others_with_a_coupon(
    alice: Person, photo: Path, tmp_path: Path, email: str
) -> None:
    coupon = alice.home / "coupon"
    alice.does("coupon", "create", account_of(email), "--password", "secret", "-o", str(coupon))
    bob = Person(alice.program, alice.service, tmp_path / "bob")
    bob.makes_a_space()
    with_coupon = ["space", "provision", "photos", "--password", "secret", "--coupon"]
    with served(alice.home) as url:
        bob.does(*with_coupon, f"{url}/coupon")
    assert bob.uploads(str(photo)).shards


def test_another_persons_account_pays_for_nothing(alice: Person) -> None:
    alice.makes_a_space()
    said = alice.fails("space", "provision", "photos", "--customer", "bob@example.com")
    assert "not authorized" in said


def test_the_service_is_named_as_the_gateway_of_an_accounts_space(
    closed: Service, photo: Path, tmp_path: Path, email: str
) -> None:
    alice = Person(STORACHA, closed, tmp_path / "alice")
    alice.login(email)
    gateway = json.dumps([{"id": closed.did, "serviceEndpoint": closed.url}])
    whose = ["--customer", email, "--account", email, "--authorize-gateway-services", gateway]
    alice.does("space", "create", "photos", "--no-recovery", *whose)
    assert alice.uploads(str(photo)).shards


@contextmanager
def served(folder: Path) -> Generator[str]:
    """The URL of a folder, for as long as the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *_: object) -> None:  # noqa: A002
        """Nobody reads it."""
