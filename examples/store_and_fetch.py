"""Store a file, list what the space holds, and fetch the file again.

Start a service with `make serve`, then: python examples/store_and_fetch.py FILE.car
"""

import asyncio
import sys
from pathlib import Path

from taijitu.client import Client, new_key


async def main(path: Path, url: str) -> None:
    async with Client(url, key=new_key()) as client:
        added = await client.store.add(path)
        async for item in client.store.list():
            print(item.link, item.size)
        print(len(await client.fetch(added.link)), "bytes, fetched and verified")


asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:] or ["http://localhost:3000"]))
