"""Stored bytes as they are, by the link that names them all.

Law: bytes are hashed as they come. A connection that breaks off is no reason to begin anew.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from hashlib import sha256

from taijitu.client.content import Progress
from taijitu.client.failures import NotFound, Unusable, WrongBytes
from taijitu.client.retry import Again
from taijitu.client.session import Session
from taijitu.ipld.cid import SHA2_256, Link


async def fetch(session: Session, link: Link, size_max: int, progress: Progress) -> bytes:
    """See `Client.fetch`."""
    parts: list[bytes] = []
    left = size_max
    async with aclosing(stream(session, link, progress)) as chunks:
        async for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise Unusable(f"{link} has more than {size_max} bytes: stream it")
            parts.append(chunk)
    return b"".join(parts)


async def stream(session: Session, link: Link, progress: Progress) -> AsyncGenerator[bytes]:
    """See `Client.stream`."""
    if link.hash_code != SHA2_256:
        raise Unusable(f"{link} cannot be verified: it is not named by a sha2-256 hash")
    patience = session.patience(f"fetching {link}")
    digest, done = sha256(), 0
    while True:
        chunks = session.connection.read(url_of(session, link), done)
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    digest.update(chunk)
                    done += len(chunk)
                    patience.renew()
                    progress(done)
                    yield chunk
            break
        except Again as why:
            await patience.wait(why)
        except NotFound:
            raise absent(session, link) from None
    if digest.digest() != link.digest:
        raise WrongBytes(f"what {session.url} gives as {link} is something else")


async def size_of(session: Session, link: Link) -> int | None:
    """See `Client.size_of`."""
    try:
        answer = await session.patience(f"asking for the size of {link}").keep(
            lambda: session.connection.ask("HEAD", url_of(session, link))
        )
    except NotFound:
        raise absent(session, link) from None
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def url_of(session: Session, link: Link) -> str:
    return f"{session.url}/{link}/{link}.car"


def absent(session: Session, link: Link) -> NotFound:
    return NotFound("NotFound", f"{link} is not stored at {session.url}")
