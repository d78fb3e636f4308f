"""Goal: the page that the how-to shows uploads, in a real browser, from another origin.

Method: its files are taken out of the how-to and bundled as it says; a file is chosen as a person
would choose it; the browser's own rules decide what passes. Where there is no browser, see
`tests/unit/server/test_cors.py`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from support.command import taijitu
from support.node import SCRIPTS, node
from support.service import Serve, Service
from taijitu.ucan.signer import Signer

HOW_TO: Final = Path(__file__).parents[2] / "docs" / "how-to" / "browser.md"
BROWSERS: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--remote-debugging-port=0",
)
SECONDS_MAX: Final = 60


def block(language: str, number: int = 0) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)
    return found[number]


class Site(ThreadingHTTPServer):
    """The site that the page is of: gives files, delegates, and hears what came of it."""

    def __init__(self, folder: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.folder = folder
        self.key = key
        self.reports: Queue[Any] = Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/index.html"


class Page(SimpleHTTPRequestHandler):
    @property
    def site(self) -> Site:
        assert isinstance(self.server, Site)
        return self.server

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, directory=str(given[2].folder), **named)

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Nobody listens."""

    def do_POST(self) -> None:
        asked = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        if asked.path == "/report":
            self.site.reports.put(json.loads(body))
        answer = self.proof(parse_qs(asked.query)["to"][0]) if asked.path == "/proof" else b""
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def proof(self, visitor: str) -> bytes:
        """What the command in the how-to prints."""
        command = block("sh", 1).replace("taijitu ", f"{sys.executable} -m taijitu ")
        environ = os.environ | {"VISITOR": visitor}
        script = command.replace("space.key", str(self.site.key))
        return subprocess.run(
            ["/bin/sh", "-euc", script], env=environ, capture_output=True, check=True
        ).stdout


@pytest.fixture
def site(tmp_path: Path) -> Generator[Site]:
    key = tmp_path / "space.key"
    key.write_text(Signer.from_seed(os.urandom(32)).format())
    key.chmod(0o600)
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(folder, key)
    thread = Thread(target=site.serve_forever)
    thread.start()
    yield site
    site.shutdown()
    thread.join()
    site.server_close()


def bundle(folder: Path, script: str, service: Service) -> None:
    """The files of the page, its script with the file chooser behind it."""
    (folder / "index.html").write_text(block("html"))
    assert "http://localhost:3000" in script
    assert "did:web:localhost%3A3000" in script
    script = script.replace("http://localhost:3000", service.url)
    script = script.replace("did:web:localhost%3A3000", service.did)
    shutil.copy(SCRIPTS / "browser.mjs", folder)
    (folder / "page.js").write_text(f"{script}\nawait import('./browser.mjs')\n")
    options = re.search(r"npx esbuild (.*)", block("sh"))
    assert options is not None
    done = subprocess.run(
        [node(), SCRIPTS / "node_modules" / "esbuild" / "bin" / "esbuild", *options[1].split()],
        cwd=folder,
        env=os.environ | {"NODE_PATH": str(SCRIPTS / "node_modules")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def browse(site: Site, profile: Path) -> Any:
    """What the page reports, once a browser has opened it."""
    return visit(site.url, site.reports, profile)


def visit(url: str, reports: Queue[Any], profile: Path) -> Any:
    """What a page reports, once a browser has opened it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("needs Chromium")
    command = [program, *OPTIONS, f"--user-data-dir={profile}", url]
    log = profile.with_suffix(".log")
    with log.open("wb") as said:
        # Browsers are families of processes: this one gets a group of its own, to be ended whole.
        browser = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    try:
        return reports.get(timeout=SECONDS_MAX)
    except Empty:
        raise AssertionError(f"the page reports nothing: {log.read_text()[-2_000:]}") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait(SECONDS_MAX)


def check(facts: Any) -> None:
    assert facts.pop("said").startswith("stored as bafk")
    assert re.fullmatch(r'"[0-9a-f]{64}"', facts.pop("etag"))
    assert facts.pop("range").startswith("bytes 1-10/50")
    assert facts == {"disabled": False, "uploaded": True, "status": 206, "length": 10}


def test_the_page_stores_a_file_in_a_space_of_its_own(
    service: Service, site: Site, tmp_path: Path
) -> None:
    bundle(site.folder, block("js"), service)
    check(browse(site, tmp_path / "profile"))


def test_a_visitor_stores_a_file_in_a_space_that_was_delegated_to_him(
    serve: Serve, site: Site, tmp_path: Path
) -> None:
    service = serve(TAIJITU_PROVISION="closed")
    did = Signer.parse(site.key.read_text()).did
    assert taijitu(service, "space", "provision", did).code == 0
    own = re.search(r"if \(!client.currentSpace.*?\n}\n", block("js"), re.DOTALL)
    assert own is not None
    imported, _, delegated = block("js", 1).removeprefix("// ").partition("\n")
    script = f"{imported}\n{block('js').replace(own[0], delegated)}"
    bundle(site.folder, script, service)
    check(browse(site, tmp_path / "profile"))
