"""Goal: a network that breaks at any byte changes nothing but the time it takes.

Method: a proxy in front of a real service, which breaks connections where the test says.
"""

import asyncio
import os
from hashlib import sha256
from pathlib import Path

import pytest

from client.network import Network
from support.client import talking_to
from support.eventually import eventually
from taijitu.client import NotFound, Retry, Signer, Unavailable
from taijitu.client.connection import Times

SIZE = 3_000_000
"""Bytes: more than lie in the buffers of a connection."""

# The proxy breaks connections while their ends are still held; that those were never closed in
# good manner is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


async def stored_bytes(network: Network, space: Signer) -> int:
    """How much of a space is used, as an operator is told."""
    async with talking_to(network.service) as operator:
        return (await operator.admin("space", space=space.did))["used"]


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_question_or_an_answer_that_is_lost_is_asked_again(
    network: Network, alice: Signer, direction: str
) -> None:
    async with network.client(alice) as client:
        await client.service()
        network.proxy.cut(direction, times=3)  # type: ignore[arg-type]
        added = await client.store.add(os.urandom(100))
        assert [item.link async for item in client.store.list()] == [added.link]
    assert network.proxy.sprung == 3
    assert [retrying.number for retrying in network.retries] == [1, 2, 3]


async def test_what_is_asked_again_happens_once(network: Network, alice: Signer) -> None:
    """The bytes are let go of, the answer is lost: a second removal would find nothing."""
    async with network.client(alice) as client:
        added = await client.store.add(os.urandom(1_000))
        network.proxy.cut("down", times=2)
        removed = await client.store.remove(added.link)
        assert removed.size == 1_000
        with pytest.raises(NotFound):
            await client.store.remove(added.link)
    assert network.proxy.sprung == 2
    assert await stored_bytes(network, alice) == 0


async def test_an_answer_that_breaks_off_in_the_middle_is_asked_again(
    network: Network, alice: Signer
) -> None:
    async with network.client(alice) as client:
        await client.service()
        network.proxy.cut("down", after=200)
        assert (await client.store.page()).items == ()
    assert network.proxy.sprung == 1


@pytest.mark.parametrize("after", [2_000, SIZE // 2, SIZE])
async def test_an_upload_that_breaks_off_begins_anew(
    network: Network, alice: Signer, after: int
) -> None:
    data, told = os.urandom(SIZE), list[int]()
    async with network.client(alice) as client:
        network.proxy.cut("up", after=after)
        added = await client.store.add(data, sending=told.append)
        assert await client.fetch(added.link) == data
    assert network.proxy.sprung == 1
    assert told.count(0) == 2
    assert await stored_bytes(network, alice) == SIZE
    assert network.incoming() == []


async def test_bytes_whose_acknowledgement_is_lost_are_not_sent_again(
    network: Network, alice: Signer
) -> None:
    told: list[int] = []

    def sent(done: int) -> None:
        if done == SIZE and not network.proxy.traps:
            network.proxy.cut("down")
        told.append(done)

    async with network.client(alice) as client:
        added = await client.store.add(os.urandom(SIZE), sending=sent)
        assert added.sent
    assert network.proxy.sprung == 1
    assert told.count(0) == 1


async def test_a_download_that_breaks_off_goes_on_from_there(
    network: Network, alice: Signer
) -> None:
    data = os.urandom(SIZE)
    async with network.client(alice) as client:
        added = await client.store.add(data)
        before = network.proxy.passed["down"]
        network.proxy.cut("down", after=1_000_000)
        network.proxy.cut("down", after=1_000_000)
        assert await client.fetch(added.link) == data
    assert network.proxy.sprung == 2
    assert network.proxy.passed["down"] - before < SIZE + 500_000


async def test_patience_ends(network: Network, alice: Signer) -> None:
    async with network.client(alice, retry=Retry(tries=3, pause=0.01)) as client:
        await client.service()
        network.proxy.cut("up", times=10)
        with pytest.raises(Unavailable, match=r"store/list failed, 3 times: .* broke"):
            await client.store.page()
    assert network.proxy.sprung == 3
    assert len(network.retries) == 2


async def test_a_service_that_comes_back_is_waited_for(network: Network, alice: Signer) -> None:
    async with network.client(alice, retry=Retry(tries=100, pause=0.05, pause_max=0.1)) as client:
        added = await client.store.add(os.urandom(100))
        network.service.stop()
        asking = asyncio.ensure_future(client.store.get(added.link))
        await eventually(retries_of(network), lambda number: number >= 2, seconds=10)
        await asyncio.to_thread(network.service.start)
        assert (await asking).link == added.link


async def test_a_service_that_says_nothing_is_not_waited_for_for_ever(
    network: Network, alice: Signer
) -> None:
    times = Times(answer=0.2, silence=0.2)
    async with network.client(alice, retry=Retry(tries=2, pause=0.01), times=times) as client:
        added = await client.store.add(os.urandom(SIZE))
        network.proxy.hold("down")
        with pytest.raises(Unavailable, match="takes too long"):
            await client.store.page()
        with pytest.raises(Unavailable, match="takes too long"):
            await client.fetch(added.link)


async def test_an_upload_that_stalls_is_not_waited_for_for_ever(
    network: Network, alice: Signer
) -> None:
    times = Times(silence=0.3)

    def stall(done: int) -> None:
        if done == SIZE // 3 // 262_144 * 262_144:
            network.proxy.hold("up")

    async with network.client(alice, retry=Retry(tries=1), times=times) as client:
        with pytest.raises(Unavailable, match="takes too long"):
            await client.store.add(os.urandom(10 * SIZE), sending=stall)


async def test_only_so_many_bytes_come_as_were_announced(network: Network, alice: Signer) -> None:
    """A hash is taken of every byte, so what is fetched in parts is checked as a whole."""
    data = os.urandom(SIZE)
    digest = sha256()
    async with network.client(alice) as client:
        added = await client.store.add(data)
        network.proxy.cut("down", after=SIZE // 2)
        async for chunk in client.stream(added.link):
            digest.update(chunk)
    assert digest.digest() == added.link.digest


# Cancelling


async def test_an_upload_that_is_cancelled_leaves_nothing_half_open(
    network: Network, alice: Signer, tmp_path: Path
) -> None:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(20 * SIZE))
    tasks = asyncio.all_tasks()

    def stall(done: int) -> None:
        if done and network.proxy.held is None:
            network.proxy.hold("up")

    async with network.client(alice) as client:
        adding = asyncio.ensure_future(client.store.add(path, sending=stall))
        await asyncio.wait_for(network.proxy.holding.wait(), 10)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        network.proxy.release()
        assert not [name for name in open_files() if name == str(path)]
        assert (await client.store.page()).items != ()  # and the client is as good as before
    await eventually(unfinished_in(network), lambda files: files == [], seconds=10)
    await eventually(connections_of(network), lambda number: number == 0, seconds=10)
    await eventually(tasks_beside(tasks), lambda names: names == [], seconds=10)


async def test_a_download_that_is_cancelled_leaves_nothing_half_open(
    network: Network, alice: Signer
) -> None:
    tasks = asyncio.all_tasks()
    async with network.client(alice) as client:
        added = await client.store.add(os.urandom(10 * SIZE))
        network.proxy.hold("down")
        fetching = asyncio.ensure_future(client.fetch(added.link))
        await asyncio.wait_for(network.proxy.holding.wait(), 10)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        network.proxy.release()
    await eventually(connections_of(network), lambda number: number == 0, seconds=10)
    await eventually(tasks_beside(tasks), lambda names: names == [], seconds=10)


async def test_whoever_stops_reading_closes_the_connection(network: Network, alice: Signer) -> None:
    async with network.client(alice) as client:
        added = await client.store.add(os.urandom(10 * SIZE))
        chunks = client.stream(added.link)
        assert await anext(chunks)
        await chunks.aclose()
        assert (await client.store.page()).items != ()
    await eventually(connections_of(network), lambda number: number == 0, seconds=10)


def open_files() -> list[str]:
    """What this process has open. (Linux; elsewhere nothing is seen.)"""
    names = list[str]()
    folder = Path("/proc/self/fd")
    for each in folder.iterdir() if folder.exists() else ():
        try:
            names.append(str(each.readlink()))
        except OSError:
            continue
    return names


def unfinished_in(network: Network):
    async def look() -> list[Path]:
        return network.incoming()

    return look


def connections_of(network: Network):
    async def look() -> int:
        return network.proxy.open

    return look


def retries_of(network: Network):
    async def look() -> int:
        return len(network.retries)

    return look


def tasks_beside(known: set[asyncio.Task[object]]):
    """Tasks that were not there before, the network's own aside."""

    async def look() -> list[str]:
        return [
            repr(task)
            for task in asyncio.all_tasks() - known
            if task is not asyncio.current_task() and "Proxy" not in repr(task)
        ]

    return look
