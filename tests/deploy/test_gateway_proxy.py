"""Goal: content has the origins behind a proxy that the files in `deploy/` give it, and its limits.

Method: nginx and Caddy themselves, with the configurations as they are but for names, ports and
certificates, and for the lines in them that are to be put in where there are several origins.
"""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from deploy.test_proxies import DEPLOY, Command, caddy, nginx
from support.client import Car, Client, Reply, talking_to
from support.eventually import eventually
from support.service import Serve, Service, free_port
from taijitu.ipld import car
from taijitu.ipld.cid import CAR, link_to
from unit.gateway.site import Stored, file, folder

SECONDS_MAX = 30
CONTENT = folder({"index.html": file(b"<h1>Home"), "docs": folder({"a b.txt": file(b"text")})})
LARGE = file(bytes(1024 * 1024) * 48)
"""A file of 48 MiB: more than a reader who reads nothing takes. It is one block, linked to."""

PLACES, CARS = 32, 8
"""What one reader may have at once, and how many of them as CARs."""

Ask = Callable[..., Awaitable[Reply]]


def nginx_with_gateway(folder: Path, port: int, behind: int) -> Command:
    """The command of nginx with both configurations, content being elsewhere."""
    command = nginx(folder, port, behind)
    conf = folder / "nginx.conf"
    before, _, _ = conf.read_text().rpartition("}")
    before, count = re.subn(r"# (return 302 https://gateway)", r"\1", before)
    assert count == 1
    text = (DEPLOY / "nginx-gateway.conf").read_text()
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = re.sub(r"^ *(listen \[::\]|ssl_).*\n", "", text, flags=re.MULTILINE)
    conf.write_text(f"{before}{text}}}\n")
    return command


def caddy_with_gateway(folder: Path, port: int, behind: int) -> Command:
    """The command of Caddy with all of its configuration."""
    command = caddy(folder, port, behind)
    conf = folder / "Caddyfile"
    text = re.sub(r"# (redir /ipfs)", r"\1", conf.read_text())
    text = re.sub(r"^# (?=\t|}|gateway|\*)", "", text, flags=re.MULTILINE)
    text = re.sub(
        r"^(\*\.ipfs\.)?(gateway\.example\.org)", rf"http://\1\2:{port}", text, flags=re.MULTILINE
    )
    assert text.count(f":{port}") == 3
    conf.write_text(text)
    return command


class Proxied(NamedTuple):
    """A service, and the port of the proxy in front of it."""

    service: Service
    port: int


@contextmanager
def running(
    make: Callable[[Path, int, int], Command], serve: Serve, folder: Path
) -> Generator[Proxied]:
    port = free_port()
    folder.mkdir()
    make(folder, port, 1)  # skips before anything is started
    service = serve()
    with (folder / "output").open("wb") as output:
        proxy = subprocess.Popen(
            make(folder, port, service.port),
            stdout=output,
            stderr=output,
            env=os.environ | {"HOME": str(folder)},
        )
    try:
        yield Proxied(service, port)
    except BaseException:
        print((folder / "output").read_text())
        raise
    finally:
        proxy.terminate()
        proxy.wait()


async def store(client: Client, *content: Stored) -> None:
    blocks = {each.link: bytes(each.data) for one in content for each in one.blocks}
    data = car.encode([content[0].link], list(blocks.items()))
    await client.space().store(Car(link_to(data, CAR), data))


@asynccontextmanager
async def asking(proxied: Proxied, host: str) -> AsyncGenerator[Ask]:
    """Asks through a proxy, by the name of a host, once content is there under that of `host`."""
    async with talking_to(proxied.service) as client:
        await store(client, CONTENT, LARGE)

        async def ask(host: str, path: str, **headers: str) -> Reply:
            url = f"http://127.0.0.1:{proxied.port}{path}"
            given = headers | {"host": host}
            return await client.request("GET", url, headers=given, allow_redirects=False)

        async def status() -> int:
            try:
                return (await ask(host, f"{CONTENT.path}/")).status
            except OSError:
                return 0

        await eventually(status, lambda found: found == 200, seconds=SECONDS_MAX)
        yield ask


@pytest.fixture(params=[nginx_with_gateway, caddy_with_gateway], ids=["nginx", "caddy"])
async def ask(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> AsyncGenerator[Ask]:
    with running(request.param, serve, tmp_path / "proxy") as proxied:
        async with asking(proxied, "gateway.example.org") as ask:
            yield ask


async def test_content_on_an_origin_of_its_own_and_nothing_else(ask: Ask) -> None:
    host = "gateway.example.org"
    home = await ask(host, f"{CONTENT.path}/")
    assert (home.status, home.text) == (200, "<h1>Home")
    assert home.headers["content-security-policy"].startswith("sandbox")
    part = await ask(host, f"{CONTENT.path}/docs/a%20b.txt", range="bytes=1-2")
    assert (part.status, part.text) == (206, "ex")
    archive = await ask(host, f"{CONTENT.path}?format=car")
    assert len(car.decode(archive.body).blocks) == len(CONTENT.blocks)
    for path in ("/", "/version", "/health", "/receipt/x", "/metrics"):
        assert (await ask(host, path)).status == 404


async def test_content_is_not_on_the_origin_of_the_service(ask: Ask) -> None:
    path = f"{CONTENT.path}/docs/a%20b.txt?format=raw"
    moved = await ask("localhost", path)
    assert (moved.status, moved.headers["location"]) == (302, f"https://gateway.example.org{path}")
    assert (await ask("localhost", "/version")).status == 200


async def test_each_root_on_an_origin_of_its_own(ask: Ask) -> None:
    host = f"{CONTENT.link}.ipfs.gateway.example.org"
    home = await ask(host, "/")
    assert (home.status, home.text) == (200, "<h1>Home")
    assert "content-security-policy" not in home.headers
    assert (await ask(host, "/docs/a%20b.txt")).text == "text"
    moved = await ask(host, "/docs?x=1")
    where = urlsplit(moved.headers["location"])
    assert (moved.status, where.path, where.query) == (301, "/docs/", "x=1")
    listing = await ask(host, "/docs/")
    assert "./a%20b.txt" in listing.text
    elsewhere = await ask(host, f"{CONTENT.path}/docs/")
    assert elsewhere.headers["location"] == f"https://gateway.example.org{CONTENT.path}/docs/"
    assert (await ask("nonsense.ipfs.gateway.example.org", "/")).status == 400


@pytest.mark.parametrize(
    ("make", "host"),
    [(nginx, "localhost"), (nginx_with_gateway, "gateway.example.org")],
    ids=["one origin", "its own origin"],
)
async def test_one_reader_gets_so_many_places(
    make: Callable[[Path, int, int], Command], host: str, serve: Serve, tmp_path: Path
) -> None:
    """The service cannot tell readers apart who come through a proxy, so that has to."""
    with running(make, serve, tmp_path / "proxy") as proxied:
        async with asking(proxied, host) as ask, AsyncExitStack() as stack:
            for number in range(PLACES):
                query = "?format=car&dups=y" if number < CARS else ""
                stalls = stalled(proxied.port, host, LARGE.path + query)
                await stack.enter_async_context(stalls)
                if number == CARS - 1:
                    assert (await ask(host, f"{CONTENT.path}?format=car")).status == 429
                    accept = "application/vnd.ipld.car"
                    assert (await ask(host, CONTENT.path, accept=accept)).status == 429
                    assert (await ask(host, f"{CONTENT.path}/")).status == 200
            assert (await ask(host, f"{CONTENT.path}/")).status == 429
            assert (await ask("localhost", "/version")).status == 200


@asynccontextmanager
async def stalled(port: int, host: str, path: str) -> AsyncGenerator[None]:
    """Ask, and read nothing but the head of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        yield
    finally:
        writer.transport.abort()
