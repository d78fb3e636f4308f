"""Goal: a part of a file, and what is left of one when the connection breaks, come in one CAR, not
block by block, and nothing else comes.

Method: a real service behind a proxy that breaks connections; the URLs that are read are counted.
"""

import os
from collections.abc import AsyncGenerator, Mapping

import pytest

from client.network import Network
from taijitu.client import Client, Signer

MIB = 1024 * 1024
SIZE = 12 * MIB + 7

PARTS = [
    (8 * MIB + 5, 9 * MIB + 1),
    (11 * MIB, None),
    (0, 3),
    (SIZE + 1, None),
    (5, 5),
    (7, 0),
]

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def urls_read(client: Client) -> list[str]:
    """The URLs that a client reads from now on."""
    urls, read = list[str](), client.connection.read

    def reading(url: str, start: int = 0, headers: Mapping[str, str] = {}) -> AsyncGenerator[bytes]:
        urls.append(url)
        return read(url, start, headers)

    client.connection.read = reading
    return urls


async def test_a_part_of_a_file_comes_by_itself(network: Network, alice: Signer) -> None:
    data = os.urandom(SIZE)
    async with network.client(alice) as client:
        made = await client.put(data)
        urls, passed = urls_read(client), network.proxy.passed
        for start, stop in PARTS:
            urls.clear()
            before = passed["down"]
            parts = [part async for part in client.contents.read(made.root, start, stop)]
            assert b"".join(parts) == data[start:stop]
            assert len(urls) == 1
            assert passed["down"] - before < 3 * MIB


async def test_a_file_that_breaks_off_is_gone_on_with_in_one_piece(
    network: Network, alice: Signer
) -> None:
    data = os.urandom(SIZE)
    async with network.client(alice) as client:
        made = await client.put(data)
        urls, before = urls_read(client), network.proxy.passed["down"]
        for _ in range(2):
            network.proxy.cut("down", after=4 * MIB)
        assert b"".join([part async for part in client.contents.read(made.root)]) == data
        assert network.proxy.sprung == 2
        assert len(urls) == 3
        assert all("dag-scope=entity&entity-bytes=" in url for url in urls[1:])
        assert network.proxy.passed["down"] - before < SIZE + 4 * MIB
