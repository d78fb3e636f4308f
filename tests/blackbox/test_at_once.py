"""What was stored as a bare CAR opens at once: whoever asks too early waits for a moment."""

import os
from pathlib import Path

from support.client import Car, talking_to
from support.service import Service
from taijitu.ipld.car import encode
from taijitu.ipld.cid import CAR, RAW, link_to

CARS, BLOCKS = 20, 50


async def test_a_block_opens_as_soon_as_its_car_is_stored(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    service.start()
    try:
        async with talking_to(service) as client:
            alice = client.space("alice")
            for _ in range(CARS):
                blocks = [os.urandom(1_000) for _ in range(BLOCKS)]
                data = encode([], [(link_to(block, RAW), block) for block in blocks])
                car = Car(link_to(data, CAR), data)
                added = (await alice.add(car))["ok"]
                assert await client.put(added, car.data) == 200
                url = f"{service.url}/ipfs/{link_to(blocks[-1], RAW)}?format=raw"
                reply = await client.request("GET", url)
                assert (reply.status, reply.body) == (200, blocks[-1])
    finally:
        service.stop()
