"""Goal: content has the origins behind nginx that `deploy/nginx-gateway.conf` gives it.

Method: nginx itself, with the configuration as it is but for names, ports and certificates.
"""

import re
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.test_proxies import DEPLOY, nginx
from support.client import Car, Reply, talking_to
from support.eventually import eventually
from support.service import Serve, Service, free_port
from taijitu.ipld import car
from taijitu.ipld.cid import CAR, link_to
from unit.gateway.site import file, folder

SECONDS_MAX = 30
CONTENT = folder({"index.html": file(b"<h1>Home"), "docs": folder({"a b.txt": file(b"text")})})

Ask = Callable[..., Awaitable[Reply]]


def with_gateway(folder: Path, port: int, behind: int) -> list[str]:
    """The command of nginx with both configurations."""
    command = nginx(folder, port, behind)
    text = (DEPLOY / "nginx-gateway.conf").read_text()
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = re.sub(r"^ *(listen \[::\]|ssl_).*\n", "", text, flags=re.MULTILINE)
    conf = folder / "nginx.conf"
    before, _, _ = conf.read_text().rpartition("}")
    conf.write_text(f"{before}{text}}}\n")
    return command


class Proxied(NamedTuple):
    """A service, and the port of nginx in front of it."""

    service: Service
    port: int


@pytest.fixture
def proxied(serve: Serve, tmp_path: Path) -> Generator[Proxied]:
    port = free_port()
    folder = tmp_path / "proxy"
    folder.mkdir()
    with_gateway(folder, port, 1)  # skips before anything is started
    service = serve()
    with (folder / "output").open("wb") as output:
        command = with_gateway(folder, port, service.port)
        proxy = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield Proxied(service, port)
    except BaseException:
        print((folder / "output").read_text())
        raise
    finally:
        proxy.terminate()
        proxy.wait()


@pytest.fixture
async def ask(proxied: Proxied) -> AsyncGenerator[Ask]:
    """Asks through nginx, by the name of a host."""
    blocks = [(each.link, bytes(each.data)) for each in CONTENT.blocks]
    data = car.encode([CONTENT.link], blocks)
    async with talking_to(proxied.service) as client:
        await client.space().store(Car(link_to(data, CAR), data))

        async def ask(host: str, path: str, **headers: str) -> Reply:
            url = f"http://127.0.0.1:{proxied.port}{path}"
            given = headers | {"host": host}
            return await client.request("GET", url, headers=given, allow_redirects=False)

        async def status() -> int:
            try:
                return (await ask("gateway.example.org", f"{CONTENT.path}/")).status
            except OSError:
                return 0

        await eventually(status, lambda found: found == 200, seconds=SECONDS_MAX)
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


async def test_each_root_on_an_origin_of_its_own(ask: Ask) -> None:
    host = f"{CONTENT.link}.ipfs.gateway.example.org"
    home = await ask(host, "/")
    assert (home.status, home.text) == (200, "<h1>Home")
    assert "content-security-policy" not in home.headers
    assert (await ask(host, "/docs/a%20b.txt")).text == "text"
    moved = await ask(host, "/docs?x=1")
    assert (moved.status, moved.headers["location"].split("/", 3)[3]) == (301, "docs/?x=1")
    listing = await ask(host, "/docs/")
    assert "./a%20b.txt" in listing.text
    elsewhere = await ask(host, f"{CONTENT.path}/docs/")
    assert elsewhere.headers["location"] == f"http://gateway.example.org{CONTENT.path}/docs/"
    assert (await ask("nonsense.ipfs.gateway.example.org", "/")).status == 400
