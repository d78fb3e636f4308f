"""A client of the service, and of any other that speaks ucanto over HTTP.

Law: nothing is believed that is not signed by the service or named by its hash. Who the service is
can be pinned; else it is what the URL itself says, which is as good as its TLS.
"""

import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path
from time import time
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from taijitu.client import accounts, asking, fetching
from taijitu.client.accounts import NewSpace
from taijitu.client.answers import Put, Service
from taijitu.client.asking import Answered
from taijitu.client.content import Progress, ignore
from taijitu.client.failures import NotAccepted, NotFound, Untrusted, Unusable, refused
from taijitu.client.introduction import of_document, of_version
from taijitu.client.keys import key_of
from taijitu.client.proofs import Proof, chosen, read, spaces_of
from taijitu.client.retry import Notice, Patience, Retry
from taijitu.client.space import Space
from taijitu.client.store import Store, link_of
from taijitu.client.uploads import Uploads
from taijitu.ipld.cid import Link
from taijitu.ucan import principal
from taijitu.ucan.issue import delegate
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import Signer
from taijitu.wire.exchange import CONTENT_TYPE

if TYPE_CHECKING:
    from taijitu.client.blobs import Blobs
    from taijitu.client.connection import Connection, Times
    from taijitu.client.contents import Contents
    from taijitu.client.files import CarSource, Files
    from taijitu.client.sending import Told
    from taijitu.client.unpacking import Got

URL: Final = "http://localhost:3000"
"""Where a service listens unless it is told otherwise."""

LIFETIME: Final = 3600
"""Seconds that an invocation is good for: enough for every retry."""

FETCH_SIZE_MAX: Final = 256 * 1024 * 1024
"""Bytes that `fetch` holds in memory, unless it is told otherwise."""

NOTHING: Final[Mapping[Link, bytes]] = MappingProxyType({})

HEADERS: Final = {"content-type": CONTENT_TYPE, "accept": CONTENT_TYPE}


def ignored(_: object) -> None:
    """A notice that nobody reads."""


class Client:
    """An agent, talking to a service: `async with Client(url, key=key) as client`.

    `key` signs, and is its own space unless `proofs` say more. `space` is the one that is meant
    where none is named. `did` and `service_key` pin the service; a `did:key` is both. `receipts` is
    where receipts are to be had, if that is not below `url`.
    """

    def __init__(
        self,
        url: str = URL,
        *,
        did: str | None = None,
        service_key: str | None = None,
        key: Signer | str | Path | None = None,
        proofs: Iterable[Proof | bytes | str | Path] = (),
        space: str | None = None,
        receipts: str | None = None,
        retry: Retry = Retry(),  # noqa: B008  a frozen value
        notice: Notice = ignored,
        times: "Times | None" = None,
    ) -> None:
        """Raises `Unusable` for a key or a proof that is none. Nothing is asked yet."""
        self.url = url.rstrip("/")
        self.receipts_url = (receipts or f"{self.url}/receipt").rstrip("/") + "/"
        self.signer = None if key is None else key_of(key)
        self.proofs = tuple(read(proof) for proof in proofs)
        self._space = space
        self._pinned = did, service_key or (did if did and principal.is_key(did) else None)
        self._service: Service | None = None
        self._retry = retry
        self._notice = notice
        self._times = times
        self._connection: Connection | None = None

    async def __aenter__(self) -> "Client":
        from taijitu.client.connection import Connection, Times  # noqa: PLC0415  aiohttp is large

        self._connection = Connection(self._times or Times())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        why: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection, self._connection = self.connection, None
        await connection.close()

    @property
    def connection(self) -> "Connection":
        """Open within the `async with` block."""
        if self._connection is None:
            raise RuntimeError("a client works within `async with Client(…) as client:`")
        return self._connection

    @property
    def agent(self) -> Signer:
        """Who asks. Raises `Unusable` if the client was given no key."""
        if self.signer is None:
            raise Unusable("this takes a key: Client(url, key=…)")
        return self.signer

    @property
    def space(self) -> Space:
        """The space that is meant: the one given, the only one in the proofs, or the agent's own.

        Raises `Unusable` where proofs open several.
        """
        if self._space is not None:
            return self.at(self._space)
        found = spaces_of(self.proofs, self.agent.did)
        if len(found) > 1:
            raise Unusable(f"the proofs open several spaces: say which of {', '.join(found)}")
        return self.at(found[0] if found else self.agent.did)

    @property
    def store(self) -> Store:
        """The store of that space."""
        return self.space.store

    @property
    def blobs(self) -> "Blobs":
        """The blobs of that space."""
        return self.space.blobs

    @property
    def contents(self) -> "Contents":
        """What CIDs name, whoever stored it: files and folders to read, list and write."""
        from taijitu.client.contents import Contents  # noqa: PLC0415

        return Contents(self)

    @property
    def uploads(self) -> Uploads:
        """The uploads of that space."""
        return self.space.uploads

    async def put(
        self, source: "Files", *, hidden: bool = False, progress: "Told | None" = None
    ) -> Put:
        """Store a file, a folder or a stream in that space: see `Space.put`."""
        return await self.space.put(source, hidden=hidden, progress=progress)

    async def put_car(self, source: "CarSource", *, progress: "Told | None" = None) -> Put:
        """Store the blocks of a CAR under its root in that space: see `Space.put_car`."""
        return await self.space.put_car(source, progress=progress)

    async def get(
        self,
        path: str | Link,
        target: Path,
        *,
        size_max: int | None = None,
        progress: Progress = ignore,
    ) -> "Got":
        """Write what a CID, or CID/path, names to a file or folder: see `Contents.save`."""
        return await self.contents.save(path, target, size_max=size_max, progress=progress)

    def at(self, did: str) -> Space:
        """Another space. Raises `Unusable` for what cannot be one."""
        try:
            principal.from_did(did)
        except principal.InvalidDid as why:
            raise Unusable(str(why)) from None
        return Space(self, did)

    # Being let in, and letting in

    def hold(self, *proofs: Proof) -> None:
        """Ask with these as well, from now on."""
        known = {each.delegation.link for each in self.proofs}
        self.proofs += tuple(each for each in proofs if each.delegation.link not in known)

    def spaces(self) -> list[str]:
        """The spaces that the proofs open, those included that an account was given."""
        return spaces_of(self.proofs, self.agent.did)

    async def login(
        self, email: str, can: Iterable[str] = ("*",), *, within: float = 900.0
    ) -> tuple[Proof, ...]:
        """Ask to act for the account with an e-mail address, and wait (`within` seconds) until
        whoever reads its mail has said yes. The client holds the proofs then; keep them, too.

        Raises `Refused`, and `Unavailable` if nobody says yes.
        """
        return await accounts.login(self, email, can, within)

    def delegate(
        self, to: str, can: Iterable[str], *, expiration: int | None, space: str | None = None
    ) -> Proof:
        """Let somebody (a DID) do something in a space: what the agent may do itself. `expiration`
        in seconds since 1970; None is never; it ends with what it rests on, at the latest. Asks
        nobody. Raises `Unusable`, and `NoDelegation` for what the agent was not given."""
        did = self.space.did if space is None else space
        return accounts.delegate(self, to, [*can], expiration, did)

    async def revoke(self, proof: Proof | bytes | str | Path) -> None:
        """Take back a delegation, which the agent issued, or was given, or stands above. From then
        on the service takes nothing for proven by it. Raises `Refused`."""
        await accounts.revoke(self, read(proof))

    async def create_space(self, account: str | None = None) -> NewSpace:
        """A new space in which the agent may do everything; given room by an account (an e-mail
        address) that it has logged in as, where the service wants that. The account may do
        everything in it, too, so it is found by whoever logs in as that. Raises `Refused`."""
        return await accounts.create_space(self, account)

    # Asking

    async def invoke(
        self,
        can: str,
        nb: Mapping[str, object] | None = None,
        *,
        space: str | None = None,
        within: float = 0.0,
    ) -> Mapping[str, Any]:
        """What the service answers to an invocation of any ability: the `ok` of its receipt.

        As long as it says that there is none yet it is asked again, for `within` seconds and some
        tries more. Raises `Refused` (a subclass by the name of the error), `Unauthorized` before
        asking where no proof would do, `Unavailable`, `Untrusted`, `NotAccepted`.
        """
        receipt = await self.ask(can, nb, space=space, within=within)
        if not receipt.is_ok:
            raise refused(receipt.out["error"])
        return asking.ok_of(receipt)

    async def ask(
        self,
        can: str,
        nb: Mapping[str, object] | None = None,
        *,
        space: str | None = None,
        within: float = 0.0,
    ) -> Receipt:
        """The receipt for an invocation, whatever it says. It is signed by the service.

        Raises as `invoke`, except `Refused`.
        """
        resource = self.space.did if space is None else space
        return (await self.exchange(can, nb, resource, within=within)).receipt

    async def exchange(
        self,
        can: str,
        nb: Mapping[str, object] | None,
        resource: str,
        *,
        company: Mapping[Link, bytes] = NOTHING,
        proofs: Iterable[Link] = (),
        within: float = 0.0,
    ) -> Answered:
        """The same with all blocks of the answer. Those of `company` travel with the question, and
        are named in a fact, so that they count as belonging to it. Raises as `ask`."""
        now = int(time())
        carried = chosen(self.proofs, can, resource, self.agent.did, now)
        service = await self.service()
        capability = {"can": can, "with": resource} | ({} if nb is None else {"nb": dict(nb)})
        invocation = delegate(
            self.agent,
            service.did,
            [capability],
            expiration=now + LIFETIME + int(within),
            proofs=dict.fromkeys([*carried.links, *proofs]),
            facts=[{str(number): link for number, link in enumerate(company)}] if company else (),
            nonce=os.urandom(8).hex(),
        )
        body = asking.body_of(invocation, {**carried.blocks, **company})
        answer = await self.patience(can, within).keep(
            lambda: self.connection.ask("POST", f"{self.url}/", body, HEADERS)
        )
        try:
            return asking.answer_in(answer.body, invocation.link, service)
        except Untrusted:
            renewed = await self.successor(service)
            if renewed is None:
                raise
        return asking.answer_in(answer.body, invocation.link, renewed)

    async def service(self) -> Service:
        """Who the service is: as pinned, or as it says itself. Raises `Untrusted` for another."""
        if self._service is None:
            did, key = self._pinned
            found = Service(did, key) if did and key else await self.introduction()
            for pinned, said in ((did, found.did), (key, found.key)):
                if pinned is not None and pinned != said:
                    raise Untrusted(f"{self.url} is {said}, not {pinned}")
            self._service = found
        return self._service

    async def successor(self, known: Service) -> Service | None:
        """The same service with another key, if it has one by now. Only who says that it had the
        known one before; nobody where the key is pinned."""
        _, key = self._pinned
        found = known if key else await self.introduction()
        if found.did != known.did or known.key not in found.past:
            return None
        self._service = found
        return found

    async def introduction(self) -> Service:
        """What a service says of itself, at `/version` or in its DID document."""
        for path, reader in (("/version", of_version), ("/.well-known/did.json", of_document)):
            try:
                answer = await self.patience("asking who the service is").keep(
                    lambda path=path: self.connection.ask("GET", self.url + path)
                )
            except NotFound:
                continue
            except NotAccepted as why:
                if why.status < 400:  # it is elsewhere, and that is said
                    raise
                continue
            found = reader(answer.body)
            if found is not None:
                return found
        raise Untrusted(f"{self.url} does not say who it is: give its DID and its public key")

    async def receipt_of(self, task: Link) -> bytes:
        """The message with the receipt of a task. Raises `NotFound` while there is none."""
        answer = await self.patience(f"asking for the receipt of {task}").keep(
            lambda: self.connection.ask("GET", f"{self.receipts_url}{task}")
        )
        return answer.body

    # Fetching

    async def fetch(
        self, link: Link | str, *, size_max: int = FETCH_SIZE_MAX, progress: Progress = ignore
    ) -> bytes:
        """The stored bytes that a link names. Raises `NotFound`, `WrongBytes` …"""
        return await fetching.fetch(self, link_of(link), size_max, progress)

    def stream(self, link: Link | str, *, progress: Progress = ignore) -> AsyncGenerator[bytes]:
        """The stored bytes, piece by piece; goes on where a connection broke off.

        They are known to be right only when the last piece has come: `WrongBytes` is raised
        after them otherwise. Raises `NotFound`, `NotAccepted`, `Unavailable`.
        """
        return fetching.stream(self, link_of(link), progress)

    async def size_of(self, link: Link | str) -> int | None:
        """How many bytes a link names here; None if the service does not say."""
        return await fetching.size_of(self, link_of(link))

    def patience(self, what: str, within: float = 0.0) -> Patience:
        """The tries of one thing. `within`: see `Patience`."""
        return Patience(what, self._retry, self._notice, within)
