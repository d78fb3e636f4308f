"""Goal: the client works with a service that is not ours, as it does with ours; and says so where
that cannot do what is asked.

Method: the published packages' own server over HTTP (`upstream/reference.mjs`), in both of its
generations: one keeps bytes itself, the other has nodes for that, with keys of their own. The
client is given a URL, a DID and a key, as a stranger would be.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from time import time
from typing import IO, Any, Final, cast

import pytest

from support.node import SCRIPTS, node
from support.service import SOURCE
from taijitu.cli.login import keep
from taijitu.client import (
    Client,
    HandlerNotFound,
    InsufficientStorage,
    NotFound,
    Put,
    Refused,
    Signer,
    Unauthorized,
    Untrusted,
    new_key,
)
from taijitu.client import files as packing
from taijitu.client.proofs import encode
from taijitu.ipld.cid import CAR, RAW, Link, link_to

pytestmark = pytest.mark.full

UPSTREAM: Final = SCRIPTS / "upstream"
PACKAGES: Final = ["@storacha/upload-api", "@web3-storage/upload-api"]
MIB: Final = 1024 * 1024
SHARD: Final = 2 * MIB
ALICE: Final = "alice@example.com"
BOB: Final = "bob@example.com"
SECONDS_MAX: Final = 60
"""For a command."""


class Elsewhere:
    """A service of another kind, as a process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        told = self.answer()
        self.url, self.did, self.key = (str(told[name]) for name in ("url", "did", "key"))

    def answer(self) -> dict[str, Any]:
        line = cast("IO[str]", self.process.stdout).readline()
        assert line, f"the reference service has exited with {self.process.wait()}"
        return json.loads(line)

    def ask(self, **request: object) -> dict[str, Any]:
        """Have something done behind its back: see `reference.mjs`."""
        requests = cast("IO[str]", self.process.stdin)
        requests.write(json.dumps(request) + "\n")
        requests.flush()
        return self.answer()

    def connect(self, key: Signer | None = None, **more: Any) -> Client:
        given: dict[str, Any] = {"did": self.did, "service_key": self.key, "key": key}
        return Client(self.url, **given | more)

    def taijitu(self, key: Signer, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command, told of the service by its options."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TAIJITU_")}
        told = ["--url", self.url, "--did", self.did, "--service-key", self.key]
        return subprocess.run(
            [sys.executable, "-m", "taijitu", *words, *told],
            env=environment | {"PYTHONPATH": str(SOURCE), "TAIJITU_AGENT_KEY": key.format()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    def run(self, key: Signer, *words: str) -> str:
        """What a command that works prints."""
        done = self.taijitu(key, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module", params=PACKAGES)
def elsewhere(request: pytest.FixtureRequest) -> Generator[Elsewhere]:
    """It ends when its input does, and has to end well."""
    if not (UPSTREAM / "node_modules").is_dir():
        pytest.fail("the upstream packages are not installed; `make test-full` installs them")
    command = [node(), str(UPSTREAM / "reference.mjs"), request.param]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Elsewhere(process)
            process.communicate(timeout=SECONDS_MAX)
        finally:
            process.kill()
    assert process.returncode == 0


@pytest.fixture
def alice(elsewhere: Elsewhere) -> Signer:
    """She has room at the service, in her own space."""
    key = new_key()
    elsewhere.ask(provision=key.did)
    return key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("a", "b/c", "b/ü ☯", "empty"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(1000) if name != "empty" else b"")
    return folder


def files_of(folder: Path) -> list[dict[str, str]]:
    """As the published client is given them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [{"name": str(path.relative_to(folder)), "path": str(path)} for path in paths]


async def logged_in(client: Client, elsewhere: Elsewhere) -> None:
    """Somebody reads the mail and says yes, while the client waits."""
    said = asyncio.create_task(asyncio.to_thread(elsewhere.ask, confirm=True))
    await client.login(ALICE, within=30)
    assert await said == {"email": ALICE}


async def holdings(client: Client) -> tuple[set[Link], set[bytes]]:
    """The roots and the digests that the service lists."""
    roots = {upload.root async for upload in client.uploads.list()}
    return roots, {blob.digest async for blob in client.blobs.list()}


async def test_a_large_file_goes_up_in_shards_and_has_the_cid_that_others_give_it(
    elsewhere: Elsewhere, alice: Signer, tmp_path: Path
) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(5 * MIB + 7))

    async def put(client: Client) -> Put:
        return await packing.put(
            client.space, file, shard_size=SHARD, at_once=2, progress=lambda _: None
        )

    async with elsewhere.connect(alice) as client:
        made = await put(client)
        assert len(made.shards) > 3
        assert made.sent == made.stored
        assert str(made.root) == elsewhere.ask(root=str(file))["cid"]
        assert (await client.uploads.get(made.root)).shards == made.shards
        digests = {link.multihash for link in (*made.shards, made.index)}
        assert await holdings(client) == ({made.root}, digests)
        again = await put(client)
        assert (again.root, again.sent) == (made.root, 0)


async def test_a_folder_goes_up_is_listed_and_goes_away_again(
    elsewhere: Elsewhere, alice: Signer, folder: Path
) -> None:
    async with elsewhere.connect(alice) as client:
        made = await client.put(folder)
        assert str(made.root) == elsewhere.ask(root=files_of(folder))["cid"]
        other = await client.put(b"something else")
        listed = [upload async for upload in client.uploads.list(1)]
        assert [(each.root, each.shards) for each in listed] == [
            (other.root, other.shards),
            (made.root, made.shards),
        ]
        removed = await client.space.remove(made.root)
        assert [each.link for each in removed] == list(made.shards)
        assert sum(each.size or 0 for each in removed) > 3000
        roots, digests = await holdings(client)
        assert roots == {other.root}
        assert digests.isdisjoint({link.multihash for link in made.shards})
        with pytest.raises(NotFound, match=str(made.root)):
            await client.space.remove(made.root)


async def test_the_service_says_where_the_bytes_are_and_there_they_are(
    elsewhere: Elsewhere, alice: Signer
) -> None:
    data = os.urandom(2000)
    async with elsewhere.connect(alice) as client:
        added = await client.blobs.add(data)
        assert added.sent
        assert added.url is not None
        assert b"".join([part async for part in client.connection.read(added.url)]) == data
        again = await client.blobs.add(data)
        assert (again.sent, again.url) == (False, added.url)
        assert (await client.blobs.get(added.link)).size == len(data)
        assert (await client.blobs.remove(added.link)).size == len(data)
        with pytest.raises(NotFound):
            await client.blobs.get(added.link)


async def test_a_car_is_stored_as_it_is(elsewhere: Elsewhere, alice: Signer) -> None:
    async with elsewhere.connect(alice) as client:
        data = os.urandom(3000)
        added = await client.store.add(data)
        assert (added.link, added.sent, added.allocated) == (link_to(data, CAR), True, len(data))
        assert [item.link async for item in client.store.list()] == [added.link]
        assert not (await client.store.add(data)).sent
        await client.store.remove(added.link)
        with pytest.raises(NotFound):
            await client.store.get(added.link)


async def test_what_is_passed_on_works_until_it_is_taken_back(
    elsewhere: Elsewhere, alice: Signer
) -> None:
    bob, mallory = new_key(), new_key()
    expiration = int(time()) + 1000
    async with elsewhere.connect(alice) as owner:
        proof = owner.delegate(bob.did, ["upload/*", "space/*"], expiration=expiration)
        async with elsewhere.connect(bob, proofs=[proof]) as client:
            assert client.space.did == alice.did
            made = await client.put(b"by bob")
            assert (await owner.uploads.get(made.root)).shards == made.shards
            onward = client.delegate(mallory.did, ["upload/list"], expiration=expiration)
            async with elsewhere.connect(mallory, proofs=[onward]) as other:
                assert [each.root async for each in other.uploads.list()] == [made.root]
                with pytest.raises(Unauthorized):
                    await other.uploads.get(made.root)
                await owner.revoke(proof)
                with pytest.raises(Unauthorized, match="revoked"):
                    _ = [each async for each in other.uploads.list()]
            with pytest.raises(Unauthorized, match="revoked"):
                await client.put(b"by bob, too late")


async def test_who_logs_in_makes_a_space_with_room_and_finds_it_again(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    agent, device = new_key(), new_key()
    async with elsewhere.connect(agent) as client:
        await logged_in(client, elsewhere)
        made = await client.create_space(ALICE)
        assert (await client.space.info()).providers == (elsewhere.did,)
        added = await client.put(b"in a space of the account")
        kept = keep(client.proofs, tmp_path / "proofs")
    async with elsewhere.connect(agent, proofs=[Path(each) for each in kept]) as again:
        assert again.space.did == made.did
        assert [each.root async for each in again.uploads.list()] == [added.root]
    async with elsewhere.connect(device) as other:
        with pytest.raises(Unauthorized):
            await other.at(made.did).info()
        await logged_in(other, elsewhere)
        assert other.space.did == made.did
        assert [each.root async for each in other.uploads.list()] == [added.root]


async def test_what_the_service_refuses_is_told_by_its_kind(
    elsewhere: Elsewhere, alice: Signer
) -> None:
    link = link_to(b"never stored", CAR)
    async with elsewhere.connect(new_key()) as poor:
        with pytest.raises(InsufficientStorage, match="has no storage provider"):
            await poor.put(b"no room")
        with pytest.raises(InsufficientStorage):
            await poor.store.add(b"no room")
        with pytest.raises(NotFound):
            await poor.space.info()
    async with elsewhere.connect(alice) as client:
        with pytest.raises(HandlerNotFound):
            await client.invoke("taijitu/unheard-of", {})
        with pytest.raises(NotFound):
            await client.uploads.get(link)
        with pytest.raises(NotFound):
            await client.blobs.get(link)
        with pytest.raises(NotFound):
            await client.store.get(link)
        assert (await client.blobs.remove(link)).size == 0


async def test_an_ability_that_the_client_does_not_know_is_asked_for_by_its_name(
    elsewhere: Elsewhere, alice: Signer
) -> None:
    said = {"words": ["hello", 7, link_to(b"there")]}
    async with elsewhere.connect(alice) as client:
        assert await client.invoke("console/log", {"value": said}) == said
        with pytest.raises(Refused, match="Error from console") as refused:
            await client.invoke("console/error", {"error": said})
        assert refused.value.fields["cause"] == said


async def test_only_the_key_that_was_named_is_believed(elsewhere: Elsewhere, alice: Signer) -> None:
    async with elsewhere.connect(alice, service_key=new_key().did) as client:
        with pytest.raises(Untrusted, match=f"{elsewhere.did} did not sign"):
            await client.put(b"hello")
    async with Client(elsewhere.url, key=alice, did=elsewhere.did) as client:
        with pytest.raises(Untrusted, match="give its DID and its public key"):
            await client.put(b"hello")


async def test_what_cannot_be_read_there_is_said_to_be_read_elsewhere(
    elsewhere: Elsewhere, alice: Signer, tmp_path: Path
) -> None:
    async with elsewhere.connect(alice) as client:
        made = await client.put(b"hello")
        with pytest.raises(NotFound, match="neither by a gateway nor"):
            await client.get(made.root, tmp_path / "back")
        with pytest.raises(NotFound, match="not stored at"):
            await client.fetch(made.shards[0])
    async with elsewhere.connect() as anybody:
        with pytest.raises(NotFound, match=f"/ipfs/{made.root}"):
            await anybody.get(made.root, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_shell_puts_lists_and_removes(elsewhere: Elsewhere, alice: Signer, folder: Path) -> None:
    cid = elsewhere.ask(root=files_of(folder))["cid"]
    done = elsewhere.taijitu(alice, "put", str(folder))
    assert (done.returncode, done.stdout) == (0, f"{cid}\n"), done.stderr
    assert "opens at" not in done.stderr
    assert elsewhere.run(alice, "ls").split()[0] == cid
    file = json.loads(elsewhere.run(alice, "put", str(folder / "a"), "--json"))
    assert file["cid"] == str(link_to((folder / "a").read_bytes(), RAW))
    assert (file["space"], file["url"], file["size"]) == (alice.did, None, 1000)
    elsewhere.run(alice, "rm", cid)
    listed = elsewhere.run(alice, "ls", "--json").splitlines()
    assert [json.loads(line)["cid"] for line in listed] == [file["cid"]]
    refused = elsewhere.taijitu(alice, "get", file["cid"], "-o", str(folder / "back"))
    assert refused.returncode == 1
    assert "neither by a gateway nor" in refused.stderr
    poor = elsewhere.taijitu(new_key(), "put", str(folder))
    assert "there is no room" in poor.stderr


async def test_a_shell_lets_others_in_and_takes_it_back(
    elsewhere: Elsewhere, alice: Signer, tmp_path: Path
) -> None:
    bob = new_key()
    async with elsewhere.connect(alice) as owner:
        made = await owner.put(b"for bob as well")
        abilities = ["upload/list", "store/list"]
        proof = owner.delegate(bob.did, abilities, expiration=int(time()) + 1000)
    file = tmp_path / "proof.car"
    file.write_bytes(encode(proof))
    assert elsewhere.run(bob, "ls", "--proof", str(file)).split()[0] == str(made.root)
    assert str(proof.delegation.link) in elsewhere.run(alice, "revoke", str(file))
    refused = elsewhere.taijitu(bob, "ls", "--proof", str(file))
    assert refused.returncode == 1
    assert "revoked" in refused.stderr


async def test_a_shell_logs_in_and_makes_a_space_with_room(
    elsewhere: Elsewhere, folder: Path, tmp_path: Path
) -> None:
    bob, proofs, key = new_key(), tmp_path / "proofs", tmp_path / "space.key"
    said = asyncio.create_task(asyncio.to_thread(elsewhere.ask, confirm=True))
    told = await asyncio.to_thread(elsewhere.run, bob, "login", BOB, "--out", str(proofs))
    assert await said == {"email": BOB}
    assert set(told.splitlines()) == {str(path) for path in proofs.iterdir()}
    create = ("space", "create", "--account", BOB, "--proof", str(proofs), "--out", str(key))
    space = elsewhere.run(bob, *create).strip()
    proof = ("--proof", str(key.with_suffix(".car")))
    put = json.loads(elsewhere.run(bob, "put", str(folder), "--json", *proof))
    assert put["space"] == space
    assert elsewhere.run(bob, "ls", *proof).split()[0] == put["cid"]
