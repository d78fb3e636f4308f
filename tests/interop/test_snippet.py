"""Goal: what `taijitu env node` prints, and the README shows, works as it stands.

Method: the snippet is run in Node.js with the published packages, followed by three lines that
store a CAR of random bytes with the client it has made, list it and fetch it back.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.node import SCRIPTS, node
from support.service import Service

README = Path(__file__).parents[2] / "README.md"

STORE = """
import { fetchBack, randomCar } from '%(support)s'
const made = await randomCar()
const stored = await client.capability.store.add(new Blob([made.bytes]))
const listed = await client.capability.store.list()
const back = await fetchBack('%(url)s', made)
console.log(JSON.stringify({
  same: `${stored}` === `${made.link}`,
  listed: listed.results.map((item) => `${item.link}`).includes(`${made.link}`),
  back,
}))
"""


def snippet(url: str, data: Path) -> str:
    environ = {**os.environ, "TAIJITU_PUBLIC_URL": url, "TAIJITU_DATA": str(data)}
    command = [sys.executable, "-m", "taijitu", "env", "node"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    return done.stdout


def test_the_printed_snippet_stores_a_car(service: Service) -> None:
    script = SCRIPTS / f"snippet-{service.port}.mjs"
    support = (SCRIPTS / "support.mjs").as_uri()
    more = STORE % {"support": support, "url": service.url}
    script.write_text(snippet(service.url, service.data) + more)
    try:
        done = subprocess.run([node(), script], capture_output=True, text=True, check=False)
    finally:
        script.unlink()
    if done.returncode != 0:
        pytest.fail(f"{done.stderr}\n{done.stdout}", pytrace=False)
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts == {
        "same": True,
        "listed": True,
        "back": {"status": 200, "identical": True},
    }


def test_the_readme_shows_the_same_snippet(tmp_path: Path) -> None:
    assert snippet("http://localhost:3000", tmp_path / "none").strip() in README.read_text(
        encoding="utf-8"
    )
