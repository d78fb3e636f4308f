"""Blocks that lie, stored in a real service, and asked for."""

import asyncio
import os
from collections.abc import Iterable
from typing import Final

from support.client import Car, Client, Reply
from support.eventually import eventually
from taijitu.ipld import car
from taijitu.ipld.cid import CAR, Link, link_to
from taijitu.ipld.dagpb import PbLink
from taijitu.unixfs import block as packing
from taijitu.unixfs.block import Block
from taijitu.unixfs.data import Data, Kind

SOON: Final = 20.0
"""Seconds in which anything here has to be answered, on a busy machine."""


async def ask(client: Client, path: str, method: str = "GET", **headers: str) -> Reply:
    """One request, not redirected."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with asyncio.timeout(SOON):
        url = client.service.url + path
        return await client.request(method, url, headers=given, allow_redirects=False)


async def store(client: Client, blocks: Iterable[Block], roots: Iterable[Link] = ()) -> None:
    """Let a space store a CAR of blocks. Returns once it was looked through."""
    named = [(each.link, bytes(each.data)) for each in blocks]
    mark = packing.raw(os.urandom(16))
    data = car.encode([*roots], [*named, (mark.link, bytes(mark.data))])
    await client.space().store(Car(link_to(data, CAR), data))
    await here(client, mark.link)


async def here(client: Client, link: Link) -> None:
    async def look() -> int:
        return (await ask(client, f"/ipfs/{link}?format=raw", "HEAD")).status

    await eventually(look, lambda found: found == 200, seconds=SOON)


def node(data: Data, *children: tuple[Link, int], name: bytes = b"") -> Block:
    return packing.node(data, [PbLink(link, name, size) for link, size in children])


def over(child: Link, size: int, times: int = 1) -> tuple[Block, int]:
    """A part of a file that is nothing but other parts."""
    made = node(
        Data(Kind.FILE, filesize=size * times, blocksizes=(size,) * times), *[(child, size)] * times
    )
    return made, size * times
