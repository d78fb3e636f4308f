"""Goal: a service that is asked to stop finishes what it has begun, takes nothing new, and goes.

Method: a real process, under load or in the middle of an upload, is sent SIGTERM; what it
acknowledged is compared with what it has when it runs again.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import pytest
from yarl import URL

from support.client import Car, Client, Inside, Space, random_car, talking_to
from support.service import Serve, Service

STOP_SECONDS_MAX = 10.0
"""Within which it has to have stopped, whatever goes on."""

HALF = 2 * 1024 * 1024
"""Bytes of half an upload: enough for some to be written."""

GONE = (aiohttp.ClientConnectionError, ConnectionError)
"""What a client gets from a service that takes nothing new."""


async def stopped(service: Service) -> float:
    """Ask it to stop, and wait. The seconds that it took; it has to end with 0."""
    began = time.monotonic()
    assert await asyncio.to_thread(service.stop) == 0, service.output
    return time.monotonic() - began


async def test_under_load_everything_acknowledged_is_kept(serve: Serve) -> None:
    service = serve()
    added: list[Car] = []
    stored: list[Car] = []
    async with talking_to(service) as client:
        alice = client.space()
        busy = asyncio.Event()

        async def keep_on() -> None:
            while True:
                car = random_car()
                ok = (await alice.add(car))["ok"]
                added.append(car)
                if len(added) >= 50:
                    busy.set()
                if await client.put(ok, car.data) == 200:
                    stored.append(car)

        workers = [asyncio.create_task(keep_on()) for _ in range(16)]
        await busy.wait()
        assert await stopped(service) < STOP_SECONDS_MAX
        ended = await asyncio.gather(*workers, return_exceptions=True)
        assert all(isinstance(why, GONE) for why in ended), ended

    assert "Traceback" not in service.output
    service.start()
    async with talking_to(service) as client:
        again = Space(client, alice.owner, "alice")
        listed = set(await again.links())
        assert {car.link for car in added} <= listed
        for car in stored:
            assert await client.fetch(car.link) == car.data
        usage = await again.usage()
        assert usage["entries"] >= len(stored)
        assert usage["used"] + usage["reserved"] == 1_000 * len(listed)


async def test_an_upload_that_has_begun_may_end(serve: Serve) -> None:
    service = serve()
    car = random_car(2 * HALF)
    async with talking_to(service) as client:
        alice = client.space()
        ok = (await alice.add(car))["ok"]
        half_way, go_on = asyncio.Event(), asyncio.Event()

        async def in_two_halves() -> AsyncIterator[bytes]:
            yield car.data[:HALF]
            half_way.set()
            await go_on.wait()
            yield car.data[HALF:]

        uploading = asyncio.create_task(put(client, ok, in_two_halves()))
        await half_way.wait()
        await has_begun(service)
        stopping = asyncio.create_task(stopped(service))
        await refuses_connections(service)
        go_on.set()
        assert await uploading == 200
        assert await stopping < STOP_SECONDS_MAX
    service.start()
    async with talking_to(service) as client:
        assert await Space(client, alice.owner, "alice").place(car) == "Stored"


@pytest.mark.full
async def test_an_upload_that_does_not_end_is_cut_off_in_time(serve: Serve) -> None:
    service = serve()
    car = random_car(2 * HALF)
    async with talking_to(service) as client:
        alice = client.space()
        ok = (await alice.add(car))["ok"]
        half_way = asyncio.Event()

        async def never_whole() -> AsyncIterator[bytes]:
            yield car.data[:HALF]
            half_way.set()
            await asyncio.Event().wait()

        uploading = asyncio.create_task(put(client, ok, never_whole()))
        await half_way.wait()
        await has_begun(service)
        assert await stopped(service) < STOP_SECONDS_MAX
        uploading.cancel()
        await asyncio.gather(uploading, return_exceptions=True)
    assert Inside(service.data).unfinished() == []
    service.start()
    async with talking_to(service) as client:
        again = Space(client, alice.owner, "alice")
        assert await again.place(car) == "Receiving"
        assert await client.put((await again.add(car))["ok"], car.data) == 200


async def put(client: Client, ok: dict[str, object], body: AsyncIterator[bytes]) -> int:
    """PUT a body as it comes."""
    headers = cast("dict[str, str]", ok["headers"])
    url = URL(str(ok["url"]), encoded=True)
    async with client.http.put(url, data=body, headers=headers) as answer:
        return answer.status


async def has_begun(service: Service) -> None:
    """Wait until the service has begun to write an upload."""
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while not Inside(service.data).unfinished():
        assert time.monotonic() < deadline, "no upload has begun"
        await asyncio.sleep(0.01)


async def refuses_connections(service: Service) -> None:
    """Wait until the service takes nothing new."""
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        except ConnectionRefusedError:
            return
        writer.close()
        assert time.monotonic() < deadline, "it still takes connections"
        await asyncio.sleep(0.01)
