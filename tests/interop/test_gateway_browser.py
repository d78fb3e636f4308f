"""Goal: a browser opens what was stored: a page, with no origin here; a film, from its midst on; a
directory, as a list that can be read.

Method: Chromium makes the frames of a film, we the film; a page that is stored with it reports what
it could do. Where there is no browser, `tests/unit/gateway` asks by the same rules.
"""

import json
import os
import re
import signal
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Generator
from contextlib import suppress
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from shutil import which
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest

from interop.test_browser import BROWSERS, visit
from support.client import Car, talking_to
from support.eventually import eventually
from support.service import Service
from support.webm import film, frame_of
from taijitu.ipld import car
from taijitu.ipld.cid import CAR, link_to
from unit.gateway.site import Stored, file, folder

SECONDS_MAX = 60

SCHEMES = {"dark": 0, "light": 1}
"""What a person prefers, as Chromium counts it."""
COLOURS = {"dark": ("22,24,28", "122,184,255"), "light": ("255,255,255", "7,87,168")}
"""Those of a list: behind it, and of a link."""

WIDTH, HEIGHT = 160, 90
LENGTH = 60
"""Seconds of the film."""
PADDING = 1024 * 1024
"""Bytes behind each second: more than a browser reads ahead."""

PAINT = f"""<!doctype html><canvas width={WIDTH} height={HEIGHT}></canvas><script>
const canvas = document.querySelector('canvas')
const paint = (colour) => {{
  const context = canvas.getContext('2d')
  context.fillStyle = colour
  context.fillRect(0, 0, {WIDTH}, {HEIGHT})
  return canvas.toDataURL('image/webp', 0.8).split(',')[1]
}}
fetch('/', {{ method: 'POST', body: JSON.stringify(['red', 'blue'].map(paint)) }})
</script>"""

PAGE = """<!doctype html><meta charset="utf-8"><title>Stored</title><h1>A stored page</h1>
<video src="film.webm" crossorigin muted preload="metadata"></video>
<script>
const trouble = async (act) => {
  try { await act(); return 'none' } catch (why) { return why.name }
}
const video = document.querySelector('video')
const once = (name) => new Promise((resolve) => video.addEventListener(name, resolve))
const pixel = () => {
  const canvas = document.createElement('canvas')
  canvas.getContext('2d').drawImage(video, 0, 0)
  return [...canvas.getContext('2d').getImageData(5, 5, 1, 1).data]
}
const seek = async (to) => {
  const seeked = once('seeked')
  video.currentTime = to
  await seeked
  return pixel()
}
const tell = (found) =>
  fetch('REPORTS', { method: 'POST', mode: 'no-cors', body: JSON.stringify(found) })
video.addEventListener('error', () => tell({ error: video.error.message }))
const look = async () => {
  if (video.readyState < 2) await once('loadeddata')
  const before = await seek(0.5)
  const after = await seek(50.5)
  tell({
    before, after, at: video.currentTime, length: video.duration, origin: self.origin,
    storage: await trouble(() => localStorage.length),
    cookie: await trouble(() => document.cookie),
    worker: await trouble(() => navigator.serviceWorker.register('sw.js')),
  })
}
look()
</script>"""


TALLY = """<!doctype html><script>
const picture = new Image()
picture.onload = () => {
  const canvas = document.createElement('canvas')
  canvas.width = picture.width
  canvas.height = picture.height
  const context = canvas.getContext('2d')
  context.drawImage(picture, 0, 0)
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
  const found = {}
  for (let at = 0; at < data.length; at += 4) {
    const colour = data.slice(at, at + 3).join()
    found[colour] = (found[colour] || 0) + 1
  }
  fetch('/', { method: 'POST', body: JSON.stringify(found) })
}
picture.src = 'data:image/png;base64,PICTURE'
</script>"""


class Reports(ThreadingHTTPServer):
    """Gives a page, and hears what pages report."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Report)
        self.page = PAINT
        self.reports: Queue[Any] = Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Report(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Nobody listens."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Reports)
        self.answer(self.server.page.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Reports)
        self.server.reports.put(json.loads(body))
        self.answer(b"")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def reports() -> Generator[Reports]:
    reports = Reports()
    thread = Thread(target=reports.serve_forever)
    thread.start()
    yield reports
    reports.shutdown()
    thread.join()
    reports.server_close()


async def store(service: Service, content: Stored) -> None:
    blocks = [(each.link, bytes(each.data)) for each in content.blocks]
    data = car.encode([content.link], blocks)
    async with talking_to(service) as client:
        await client.space().store(Car(link_to(data, CAR), data))

        async def look() -> int:
            url = f"{service.url}{content.path}?format=raw"
            return (await client.request("HEAD", url)).status

        await eventually(look, lambda found: found == 200, seconds=SECONDS_MAX)


async def test_a_page_has_no_origin_here_and_a_film_begins_in_its_midst(
    service: Service, reports: Reports, tmp_path: Path
) -> None:
    painted = visit(reports.url, reports.reports, tmp_path / "painter")
    red, blue = (frame_of(b64decode(each)) for each in painted)
    half = LENGTH // 2
    data = film([red] * half + [blue] * half, WIDTH, HEIGHT, PADDING)
    page = PAGE.replace("REPORTS", reports.url).encode()
    content = folder(
        {"index.html": file(page), "film.webm": file(data), "sw.js": file(os.urandom(8))}
    )
    await store(service, content)
    found = visit(f"{service.url}{content.path}/", reports.reports, tmp_path / "viewer")
    assert found["origin"] == "null"
    assert {found["storage"], found["cookie"], found["worker"]} == {"SecurityError"}
    assert (found["at"], found["length"]) == (50.5, LENGTH)
    assert colour(found["before"]) == "red"
    assert colour(found["after"]) == "blue"

    async def given() -> int:  # a moment later also to those requests that were broken off
        return sum(map(int, re.findall(r'film\.webm".*?"gave":(\d+)', service.output)))

    await eventually(given, lambda found: found > 0, seconds=SECONDS_MAX)
    assert await given() < len(data) // 2


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_directory_is_a_list_that_can_be_read(
    service: Service, reports: Reports, tmp_path: Path, scheme: str
) -> None:
    names = ["a film.webm", "<b>bold", "photos", "ä.txt"]
    content = folder({"docs": folder({name: file(name.encode()) for name in names})})
    await store(service, content)
    picture = tmp_path / f"{scheme}.png"
    found = photograph(f"{service.url}{content.path}/docs/", picture, scheme)
    assert [unquote(each) for each in re.findall(r'href="\./(.+?)"', found)] == sorted(names)
    assert [unescape(each) for each in re.findall(r'href="\./.+?">(.+?)<', found)] == sorted(names)
    reports.page = TALLY.replace("PICTURE", b64encode(picture.read_bytes()).decode())
    seen = visit(reports.url, reports.reports, tmp_path / "viewer")
    back, link = COLOURS[scheme]
    assert max(seen, key=seen.__getitem__) == back
    assert seen[link] > 100


def photograph(url: str, picture: Path, scheme: str) -> str:
    """What a browser makes of a page, as HTML. How it looks is in `picture` then, a PNG."""
    program = next(filter(None, map(which, BROWSERS)), None)
    if program is None:
        pytest.skip("needs Chromium")
    options = [
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"),
        f"--user-data-dir={picture.with_suffix('')}",
        f"--screenshot={picture}",
        "--window-size=900,600",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
    ]
    with subprocess.Popen(
        [program, *options, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as browser:
        try:
            return browser.communicate(timeout=SECONDS_MAX)[0].decode()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)


def colour(pixel: list[int]) -> str:
    """Which of the two it is, or about."""
    red, _, blue, _ = pixel
    return "red" if red > 2 * blue else "blue" if blue > 2 * red else f"{pixel}"
