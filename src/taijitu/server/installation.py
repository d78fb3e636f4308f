"""An installation: one data folder, opened, with everything in it that lives. No HTTP yet.

The service opens it and stays; the command line opens it for a moment when no service runs. Either
way exactly one process has it.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from taijitu.actors import WIDTHS, actors
from taijitu.actors.agent import glance
from taijitu.actors.audit import Audit
from taijitu.actors.facts import Wanted
from taijitu.buckets.disk import DiskBucket
from taijitu.buckets.names import path_of
from taijitu.buckets.presign import Presigner
from taijitu.engine.clock import SystemClock
from taijitu.engine.dispatch import Dispatcher
from taijitu.engine.engine import Engine
from taijitu.engine.storage import SliceRow, TaskRow
from taijitu.gateway.blocks import Progress
from taijitu.gateway.denials import Denials
from taijitu.ipld import multibase
from taijitu.kernel.effect import NEVER, tag
from taijitu.kernel.effect import Path as CellPath
from taijitu.kernel.failures import Fault
from taijitu.kernel.machine import State
from taijitu.machines import MACHINES
from taijitu.machines.contents import Scan
from taijitu.machines.world import Alarm
from taijitu.protocols.login import Logins
from taijitu.protocols.plan import Accounts
from taijitu.protocols.promises import Promises
from taijitu.protocols.settled import Settling
from taijitu.protocols.spaces import Spaces
from taijitu.server import folder, identity
from taijitu.server.config import Config
from taijitu.server.logs import log
from taijitu.server.post import post
from taijitu.server.trouble import CannotStart
from taijitu.storage.sqlite import SqliteStorage
from taijitu.storage.sqlite_file import Unusable
from taijitu.ucan.signer import Signer
from taijitu.wire.sigv4 import Credentials

ACCESS_KEY: Final = "taijitu"
"""The name of the secret that signs our own upload URLs."""

AUDIT_PAUSE_SECONDS: Final = 6 * 3600
RECEIPTS_PAUSE_SECONDS: Final = 3600


class Installation:
    """Everything that lives in a data folder. Make one with `opened`."""

    def __init__(
        self, config: Config, signer: Signer, storage: SqliteStorage, bucket: DiskBucket
    ) -> None:
        self.config = config
        self.signer = signer
        self.past_keys = identity.past_keys(config.data, signer)
        self.bucket = bucket
        smtp_url = config.smtp_url and config.smtp_url.reveal()
        self.post = post(signer, config.public_url, smtp_url, self._now, testing=config.testing)
        deliver = self.post.deliver
        acting = actors(
            *(bucket, self._read, self._now, tell, storage), note=self._note, deliver=deliver
        )
        self.clock = SystemClock()
        self.settling = Settling(Promises(signer), self._location)
        self.engine = Engine(storage, MACHINES, acting, self.clock, self.settling.witness())
        self.dispatcher = Dispatcher(self.engine, report, promises=glance(bucket), widths=WIDTHS)
        self.spaces = Spaces(
            self.engine, config.space_capacity if config.provision == "open" else None
        )
        self.denials = Denials(self.engine, self.spaces)
        self.spaces.observers.append(self.denials.look_again)
        self.accounts = Accounts(self.engine, config.plans, config.did)
        self.logins = Logins(self.engine, signer)

    async def hint(self, multihash: bytes) -> None:
        """Some bytes may have come: returns once somebody has looked."""
        await self.dispatcher.hint(multibase.encode(multibase.BASE58BTC, multihash))

    async def caught_up(self, seconds: float) -> Progress:
        """Wait for those who look through CARs, but no longer than so many seconds."""
        waited = await self.dispatcher.caught_up(tag(Scan), seconds)
        ready = (await self.engine.storage.next_ready()).get(tag(Scan), NEVER)
        if self.dispatcher.lanes[tag(Scan)] > 0 or ready <= self.engine.now():
            return "behind"
        return "through" if waited else "idle"

    async def work(self) -> None:
        """Carry out tasks, audit and tidy, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.dispatcher.run())
            group.create_task(self._audit())
            group.create_task(self._forget_receipts())

    async def _audit(self) -> None:
        while True:
            try:
                audited = await Audit(self.engine, self.bucket).run()
                log.info("audit", **{name: getattr(audited, name) for name in FIELDS})
            except Fault as fault:
                log.warning("audit broke off", why=str(fault))
            except Exception:
                # A cell that cannot be read is no reason to stop serving all the others.
                log.exception("audit broke off")
            await asyncio.sleep(AUDIT_PAUSE_SECONDS)

    async def _forget_receipts(self) -> None:
        while True:
            try:
                before = self.engine.now() - self.config.receipt_window_ms
                await self.engine.storage.forget_receipts(before)
            except Fault as fault:
                log.warning("old receipts stay", why=str(fault))
            await asyncio.sleep(RECEIPTS_PAUSE_SECONDS)

    async def _read(self, path: CellPath) -> State:
        return (await self.engine.read(path)).state

    async def _note(self, slices: Sequence[SliceRow], wanted: Wanted) -> bool:
        return await self.engine.note(slices, wanted)

    def _now(self) -> int:
        return self.clock.now()

    def _location(self, multihash: bytes) -> str:
        return self.config.public_url + path_of(multihash)


FIELDS: Final = ("objects", "entries", "swept", "lost", "described")


@asynccontextmanager
async def opened(config: Config) -> AsyncGenerator[Installation, None]:
    """Own the data folder and open what is in it. Raises `CannotStart`, in words."""
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.take(config.data))
        folder.insist_on_whole(config.data)
        signer = identity.identify(config)
        try:
            storage = SqliteStorage.open(sqlite_file(config))
            stack.push_async_callback(storage.close)
            bucket = DiskBucket.open(bucket_folder(config), presigner(config, signer))
            stack.push_async_callback(bucket.close)
            await insist_on_memory(config, storage, bucket)
        except (Fault, Unusable) as why:
            raise CannotStart(str(why)) from why
        yield Installation(config, signer, storage, bucket)


async def insist_on_memory(config: Config, storage: SqliteStorage, bucket: DiskBucket) -> None:
    """Raises `CannotStart` for bytes that the database knows nothing of, nor of anything else: it
    was lost, and an audit would sweep all that it held."""
    if await storage.scan("", limit=1):
        return
    async for _ in bucket.objects():
        raise CannotStart(
            f"{sqlite_file(config)} is empty, and there are bytes in {bucket_folder(config)}: the "
            "database was lost or moved. Put it back, or restore a backup (taijitu restore); to "
            "begin anew, move the bytes away"
        )


def presigner(config: Config, signer: Signer) -> Presigner:
    return Presigner(
        config.public_url,
        Credentials(ACCESS_KEY, identity.url_secret(config.data, signer)),
        window_ms=config.upload_window_ms,
        grace_ms=config.upload_grace_ms,
    )


def sqlite_file(config: Config) -> Path:
    """The file that `TAIJITU_DATABASE_URL` names. Raises `CannotStart` for what is no file."""
    url = urlsplit(config.database_url.reveal())
    if url.scheme != "sqlite":
        raise CannotStart(
            f"TAIJITU_DATABASE_URL: this version keeps its data in SQLite, not in {url.scheme}"
        )
    return path_in(url.path)


def bucket_folder(config: Config) -> Path:
    """The folder that `TAIJITU_BUCKET_URL` names. Raises `CannotStart` for what is no folder."""
    url = urlsplit(config.bucket_url)
    if url.scheme != "file":
        raise CannotStart(
            f"TAIJITU_BUCKET_URL: this version keeps bytes in a folder, not in {url.scheme}"
        )
    return path_in(url.path)


def path_in(path: str) -> Path:
    """The path that a URL of a file holds, which has one slash more than it needs."""
    return Path("/", unquote(path).lstrip("/"))


def tell(alarm: Alarm) -> None:
    log.error("ALARM", space=alarm.space, multihash=alarm.multihash, why=alarm.why)


def report(kind: str, row: TaskRow, trouble: BaseException) -> None:
    """A task had a fault (it is tried again) or a bug (it is parked)."""
    seen = {"ability": row.ability, "cell": row.path, "tries": row.tries}
    if kind == "bug":
        log.error("task parked", **seen, exc_info=trouble)
    else:
        log.warning("task put off", **seen, why=str(trouble) or type(trouble).__name__)
