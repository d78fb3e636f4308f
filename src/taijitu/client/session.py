"""An agent at one service: what it asks there, with what proofs, and which answers it believes.

Law: nothing is believed that is not signed by the service or named by its hash. Who the service is
can be pinned; else it is what the URL itself says, which is as good as its TLS.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import time
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from taijitu.client import asking
from taijitu.client.answers import Service
from taijitu.client.asking import Answered
from taijitu.client.failures import NotAccepted, NotFound, Untrusted, Unusable, refused
from taijitu.client.introduction import of_document, of_version
from taijitu.client.keys import key_of
from taijitu.client.proofs import Proof, chosen, read, spaces_of
from taijitu.client.retry import Notice, Patience, Retry
from taijitu.ipld.cid import Link
from taijitu.ucan import principal
from taijitu.ucan.issue import delegate
from taijitu.ucan.receipt import Receipt
from taijitu.ucan.signer import Signer
from taijitu.wire.exchange import CONTENT_TYPE

if TYPE_CHECKING:
    from taijitu.client.connection import Connection, Times

URL: Final = "http://localhost:3000"
"""Where a service listens unless it is told otherwise."""

LIFETIME: Final = 3600
"""Seconds that an invocation is good for: enough for every retry."""

NOTHING: Final[Mapping[Link, bytes]] = MappingProxyType({})

HEADERS: Final = {"content-type": CONTENT_TYPE, "accept": CONTENT_TYPE}


def ignored(_: object) -> None:
    """A notice that nobody reads."""


class Session:
    """An agent, talking to a service: what all that it can do there rests on.

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

    async def __aenter__(self) -> Self:
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
    def meant(self) -> str:
        """The DID of the space that is meant where none is named: the one given, the only one in
        the proofs, or the agent's own. Raises `Unusable` where proofs open several."""
        if self._space is not None:
            return space_did(self._space)
        found = self.spaces()
        if len(found) > 1:
            raise Unusable(f"the proofs open several spaces: say which of {', '.join(found)}")
        return found[0] if found else self.agent.did

    def spaces(self) -> list[str]:
        """The spaces that the proofs open, those included that an account was given."""
        return spaces_of(self.proofs, self.agent.did)

    def hold(self, *proofs: Proof) -> None:
        """Ask with these as well, from now on."""
        known = {each.delegation.link for each in self.proofs}
        self.proofs += tuple(each for each in proofs if each.delegation.link not in known)

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
        resource = self.meant if space is None else space
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

    def patience(self, what: str, within: float = 0.0) -> Patience:
        """The tries of one thing. `within`: see `Patience`."""
        return Patience(what, self._retry, self._notice, within)


def space_did(did: str) -> str:
    """Raises `Unusable` for what cannot be the DID of a space."""
    try:
        principal.from_did(did)
    except principal.InvalidDid as why:
        raise Unusable(str(why)) from None
    return did
