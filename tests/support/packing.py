"""Packs with our own packers what `interop/clients/pack.mjs` packs with the published client."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

from support.terminal import CLIENTS, installed
from taijitu.unixfs.block import Block, Packed
from taijitu.unixfs.directory import DirectoryPacker
from taijitu.unixfs.file import CHUNK_SIZE, WIDTH, FilePacker
from taijitu.unixfs.tree import Tree, arrange

PERIOD: Final = 65_537
PIECE: Final = 1024 * 1024
SECONDS_MAX: Final = 300

Job = dict[str, Any]
Sink = Callable[[Block], None]


def bytes_of(size: int, seed: int) -> Iterator[bytes]:
    """The bytes that a file of a test has, as the JavaScript makes them."""
    period = bytes([(at * 31 + (at >> 8) + seed) & 255 for at in range(min(PERIOD, size))])
    twice = period * (PIECE // PERIOD + 2)
    for at in range(0, size, PIECE):
        start = at % PERIOD
        yield twice[start : start + min(PIECE, size - at)]


def packed_by_javascript(jobs: Sequence[Job]) -> list[Job]:
    """What the published client says of each: `root`, `count` of blocks, and their `order`."""
    done = subprocess.run(
        [installed(), str(CLIENTS / "pack.mjs")],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def packed_here(job: Job, keep: Sink | None = None) -> Job:
    """The same of our own packers."""
    order, count = sha256(), 0

    def take(block: Block) -> None:
        nonlocal count
        count += 1
        order.update(block.link.data)
        if keep is not None:
            keep(block)

    if "paths" in job:
        root = pack_tree(arrange(job["paths"]), job["sizes"], take)
    else:
        packer = FilePacker(job.get("chunk", CHUNK_SIZE), job.get("width", WIDTH))
        root = pack_file(bytes_of(job["size"], job["seed"]), take, packer)
    return {"root": str(root.link), "count": count, "order": order.hexdigest()}


def pack_tree(tree: Tree, sizes: Sequence[int], take: Sink) -> Packed:
    directory = DirectoryPacker()
    for name, inner in tree.items():
        if isinstance(inner, int):
            directory.add(name, pack_file(bytes_of(sizes[inner % len(sizes)], inner), take))
        else:
            directory.add(name, pack_tree(inner, sizes, take))
    for block in directory.end():
        take(block)
    return directory.root


def pack_file(data: Iterator[bytes], take: Sink, packer: FilePacker | None = None) -> Packed:
    packer = packer or FilePacker()
    for piece in data:
        for block in packer.feed(piece):
            take(block)
    for block in packer.end():
        take(block)
    return packer.root
