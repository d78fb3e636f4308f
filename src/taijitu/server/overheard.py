"""The invocations that came in since the start, for `/testing/task`: the engine keeps their links
alone."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from taijitu.ipld.cid import Link
from taijitu.server.app import Rpc
from taijitu.server.http import HttpAnswer
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.delegation import InvalidDelegation
from taijitu.wire import exchange
from taijitu.wire.message import Message

KEPT_SIZE_MAX: Final = 64 * 2**20
"""Bytes of blocks that are kept; then the oldest invocations go."""


class Overheard:
    """Listens at the door, and forgets what is oldest."""

    def __init__(self, size_max: int = KEPT_SIZE_MAX) -> None:
        self.size_max = size_max
        self.size = 0
        self.kept: OrderedDict[Link, Mapping[Link, bytes]] = OrderedDict()

    def listening(self, rpc: Rpc) -> Rpc:
        """The same door, at which this listens."""

        async def answer(content_type: str | None, accept: str | None, body: bytes) -> HttpAnswer:
            asked = exchange.accept(content_type, accept, body)
            if isinstance(asked, Message):
                self.hear(asked)
            return await rpc(content_type, accept, body)

        return answer

    def hear(self, message: Message) -> None:
        """Keep the invocations of a message, each with all that travels with it."""
        bundle = Bundle(message.blocks)
        for link in message.execute:
            try:
                blocks = bundle.export(bundle.view(link))
            except InvalidDelegation:
                continue
            self.forget(link)
            self.kept[link] = blocks
            self.size += size_of(blocks)
        while self.size > self.size_max:
            self.forget(next(iter(self.kept)))

    def forget(self, link: Link) -> None:
        self.size -= size_of(self.kept.pop(link, {}))

    def blocks(self, link: Link) -> Mapping[Link, bytes] | None:
        """An invocation and the blocks that travel with it."""
        return self.kept.get(link)


def size_of(blocks: Mapping[Link, bytes]) -> int:
    return sum(map(len, blocks.values()))
