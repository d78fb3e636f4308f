"""What the HTTP side bears, each limit under its name and with its unit."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

RPC_BODY_SIZE_MAX: Final = 16 * 1024 * 1024
"""Bytes of one `POST /`."""

RPC_BODY_SIZE_FREE: Final = 16 * 1024
"""Bytes of each `POST /` that always find room."""

RPC_BODIES_SIZE_MAX: Final = 64 * 1024 * 1024
"""Bytes of all `POST /` under way, beyond those that always find room."""

RPC_BODY_TIME_MAX: Final = 60.0
"""Seconds in which the body of one `POST /` has to arrive."""

RPCS_MAX: Final = 4096
"""`POST /`, once their bodies are here, and receipt requests under way at once."""

UPLOADS_MAX: Final = 256
"""`PUT`s under way at once."""

UPLOADS_OF_ONE_MAX: Final = 4
"""`PUT`s of the same object under way at once: each has a temporary file of its own."""

DOWNLOADS_MAX: Final = 512
"""`GET`s of stored bytes under way at once."""

GATEWAY_MAX: Final = 128
"""Requests to the gateway under way at once. Each holds up to three blocks of up to 2 MiB."""

GATEWAY_CARS_MAX: Final = 32
"""CARs among them. Each remembers what has come: up to 80 MiB, where there are very many blocks."""

GATEWAY_OF_ONE_MAX: Final = 32
"""Those of one address, or of one IPv6 network of 64 bits; addresses of private networks, from
which proxies ask, are not counted."""

GATEWAY_CARS_OF_ONE_MAX: Final = 8
"""CARs among those."""

GATEWAY_BURST: Final = 2_000
"""Requests to the gateway from one address that are answered at once, after a pause …"""

GATEWAY_PAUSE: Final = 5
"""… and then one every so many milliseconds."""

SILENCE_MAX: Final = 60.0
"""Seconds that a peer in the middle of a transfer may neither give nor take anything."""

SENT_AT_ONCE: Final = 256 * 1024
"""Bytes that a peer has to take within that time, if so many wait for him: he may be slow, and not
silent. What is larger is sent in parts."""

RETRY_AFTER: Final = "1"
"""Seconds a client should wait when it is told that too much is under way."""

HEAD_TIME_MAX: Final = 10.0
"""Seconds in which request line and headers have to be complete."""

HEAD_SIZE_MAX: Final = 32 * 1024
"""Bytes of request line and headers."""

IDLE_TIME_MAX: Final = 65
"""Seconds that a connection is kept open between two requests."""

LINGER_TIME_MAX: Final = 5.0
"""Seconds that the rest of a body is still taken (and thrown away) after the answer was given, so
that a client that is still sending gets to read the answer."""

CONNECTIONS_MAX: Final = 4096
"""Connections open at once, over all listeners of a kind."""

STOP_TIME_MAX: Final = 8
"""Seconds that requests under way get when the service stops."""


class Full(Exception):
    """No slot is free: too much of this kind is under way."""


class Slots:
    """So many at once, and no queue: who finds none free is told at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    @contextmanager
    def one(self) -> Generator[None, None, None]:
        """Take a slot for the time of a block. Raises `Full`."""
        if self.taken >= self.limit:
            raise Full
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class SlotsByName:
    """So many at once under each name."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken: dict[bytes, int] = {}

    @contextmanager
    def one(self, name: bytes) -> Generator[None, None, None]:
        """Take a slot under `name` for the time of a block. Raises `Full`."""
        before = self.taken.get(name, 0)
        if before >= self.limit:
            raise Full
        self.taken[name] = before + 1
        try:
            yield
        finally:
            self.taken[name] -= 1
            if not self.taken[name]:
                del self.taken[name]


class Room:
    """So many bytes of all bodies at once, not counting the first `free` of each."""

    def __init__(self, limit: int, free: int) -> None:
        self.limit = limit
        self.free = free
        self.taken = 0

    @contextmanager
    def one(self) -> Generator[Callable[[int], None], None, None]:
        """For the time of a block, a body: call what it gives with the size it has so far. That
        raises `Full`."""
        taken = 0

        def grow(size: int) -> None:
            nonlocal taken
            more = size - self.free - taken
            if more > 0:
                if self.taken + more > self.limit:
                    raise Full
                self.taken += more
                taken += more

        try:
            yield grow
        finally:
            self.taken -= taken
