"""Goal: whoever follows the link in a letter sees who asks for what, and confirms it by the button
and by nothing else; and whatever link it is, it gets a page with a clear sentence.

Method: the whole application in process, asked as a browser or a mail scanner asks."""

import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from taijitu.ipld.cid import Link, link_to
from taijitu.machines.login import Ask, Asked, Confirmed, Mail, login_at
from taijitu.server import config as configuration
from taijitu.server.app import App
from taijitu.server.installation import Installation, opened
from taijitu.server.meter import Meter
from taijitu.server.service import application
from taijitu.ucan import session
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.session import Login
from taijitu.ucan.signer import Signer
from unit.ucan.people import account, alice, bob, cap, mallory

LEFT = 600_000
"""Ms in which a login can be confirmed."""


class Page(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    html: str

    @property
    def title(self) -> str:
        (title,) = re.findall("<h1>(.*)</h1>", self.html)
        return title

    @property
    def has_button(self) -> bool:
        return "<button" in self.html


class Visiting:
    """An installation and its application; a visitor with a letter."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.engine = installation.engine
        self.signer = installation.signer
        self.app: App = application(installation, Meter())

    async def asks(
        self,
        agent: Signer = alice,
        who: str = account,
        att: Sequence[str] = ("*",),
        left: int = LEFT,
    ) -> Asked:
        now = self.engine.now()
        request = link_to(f"{agent.did} {who} {now}".encode())
        expires = (now + left) // 1000 * 1000
        message = Ask(now, request, who, agent.did, tuple(att), expires)
        await self.engine.transact(login_at(request), message)
        return Asked(request, who, agent.did, tuple(att), now, expires)

    def letter(self, login: Asked) -> str:
        """The path and the query of the link in its letter."""
        mail = Mail(login.account, login.agent, login.att, login.request, login.expires)
        parts = urlsplit(self.installation.post.written(mail).url)
        return f"{parts.path}?{parts.query}"

    async def get(self, where: str, method: str = "GET", body: bytes = b"") -> Page:
        path, _, query = where.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [],
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        await self.app(scope, receive, send)
        start, *rest = sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        html = b"".join(each.get("body", b"") for each in rest).decode()
        return Page(start["status"], headers, html)

    async def post(self, where: str, body: bytes = b"") -> Page:
        return await self.get(where, "POST", body)

    async def is_confirmed(self, request: Link) -> bool:
        return isinstance((await self.engine.read(login_at(request))).state, Confirmed)


@pytest.fixture
async def visiting(tmp_path: Path) -> AsyncGenerator[Visiting]:
    environ = {"TAIJITU_DATA": str(tmp_path / "data"), "TAIJITU_PORT": "3210"}
    async with opened(configuration.load(environ, tmp_path).config) as installation:
        yield Visiting(installation)


def address(ucan: Delegation) -> str:
    packed = urlsafe_b64encode(session.packed(ucan)).decode().rstrip("=")
    return f"/validate-email?ucan={packed}&mode=authorize"


async def test_the_page_says_who_asks_for_what_and_until_when(visiting: Visiting) -> None:
    login = await visiting.asks()
    page = await visiting.get(visiting.letter(login))
    assert (page.status, page.title) == (200, "Log in as alice@example.com?")
    assert alice.did in page.html
    assert "localhost:3210" in page.html
    assert "everything that the account may do" in page.html
    assert re.search(r"until</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d UTC</dd>", page.html)
    assert page.has_button


async def test_single_abilities_are_named(visiting: Visiting) -> None:
    login = await visiting.asks(att=["store/*", "upload/add"])
    page = await visiting.get(visiting.letter(login))
    assert "<code>store/*</code>, <code>upload/add</code>" in page.html
    assert "everything" not in page.html


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_to_look_at_it_confirms_nothing(visiting: Visiting, method: str) -> None:
    login = await visiting.asks()
    for _ in range(3):
        await visiting.get(visiting.letter(login), method)
    assert not await visiting.is_confirmed(login.request)


async def test_the_button_confirms(visiting: Visiting) -> None:
    login = await visiting.asks()
    other = await visiting.asks(bob)
    page = await visiting.post(visiting.letter(login))
    assert (page.status, page.title) == (200, "Logged in")
    assert "alice@example.com" in page.html
    assert not page.has_button
    assert await visiting.is_confirmed(login.request)
    assert not await visiting.is_confirmed(other.request)


async def test_afterwards_it_says_that_it_is_done(visiting: Visiting) -> None:
    login = await visiting.asks()
    letter = visiting.letter(login)
    first, again = await visiting.post(letter), await visiting.post(letter)
    assert (again.status, again.html) == (first.status, first.html)
    page = await visiting.get(letter)
    assert (page.title, page.has_button) == ("Logged in", False)


async def test_the_form_sends_nothing_but_the_address(visiting: Visiting) -> None:
    login = await visiting.asks()
    page = await visiting.get(visiting.letter(login))
    (form,) = re.findall("<form.*</form>", page.html)
    assert 'method="post"' in form
    assert "action" not in form
    assert "<input" not in form
    assert (await visiting.post(visiting.letter(login), b"x" * 4_097)).status == 413
    assert not await visiting.is_confirmed(login.request)


async def test_what_the_operator_confirmed_needs_no_button(visiting: Visiting) -> None:
    login = await visiting.asks()
    await visiting.installation.logins.confirm(login.request)
    page = await visiting.get(visiting.letter(login))
    assert (page.title, page.has_button) == ("Logged in", False)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_old_link_is_over(visiting: Visiting, method: str) -> None:
    login = await visiting.asks(left=0)
    page = await visiting.get(visiting.letter(login), method)
    assert (page.status, page.title, page.has_button) == (410, "This link is over", False)
    assert "there will be another letter" in page.html
    assert not await visiting.is_confirmed(login.request)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_about_a_login_that_is_not_known_is_over(
    visiting: Visiting, method: str
) -> None:
    """As after a backup was restored that is older than the letter."""
    expires = visiting.engine.now() // 1000 * 1000 + LEFT
    unknown = Asked(link_to(b"never sent"), account, alice.did, ("*",), 0, expires)
    assert (await visiting.get(visiting.letter(unknown), method)).status == 410


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_is_not_whole_or_not_ours_is_not_right(
    visiting: Visiting, method: str
) -> None:
    login = await visiting.asks()
    letter = visiting.letter(login)
    whole = letter.partition("ucan=")[2].partition("&")[0]
    expires = login.expires // 1000
    wanted = Login(login.request, account, alice.did, ("*",), expires)
    nb = session.confirmation(visiting.signer, wanted).capabilities[0].fields["nb"]
    ours = visiting.signer.did
    by_others = mallory.under(ours)
    links = {
        "nothing": "/validate-email",
        "empty": "/validate-email?ucan=",
        "no base64": "/validate-email?ucan=%00%ff%F0%9F",
        "cut off": letter.replace(whole, whole[:-20]),
        "changed": letter.replace(whole, whole[:200] + "AAAA" + whole[204:]),
        "no car": letter.replace(whole, "aGVsbG8"),
        "too long": letter.replace(whole, "A" * 200_000),
        "forged": address(session.confirmation(by_others, wanted)),
        "of another": address(session.confirmation(mallory, wanted)),
        "for another": address(
            delegate(
                visiting.signer,
                mallory.did,
                [{"can": "access/confirm", "with": ours, "nb": nb}],
                expiration=expires,
            )
        ),
        "another ability": address(
            delegate(visiting.signer, ours, [cap("access/claim", ours)], expiration=expires)
        ),
        "two abilities": address(
            delegate(
                visiting.signer,
                ours,
                [{"can": "access/confirm", "with": ours, "nb": nb}] * 2,
                expiration=expires,
            )
        ),
        "half": address(
            delegate(visiting.signer, ours, [cap("access/confirm", ours)], expiration=expires)
        ),
    }
    for name, link in links.items():
        page = await visiting.get(link, method)
        assert (page.status, page.title) == (400, "This link is not right"), name
        assert not page.has_button
    assert not await visiting.is_confirmed(login.request)
    assert (await visiting.get(letter)).has_button


async def test_a_letter_that_says_something_else_than_was_asked_confirms_nothing(
    visiting: Visiting,
) -> None:
    login = await visiting.asks()
    other = Login(login.request, account, mallory.did, ("*",), login.expires // 1000)
    page = await visiting.post(address(session.confirmation(visiting.signer, other)))
    assert page.title == "This link is not right"
    assert not await visiting.is_confirmed(login.request)


async def test_what_is_shown_is_text_and_nothing_else(visiting: Visiting) -> None:
    who = "did:mailto:example.com:a%26b'%2B%24x"
    login = await visiting.asks(who=who)
    page = await visiting.get(visiting.letter(login))
    assert page.title == "Log in as a&amp;b&#x27;+$x@example.com?"


async def test_nothing_is_loaded_run_framed_kept_or_told_to_others(visiting: Visiting) -> None:
    login = await visiting.asks()
    letter = visiting.letter(login)
    for page in (
        await visiting.get(letter),
        await visiting.get("/validate-email"),
        await visiting.post(letter),
    ):
        policy = page.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"} <= {*policy}
        assert "script-src" not in page.headers["content-security-policy"]
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        for word in ("<script", "http://", "https://", "src=", "href=", "ucan="):
            assert word not in page.html, word


async def test_the_secret_is_not_logged(
    visiting: Visiting, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    login = await visiting.asks()
    letter = visiting.letter(login)
    await visiting.get(letter)
    await visiting.post(letter)
    said = "".join(capsys.readouterr()) + caplog.text
    assert said.count("/validate-email") == 2
    assert letter.partition("ucan=")[2][:40] not in said
