"""Valid inputs of every kind: what the published JavaScript packages wrote, and our own."""

from functools import cache
from typing import Final

from support import vectors
from taijitu.ipld import car, dagcbor
from taijitu.ipld.cid import CAR, DAG_CBOR, RAW, Link, link_to
from taijitu.ucan import delegation, receipt
from taijitu.ucan.delegation import InvalidDelegation
from taijitu.ucan.receipt import InvalidReceipt
from taijitu.wire import message, sigv4
from taijitu.wire.message import MalformedMessage, Message
from taijitu.wire.sigv4 import Credentials
from unit.ucan import people

KEYS: Final = Credentials("taijitu", "a secret")
HOST: Final = "localhost:3000"
REGION: Final = "auto"
NOON: Final = 1_700_000_000


@cache
def archives() -> tuple[bytes, ...]:
    return tuple(vectors.car(name) for name in vectors.cars())


@cache
def blocks() -> dict[Link, bytes]:
    """Every block of every archive."""
    found: dict[Link, bytes] = {}
    for archive in archives():
        try:
            found.update(car.decode(archive).blocks)
        except car.CarError:
            continue
    return found


@cache
def ucans() -> tuple[bytes, ...]:
    """UCANs as DAG-CBOR."""
    return tuple(data for link, data in blocks().items() if is_ucan(link, data))


def is_ucan(link: Link, data: bytes) -> bool:
    try:
        delegation.decode(link, data)
    except InvalidDelegation:
        return False
    return link.codec == DAG_CBOR


@cache
def jwts() -> tuple[bytes, ...]:
    """UCANs as JWT: blocks of text."""
    return tuple(data for link, data in blocks().items() if link.codec == RAW)


@cache
def receipts() -> tuple[bytes, ...]:
    found: list[bytes] = []
    for link, data in blocks().items():
        try:
            receipt.decode(link, data)
        except InvalidReceipt:
            continue
        found.append(data)
    return tuple(found)


@cache
def messages() -> tuple[tuple[bytes, Message], ...]:
    """Bodies of requests and answers, with what they say."""
    found: list[tuple[bytes, Message]] = []
    for archive in archives():
        try:
            found.append((archive, message.decode(archive)))
        except MalformedMessage:
            continue
    return tuple(found)


@cache
def invocations() -> tuple[tuple[bytes, dict[Link, bytes]], ...]:
    """What is to be executed, each with all that came along."""
    return tuple(
        (said.blocks[link], dict(said.blocks))
        for _, said in messages()
        for link in said.execute
        if link in said.blocks
    )


@cache
def values() -> tuple[bytes, ...]:
    """DAG-CBOR of every kind."""
    everything = {
        "numbers": [0, 23, 24, 255, 256, 65_536, 2**32, 2**64 - 1, -1, -25, -(2**64)],
        "floats": [0.5, -1e300, 5e-324],
        "texts": ["", "☯", "x" * 300],
        "bytes": [b"", bytes(24), bytes(300)],
        "links": [link_to(b"x"), link_to(b"x", RAW), link_to(b"x", CAR)],
        "rest": [None, True, False, [], {}, [[[[]]]]],
    }
    return (
        dagcbor.encode(everything),
        *(data for link, data in blocks().items() if link.codec == DAG_CBOR),
    )


def grant() -> bytes:
    """A delegation of everything in a space to Bob, by its owner."""
    return people.grant(people.space, people.bob, people.cap("store/*")).data


def signed_url() -> tuple[str, dict[str, str]]:
    """A URL to put a CAR, and the headers it wants."""
    link = people.car_link
    headers = {"content-length": "10", "x-amz-checksum-sha256": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is"}
    url = sigv4.presign(
        "PUT",
        f"http://{HOST}",
        f"/{link}/{link}.car",
        headers,
        credentials=KEYS,
        region=REGION,
        at=NOON,
        expires_in=3600,
    )
    return url, headers
