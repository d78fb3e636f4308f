"""Goal: what our client puts is what the published one puts, shard for shard, index for index; and
each reads what the other has put.

Method: both put the same files into spaces of their own, at one service, and get the other's back.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from support.service import Service
from support.terminal import CLIENTS, installed
from taijitu.client import Client, Put, Signer, new_key
from taijitu.client import files as packing

MIB: Final = 1024 * 1024
SHARD: Final = 5 * MIB
SECONDS_MAX: Final = 300

TIGHT: Final = MIB + 200
LAST: Final = MIB - 30
"""Bytes of a shard with room for one leaf, and of a leaf that has room for the root beside it, but
not for the root's name in the header: that drives the root into a shard of its own."""


def node(script: str, *arguments: str, stdin: str = "") -> str:
    """What a script prints."""
    done = subprocess.run(
        [installed(), "--preserve-symlinks", str(CLIENTS / script), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def put_by_javascript(service: Service, key: Signer, jobs: list[dict[str, Any]]) -> Any:
    arguments = (service.url, service.did, key.format())
    return json.loads(node("upload.mjs", *arguments, stdin=json.dumps(jobs)).splitlines()[-1])


async def put_here(client: Client, path: Path, shard_size: int) -> Put:
    return await packing.put(
        client.space, path, shard_size=shard_size, at_once=2, progress=lambda _: None
    )


async def digests(client: Client) -> set[bytes]:
    return {blob.digest async for blob in client.blobs.list()}


@pytest.fixture
def corpus(tmp_path: Path) -> list[tuple[Path, int]]:
    """Files and folders, each with the size of the shards it is to be cut into."""
    sizes = {"empty": 0, "one": 1, "chunk": MIB, "more": MIB + 1, "large": 23 * MIB + 7}
    sizes |= {"edge": 4 * MIB, "fits": SHARD - 1, "not": SHARD}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(os.urandom(size))
    (tmp_path / "same").write_bytes(bytes(12 * MIB))
    folder = tmp_path / "folder"
    for number in range(1_200):
        path = folder / f"d{number % 5}" / f"n{number}-☯-{'ü' * (number % 3)}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number % 17))
    for number in range(1_001):
        (folder / "many").mkdir(exist_ok=True)
        (folder / "many" / f"{number:x}").write_bytes(b"x" * (number % 3))
    (folder / "B").write_bytes(os.urandom(6 * MIB))
    (folder / "a").write_bytes(os.urandom(10))
    (folder / "\uff61").write_bytes(b"behind surrogates, for Python")
    (folder / "\U0001f600").write_bytes(b"before them, for JavaScript")
    (folder / ".hidden").write_bytes(b"left out")
    (tmp_path / "driven out").write_bytes(os.urandom(MIB + LAST))
    names = [*sizes, "same", "folder"]
    return [*((tmp_path / name, SHARD) for name in names), (tmp_path / "driven out", TIGHT)]


async def test_the_same_shards_and_the_same_index(
    service: Service, corpus: list[tuple[Path, int]]
) -> None:
    jobs: list[dict[str, Any]] = [
        {"folder" if path.is_dir() else "file": str(path), "shardSize": size}
        for path, size in corpus
    ]
    theirs = new_key()
    uploads = put_by_javascript(service, theirs, jobs)
    async with Client(service.url, key=new_key()) as client:
        for (path, size), there in zip(corpus, uploads, strict=True):
            here = await put_here(client, path, size)
            found = {"root": str(here.root), "shards": [str(each) for each in here.shards]}
            assert found == {name: there[name] for name in found}, path.name
            if size == TIGHT:
                assert len(await client.fetch(here.shards[-1])) < 1000
        ours = await digests(client)
    async with Client(service.url, key=theirs) as client:
        assert await digests(client) == ours


async def test_each_reads_what_the_other_has_put(
    service: Service, corpus: list[tuple[Path, int]], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    (there,) = put_by_javascript(service, new_key(), [{"folder": str(folder), "shardSize": SHARD}])
    async with Client(service.url) as client:
        await client.get(there["root"], tmp_path / "theirs")
    async with Client(service.url, key=new_key()) as client:
        here = await put_here(client, folder, SHARD)
    shards = [str(shard) for shard in here.shards]
    node("unpack.mjs", service.url, str(tmp_path / "ours"), str(here.root), *shards)
    (folder / ".hidden").unlink()
    wanted = contents_of(folder)
    assert contents_of(tmp_path / "theirs") == wanted
    assert contents_of(tmp_path / "ours") == wanted


def contents_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
