"""Goal: what cannot be written is told, and nothing stays open. Method: a disk that is full."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from taijitu.client import Unusable, temporary
from taijitu.client.content import spooled
from taijitu.client.spool import BUFFER, Spool
from taijitu.ipld.cid import RAW, link_to

FULL = "temporary files cannot be written in .*: No space left on device; TMPDIR says where"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[BinaryIO]:
    """Files on such a disk."""
    files: list[BinaryIO] = []

    def full(buffering: int) -> BinaryIO:
        file = cast("BinaryIO", Path("/dev/full").open("w+b", buffering))  # noqa: SIM115
        files.append(file)
        return file

    monkeypatch.setattr(temporary, "TemporaryFile", full)
    return files


def fill(spool: Spool, blocks: int) -> None:
    for _ in range(blocks):
        block = os.urandom(BUFFER // 4)
        spool.take(link_to(block, RAW), block)


@pytest.mark.parametrize("shard_size", [None, BUFFER])
def test_a_disk_that_is_full_is_told_and_nothing_stays_open(
    made: list[BinaryIO], shard_size: int | None
) -> None:
    spool = Spool(shard_size)
    with pytest.raises(Unusable, match=FULL):
        fill(spool, 8)
    spool.close()
    assert made
    assert all(file.closed for file in made)


def test_so_it_is_at_the_end(made: list[BinaryIO]) -> None:
    spool, block = Spool(), b"a block"
    spool.take(link_to(block, RAW), block)
    with pytest.raises(Unusable, match=FULL):
        spool.end(link_to(block, RAW))
    spool.close()
    assert [file.closed for file in made] == [True]


async def test_so_it_is_for_a_stream(made: list[BinaryIO]) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b"a piece"

    with pytest.raises(Unusable, match=FULL):
        await spooled(pieces())
    assert [file.closed for file in made] == [True]


async def test_trouble_of_the_stream_is_its_own() -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b"a piece"
        raise OSError("the camera is gone")

    with pytest.raises(OSError, match="the camera is gone"):
        await spooled(pieces())


def test_where_no_folder_is_usable_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(**_: object) -> BinaryIO:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(temporary, "TemporaryFile", nowhere)
    monkeypatch.setattr(temporary, "gettempdir", nowhere)
    with pytest.raises(Unusable, match="cannot be written: No usable temporary directory"):
        Spool()
