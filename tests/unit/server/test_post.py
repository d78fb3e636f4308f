"""Goal: a letter arrives whole at the address that was asked, says who asks, and holds what
confirms it; what does not arrive is tried again exactly if that can help; and no secret is told.

Method: a real mail server on this machine (aiosmtpd), which refuses what it is told to refuse."""

import asyncio
import ssl
from base64 import urlsafe_b64decode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import aiosmtplib
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.mailbox import MailServer, serving
from support.service import free_port
from taijitu.ipld import car
from taijitu.kernel.failures import Fault
from taijitu.kernel.receipt import DONE, Error
from taijitu.machines.login import Mail
from taijitu.server import post as posts
from taijitu.server.post import Letter, Outbox, Post, Smtp, Unreachable, mail_host, post, shown
from taijitu.ucan import session
from taijitu.ucan.principal import from_email
from taijitu.ucan.session import Login
from unit.ucan.people import alice, car_link, service

NOW = 1_700_000_000_000
UNTIL = NOW + 900_000
URL = "https://store.example"


def mail(email: str = "alice@example.com") -> Mail:
    return Mail(from_email(email), alice.did, ("*",), car_link, UNTIL)


def writing(server: MailServer, *, user: str = "", sender: str = "store@example.com") -> Post:
    """A post that sends by this server."""
    url = f"smtp://{user}{server.host}?from={quote(sender)}"
    return Post(service, URL, Smtp(url, "store.example").send, now=lambda: NOW)


def text_of(letter: EmailMessage) -> str:
    content = letter.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


async def test_the_letter_says_who_asks_and_until_when() -> None:
    async with serving(MailServer()) as server:
        assert await writing(server).deliver(mail()) == DONE
    (letter,) = server.letters
    assert letter["From"] == "store@example.com"
    assert letter["To"] == letter["X-Rcpt-To"] == "alice@example.com"
    assert letter["Subject"] == "Log in to store.example"
    assert letter.get_content_type() == "text/plain"
    text = text_of(letter)
    assert f"\n  {alice.did}\n" in text
    assert "until 2023-11-14 22:28 UTC" in text
    assert "If it is not you, do nothing." in text


async def test_the_link_in_it_is_what_confirms_the_login() -> None:
    async with serving(MailServer()) as server:
        await writing(server).deliver(mail())
    (link,) = [line.strip() for line in text_of(server.letters[0]).splitlines() if URL in line]
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "store.example", "/validate-email")
    query = parse_qs(parts.query)
    assert query["mode"] == ["authorize"]
    (text,) = query["ucan"]
    archive = car.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    login = Login(car_link, from_email("alice@example.com"), alice.did, ("*",), UNTIL // 1000)
    assert archive.roots == (session.confirmation(service, login).link,)


async def test_a_letter_goes_out_as_the_lines_that_mail_allows() -> None:
    async with serving(MailServer()) as server:
        await writing(server).deliver(mail())
    raw = server.letters[0].as_bytes()
    assert max(map(len, raw.splitlines())) < 998
    assert raw.isascii()


@pytest.mark.parametrize("email", ["a.b+c=d!#$%&'*/?^`{|}~-_@example.com", "élise@exämple.com"])
async def test_odd_addresses_are_reached(email: str) -> None:
    async with serving(MailServer()) as server:
        assert await writing(server).deliver(mail(email)) == DONE
    assert server.letters[0]["X-Rcpt-To"] == email


async def test_a_server_that_knows_no_such_letters_ends_it() -> None:
    async with serving(MailServer(utf8=False)) as server:
        assert isinstance(await writing(server).deliver(mail("élise@example.com")), Error)
    assert server.letters == []


@pytest.mark.parametrize(
    "to",
    [
        "alice@example.com\r\nBcc: mallory@example.com",
        "alice@example.com\nBcc: mallory@example.com",
        "alice@example.com, mallory@example.com",
        "Alice <alice@example.com>, mallory@example.com",
    ],
)
async def test_no_address_adds_a_line_or_a_reader(to: str) -> None:
    """No account has such an address; if one had, it would not help."""
    letter = Letter(to, URL, alice.did, "", UNTIL)
    async with serving(MailServer()) as server:
        with suppress(Unreachable):
            await Smtp(f"smtp://{server.host}", "store.example").send(letter)
    assert all(each["X-Rcpt-To"] == "alice@example.com" for each in server.letters)
    assert all("Bcc" not in each for each in server.letters)


# What does not arrive


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    server = MailServer()
    server.port = free_port()
    writer = writing(server)
    with pytest.raises(Fault, match="is not well"):
        await writer.deliver(mail())
    async with serving(server, server.port):
        assert await writer.deliver(mail()) == DONE
    assert len(server.letters) == 1


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("RCPT", "450 mailbox busy"),
        ("RCPT", "452 too many letters"),
        ("DATA", "451 try later"),
        ("MAIL", "451 try later"),
        ("MAIL", "550 that is not your address"),
    ],
)
async def test_what_may_work_later_is_tried_again(command: str, answer: str) -> None:
    async with serving(MailServer()) as server:
        server.refusals[command] = answer
        with pytest.raises(Fault, match=answer[:3]):
            await writing(server).deliver(mail())
        del server.refusals[command]
        assert await writing(server).deliver(mail()) == DONE


@pytest.mark.parametrize("greeting", ["554 nobody sends from there", "421 too busy", "hello", ""])
async def test_a_server_that_does_not_let_us_in_is_tried_again(greeting: str) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{greeting}\r\n".encode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listening:
        server = MailServer()
        server.port = listening.sockets[0].getsockname()[1]
        with pytest.raises(Fault):
            await writing(server).deliver(mail())


@pytest.mark.parametrize(
    ("command", "answer"),
    [("RCPT", "550 no such mailbox"), ("DATA", "554 looks like spam")],
)
async def test_what_never_will_is_told_once_with_the_command_that_helps(
    command: str, answer: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(MailServer()) as server:
        server.refusals[command] = answer
        went = await writing(server).deliver(mail())
    assert isinstance(went, Error)
    assert went.value["name"] == "Unreachable"
    assert answer[4:] in went.value["message"]
    said = "".join(capsys.readouterr()) + caplog.text
    assert f"taijitu account confirm {car_link}" in said
    assert "ucan=" not in said


async def test_after_its_time_no_letter_is_sent() -> None:
    """As after a day without a mail server."""
    async with serving(MailServer()) as server:
        late = writing(server)
        late.now = lambda: UNTIL
        assert isinstance(await late.deliver(mail()), Error)
    assert server.letters == []


# Who we are to the server


async def test_the_password_is_told_and_may_be_corrected() -> None:
    async with serving(MailServer(password="p@ss:word/")) as server:
        with pytest.raises(Fault, match="does not let us send"):
            await writing(server, user="taijitu:wrong@").deliver(mail())
        user = f"taijitu:{quote('p@ss:word/', safe='')}@"
        assert await writing(server, user=user).deliver(mail()) == DONE
    assert len(server.letters) == 1


@pytest.mark.parametrize(
    ("url", "how"),
    [
        ("smtps://u:p@mail.example", (465, True, False, True)),
        ("smtp://u:p@mail.example", (25, False, True, True)),
        ("smtp://mail.example:587", (587, False, None, True)),
        ("smtp://u:p@localhost:2525", (2525, False, False, False)),
        ("smtp://u:p@127.0.0.1", (25, False, False, False)),
        ("smtp://u:p@[::1]", (25, False, False, False)),
    ],
)
async def test_a_password_leaves_this_machine_only_encrypted(
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    how: tuple[int, bool, bool | None, bool],
) -> None:
    """`how`: the port, encrypted from the start, encrypted later, certificate checked."""
    asked: dict[str, Any] = {}

    async def send(_message: EmailMessage, **given: Any) -> None:
        asked.update(given)

    monkeypatch.setattr(aiosmtplib, "send", send)
    await Smtp(url, "store.example").send(Letter("alice@example.com", URL, alice.did, "", UNTIL))
    names = ("port", "use_tls", "start_tls", "validate_certs")
    assert tuple(asked[name] for name in names) == how


class Certificate(NamedTuple):
    """Of `localhost`, signed by nobody else; a file that holds it, with its key."""

    file: Path

    @property
    def tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return Certificate(file)


def far(server: MailServer, monkeypatch: pytest.MonkeyPatch, scheme: str = "smtp") -> Post:
    """A post that takes the server for one on another machine."""
    monkeypatch.setattr(posts, "is_near", lambda _: False)
    url = f"{scheme}://taijitu:secret@localhost:{server.port}"
    return Post(service, URL, Smtp(url, "store.example").send, now=lambda: NOW)


async def test_a_server_that_encrypts_from_the_start_is_spoken_to_so(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(MailServer(password="secret"), tls=certificate.tls) as server:
        strange = far(server, monkeypatch, "smtps")
        with pytest.raises(Fault, match="certificate verify failed"):
            await strange.deliver(mail())
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
        assert await strange.deliver(mail()) == DONE
    assert len(server.letters) == len(server.told) == 1


async def test_a_password_is_told_after_encryption_began_and_never_without(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    async with serving(MailServer(password="secret")) as server:
        with pytest.raises(Fault, match="STARTTLS"):
            await far(server, monkeypatch).deliver(mail())
        assert server.told == []
        server.tls = certificate.tls
        assert await far(server, monkeypatch).deliver(mail()) == DONE
    assert len(server.letters) == len(server.told) == 1


async def test_a_strange_certificate_ends_it_before_the_password(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(MailServer(password="secret", tls=certificate.tls)) as server:
        with pytest.raises(Fault):
            await far(server, monkeypatch).deliver(mail())
    assert server.told == []


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("store.example", "store.example"),
        ("store.example:8443", "store.example"),
        ("localhost:3000", "localhost"),
        ("[::1]", "[::1]"),
        ("[::1]:3000", "[::1]"),
    ],
)
def test_letters_are_from_our_host_if_nothing_is_said(name: str, host: str) -> None:
    assert mail_host(name) == host
    assert Smtp("smtp://mail.example", name).sender == f"taijitu@{host}"


# Without a mail server


async def test_a_line_in_the_log_has_the_command(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    silent = post(service, URL, None, lambda: NOW, testing=False)
    assert await silent.deliver(mail()) == DONE
    said = "".join(capsys.readouterr()) + caplog.text
    assert f"taijitu account confirm {car_link}" in said
    assert "alice@example.com" in said
    assert alice.did in said
    assert shown(UNTIL) in said
    assert "ucan=" not in said
    assert silent.outbox is None


# For tests


async def test_an_outbox_has_each_letter_by_its_number() -> None:
    testing = post(service, URL, None, lambda: NOW, testing=True)
    assert testing.outbox is not None
    assert await testing.outbox.letter(0, 0) is None
    for email in ("alice@example.com", "bob@example.com"):
        await testing.deliver(mail(email))
    found = [await testing.outbox.letter(number, 0) for number in range(3)]
    assert [each and each.to for each in found] == ["alice@example.com", "bob@example.com", None]


async def test_an_outbox_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "LETTERS_KEPT", 2)
    outbox = Outbox()
    for number in range(3):
        outbox.put(Letter(f"{number}", URL, alice.did, "", UNTIL))
    found = [await outbox.letter(number, 0) for number in range(3)]
    assert [each and each.to for each in found] == [None, "1", "2"]
