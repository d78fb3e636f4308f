"""A mail server on a free port: what it takes is kept, and it refuses what a test wants refused."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

OK: Final = "250 OK"


class MailServer:
    """`letters` are those that it took. `refusals` are answers by command (`MAIL`, `RCPT`, `DATA`),
    given until they are taken back. With a `password` it wants to be told it, by user `taijitu`;
    with `tls` it encrypts once it is asked to."""

    def __init__(
        self,
        *,
        password: str | None = None,
        utf8: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.letters: list[EmailMessage] = []
        self.refusals: dict[str, str] = {}
        self.password = password
        self.utf8 = utf8
        self.tls = tls
        self.told: list[object] = []
        """Whoever said who he was."""
        self.port = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def protocol(self) -> SMTP:
        with warnings.catch_warnings():
            # It would warn of passwords that are told in clear: here they never leave the machine.
            warnings.simplefilter("ignore")
            return SMTP(
                self,
                hostname="mail.test",
                enable_SMTPUTF8=self.utf8,
                auth_required=self.password is not None,
                auth_require_tls=False,
                authenticator=self.authenticate,
                tls_context=self.tls,
            )

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _how: str, who: Any
    ) -> AuthResult:
        self.told.append(who)
        known = self.password is not None and who == LoginPassword(
            b"taijitu", self.password.encode()
        )
        return AuthResult(success=known, handled=False)

    async def handle_MAIL(
        self, _server: Any, _session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.refusals.get("MAIL", OK)

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if (refused := self.refusals.get("RCPT")) is not None:
            return refused
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        if (refused := self.refusals.get("DATA")) is not None:
            return refused
        content = envelope.content
        assert isinstance(content, bytes)
        letter = message_from_bytes(content, EmailMessage, policy=SMTPUTF8)
        letter["X-Rcpt-To"] = ", ".join(envelope.rcpt_tos)
        self.letters.append(letter)
        return OK


@asynccontextmanager
async def serving(
    server: MailServer, port: int = 0, *, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[MailServer]:
    """The server answers for as long as the block lasts; with `tls`, encrypted from the start."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server.protocol, "127.0.0.1", port, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


def link_in(letter: EmailMessage) -> str:
    """The link that a letter holds."""
    lines = [line.strip() for line in str(letter.get_content()).splitlines()]
    (link,) = [line for line in lines if line.startswith(("http://", "https://"))]
    return link
