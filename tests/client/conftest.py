"""A service behind a network that fails when it is told to."""

from collections.abc import AsyncGenerator, Callable, Generator

import pytest

from client.network import Network
from client.proxy import between
from support.service import Service, free_port, running
from taijitu.client import Client, Retry, Signer, new_key


@pytest.fixture
def alice() -> Signer:
    return new_key()


@pytest.fixture
def bob() -> Signer:
    return new_key()


@pytest.fixture
def connect(service: Service) -> Callable[..., Client]:
    """Clients of the service that the tests of a module share."""

    def connect(key: Signer | None = None, **more: object) -> Client:
        return Client(service.url, key=key, **more)  # type: ignore[arg-type]

    return connect


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service whose public URL leads to a proxy; the tests of a module share it."""
    settings = {"TAIJITU_PUBLIC_URL": f"http://localhost:{free_port()}"}
    with running(Service(tmp_path_factory.mktemp("hidden") / "data", settings)) as service:
        yield service


@pytest.fixture
async def network(hidden: Service) -> AsyncGenerator[Network]:
    """A service that is reached through a proxy only."""
    url = hidden.settings["TAIJITU_PUBLIC_URL"]
    async with between(int(url.rpartition(":")[2]), hidden.port) as proxy:
        yield Network(hidden, proxy, url, Retry(pause=0.01))
