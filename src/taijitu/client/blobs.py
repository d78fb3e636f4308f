"""The blobs of a space: any bytes, by their digest. It is what files are stored as.

Law: `add` ends once the service has accepted the bytes, in a receipt, or with an exception.
"""

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any

from taijitu.client import answers
from taijitu.client.answers import Blob, BlobAdded, BlobPage, Removed
from taijitu.client.asking import Answered
from taijitu.client.content import Content, Progress, Source, ignore, opened
from taijitu.client.failures import NotFound, Unavailable, Untrusted, refused
from taijitu.client.promised import Promised, location_in, promised, receipt_for
from taijitu.client.retry import Again
from taijitu.client.session import Session
from taijitu.client.store import LOOK, LOOK_MAX, PAGE, STORED_TIME_MAX, link_of, send
from taijitu.ipld.cid import Link
from taijitu.ucan import receipt as receipts
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import InvalidKey, Signer, from_archive


class Blobs:
    """`space/blob/*` of one space."""

    def __init__(self, session: Session, space: str) -> None:
        self.session = session
        self.space = space

    async def add(
        self, source: Source, *, hashing: Progress = ignore, sending: Progress = ignore
    ) -> BlobAdded:
        """Store bytes, a file by its path, or what an asynchronous iterator gives.

        Raises `Refused` (as `InsufficientStorage`), `Unavailable` and the rest.
        """
        async with opened(source, hashing) as content:
            return await self.upload(content, sending)

    async def upload(self, content: Content, sending: Progress = ignore) -> BlobAdded:
        """Ask for room, send, tell that it is sent, and wait for the receipt that accepts it."""
        patience = self.session.patience(f"uploading {content.link}")
        sent = False
        while True:
            asked = await self.room(content)
            where = address_in(asked)
            put = asked.receipt_of(asked.put)
            if where is None or (put is not None and put.is_ok):
                break
            try:
                await send(self.session.connection, *where, content, sending)
            except Again as why:
                await patience.wait(why)
            else:
                sent = True
                break
        accepted = asked.receipt_of(asked.accept)
        if accepted is not None and accepted.is_ok:
            return BlobAdded(content.link, content.size, sent, location_in(accepted, asked.blocks))
        if put is None or not put.is_ok:
            await self.conclude(asked)
        answer = await self.accepted(asked)
        url = location_in(answer.receipt, answer.blocks)
        return BlobAdded(content.link, content.size, sent, url)

    async def room(self, content: Content) -> Promised:
        """What the service promises for these bytes. Raises `Refused`."""
        blob = {"digest": content.link.multihash, "size": content.size}
        answer = await self.session.exchange("space/blob/add", {"blob": blob}, self.space)
        if not answer.receipt.is_ok:
            raise refused(answer.receipt.out["error"])
        found = promised(answer, await self.session.service())
        allocated = found.receipt_of(found.allocate)
        if allocated is None:
            raise Untrusted("the service does not say where the bytes are to go")
        if not allocated.is_ok:
            raise refused(allocated.out["error"])
        return found

    async def conclude(self, asked: Promised) -> None:
        """Tell that the bytes are there. Raises `Refused`."""
        said = receipts.issue(key_for(asked), asked.put.link, {"ok": {}})
        answer = await self.session.exchange(
            "ucan/conclude",
            {"receipt": said.link},
            self.session.agent.did,
            company={said.link: said.data},
        )
        if not answer.receipt.is_ok:
            raise refused(answer.receipt.out["error"])

    async def accepted(self, asked: Promised) -> Answered:
        """The receipt that accepts the bytes. Raises `Refused`, and `Unavailable` if it takes too
        long."""
        task, end, pause = asked.accept, monotonic() + STORED_TIME_MAX, LOOK
        while True:
            try:
                body = await self.session.receipt_of(task.link)
            except NotFound:
                if monotonic() > end:
                    raise Unavailable(
                        f"the service has taken bytes, and after {STORED_TIME_MAX:g} s does not "
                        "say that it accepts them"
                    ) from None
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LOOK_MAX)
                continue
            answer = receipt_for(task, body, await self.session.service())
            if not answer.receipt.is_ok:
                raise refused(answer.receipt.out["error"])
            return answer

    async def get(self, link: Link | str) -> Blob:
        """What the space knows of one blob. Raises `NotFound`."""
        nb = {"digest": link_of(link).multihash}
        return answers.blob(await self.session.invoke("space/blob/get/0/1", nb, space=self.space))

    async def remove(self, link: Link | str) -> Removed:
        """Let go of a blob, there or not: `size` is 0 if it was not."""
        known = link_of(link)
        nb = {"digest": known.multihash}
        ok = await self.session.invoke("space/blob/remove", nb, space=self.space)
        return answers.removed(known, ok)

    async def page(self, cursor: str | None = None, size: int = PAGE) -> BlobPage:
        """One page of the list, from a cursor on, the newest first."""
        nb: dict[str, object] = {"size": size}
        if cursor is not None:
            nb["cursor"] = cursor
        return answers.blobs(await self.session.invoke("space/blob/list", nb, space=self.space))

    async def list(self, size: int = PAGE) -> AsyncGenerator[Blob]:
        """Every blob of the space, the newest first; `size` of them are asked for at once."""
        cursor: str | None = None
        while (page := await self.page(cursor, size)).items:
            for blob in page.items:
                yield blob
            if page.cursor is None or page.cursor == cursor:
                return
            cursor = page.cursor


def address_in(asked: Promised) -> tuple[str, dict[str, str]] | None:
    """Where the bytes are to go, and with which headers; None if they are there."""
    receipt: Receipt | None = asked.receipt_of(asked.allocate)
    ok: Any = None if receipt is None else receipt.out["ok"]
    match ok:
        case {"address": {"url": str() as url, "headers": {**headers}}}:
            return url, {str(name): value for name, value in headers.items() if type(value) is str}
        case {"address": _}:
            raise Untrusted("the service does not say where the bytes are to go")
        case _:
            return None


def key_for(asked: Promised) -> Signer:
    """The key that tells of the put: it came along with the task. Raises `Untrusted`."""
    keys: Any = next((fact["keys"] for fact in asked.put.facts if "keys" in fact), None)
    try:
        return from_archive(keys)
    except InvalidKey as why:
        raise Untrusted(f"the service promises an http/put without a key for it: {why}") from None
