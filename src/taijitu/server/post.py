"""Letters: whoever has an account is told who wants to act for it, and how to say yes.

By SMTP where `TAIJITU_SMTP_URL` names a server; else by a line in the log, with the command that
says yes. The address in a letter holds a UCAN that is as good as a password for a quarter of an
hour, so it is never logged.
"""

import asyncio
import ipaddress
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as LINES
from email.policy import SMTPUTF8
from email.utils import parseaddr
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib import (
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from taijitu.kernel.failures import Fault
from taijitu.kernel.receipt import DONE, Receipt, failure
from taijitu.kernel.record import Record
from taijitu.machines.login import Mail
from taijitu.server.logs import log
from taijitu.ucan import principal, session
from taijitu.ucan.session import Login
from taijitu.ucan.signer import Signer

VALIDATE: Final = "/validate-email"
"""Where a letter leads to."""

SMTP_SECONDS_MAX: Final = 30.0
"""Time that a mail server may take for each step."""

LETTERS_KEPT: Final = 1_000
"""Letters that an outbox remembers, where it does."""

PERMANENT: Final = 500
"""From this status on a mail server will not change its mind."""

PORTS: Final = {"smtp": 25, "smtps": 465}


class Letter(Record):
    """`to` is an e-mail address, `url` a secret; `expires` in ms since 1970."""

    to: str
    url: str
    agent: str
    command: str
    expires: int


class Unreachable(Exception):
    """This letter will never arrive. The text says why."""


Send = Callable[[Letter], Awaitable[None]]
"""Raises `Unreachable` or `Fault`."""


class Post:
    """Writes the letters, and has them sent. `outbox` gets a copy of each, where there is one;
    `now` is the clock that logins go by, in ms since 1970."""

    def __init__(
        self,
        signer: Signer,
        public_url: str,
        send: Send,
        now: Callable[[], int],
        outbox: "Outbox | None" = None,
    ) -> None:
        self.signer = signer
        self.public_url = public_url
        self.send = send
        self.outbox = outbox
        self.now = now

    async def deliver(self, mail: Mail) -> Receipt:
        """Carries out `login/mail`. Raises `Fault`."""
        if mail.expires <= self.now():
            log.warning("a letter would come too late", account=mail.account, agent=mail.agent)
            return failure("TooLate", "the login can not be confirmed any more")
        letter = self.written(mail)
        if self.outbox is not None:
            self.outbox.put(letter)
        try:
            await self.send(letter)
        except Unreachable as why:
            log.warning("a letter came back", to=letter.to, command=letter.command, why=str(why))
            return failure("Unreachable", str(why))
        return DONE

    def written(self, mail: Mail) -> Letter:
        seconds = mail.expires // 1000
        login = Login(mail.request, mail.account, mail.agent, mail.att, seconds)
        packed = session.packed(session.confirmation(self.signer, login))
        ucan = urlsafe_b64encode(packed).decode().rstrip("=")
        return Letter(
            principal.to_email(mail.account),
            f"{self.public_url}{VALIDATE}?ucan={ucan}&mode=authorize",
            mail.agent,
            f"taijitu account confirm {mail.request}",
            mail.expires,
        )


class Outbox:
    """The letters that were sent, by number; for tests."""

    def __init__(self) -> None:
        self.letters: deque[Letter] = deque(maxlen=LETTERS_KEPT)
        self.count = 0
        self.arrived = asyncio.Event()

    def put(self, letter: Letter) -> None:
        self.letters.append(letter)
        self.count += 1
        self.arrived.set()
        self.arrived = asyncio.Event()

    async def letter(self, number: int, seconds: float) -> Letter | None:
        """The letter with this number (from 0), waiting for it so long; `None` if there is none,
        or none any more."""
        try:
            async with asyncio.timeout(seconds):
                while number >= self.count:
                    await self.arrived.wait()
        except TimeoutError:
            return None
        place = number - (self.count - len(self.letters))
        return self.letters[place] if place >= 0 else None


async def logged(letter: Letter) -> None:
    """A line for whoever runs the service, who can say yes by the command in it."""
    log.info(
        "a login waits to be confirmed",
        account=letter.to,
        agent=letter.agent,
        until=shown(letter.expires),
        command=letter.command,
    )


class Smtp:
    """Sends through the server that a URL names: `smtp://user:password@host:port?from=address`.

    `smtps` is encrypted from the start. Else encryption is used if the server has it; and it has to
    have it where there is a password to tell, unless it is on this machine.
    """

    def __init__(self, url: str, name: str) -> None:
        """`name` is the host of the service: who the letters are from, if nothing is said."""
        parts = urlsplit(url)
        self.name = name
        self.host = parts.hostname or "localhost"
        self.port = parts.port or PORTS[parts.scheme]
        self.user = unquote(parts.username) if parts.username else None
        self.password = unquote(parts.password) if parts.password else None
        self.encrypted = parts.scheme == "smtps"
        self.sender = parse_qs(parts.query).get("from", [f"taijitu@{mail_host(name)}"])[0]

    async def send(self, letter: Letter) -> None:
        near = is_near(self.host)
        start_tls = False if self.encrypted or near else True if self.user else None
        try:
            await aiosmtplib.send(
                self.message(letter),
                sender=parseaddr(self.sender)[1],
                recipients=[letter.to],
                hostname=self.host,
                port=self.port,
                username=self.user,
                password=self.password,
                use_tls=self.encrypted,
                start_tls=start_tls,
                validate_certs=not near,
                timeout=SMTP_SECONDS_MAX,
            )
        except SMTPRecipientsRefused as why:
            if all(each.code >= PERMANENT for each in why.recipients):
                raise Unreachable(said(why.recipients[0])) from None
            raise Fault(f"no mail was taken: {said(why.recipients[0])}") from why
        except SMTPDataError as why:
            if why.code >= PERMANENT:
                raise Unreachable(said(why)) from None
            raise Fault(f"no mail was taken: {said(why)}") from why
        except SMTPResponseException as why:
            # Nothing is wrong with the letter. There is time to set it right until it is over.
            raise Fault(f"the mail server does not let us send: {said(why)}") from why
        except SMTPNotSupported as why:
            raise Unreachable(str(why)) from None
        except (SMTPException, OSError) as why:
            raise Fault(f"the mail server {self.host}:{self.port} is not well: {why}") from why
        except ValueError as why:  # after `OSError`: a false certificate is both
            raise Unreachable(str(why)) from None

    def message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage(LINES if letter.to.isascii() else SMTPUTF8)
        message["From"] = self.sender
        message["To"] = letter.to
        message["Subject"] = f"Log in to {self.name}"
        message.set_content(
            f"Somebody wants to act for {letter.to} at {self.name}, with this agent:\n\n"
            f"  {letter.agent}\n\n"
            "If that is you, open this page and confirm it:\n\n"
            f"  {letter.url}\n\n"
            f"It can be confirmed until {shown(letter.expires)}. If it is not you, do nothing.\n",
            cte="quoted-printable",
        )
        return message


def post(
    signer: Signer,
    public_url: str,
    smtp_url: str | None,
    now: Callable[[], int],
    *,
    testing: bool,
) -> Post:
    """The post of an installation."""
    host = urlsplit(public_url).netloc
    send = logged if smtp_url is None else Smtp(smtp_url, host).send
    return Post(signer, public_url, send, now, Outbox() if testing else None)


def said(why: SMTPResponseException) -> str:
    return f"{why.code} {why.message}"


def shown(ms: int) -> str:
    """A time for people."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def mail_host(name: str) -> str:
    """A host (and port) as it stands in an e-mail address: without the port."""
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdigit() else name


def is_near(host: str) -> bool:
    """Whether a mail server is on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
