"""Goal: a slow peer is no silent one: he never has to take much at once, however it was read."""

import asyncio
from collections.abc import AsyncGenerator

from taijitu.server.http import Message, Request, Stream, reply
from taijitu.server.limits import SENT_AT_ONCE


async def test_long_chunks_are_sent_in_parts_and_come_whole() -> None:
    data = [bytes([number]) * size for number, size in enumerate((3 * SENT_AT_ONCE + 1, 0, 1, 9))]

    async def chunks() -> AsyncGenerator[bytes, None]:
        for chunk in data:
            yield chunk

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return await asyncio.get_running_loop().create_future()

    scope = {"method": "GET", "path": "/", "query_string": b"", "headers": []}
    length = sum(map(len, data))
    given = await reply(Request(scope, receive), Stream(200, {}, length, chunks()), {}, send)
    parts = [message["body"] for message in sent[1:]]
    assert given == length
    assert b"".join(parts) == b"".join(data)
    assert max(map(len, parts)) == SENT_AT_ONCE
    assert [message.get("more_body") for message in sent[1:]] == [True] * 6 + [False]
