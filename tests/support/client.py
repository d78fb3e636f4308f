"""A client for tests: keys of its own, spaces of its own, and nothing taken on trust.

It speaks HTTP to a service that runs as a process. Every receipt it is given has to be signed by
that service and to be about the invocation that was sent. `Inside` looks at what the service keeps
on disk, without changing anything.
"""

import os
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from time import time
from typing import Any

import aiohttp
import apsw
from yarl import URL

from support.service import Service
from taijitu.ipld.cid import CAR, Link, link_to
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import Signer
from taijitu.wire import message

CONTENT_TYPE = "application/vnd.ipld.car"
LIFETIME_SECONDS = 3600
"""Of an invocation, unless the test says otherwise."""
REQUEST_SECONDS_MAX = 30
NONCES = count(1)


@dataclass(frozen=True)
class Car:
    """Some bytes and the link they are known by. The service looks into no CAR."""

    link: Link
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def digest(self) -> bytes:
        """The sha2-256 digest, 32 bytes."""
        return self.link.digest


def random_car(size: int = 1_000) -> Car:
    """Bytes that nobody has stored before."""
    data = os.urandom(size)
    return Car(link_to(data, CAR), data)


@dataclass(frozen=True)
class Reply:
    """What HTTP answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """Speaks to one service, over restarts too. Make one with `talking_to`."""

    def __init__(self, service: Service, http: aiohttp.ClientSession) -> None:
        self.service = service
        self.http = http
        who = service.get_json("/version")
        self.did: str = who["did"]
        self.key: str = who["publicKey"]

    def space(self, name: str = "alice") -> "Space":
        """A new space; `name` only says in a failing test whose it is."""
        return Space(self, Signer.from_seed(os.urandom(32)), name)

    async def send(self, *invocations: Delegation, proofs: Sequence[Delegation] = ()) -> Any:
        """The receipts of invocations sent in one message, in their order (one: itself)."""
        reply = await self.post(body_of(invocations, proofs))
        assert reply.status == 200, (reply.status, reply.text)
        found = self.receipts_in(reply.body)
        assert set(found) == {each.link for each in invocations}
        answers = [found[each.link] for each in invocations]
        return answers[0] if len(answers) == 1 else answers

    async def post(
        self, body: bytes, content_type: str | None = CONTENT_TYPE, accept: str | None = None
    ) -> Reply:
        """`POST /`, whatever the body is."""
        headers = {"content-type": content_type, "accept": accept}
        given = {name: value for name, value in headers.items() if value is not None}
        skipped = [name for name, value in headers.items() if value is None]
        return await self.request(
            "POST", self.service.url + "/", body, given, skip_auto_headers=skipped
        )

    async def receipt(self, task: Link) -> Receipt | None:
        """What `GET /receipt/{task}` has."""
        reply = await self.request("GET", f"{self.service.url}/receipt/{task}")
        if reply.status == 404:
            return None
        assert reply.status == 200, (reply.status, reply.text)
        return self.receipts_in(reply.body)[task]

    async def put(self, ok: Mapping[str, Any], data: bytes, **changed: str) -> int:
        """PUT where a `store/add` said; the status. `changed` headers by name, `_` for `-`."""
        headers = ok["headers"] | {name.replace("_", "-"): each for name, each in changed.items()}
        return (await self.request("PUT", ok["url"], data, headers)).status

    async def fetch(self, link: Link) -> bytes | None:
        """The stored bytes, or `None` if there are none."""
        reply = await self.request("GET", f"{self.service.url}/{link}/{link}.car")
        assert reply.status in (200, 404), (reply.status, reply.text)
        return reply.body if reply.status == 200 else None

    async def admin(self, verb: str, **arguments: Any) -> Any:
        """What the admin door answers."""
        door = aiohttp.UnixConnector(str(self.service.data / "taijitu.sock"))
        timeout = aiohttp.ClientTimeout(REQUEST_SECONDS_MAX)
        async with (
            aiohttp.ClientSession(connector=door, timeout=timeout) as http,
            http.post(f"http://door/{verb}", json=arguments) as answer,
        ):
            found = await answer.json()
            assert answer.status == 200, found
            return found

    async def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Reply:
        """One request; the URL goes out as it is spelled."""
        where = URL(url, encoded=True)
        data = None if body is None else BytesIO(body)
        async with self.http.request(method, where, data=data, headers=headers, **more) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    def receipts_in(self, body: bytes) -> dict[Link, Receipt]:
        """The receipts of a message, by invocation. Every one is signed by the service."""
        answer = message.decode(body)
        assert not answer.execute
        found: dict[Link, Receipt] = {}
        for ran, link in answer.report.items():
            receipt = receipts.decode(link, answer.blocks[link])
            assert receipt.ran == ran
            assert receipt.issuer == self.did
            assert receipts.verify(receipt, [self.key])
            found[ran] = receipt
        return found


class Space:
    """A space, and its owner, who asks for himself."""

    def __init__(self, client: Client, owner: Signer, name: str) -> None:
        self.client = client
        self.owner = owner
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}'s space {self.did}>"

    @property
    def did(self) -> str:
        return self.owner.did

    def ask(self, can: str, nb: Mapping[str, object] | None = None, **more: Any) -> Delegation:
        """An invocation by the owner. Every one is new, unless `nonce` is given."""
        capability = {"can": can, "with": self.did} | ({"nb": dict(nb)} if nb else {})
        return self.issue(capability, **more)

    def issue(self, *capabilities: Mapping[str, object], **more: Any) -> Delegation:
        """An invocation of these capabilities, whatever they are."""
        given: dict[str, Any] = {
            "expiration": int(time()) + LIFETIME_SECONDS,
            "nonce": str(next(NONCES)),
        }
        audience = more.pop("audience", self.client.did)
        return delegate(self.owner, audience, capabilities, **given | more)

    def asks_to_add(self, car: Car, size: int | None = None, **more: Any) -> Delegation:
        nb = {"link": car.link, "size": car.size if size is None else size}
        return self.ask("store/add", nb, **more)

    def asks_to_remove(self, car: Car) -> Delegation:
        return self.ask("store/remove", {"link": car.link})

    async def add(self, car: Car, size: int | None = None) -> dict[str, Any]:
        """`{"ok": …}` or `{"error": …}`, as all verbs here."""
        return (await self.client.send(self.asks_to_add(car, size))).out

    async def get(self, car: Car) -> dict[str, Any]:
        return (await self.client.send(self.ask("store/get", {"link": car.link}))).out

    async def page(self, **page: Any) -> dict[str, Any]:
        return (await self.client.send(self.ask("store/list", page))).out

    async def remove(self, car: Car) -> dict[str, Any]:
        return (await self.client.send(self.asks_to_remove(car))).out

    async def info(self) -> dict[str, Any]:
        return (await self.client.send(self.ask("space/info"))).out

    async def store(self, car: Car) -> None:
        """Add it and put the bytes."""
        ok = (await self.add(car))["ok"]
        if ok["status"] == "upload":
            assert await self.client.put(ok, car.data) == 200

    async def links(self) -> list[Link]:
        """All that `store/list` shows, page by page."""
        found: list[Link] = []
        page: dict[str, Any] = {}
        while (results := (shown := (await self.page(**page))["ok"])["results"]) != []:
            found += [item["link"] for item in results]
            page = {"cursor": shown["cursor"]}
        return found

    async def usage(self) -> dict[str, int]:
        """`{capacity, reserved, used, entries}`, as an operator is told."""
        told = await self.client.admin("space", space=self.did)
        assert told.pop("space") == self.did
        return told

    async def place(self, car: Car) -> str:
        """The state the entry of these bytes is in: `Receiving`, `Stored` …"""
        return (await self.client.admin("place", space=self.did, cid=str(car.link)))["state"]


class Inside:
    """What a service keeps in its data folder, as somebody sees it who may only look."""

    def __init__(self, data: Path) -> None:
        self.database = data / "taijitu.db"
        self.blobs = data / "blobs"

    def rows(self, query: str) -> list[Any]:
        """What the database says, as of its last commit."""
        db = apsw.Connection(str(self.database), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            db.set_busy_timeout(5_000)
            return db.execute(query).fetchall()
        finally:
            db.close()

    def everything(self) -> dict[str, list[Any]]:
        """All that a request could have changed: equal before and after, it changed nothing."""
        return {
            "heads": self.rows("SELECT path, seq FROM head ORDER BY path"),
            "tasks": self.rows("SELECT plan, number, ready_at FROM task ORDER BY plan, number"),
            "receipts": self.rows("SELECT task FROM receipt ORDER BY task"),
            "files": sorted(str(path) for path in self.files()),
        }

    def open_tasks(self) -> int:
        return self.rows("SELECT count(*) FROM task")[0][0]

    def place_of(self, car: Car) -> Path:
        """Where the disk bucket has the bytes, if it has them."""
        name = car.digest.hex()
        return self.blobs / name[:2] / name

    def files(self) -> Iterator[Path]:
        """Every file among the bytes, unfinished uploads included."""
        return (path for path in self.blobs.rglob("*") if path.is_file())

    def digests(self) -> set[bytes]:
        """Of the objects that lie there."""
        return {bytes.fromhex(path.name) for path in self.files() if path.parent.name != "incoming"}

    def bring(self, car: Car) -> None:
        """The one thing that is no looking: bytes get into the bucket past everybody, whole at
        once. A bucket whose event is lost looks like that."""
        aside = self.database.with_name(f"{car.digest.hex()}.aside")
        aside.write_bytes(car.data)
        aside.rename(self.place_of(car))

    def unfinished(self) -> list[Path]:
        """Temporary files of uploads."""
        return list((self.blobs / "incoming").iterdir())


def body_of(invocations: Sequence[Delegation], proofs: Sequence[Delegation] = ()) -> bytes:
    """The message that asks for these."""
    blocks = {each.link: each.data for each in (*proofs, *invocations)}
    return message.encode(execute=[each.link for each in invocations], blocks=blocks)


@asynccontextmanager
async def talking_to(service: Service) -> AsyncGenerator[Client]:
    """A client for as long as the block lasts."""
    timeout = aiohttp.ClientTimeout(REQUEST_SECONDS_MAX)
    # A connection for each request: one that is kept would not outlive the service.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield Client(service, http)
