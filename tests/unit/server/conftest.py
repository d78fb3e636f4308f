"""A service for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taijitu.server.settings import Reading
from unit.server.running import Service, running_service


@pytest.fixture
def reading() -> Reading:
    return "public"


@pytest.fixture
async def service(tmp_path: Path, reading: Reading) -> AsyncIterator[Service]:
    async with running_service(tmp_path, reading) as service:
        yield service
