"""One service for each file of hostile requests, and the proof that they leave no trace in it."""

from collections.abc import AsyncGenerator
from functools import partial

import pytest

from hostile.asking import Target
from support.client import Client, Inside, random_car, talking_to
from support.eventually import eventually
from support.service import Service


@pytest.fixture
async def client(service: Service) -> AsyncGenerator[Client]:
    async with talking_to(service) as client:
        yield client


@pytest.fixture
async def target(client: Client) -> Target:
    alice, stored, awaited = client.space("alice"), random_car(), random_car()
    await alice.store(stored)
    await alice.add(awaited)
    return Target(alice, stored, awaited)


async def scans_in(inside: Inside) -> int:
    """How many CARs are still being looked through."""
    return inside.rows("SELECT count(*) FROM task WHERE ability = 'contents/scan'")[0][0]


@pytest.fixture
async def untouched(target: Target, service: Service) -> AsyncGenerator[Target]:
    """The target. When the test is over nothing may have changed: no cell, task or receipt in the
    database, no file among the bytes, no total of a space."""
    inside = Inside(service.data)
    await eventually(partial(scans_in, inside), lambda open_still: open_still == 0, seconds=10)
    before = inside.everything(), await target.client.admin("spaces")
    yield target
    assert (inside.everything(), await target.client.admin("spaces")) == before
    assert await target.client.fetch(target.stored.link) == target.stored.data
