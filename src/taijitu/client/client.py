"""A client of the service, and of any other that speaks ucanto over HTTP: a session, and all that
can be done in it."""

from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from taijitu.client import accounts, fetching
from taijitu.client.accounts import NewSpace
from taijitu.client.answers import Put
from taijitu.client.content import Progress, ignore
from taijitu.client.proofs import Proof, read
from taijitu.client.session import Session, space_did
from taijitu.client.space import Space
from taijitu.client.store import Store, link_of
from taijitu.client.uploads import Uploads
from taijitu.ipld.cid import Link

if TYPE_CHECKING:
    from taijitu.client.blobs import Blobs
    from taijitu.client.contents import Contents
    from taijitu.client.files import CarSource, Files
    from taijitu.client.sending import Told
    from taijitu.client.unpacking import Got

FETCH_SIZE_MAX: Final = 256 * 1024 * 1024
"""Bytes that `fetch` holds in memory, unless it is told otherwise."""


class Client(Session):
    """An agent, talking to a service: `async with Client(url, key=key) as client`. What it can be
    given: see `Session`."""

    @property
    def space(self) -> Space:
        """The space that is meant: see `meant`. Raises `Unusable` where proofs open several."""
        return Space(self, self.meant)

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
        return Space(self, space_did(did))

    # Being let in, and letting in

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
        did = self.meant if space is None else space
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
