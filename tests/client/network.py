"""A service, and the proxy through which it is reached."""

from dataclasses import dataclass, field
from pathlib import Path

from client.proxy import Proxy
from support.client import Inside
from support.service import Service
from taijitu.client import Client, Retry, Retrying, Signer


@dataclass
class Network:
    service: Service
    proxy: Proxy
    url: str
    retry: Retry
    retries: list[Retrying] = field(default_factory=list[Retrying])

    def client(self, key: Signer | None = None, **more: object) -> Client:
        """A client that hurries."""
        given: dict[str, object] = {"retry": self.retry, "notice": self.retries.append} | more
        return Client(self.url, key=key, **given)  # type: ignore[arg-type]

    @property
    def inside(self) -> Inside:
        return Inside(self.service.data)

    def incoming(self) -> list[Path]:
        return self.inside.unfinished()
