"""The load: requests made beforehand, sent over keep-alive connections from a process of its own.
Neither signing nor decoding is measured.

    python -m bench.load URL < PLAN    (JSON, see `Plan`)

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

from taijitu.ipld.cid import CAR, link_to, multihash
from taijitu.ucan import receipt as receipts
from taijitu.ucan.delegation import decode
from taijitu.ucan.issue import delegate
from taijitu.ucan.signer import Signer, from_archive
from taijitu.wire import message

FAR_AWAY = 2**40
"""An expiration in seconds since 1970 that no benchmark reaches."""


KINDS = {
    "add": "store/add",
    "list": "store/list",
    "blob": "space/blob/add",
    "put": "space/blob/add",
}
"""What is asked. `put`: what follows, a PUT and then a `ucan/conclude`, as one."""

SIZE = 16
"""Bytes of whatever is added."""


@dataclass
class Plan:
    """`count` requests of one of `KINDS` over `connections`, in `spaces` new spaces, or in the one
    whose key has this `seed` (hex)."""

    kind: str
    count: int
    connections: int
    spaces: int = 1
    seed: str = ""


def main(url: str, plan: Plan) -> None:
    did = json.load(urllib.request.urlopen(f"{url}/version"))["did"]
    things = {multihash(data): data for data in (os.urandom(SIZE) for _ in range(plan.count))}
    requests = [[post(url, body)] for body in bodies(did, plan, things)]
    if plan.kind == "put":
        answers: list[bytes] = []
        uvloop.run(send_all(url, requests, plan.connections, answers))
        requests = [put_and_conclude(url, did, answer, things) for answer in answers]
    print(json.dumps(uvloop.run(send_all(url, requests, plan.connections, []))))


def bodies(did: str, plan: Plan, things: dict[bytes, bytes]) -> list[bytes]:
    """Signed invocations with one proof each, ready to be sent."""
    agent = Signer.from_seed(os.urandom(32))
    seeds = (
        [bytes.fromhex(plan.seed)] if plan.seed else [os.urandom(32) for _ in range(plan.spaces)]
    )
    spaces = [Signer.from_seed(seed) for seed in seeds]
    can = KINDS[plan.kind]
    family = can.split("/")[0] + "/*"
    proofs = [
        delegate(space, agent.did, [{"can": family, "with": space.did}], expiration=FAR_AWAY)
        for space in spaces
    ]
    made: list[bytes] = []
    for number, (digest, data) in enumerate(things.items()):
        space, proof = spaces[number % plan.spaces], proofs[number % plan.spaces]
        asked = delegate(
            agent,
            did,
            [{"can": can, "with": space.did, "nb": caveats(can, digest, data)}],
            expiration=FAR_AWAY + number,
            proofs=[proof.link],
        )
        blocks = {proof.link: proof.data, asked.link: asked.data}
        made.append(message.encode(execute=[asked.link], blocks=blocks))
    return made


def caveats(can: str, digest: bytes, data: bytes) -> dict[str, object]:
    match can:
        case "store/add":
            return {"link": link_to(data, CAR), "size": SIZE}
        case "space/blob/add":
            return {"blob": {"digest": digest, "size": SIZE}}
        case _:
            return {}


def put_and_conclude(url: str, did: str, answer: bytes, things: dict[bytes, bytes]) -> list[bytes]:
    """What a client sends after `space/blob/add`, as it was answered."""
    said = message.decode(answer)
    (link,) = said.report.values()
    _, put, _, conclude = receipts.decode(link, said.blocks[link]).fork
    reported = decode(conclude, said.blocks[conclude]).capabilities[0].nb["receipt"]
    address = receipts.decode(reported, said.blocks[reported]).out["ok"]["address"]
    task = decode(put, said.blocks[put])
    done = receipts.issue(from_archive(task.facts[0]["keys"]), put, {"ok": {}})
    agent = Signer.from_seed(os.urandom(32))
    capability = {"can": "ucan/conclude", "with": agent.did, "nb": {"receipt": done.link}}
    facts = [{"0": done.link, "1": put}]
    asked = delegate(agent, did, [capability], expiration=None, facts=facts)
    blocks = {done.link: done.data, put: task.data, asked.link: asked.data}
    body = message.encode(execute=[asked.link], blocks=blocks)
    data = things[task.capabilities[0].nb["body"]["digest"]]
    where = urlsplit(address["url"])
    path = f"{where.path}?{where.query}"
    return [http("PUT", path, {"host": where.netloc, **address["headers"]}, data), post(url, body)]


def post(url: str, body: bytes) -> bytes:
    headers = {"host": urlsplit(url).netloc, "content-type": "application/vnd.ipld.car"}
    return http("POST", "/", headers | {"content-length": str(len(body))}, body)


def http(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {each}" for name, each in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def send_all(
    url: str, requests: list[list[bytes]], connections: int, answers: list[bytes]
) -> dict[str, object]:
    """Send each list of requests one after the other; their latency is that of all of them.
    `answers` gets the bodies."""
    parts, latencies, errors = urlsplit(url), [], 0
    queue = iter(requests)
    cpu, began = time.process_time(), time.perf_counter()

    async def connection() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for several in queue:
            sent, ok = time.perf_counter(), True
            for request in several:
                writer.write(request)
                is_fine, body = await answered(reader)
                ok = ok and is_fine
                answers.append(body)
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


async def answered(reader: asyncio.StreamReader) -> tuple[bool, bytes]:
    """Read one response: whether it is 200 with a receipt, if it has any, that says `ok`."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    body = await reader.readexactly(length)
    return b" 200 " in lines[0] and (not body or is_ok(body)), body


def is_ok(body: bytes) -> bool:
    """Whether there is a receipt that says `ok`, and none that says `error`: beside that of an add
    may be those of its tasks."""
    return b"cout\xa1bok" in body and b"cout\xa1eerror" not in body


if __name__ == "__main__":
    main(sys.argv[1], Plan(**json.load(sys.stdin)))
