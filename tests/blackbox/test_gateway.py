"""Goal: what was stored opens by its CID, until somebody takes it away or an operator objects.

Method: a real service; CARs come through `store/add`, commands are processes of their own.
"""

import json
import os
import subprocess
from pathlib import Path
from shutil import which

import pytest

from support.client import Car, Client, Space, talking_to
from support.command import taijitu
from support.eventually import eventually
from support.service import Serve, Service
from taijitu.ipld import car
from taijitu.ipld.cid import CAR, link_to
from unit.gateway.site import Stored, file, folder

SECONDS_MAX = 20


def car_of(content: Stored) -> Car:
    blocks = [(each.link, bytes(each.data)) for each in content.blocks]
    data = car.encode([content.link], blocks)
    return Car(link_to(data, CAR), data)


async def status(client: Client, path: str) -> int:
    reply = await client.request("GET", client.service.url + path, allow_redirects=False)
    return reply.status


async def stored(space: Space, content: Stored) -> Car:
    """Store it, and wait until it was looked through."""
    archive = car_of(content)
    await space.store(archive)
    await eventually(
        lambda: status(space.client, content.path), lambda found: found < 400, seconds=SECONDS_MAX
    )
    return archive


async def text(client: Client, path: str) -> str:
    return (await client.request("GET", client.service.url + path)).text


async def test_what_was_stored_opens_a_moment_later_and_after_a_restart(serve: Serve) -> None:
    service = serve()
    content = folder({"hello.txt": file(b"hello, world")})
    async with talking_to(service) as client:
        await stored(client.space(), content)
        assert await text(client, f"{content.path}/hello.txt") == "hello, world"
        service.restart()
        assert await text(client, f"{content.path}/hello.txt") == "hello, world"


async def test_what_was_removed_is_gone_at_once_unless_somebody_else_has_it(
    service: Service,
) -> None:
    content = file(os.urandom(100))
    async with talking_to(service) as client:
        alice, bob = client.space("alice"), client.space("bob")
        archive = await stored(alice, content)
        await bob.store(archive)
        await alice.remove(archive)
        assert await status(client, content.path) == 200
        await bob.remove(archive)
        assert await status(client, content.path) == 404


async def test_what_only_blocked_spaces_hold_is_not_given_out(serve: Serve) -> None:
    service = serve()
    content, other = file(os.urandom(100)), file(os.urandom(100))
    async with talking_to(service) as client:
        mallory, bob = client.space("mallory"), client.space("bob")
        archive = await stored(mallory, content)
        await stored(bob, other)
        assert taijitu(service, "space", "block", mallory.did).code == 0
        assert await status(client, content.path) == 404
        assert await status(client, f"/{archive.link}/{archive.link}.car") == 404
        assert await status(client, other.path) == 200
        await bob.store(archive)
        assert await status(client, content.path) == 200
        assert taijitu(service, "space", "block", bob.did).code == 0
        assert await status(client, content.path) == 404
        service.restart()
        assert await status(client, content.path) == 404
        assert taijitu(service, "space", "unblock", mallory.did).code == 0
        assert await status(client, content.path) == 200


async def test_an_operator_blocks_and_unblocks_while_the_service_runs_or_not(
    serve: Serve,
) -> None:
    service = serve()
    content = file(os.urandom(100))
    async with talking_to(service) as client:
        archive = await stored(client.space(), content)
        said = taijitu(service, "blocked")
        assert (said.code, said.out) == (0, "Nothing is blocked. `taijitu block CID` would.\n")

        done = taijitu(service, "block", str(content.link), "--why", "a court says so")
        assert (done.code, done.out.splitlines()[0]) == (0, f"{content.link} is not given out.")
        assert done.out.endswith(f"\n  taijitu block {archive.link}\n"), "whoever has it has all"
        assert await status(client, content.path) == 410
        assert "court" not in await text(client, content.path)
        assert "a court says so" in taijitu(service, "blocked").out

        service.stop()
        done = taijitu(service, "block", str(archive.link), "--json")
        told = json.loads(done.out)
        assert (done.code, told["cid"], told["also_in"]) == (0, str(archive.link), [])
        listed = json.loads(taijitu(service, "blocked", "--json").out)
        assert [each["cid"] for each in listed] == [str(archive.link), str(content.link)]
        service.start()
        assert await status(client, content.path) == 410
        assert await status(client, f"/{archive.link}/{archive.link}.car") == 410

        undone = taijitu(service, "unblock", str(content.link))
        assert (undone.code, undone.out) == (0, f"{content.link} is given out again.\n")
        assert await status(client, content.path) == 410, "it lies in what is blocked"
        undone = taijitu(service, "unblock", str(archive.link), "--json")
        assert json.loads(undone.out) == {"cid": str(archive.link), "denied": True}
        assert await status(client, content.path) == 200
        again = taijitu(service, "unblock", str(content.link))
        assert (again.code, again.out) == (0, f"{content.link} was not blocked.\n")


def test_what_is_no_cid_cannot_be_blocked(service: Service) -> None:
    refused = taijitu(service, "block", "nonsense")
    assert (refused.code, refused.out) == (1, "")
    assert "is not a CID" in refused.err


async def test_a_gateway_that_is_off_says_so(serve: Serve) -> None:
    content = file(os.urandom(100))
    for settings in ({"TAIJITU_GATEWAY": "off"}, {"TAIJITU_READ": "closed"}):
        service = serve(**settings)
        async with talking_to(service) as client:
            await client.space().store(car_of(content))
            reply = await client.request("GET", service.url + content.path)
            assert (reply.status, "gateway is off" in reply.text) == (404, True)


# curl


@pytest.fixture
def curl() -> str:
    found = which("curl")
    if found is None:
        pytest.skip("needs curl")
    return found


async def test_curl_resumes_a_download_and_asks_for_ranges(
    service: Service, curl: str, tmp_path: Path
) -> None:
    data = os.urandom(3_000_000)
    content = file(data)
    async with talking_to(service) as client:
        await stored(client.space(), content)
    url, target = service.url + content.path, tmp_path / "file"

    def run(*options: str) -> bytes:
        command = [curl, "-sS", "--fail", "--noproxy", "*", *options, url]
        return subprocess.run(command, capture_output=True, check=True).stdout

    assert run("-r", "1048570-1048580") == data[1_048_570:1_048_581]
    assert run("-r", "-5") == data[-5:]
    target.write_bytes(data[:1_500_000])
    run("-C", "-", "-o", str(target))
    assert target.read_bytes() == data
    assert b"200" in run("-I")
