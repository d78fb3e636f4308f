"""An installation for each test, on a folder of its own; and one behind HTTP for a whole module:
content never changes, so tests that store different content do not meet."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from taijitu.server import config as configuration
from taijitu.server.installation import Installation, opened
from unit.gateway.site import Site, open_site


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncGenerator[Installation]:
    async with opened(settings(tmp_path)) as installation:
        yield installation


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    folder = tmp_path_factory.mktemp("site")
    async with opened(settings(folder)) as installation, open_site(installation) as site:
        yield site


def settings(folder: Path) -> configuration.Config:
    environ = {"TAIJITU_DATA": str(folder / "data"), "TAIJITU_PORT": "3210"}
    return configuration.load(environ, folder).config
