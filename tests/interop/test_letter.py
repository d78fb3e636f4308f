"""Goal: in a real browser, which keeps the page's own policy, the button on the page that a letter
leads to confirms the login.

Method: Chromium opens the link of a letter; the button is pressed through its debugging port."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from interop.test_browser import BROWSERS, OPTIONS, SECONDS_MAX
from support.accounts import Device
from support.client import Client, talking_to
from support.eventually import eventually
from support.service import Serve

PRESS = "document.querySelector('button').click()"
LOOKS = "`${document.title} · ${document.querySelectorAll('script').length} scripts`"


class Page:
    """A page in the browser, through its debugging port."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.count = 0

    async def run(self, script: str) -> Any:
        """What an expression is; `None` while the page is being changed."""
        self.count += 1
        asked = {"id": self.count, "method": "Runtime.evaluate", "params": {"expression": script}}
        await self.socket.send_json(asked)
        while (answer := await self.socket.receive_json()).get("id") != self.count:
            continue
        return answer.get("result", {}).get("result", {}).get("value")

    async def becomes(self, look: str) -> None:
        async def looks() -> Any:
            return await self.run(LOOKS)

        await eventually(looks, lambda seen: look in str(seen), seconds=SECONDS_MAX)


@asynccontextmanager
async def browsing(url: str, profile: Path) -> AsyncGenerator[Page]:
    """The page behind a link, in a browser of its own."""
    browser = opened(url, profile)
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(await debugger(http, profile / "DevToolsActivePort")) as socket,
        ):
            yield Page(socket)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        await asyncio.to_thread(browser.wait, SECONDS_MAX)


def opened(url: str, profile: Path) -> subprocess.Popen[bytes]:
    """A browser that opens a link. It is a family of processes, with a group of its own."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("needs Chromium")
    command = [program, *OPTIONS, f"--user-data-dir={profile}", url]
    with profile.with_suffix(".log").open("wb") as said:
        return subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)


def port_in(file: Path) -> str:
    """The port that a browser writes down once it listens there."""
    return file.read_text().partition("\n")[0] if file.exists() else ""


async def debugger(http: aiohttp.ClientSession, ports: Path) -> str:
    """Where to speak to the one page."""

    async def pages() -> list[str]:
        if not (port := port_in(ports)):
            return []
        async with http.get(f"http://127.0.0.1:{port}/json") as answer:
            found = await answer.json()
        return [each["webSocketDebuggerUrl"] for each in found if each["type"] == "page"]

    return (await eventually(pages, bool, seconds=SECONDS_MAX))[0]


async def link_of(client: Client) -> str:
    """The link in the first letter."""
    letter = await client.request("GET", f"{client.service.url}/testing/mail/0?seconds=10")
    return json.loads(letter.text)["ok"]["url"]


async def test_the_button_of_a_letters_page_confirms_the_login(
    serve: Serve, tmp_path: Path
) -> None:
    service = serve(TAIJITU_TESTING="1")
    async with talking_to(service) as client:
        alice = Device(client)
        await alice.ask_to_log_in()
        async with browsing(await link_of(client), tmp_path / "profile") as page:
            await page.becomes("Log in as alice@example.com?")
            assert not await alice.is_logged_in()
            await page.run(PRESS)
            await page.becomes("Logged in")
            assert str(await page.run(LOOKS)).endswith(" 0 scripts")
        assert await alice.is_logged_in()
