"""Goal: what was put comes back as it was, by its CID and a path; what a stranger made can neither
write nor lead outside of where it was to go.

Method: a real service with its gateway, with a gateway that is off, and blocks made by hand.
"""

import os
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from client.forger import lying
from support.service import Serve, Service
from taijitu.client import (
    Client,
    NotFound,
    Signer,
    Unreadable,
    Unusable,
    blocks,
    new_key,
)
from taijitu.client import files as packing
from taijitu.client.blocks import Shards
from taijitu.client.content import Progress
from taijitu.client.fetching import stream
from taijitu.client.session import Session
from taijitu.client.unpacking import Got
from taijitu.ipld import car, dagpb
from taijitu.ipld.cid import DAG_PB, RAW, Link, link_to
from taijitu.ipld.dagpb import PbLink, PbNode
from taijitu.unixfs import data as messages
from taijitu.unixfs.data import Data, Kind, Time

Connect = Callable[..., Client]
Block = tuple[Link, bytes]

MIB = 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of all kinds of sizes and names."""
    chance = random.Random(7)
    folder = tmp_path / "folder"
    sizes = {
        "empty": 0,
        "small.txt": 5,
        "below/large.bin": 3 * MIB + 1,
        "below/deep/er/x": 70_000,
        "ü ☯ #?%.txt": 11,
    }
    sizes |= {f"many/{number}": number % 7 for number in range(1_010)}
    for name, size in sizes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(size))
    return folder


def contents_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def mode_and_time(path: Path) -> tuple[int, int]:
    """In nanoseconds."""
    about = path.stat()
    return about.st_mode & 0o7777, about.st_mtime_ns


def where_to(path: Path) -> str:
    """The target of a symlink."""
    return str(path.readlink())


def named(name: str, block: Block) -> PbLink:
    return PbLink(block[0], name.encode(), len(block[1]))


def node(data: Data, links: Sequence[PbLink] = ()) -> Block:
    block = dagpb.encode(PbNode([*links], messages.encode(data)))
    return link_to(block, DAG_PB), block


def raw(data: bytes) -> Block:
    return link_to(data, RAW), data


def symlink(target: bytes) -> Block:
    return node(Data(Kind.SYMLINK, target))


def directory(**entries: Block) -> Block:
    return node(Data(Kind.DIRECTORY), [named(name, block) for name, block in entries.items()])


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[Link]:
    """The shards that are fetched, one after the other."""
    links: list[Link] = []

    def counting(session: Session, link: Link, progress: Progress) -> AsyncGenerator[bytes]:
        links.append(link)
        return stream(session, link, progress)

    monkeypatch.setattr(blocks, "stream", counting)
    return links


class Reluctant(BytesIO):
    """A file that takes less than it is given, as an unbuffered one may."""

    def write(self, data: Any, /) -> int:
        return super().write(memoryview(data)[:1000])


async def stored(client: Client, *blocks: Block) -> Link:
    """The last of the blocks, once all are stored."""
    data = car.encode([blocks[-1][0]], blocks)
    return (await client.space.put_car(data)).root


async def test_a_folder_comes_back_as_it_was(
    connect: Connect, alice: Signer, folder: Path, tmp_path: Path
) -> None:
    async with connect(alice) as client:
        made = await client.space.put(folder)
    async with connect() as anyone:
        got = await anyone.contents.save(made.root, tmp_path / "back")
        assert contents_of(tmp_path / "back") == contents_of(folder)
        assert (got.kind, got.size, got.files) == ("folder", made.size, 1_015)
        below = await anyone.contents.save(f"{made.root}/below/deep", tmp_path / "deep")
        assert contents_of(tmp_path / "deep") == contents_of(folder / "below" / "deep")
        assert below.files == 1
        path = f"ipfs://{made.root}/ü ☯ #?%.txt"
        assert await anyone.contents.save(path, tmp_path / "odd") == Got(
            link_to((folder / "ü ☯ #?%.txt").read_bytes(), RAW), "file", 11, 1
        )
    assert sorted(names_in(tmp_path)) == ["back", "deep", "folder", "odd"]


async def test_a_part_of_a_file_is_read_without_the_rest(
    connect: Connect, alice: Signer, folder: Path
) -> None:
    whole = (folder / "below" / "large.bin").read_bytes()
    async with connect(alice) as client:
        made = await client.space.put(folder)
        path = f"/ipfs/{made.root}/below/large.bin"
        read = b"".join([part async for part in client.contents.read(path)])
        part = b"".join([part async for part in client.contents.read(path, MIB - 3, 2 * MIB + 3)])
    assert read == whole
    assert part == whole[MIB - 3 : 2 * MIB + 3]


async def test_a_folder_is_listed_and_shown_as_a_tree(
    connect: Connect, alice: Signer, folder: Path
) -> None:
    async with connect(alice) as client:
        made = await client.space.put(folder)
        names = [each.name async for each in client.contents.list(made.root)]
        assert names == ["below", "empty", "many", "small.txt", "ü ☯ #?%.txt"]
        many = {each.name async for each in client.contents.list(f"{made.root}/many")}
        assert many == {str(number) for number in range(1_010)}
        tree = [each async for each in client.contents.tree(f"{made.root}/below")]
        assert [(each.name, each.kind) for each in tree] == [
            ("", "folder"),
            ("deep", "folder"),
            ("deep/er", "folder"),
            ("deep/er/x", "file"),
            ("large.bin", "file"),
        ]
        assert tree[-1].size == 3 * MIB + 1


async def test_without_a_gateway_the_shards_of_the_space_are_read(
    serve: Serve, alice: Signer, folder: Path, tmp_path: Path
) -> None:
    service = serve(TAIJITU_GATEWAY="off")
    async with Client(service.url, key=alice) as client:
        made = await client.space.put(folder)
        await client.contents.save(f"{made.root}/below", tmp_path / "back")
        assert contents_of(tmp_path / "back") == contents_of(folder / "below")
    async with Client(service.url) as anyone:
        with pytest.raises(NotFound):
            await anyone.contents.save(made.root, tmp_path / "nothing")


async def test_of_the_shards_only_those_are_read_that_are_wanted(
    serve: Serve, alice: Signer, tmp_path: Path, fetched: list[Link]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_bytes(os.urandom(MIB))
    service = serve(TAIJITU_GATEWAY="off")
    async with Client(service.url, key=alice) as client:
        more: dict[str, Any] = {"shard_size": MIB + 2000, "at_once": 2, "progress": lambda _: None}
        made = await packing.put(client.space, folder, **more)
        assert len(made.shards) == 3
        assert [each.name async for each in client.contents.list(made.root)] == ["a", "b", "c"]
        assert fetched == [made.shards[-1]]
        fetched.clear()
        await client.get(made.root, tmp_path / "back")
        assert sorted(fetched) == sorted(made.shards)
    assert contents_of(tmp_path / "back") == contents_of(folder)


async def test_for_a_path_that_is_not_there_no_shard_is_fetched_if_the_gateway_has_the_root(
    service: Service, alice: Signer, folder: Path, tmp_path: Path, fetched: list[Link]
) -> None:
    async with Client(service.url, key=alice) as client:
        made = await client.put(folder)
        for path in ("nowhere", "below/nowhere", "empty/more"):
            with pytest.raises(NotFound, match=r"there is no 'nowhere'|is a file"):
                await client.get(f"{made.root}/{path}", tmp_path / "x")
    assert fetched == []


async def test_a_disk_that_takes_a_little_at_a_time_gets_all_of_a_block(
    connect: Connect, alice: Signer
) -> None:
    data = os.urandom(5_000)
    async with connect(alice) as client:
        made = await client.put(data)
        shards = Shards(client, made.shards)
        await shards.close()
        shards.file = Reluctant()
        assert await shards.block(made.root) == data
        await shards.close()


async def test_what_neither_the_gateway_nor_the_space_has_is_told_with_both_reasons(
    connect: Connect, alice: Signer, bob: Signer, tmp_path: Path
) -> None:
    """The gateway's answer is the one that counts, whatever the proofs are good for."""
    absent = link_to(os.urandom(9), RAW)
    gone = f"(?s)/ipfs/{absent}.* answers 404.*Nor by the shards of the space: "
    spaces = [Client(key=new_key()) for _ in range(2)]
    both = [each.delegate(bob.did, ["*"], expiration=None) for each in spaces]
    little = spaces[0].delegate(bob.did, ["store/*"], expiration=None)
    for proofs, why in (([], "not found in"), (both, "say which"), ([little], "not authorized")):
        async with connect(bob, proofs=proofs) as client:
            with pytest.raises(NotFound, match=gone + f".*{why}"):
                await client.get(absent, tmp_path / "x")


async def test_a_gateway_elsewhere_that_has_nothing_is_not_asked_who_it_is(
    alice: Signer, tmp_path: Path
) -> None:
    absent = link_to(b"absent", RAW)
    async with lying(alice) as forger:

        async def nothing(_: web.Request) -> web.Response:
            return web.Response(status=404)

        forger.object = nothing
        async with Client(f"{forger.url}/gateway", key=alice) as client:
            with pytest.raises(NotFound, match=f"/gateway/ipfs/{absent}.* answers 404$"):
                await client.get(absent, tmp_path / "x")


async def test_what_is_not_there_is_told_and_leaves_nothing_behind(
    connect: Connect, alice: Signer, folder: Path, tmp_path: Path
) -> None:
    async with connect(alice) as client:
        made = await client.space.put(folder)
        with pytest.raises(NotFound, match="there is no 'nowhere'"):
            await client.contents.save(f"{made.root}/below/nowhere", tmp_path / "x")
        with pytest.raises(NotFound, match="is a file"):
            await client.contents.save(f"{made.root}/empty/more", tmp_path / "x")
        with pytest.raises(NotFound):
            await client.contents.save(link_to(os.urandom(9), DAG_PB), tmp_path / "x")
        with pytest.raises(Unusable, match="is not a link"):
            await client.contents.save("nonsense", tmp_path / "x")
        with pytest.raises(Unusable, match="out of its root"):
            await client.contents.save(f"{made.root}/../x", tmp_path / "x")
        with pytest.raises(Unusable, match="there already"):
            await client.contents.save(made.root, folder)
        with pytest.raises(Unreadable, match="no folder"):
            [each async for each in client.contents.list(f"{made.root}/empty")]
        with pytest.raises(Unreadable, match="no file"):
            [each async for each in client.contents.read(made.root)]
    assert names_in(tmp_path) == ["folder"]


async def test_a_folder_that_breaks_off_is_not_there_at_all(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    here, absent = raw(os.urandom(100)), raw(os.urandom(100))
    async with connect(alice) as client:
        root = await stored(client, here, directory(a=here, b=absent))
        with pytest.raises(NotFound):
            await client.contents.save(root, tmp_path / "half")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../x", "/etc/x", "a\0b", ""])
async def test_a_name_that_leads_elsewhere_is_refused(
    connect: Connect, alice: Signer, tmp_path: Path, name: str
) -> None:
    file = raw(os.urandom(10))
    async with connect(alice) as client:
        root = await stored(client, file, directory(**{name: file}))
        with pytest.raises(Unreadable, match="no file can be called"):
            await client.contents.save(root, tmp_path / "x")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "target", [b"/etc/passwd", b"..", b"../x", b"a/..", b"a/../b", b"../../x", b"./../x"]
)
async def test_a_symlink_that_leads_out_is_refused(
    connect: Connect, alice: Signer, tmp_path: Path, target: bytes
) -> None:
    link = symlink(target)
    async with connect(alice) as client:
        root = await stored(client, link, directory(out=link))
        with pytest.raises(Unreadable, match="could lead out"):
            await client.contents.save(root, tmp_path / "x")
    assert names_in(tmp_path) == []


async def test_a_symlink_by_itself_is_not_written(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    """It would lead to something else there."""
    file, link = raw(os.urandom(10)), symlink(b"notes.txt")
    async with connect(alice) as client:
        root = await stored(client, file, link, directory(**{"link": link, "notes.txt": file}))
        with pytest.raises(Unreadable, match=r"is a symlink to b'notes\.txt': get what that leads"):
            await client.contents.save(f"{root}/link", tmp_path / "x")
        await client.contents.save(root, tmp_path / "whole")
    assert where_to(tmp_path / "whole" / "link") == "notes.txt"
    assert names_in(tmp_path) == ["whole"]


async def test_a_symlink_within_the_folder_stays_one(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    file, up, down = raw(os.urandom(10)), symlink(b"../file"), symlink(b"below/up")
    below = directory(up=up)
    async with connect(alice) as client:
        blocks = (file, up, down, below, directory(below=below, down=down, file=file))
        root = await stored(client, *blocks)
        await client.contents.save(root, tmp_path / "x")
    assert where_to(tmp_path / "x" / "below" / "up") == "../file"
    assert contents_of(tmp_path / "x")["down"] == file[1]


async def test_one_name_twice_is_one_entry_and_nothing_is_written_through_a_symlink(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    file, inner = raw(os.urandom(10)), symlink(b"real")
    within = directory(file=file)
    links = [named("a", inner), named("a", within), named("real", within)]
    async with connect(alice) as client:
        root = await stored(client, file, inner, within, node(Data(Kind.DIRECTORY), links))
        await client.contents.save(root, tmp_path / "x")
    assert where_to(tmp_path / "x" / "a") == "real"
    assert contents_of(tmp_path / "x" / "real") == {"file": file[1]}


async def test_mode_and_time_are_kept_and_nobody_becomes_somebody_else(
    connect: Connect, alice: Signer, tmp_path: Path
) -> None:
    content = os.urandom(10)
    file = node(Data(Kind.FILE, content, 10, mode=0o4711, mtime=Time(1_000_000_000, 5)))
    async with connect(alice) as client:
        root = await stored(client, file)
        await client.contents.save(root, tmp_path / "x")
    assert mode_and_time(tmp_path / "x") == (0o711, 1_000_000_000_000_000_005)
