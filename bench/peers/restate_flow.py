"""The flow on Restate: a virtual object that is called over HTTP, as its clients call it.

The handler writes its state, runs the work beside a durable sleep, and writes its last state. The
server and the service run in processes of their own; the load is made in this one, and is counted
apart. The server's log is synced to disk as it comes.
"""

import asyncio
import platform
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import hypercorn
import hypercorn.asyncio
import restate
import uvloop

from bench.peers.process import free_ports, process

NAME = "Restate"
LOAD_APART = True
START_SECONDS_MAX = 60
PACKAGES = Path(__file__).parent / "node_modules" / "@restatedev"
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}

job = restate.VirtualObject("Job")


@job.handler()
async def start(context: restate.ObjectContext) -> str:
    context.set("state", "working")
    answer = context.run_typed("work", work)
    match await restate.select(answer=answer, timer=context.sleep(timedelta(hours=1))):
        case ["answer", _]:
            context.set("state", "finished")
            return "finished"
        case _:
            context.set("state", "late")
            return "late"


async def work() -> str:
    return "done"


@asynccontextmanager
async def ready() -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taijitu-peers-")))
        service, ingress, admin, fabric = free_ports(4)
        settings = {
            "RESTATE_INGRESS__BIND_PORT": f"{ingress}",
            "RESTATE_ADMIN__BIND_PORT": f"{admin}",
            "RESTATE_BIND_PORT": f"{fabric}",
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_ADVERTISED_HOST": "127.0.0.1",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LOG_FILTER": "warn",
        }
        server = [program(), "--base-dir", folder / "server", "--node-name", "peer", "--no-logo"]
        stack.enter_context(process(server, folder / "server.log", settings))
        stack.enter_context(
            process([sys.executable, "-m", __name__, service], folder / "service.log", {})
        )
        connections = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connections))
        await wait_for(session, f"http://127.0.0.1:{admin}/health", folder)
        await wait_for(session, f"http://127.0.0.1:{ingress}/restate/health", folder)
        uri = {"uri": f"http://127.0.0.1:{service}"}
        async with session.post(f"http://127.0.0.1:{admin}/deployments", json=uri) as answer:
            if not answer.ok:
                raise RuntimeError(f"the service was not registered: {await answer.text()}")

        async def flow(key: str) -> str:
            url = f"http://127.0.0.1:{ingress}/Job/{key}/start"
            async with session.post(url, skip_auto_headers=["content-type"]) as answer:
                return await answer.json() if answer.ok else await answer.text()

        yield flow


def program() -> Path:
    machine = MACHINES.get(platform.machine().lower(), "")
    found = PACKAGES / f"restate-server-{sys.platform}-{machine}" / "bin" / "restate-server"
    if not found.exists():
        raise ImportError(f"its server is not installed ({found.parent.parent.name} from npm)")
    return found


async def wait_for(session: aiohttp.ClientSession, url: str, folder: Path) -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS_MAX
    while asyncio.get_running_loop().time() < deadline:
        try:
            async with session.get(url) as answer:
                if answer.ok:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.05)
    raise RuntimeError(f"nothing answered at {url}:\n{last_words(folder)}")


def last_words(folder: Path) -> str:
    return "\n".join(log.read_text()[-2000:] for log in folder.glob("*.log"))


def serve(port: int) -> None:
    config = hypercorn.Config()
    config.bind = [f"127.0.0.1:{port}"]
    uvloop.run(hypercorn.asyncio.serve(restate.app([job]), config))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
