"""A service behind a network that fails when it is told to."""

from collections.abc import AsyncGenerator, Callable

import pytest

from client.network import Network
from client.proxy import between
from support.service import Serve, Service, free_port
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


@pytest.fixture
async def network(serve: Serve) -> AsyncGenerator[Network]:
    """A service that is reached through a proxy only."""
    port = free_port()
    service = serve(TAIJITU_PUBLIC_URL=f"http://localhost:{port}")
    async with between(port, service.port) as proxy:
        yield Network(service, proxy, f"http://localhost:{port}", Retry(pause=0.01))
