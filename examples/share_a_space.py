"""Alice lets Bob store in her space for a day; Bob does, and Alice sees it.

Start a service with `make serve`, then: python examples/share_a_space.py
"""

import asyncio
import sys
import time

from taijitu.client import Client, Proof, new_key
from taijitu.ucan.issue import delegate

DAY = 86_400


async def main(url: str) -> None:
    alice, bob = new_key(), new_key()
    allowed = delegate(
        alice,
        bob.did,
        [{"can": "store/*", "with": alice.did}],
        expiration=int(time.time()) + DAY,
    )
    proof = Proof(allowed, {allowed.link: allowed.data})
    async with Client(url, key=bob, proofs=[proof]) as client:
        added = await client.store.add(b"from Bob")
    async with Client(url, key=alice) as client:
        print(await client.store.get(added.link))


asyncio.run(main(*sys.argv[1:] or ["http://localhost:3000"]))
