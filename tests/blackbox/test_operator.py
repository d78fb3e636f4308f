"""Goal: what an operator does on the first day works, on a service that is busy.

Method: real processes under the load of a real client; what commands print is what is looked at.
"""

import json
import os
import subprocess
import sys
from typing import NamedTuple

from support.client import random_car, talking_to
from support.service import Serve, Service
from taijitu.ucan.signer import Signer

SECONDS_MAX = 60
"""A command may take no longer, on a slow machine."""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def taijitu(service: Service, *arguments: str, **settings: str) -> Ended:
    """A command in the environment of a service."""
    environment = service.environment() | settings
    done = subprocess.run(
        [sys.executable, "-m", "taijitu", *arguments],
        env={name: value for name, value in environment.items() if value},
        cwd=service.data.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def new_did() -> str:
    return Signer.from_seed(os.urandom(32)).did


# Blocking


async def test_a_blocked_space_takes_nothing_new_and_keeps_what_it_has(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client:
        alice = client.space()
        stored, begun, late = random_car(), random_car(), random_car()
        await alice.store(stored)
        upload = (await alice.add(begun))["ok"]

        told = taijitu(service, "space", "block", alice.did)
        assert told.code == 0
        assert "It is blocked" in told.out
        assert "blocked" in taijitu(service, "space", "list").out
        shown = json.loads(taijitu(service, "space", "info", alice.did, "--json").out)
        assert shown["blocked"] is True

        refused = (await alice.add(late))["error"]
        assert refused["name"] == "InsufficientStorage"
        assert refused["message"] == f"{alice.did} is blocked"
        assert await client.put(upload, begun.data) == 200
        assert await client.fetch(stored.link) == stored.data
        assert set(await alice.links()) == {stored.link, begun.link}
        assert (await alice.remove(stored))["ok"] == {"size": stored.size}

        assert taijitu(service, "space", "unblock", alice.did).code == 0
        assert (await alice.add(late))["ok"]["status"] == "upload"


async def test_a_space_can_be_blocked_before_it_is_known_and_be_unknown_again(
    serve: Serve,
) -> None:
    service = serve()
    async with talking_to(service) as client:
        mallory = client.space("mallory")
        assert taijitu(service, "space", "block", mallory.did).code == 0
        assert (await mallory.add(random_car()))["error"]["message"].endswith("is blocked")
        told = taijitu(service, "space", "unblock", mallory.did)
        assert (told.code, told.out) == (
            0,
            f"{mallory.did} is not blocked, and never had room here.\n",
        )
        assert "ok" in await mallory.add(random_car())
