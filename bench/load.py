"""The load: requests made beforehand, sent over keep-alive connections from a process of its own.

    python bench/load.py URL PLAN    (PLAN: JSON on standard input, see `Plan`)

Prints one line of JSON: what was done, how long each took, and what it cost this process, so that
it can be seen not to be the bottleneck.
"""

import asyncio
import json
import os
import sys
import time
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

import uvloop

from taijitu.ipld.cid import CAR, link_to
from taijitu.ucan.issue import delegate
from taijitu.ucan.signer import Signer
from taijitu.wire import message

FAR_AWAY = 2**40
"""An expiration in seconds since 1970 that no benchmark reaches."""


@dataclass
class Plan:
    """`count` requests of one kind (`add` or `list`) over `connections`, in `spaces` new spaces, or
    in the one whose key has this `seed` (hex)."""

    kind: str
    count: int
    connections: int
    spaces: int = 1
    seed: str = ""


def main(url: str, plan: Plan) -> None:
    did = json.load(urllib.request.urlopen(f"{url}/version"))["did"]
    requests = [head_and_body(url, body) for body in bodies(did, plan)]
    answers = uvloop.run(send_all(url, requests, plan.connections))
    print(json.dumps(answers))


def bodies(did: str, plan: Plan) -> list[bytes]:
    """Signed invocations with one proof each, ready to be sent."""
    agent = Signer.from_seed(os.urandom(32))
    seeds = (
        [bytes.fromhex(plan.seed)] if plan.seed else [os.urandom(32) for _ in range(plan.spaces)]
    )
    spaces = [Signer.from_seed(seed) for seed in seeds]
    proofs = [
        delegate(space, agent.did, [{"can": "store/*", "with": space.did}], expiration=FAR_AWAY)
        for space in spaces
    ]
    made: list[bytes] = []
    for number in range(plan.count):
        space, proof = spaces[number % plan.spaces], proofs[number % plan.spaces]
        asked = delegate(
            agent,
            did,
            [{"can": f"store/{plan.kind}", "with": space.did, "nb": caveats(plan.kind)}],
            expiration=FAR_AWAY + number,
            proofs=[proof.link],
        )
        blocks = {proof.link: proof.data, asked.link: asked.data}
        made.append(message.encode(execute=[asked.link], blocks=blocks))
    return made


def caveats(kind: str) -> dict[str, object]:
    return {"link": link_to(os.urandom(16), CAR), "size": 16} if kind == "add" else {}


def head_and_body(url: str, body: bytes) -> bytes:
    host = urlsplit(url).netloc
    head = (
        f"POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/vnd.ipld.car\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send_all(url: str, requests: list[bytes], connections: int) -> dict[str, object]:
    parts, latencies, errors = urlsplit(url), [], 0
    queue = iter(requests)
    cpu, began = time.process_time(), time.perf_counter()

    async def connection() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for request in queue:
            sent = time.perf_counter()
            writer.write(request)
            ok = await is_ok(reader)
            errors += not ok
            latencies.append(time.perf_counter() - sent)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    return {
        "done": len(latencies),
        "seconds": time.perf_counter() - began,
        "load_cpu_seconds": time.process_time() - cpu,
        "latencies": latencies,
        "errors": errors,
    }


async def is_ok(reader: asyncio.StreamReader) -> bool:
    """Read one response: 200, with a receipt that says `ok`."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    body = await reader.readexactly(length)
    return b" 200 " in lines[0] and b"cout\xa1bok" in body


if __name__ == "__main__":
    main(sys.argv[1], Plan(**json.load(sys.stdin)))
