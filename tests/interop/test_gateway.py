"""Goal: IPFS clients fetch from the gateway, verify what they get, and get what was stored.

Method: @helia/verified-fetch, and @ipld/car with ipfs-unixfs-exporter, as published. No other
machine can be reached from there, and none is tried.
"""

import json
import os
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from support.client import Car, talking_to
from support.eventually import eventually
from support.node import SCRIPTS, node
from support.service import Service
from taijitu.ipld import car, dagcbor
from taijitu.ipld.cid import CAR, link_to
from unit.gateway.site import Stored, file, folder, single

CLIENTS = SCRIPTS / "gateway"
SECONDS_MAX = 120


class Asked:
    """What the JavaScript clients found, question by question."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.elsewhere = folder / "elsewhere"

    def answers(self, *questions: dict[str, Any]) -> list[Any]:
        if not (CLIENTS / "node_modules").is_dir():
            pytest.fail("the IPFS clients are not installed; `make test` installs them")
        only_here = SCRIPTS / "clients" / "only-here.mjs"
        done = subprocess.run(
            [node(), "--import", str(only_here), str(CLIENTS / "fetch.mjs"), self.service.url],
            input="".join(f"{json.dumps(each)}\n" for each in questions),
            env=os.environ | {"ELSEWHERE": str(self.elsewhere)},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def clients(service: Service, tmp_path: Path) -> Asked:
    return Asked(service, tmp_path)


async def store(service: Service, *contents: Stored) -> None:
    """Store it all in one CAR, and wait until it was looked through."""
    blocks = [(each.link, bytes(each.data)) for one in contents for each in one.blocks]
    data = car.encode([contents[0].link], blocks)
    async with talking_to(service) as client:
        await client.space().store(Car(link_to(data, CAR), data))

        async def look() -> int:
            url = f"{service.url}{contents[-1].path}?format=raw"
            return (await client.request("HEAD", url)).status

        await eventually(look, lambda found: found == 200, seconds=SECONDS_MAX)


def told(data: bytes) -> dict[str, Any]:
    return {"length": len(data), "sha256": sha256(data).hexdigest()}


async def test_verified_fetch_gets_files_ranges_and_data(service: Service, clients: Asked) -> None:
    data = os.urandom(3_500_000)
    top = folder({"large.bin": file(data), "small.txt": file(b"small"), "empty": file(b"")})
    value = {"a": 1, "to": top.link}
    block = dagcbor.encode(value)
    stored = single(link_to(block), block)
    await store(service, top, stored)
    root = top.link
    large, small, part, empty, missing, as_data = clients.answers(
        {"how": "verified", "path": f"{root}/large.bin"},
        {"how": "verified", "path": f"{root}/small.txt"},
        {
            "how": "verified",
            "path": f"{root}/large.bin",
            "headers": {"range": "bytes=1000000-2100000"},
        },
        {"how": "verified", "path": f"{root}/empty"},
        {"how": "verified", "path": f"{root}/nothing"},
        {"how": "verified", "path": str(stored.link)},
    )
    assert large == large | {"status": 200} | told(data)
    assert small == small | {"status": 200} | told(b"small")
    assert part == part | {"status": 206} | told(data[1_000_000:2_100_001])
    assert empty == empty | {"status": 200} | told(b"")
    assert missing.get("status") == 404 or "error" in missing
    assert as_data == as_data | {"status": 200} | told(block)
    assert not clients.elsewhere.exists()


async def test_verified_fetch_finds_its_way_through_a_sharded_directory(
    service: Service, clients: Asked
) -> None:
    names = [f"{number:04}.txt" for number in range(1_500)]
    top = folder({name: file(name.encode()) for name in names})
    await store(service, top)
    found = clients.answers(
        *({"how": "verified", "path": f"{top.link}/{name}"} for name in names[::250])
    )
    for name, each in zip(names[::250], found, strict=True):
        assert each == each | {"status": 200} | told(name.encode())


async def test_verified_fetch_gets_directories(service: Service, clients: Asked) -> None:
    """As the block that lists what is in them, or as the page that stands for them."""
    page = b"<!doctype html><title>Home</title>"
    home = folder({"index.html": file(page), "a.txt": file(b"a")})
    plain = folder({"one.txt": file(b"1"), "two.txt": file(b"2")})
    many = folder({f"{number:04}.txt": file(b"many") for number in range(1_500)})
    await store(service, home, plain, many)
    shown, listed, sharded = clients.answers(
        {"how": "verified", "path": f"{home.link}/"},
        {"how": "verified", "path": f"{plain.link}/"},
        {
            "how": "verified",
            "path": f"{many.link}/",
            "headers": {"accept": "application/vnd.ipld.raw"},
        },
    )
    assert shown == shown | {"status": 200} | told(page)
    assert listed == listed | {"status": 200} | told(root_block(plain))
    assert sharded == sharded | {"status": 200} | told(root_block(many))


def root_block(stored: Stored) -> bytes:
    (found,) = {bytes(each.data) for each in stored.blocks if each.link == stored.link}
    return found


async def test_what_was_stored_is_rebuilt_byte_for_byte(service: Service, clients: Asked) -> None:
    data = os.urandom(2_500_000)
    files = {
        "a/large.bin": data,
        "a/b/c/deep.txt": b"deep",
        "empty": b"",
        "odd name ä.txt": b"odd",
        "one byte": b"1",
        "border": data[: 1024 * 1024],
    }
    many = {f"{number:04}": f"{number}".encode() for number in range(1_200)}
    tree = folder(
        {
            "a": folder(
                {
                    "large.bin": file(data),
                    "b": folder({"c": folder({"deep.txt": file(b"deep")})}),
                }
            ),
            **{name: file(files[name]) for name in files if "/" not in name},
            "many": folder({name: file(each) for name, each in many.items()}),
        }
    )
    await store(service, tree)
    everything, large, part = clients.answers(
        {"how": "exported", "path": str(tree.link)},
        {"how": "exported", "path": f"{tree.link}/a/large.bin"},
        {
            "how": "part",
            "path": f"{tree.link}/a/large.bin",
            "query": "&entity-bytes=1200000:1300000",
            "offset": 1_200_000,
            "length": 100_001,
        },
    )
    expected = files | {f"many/{name}": each for name, each in many.items()}
    assert everything["files"] == {
        f"{tree.link}/{path}": told(each) for path, each in expected.items()
    }
    (only,) = large["files"].values()
    assert only == told(data)
    assert part == {"blocks": 4, **told(data[1_200_000:1_300_001])}
