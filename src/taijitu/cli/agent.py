"""An agent of one space, asking a service over HTTP: an invocation out, a verified receipt back.

Law: no receipt is believed that the service did not sign.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from taijitu.cli.key import write
from taijitu.cli.trouble import Refusal
from taijitu.client import asking
from taijitu.client.answers import Service
from taijitu.client.failures import Untrusted
from taijitu.ipld.cid import Link
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import SEED_SIZE, Signer
from taijitu.wire.exchange import CONTENT_TYPE

LIFETIME: Final = 3600
"""Seconds that an invocation, and the delegation behind it, is good for."""

TIME_MAX: Final = 60.0
"""Seconds to wait for an answer."""

ANSWER_SIZE_MAX: Final = 16 * 1024 * 1024
"""Bytes of an answer that are read; stored bytes are read piece by piece."""

CHUNK: Final = 256 * 1024
"""Bytes of such a piece."""


class Answer(NamedTuple):
    """What HTTP answered."""

    status: int
    body: bytes


class Asked(NamedTuple):
    """An invocation, and the receipt for it."""

    invocation: Delegation
    receipt: Receipt


def signer_in(path: Path) -> Signer:
    """The signer whose key a file holds; a new one, if there is no such file yet. Whenever it is
    killed, the file holds a whole key or is not there."""
    with suppress(FileNotFoundError):
        return Signer.parse(path.read_text().strip())
    signer = Signer.from_seed(os.urandom(SEED_SIZE))
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    write(unfinished, signer)
    unfinished.rename(path)
    return signer


class Agent:
    """An agent, to whom a space delegates what it needs; the keys of both lie in a folder."""

    def __init__(self, url: str, did: str, key: str, folder: Path) -> None:
        """`key` is the `did:key` with which the service `did` signs."""
        self.url = url
        self.did = did
        self.key = key
        self.signer, owner = signer_in(folder / "agent.key"), signer_in(folder / "space.key")
        self.space = owner.did
        self.proof = delegate(
            owner,
            self.signer.did,
            [{"can": "store/*", "with": owner.did}],
            expiration=int(time.time()) + LIFETIME,
        )

    def ask(self, can: str, nb: Mapping[str, object]) -> Asked:
        """Invoke an ability on the space. Raises `Refusal` where no good receipt comes back."""
        invocation = delegate(
            self.signer,
            self.did,
            [{"can": can, "with": self.space, "nb": dict(nb)}],
            expiration=int(time.time()) + LIFETIME,
            proofs=[self.proof.link],
            nonce=os.urandom(8).hex(),
        )
        body = asking.body_of(invocation, {self.proof.link: self.proof.data})
        headers = {"content-type": CONTENT_TYPE, "accept": CONTENT_TYPE}
        answer = request("POST", f"{self.url}/", body, headers)
        if answer.status != 200:
            text = answer.body.decode("utf-8", "replace").strip()
            raise Refusal(f"the service answers {can} with status {answer.status}: {text}")
        return Asked(invocation, self.receipt_in(answer.body, invocation.link))

    def receipt_in(self, body: bytes, ran: Link) -> Receipt:
        """The receipt for an invocation, once its signature is checked. Raises `Refusal`."""
        try:
            return asking.receipt_in(body, ran, Service(self.did, self.key))
        except Untrusted as why:
            raise Refusal(str(why)) from None


def put(url: str, headers: Mapping[str, str], path: Path) -> Answer:
    """Send a file to where a receipt said."""
    with path.open("rb") as file:
        return request("PUT", url, file, headers)


def request(
    method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request on a connection of its own. Raises `Refusal` if there is no answer."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIME_MAX)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.read(ANSWER_SIZE_MAX))
    except (OSError, HTTPException) as why:
        name = why or type(why).__name__
        raise Refusal(f"{method} {url.partition('?')[0]} failed: {name}") from None
    finally:
        connection.close()


def is_the_same(url: str, path: Path) -> bool:
    """Whether what lies at a URL is, byte for byte, what is in a file."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIME_MAX)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        if response.status != 200:
            return False
        with path.open("rb") as file:
            while True:
                mine, theirs = file.read(CHUNK), response.read(CHUNK)
                if mine != theirs:
                    return False
                if not mine:
                    return True
    finally:
        connection.close()
