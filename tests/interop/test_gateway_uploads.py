"""Goal: what the published command lines store opens by its CID at once, from however many CARs.

Method: the programs as published; what comes back is held against the files.
"""

import os
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from support.service import Service
from support.terminal import Person, Program, each_program

HTTP = build_opener(ProxyHandler({}))
SECONDS_MAX = 30


@pytest.fixture
def person(program: Program, service: Service, tmp_path: Path) -> Person:
    return Person(program, service, tmp_path / "home")


def opened(service: Service, path: str) -> bytes:
    with HTTP.open(f"{service.url}/ipfs/{path}", timeout=SECONDS_MAX) as answer:
        return answer.read()


@each_program
def test_what_was_just_uploaded_opens_by_its_path(
    person: Person, service: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    files = {"large.bin": os.urandom(4_500_000), "more/small.txt": b"small", "empty.txt": b""}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    person.makes_a_space()
    uploaded = person.uploads(str(folder), "--shard-size", "2000000")
    assert len(uploaded.shards) > 1
    for name, data in files.items():
        assert opened(service, f"{uploaded.root}/{name}") == data
    listing = opened(service, f"{uploaded.root}/").decode()
    assert all(f"./{name}" in listing for name in ("large.bin", "more", "empty.txt"))
