"""An installation for each test, on a folder of its own, without a service."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from taijitu.server import config as configuration
from taijitu.server.installation import Installation, opened


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncGenerator[Installation]:
    environ = {"TAIJITU_DATA": str(tmp_path / "data"), "TAIJITU_PORT": "3210"}
    async with opened(configuration.load(environ, tmp_path).config) as installation:
        yield installation
