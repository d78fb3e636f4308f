"""Goal: whoever is cancelled, however often, goes only when nothing is being done any more."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from support.walking import Store
from taijitu.client import unpacking
from taijitu.client.blocks import Part
from taijitu.client.content import in_thread
from taijitu.client.unpacking import save
from taijitu.ipld.cid import RAW, Link, link_to
from taijitu.unixfs.block import Packed
from taijitu.unixfs.directory import DirectoryPacker

SECONDS_MAX = 30
"""A thread is not waited for longer than that, should the test fail."""


class Slow:
    """Work that lasts until it is let go."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self.go = threading.Event()
        self.ended = False

    def __call__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.begun.set)
        self.go.wait(SECONDS_MAX)
        self.ended = True


async def cancelled_twice(task: "asyncio.Task[object]", slow: Slow) -> None:
    await asyncio.wait_for(slow.begun.wait(), SECONDS_MAX)
    for _ in range(2):
        task.cancel()
        for _ in range(5):  # turns of the loop
            await asyncio.sleep(0)
        assert not task.done()
    slow.go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.ended


@pytest.fixture
async def slow() -> AsyncGenerator[Slow]:
    slow = Slow()
    yield slow
    slow.go.set()


async def test_a_thread_is_waited_for(slow: Slow) -> None:
    await cancelled_twice(asyncio.create_task(in_thread(slow)), slow)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


class Stalling(Store):
    """Blocks, of which some never come."""

    async def block(self, link: Link, part: Part | None = None) -> bytes:
        if link not in self:
            await asyncio.Event().wait()
        return self[link]

    async def close(self) -> None:
        pass


async def test_files_that_are_being_written_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: Slow
) -> None:
    store, folder = Stalling({link_to(b"first", RAW): b"first"}), DirectoryPacker()
    for name in (b"first", b"second"):
        folder.add(name.decode(), Packed(link_to(name, RAW), len(name), len(name)))
    store.keep_all(folder.end())
    over: list[bool] = []

    def removing(folder: Path, remove: Callable[[Path], None] = unpacking.remove) -> None:
        over.append(slow.ended)
        remove(folder)

    monkeypatch.setattr(unpacking, "write_small", slow)
    monkeypatch.setattr(unpacking, "remove", removing)
    getting = asyncio.create_task(save(store, folder.root.link, tmp_path / "target"))
    await cancelled_twice(getting, slow)
    assert over == [True], "nobody writes any more when all of it is removed"
    assert names_in(tmp_path) == []
