"""Goal: however much is asked at once, memory and disk stay bounded, what is too much is told so,
and one space does not take the turns of another.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable
from typing import Any

from hostile.memory import MIB, resident
from support.client import Client, Inside, Reply, Space, body_of, random_car
from taijitu.protocols.fairness import REFUSALS_MAX

FLOOD, IN_ONE = 60, 60
"""Messages at once, and invocations in each: more than a space may have waiting."""
ASKED = 5
WAIT_SHARE_MAX = 0.5
"""Of the time that the flood takes: how long others wait for one answer, at most."""
GROWTH_MAX = 128 * MIB


def many_adds(space: Space) -> bytes:
    return body_of([space.asks_to_add(random_car(10)) for _ in range(IN_ONE)])


async def flood(space: Space) -> list[Reply]:
    bodies = [many_adds(space) for _ in range(FLOOD)]
    return await asyncio.gather(*[space.client.post(body) for body in bodies])


async def seconds_of(answer: Awaitable[dict[str, Any]]) -> float:
    began = time.monotonic()
    assert "ok" in await answer
    return time.monotonic() - began


async def test_a_flood_in_one_space_is_bounded_and_does_not_starve_another(client: Client) -> None:
    mallory, alice = client.space("mallory"), client.space("alice")
    await alice.add(random_car())
    await mallory.add(random_car())
    before = resident(client.service)
    flooding = asyncio.create_task(flood(mallory))
    await asyncio.sleep(0)
    began = time.monotonic()
    waited = [await seconds_of(alice.add(random_car())) for _ in range(ASKED)]
    replies = await flooding
    assert max(waited) < WAIT_SHARE_MAX * (time.monotonic() - began)
    counted = Counter(reply.status for reply in replies)
    assert set(counted) == {200, 503}, counted
    for reply in replies:
        if reply.status == 503:
            assert reply.headers["retry-after"] == "1"
            assert reply.text == "Too much is under way in this space. Ask again.\n"
    assert resident(client.service) - before < GROWTH_MAX
    assert "ok" in await mallory.add(random_car())


async def test_refusals_without_end_are_not_written_down_without_end(client: Client) -> None:
    mallory, alice = client.space("mallory"), client.space("alice")
    inside = Inside(client.service.data)

    def receipts() -> int:
        return inside.rows("SELECT count(*) FROM receipt")[0][0]

    before, batch = receipts(), 128
    statuses: list[int] = []
    for _ in range(REFUSALS_MAX // batch + 2):
        asked = [mallory.asks_to_remove(random_car(10)) for _ in range(batch)]
        reply = await client.post(body_of(asked))
        statuses.append(reply.status)
    assert statuses == [200] * (REFUSALS_MAX // batch) + [503] * 2
    assert REFUSALS_MAX <= receipts() - before <= REFUSALS_MAX + 64
    reply = await client.post(body_of([mallory.asks_to_remove(random_car())]))
    assert reply.text == "Too much was refused in this space. Ask again later.\n"
    assert 0 < int(reply.headers["retry-after"]) <= 10 * 64
    assert "ok" in await mallory.page()
    assert "ok" in await alice.add(random_car())
