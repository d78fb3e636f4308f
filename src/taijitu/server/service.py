"""The service: an installation, behind its doors, until it is told to stop."""

import asyncio
from collections.abc import Callable
from typing import Final

from taijitu.engine.engine import Engine
from taijitu.gateway.blocks import Blocks
from taijitu.gateway.denials import name_of
from taijitu.kernel.failures import Fault
from taijitu.machines.ledger import ledger_at
from taijitu.server import listen
from taijitu.server.admin import Admin, AdminDoor
from taijitu.server.app import App, Doors
from taijitu.server.config import Config
from taijitu.server.downloads import Downloads
from taijitu.server.gateway import Gateway
from taijitu.server.installation import Installation, opened
from taijitu.server.listen import Door
from taijitu.server.logs import log
from taijitu.server.meter import Meter
from taijitu.server.rpc import Rpc, about
from taijitu.server.testing import Questions
from taijitu.server.uploads import Uploads
from taijitu.server.validation import Validation
from taijitu.server.watch import Watch

SOCKET: Final = "taijitu.sock"
"""The admin door, in the data folder."""

Ready = Callable[[Installation], None]


async def serve(
    config: Config, *, ready: Ready = lambda _: None, stop: asyncio.Event | None = None
) -> None:
    """Run the service until SIGTERM, SIGINT or `stop`. Raises `CannotStart`, in words."""
    port = listen.open_port(config.host, config.port)
    try:
        async with opened(config) as installation:
            door = listen.open_unix(config.data / SOCKET)
            meter = Meter()
            watch = Watch(installation, meter.registry)
            doors = [
                Door(application(installation, meter), port),
                Door(AdminDoor(Admin(installation)), door),
            ]
            answering = asyncio.Event()
            working = asyncio.create_task(work(installation, watch, answering))
            stop = stop or asyncio.Event()
            working.add_done_callback(lambda _: stop.set())

            def begin() -> None:
                answering.set()
                ready(installation)

            try:
                await listen.serve(doors, ready=begin, stop=stop)
            finally:
                await end(working)
    finally:
        port.close()


async def work(installation: Installation, watch: Watch, answering: asyncio.Event) -> None:
    """Everything that goes on without being asked for, until cancelled. Those who ask come first:
    there may be much to look at after a crash."""
    await answering.wait()
    async with asyncio.TaskGroup() as group:
        group.create_task(installation.work())
        group.create_task(watch.census())


async def end(working: asyncio.Task[None]) -> None:
    """Stop the background work; if it ended by itself, that was a bug: raise it."""
    if working.done():
        working.result()
        return
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def application(installation: Installation, meter: Meter) -> App:
    config, bucket = installation.config, installation.bucket
    rpc = Rpc(installation, meter.told)
    meter.abilities = frozenset(rpc.service.providers)
    presigner, denials = bucket.presigner, installation.denials
    outbox = installation.post.outbox
    questions = None if outbox is None else Questions(installation, rpc, outbox)

    doors = Doors(
        rpc=questions.overheard.listening(rpc.message) if questions else rpc.message,
        receipt=rpc.receipt,
        trouble=lambda: trouble(installation.engine),
        uploads=Uploads(bucket, presigner, installation.hint, installation.clock.now),
        downloads=Downloads(
            *(bucket, presigner, config.read, installation.clock.now),
            is_denied=denials.find,
            is_held=denials.is_held,
        ),
        gateway=gateway(installation).get if config.gateway == "public" else None,
        letter=Validation(installation, rpc).answer,
        testing=questions and questions.answer,
    )
    return App(about(installation), doors, meter)


def gateway(installation: Installation) -> Gateway:
    storage, bucket = installation.engine.storage, installation.bucket
    blocks = Blocks(storage, bucket, installation.denials, rotten, installation.caught_up)
    return Gateway(blocks, installation.clock.now)


def rotten(shard: bytes, multihash: bytes) -> None:
    """Stored bytes are no longer what they were."""
    log.error("ROTTEN BYTES", object=name_of(shard), block=name_of(multihash))


async def trouble(engine: Engine) -> str | None:
    """What keeps the service from working, if anything does."""
    try:
        await engine.storage.head("/".join(ledger_at("did:key:health")))
    except Fault as why:
        return str(why)
    return None
