"""Proofs: the delegations that an agent holds, in all the forms in which people pass them on.

Law: what is read here is not believed here. The service judges; this only chooses what to send, and
notices early when nothing would do.
"""

from base64 import b64decode, urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from taijitu.client.failures import NoDelegation, Unusable
from taijitu.ipld import car, varint
from taijitu.ipld.cid import CAR, IDENTITY, Link
from taijitu.kernel.record import Record
from taijitu.ucan import archive, principal
from taijitu.ucan.bundle import Bundle
from taijitu.ucan.capability import ANY_RESOURCE, covers
from taijitu.ucan.delegation import Delegation, InvalidDelegation

FILE_SIZE_MAX: Final = 1024 * 1024
"""Bytes of a proof that are read."""

CAR_HEAD: Final = (b"\x0a\xa1", b"\xa2\x65roots")
"""How a CAR begins (of version 2), or what follows its first byte (of version 1)."""

DEPTH_MAX: Final = 64
"""Delegations above each other that are looked at: real chains have two to five."""

ATTEST: Final = "ucan/attest"
"""The ability of a proof that stands beside the one it is about."""


class Proof(Record, eq=False):
    """A delegation, and everything that has to travel with it."""

    delegation: Delegation
    blocks: Mapping[Link, bytes]

    @property
    def resources(self) -> tuple[str, ...]:
        return tuple(each.resource for each in self.delegation.capabilities)

    @property
    def abilities(self) -> tuple[str, ...]:
        return tuple(each.can for each in self.delegation.capabilities)

    def concerns(self, space: str) -> bool:
        """Whether it could say something about a space; an attestation, about any."""
        return any(
            each.resource in (space, ANY_RESOURCE) or each.can == ATTEST
            for each in self.delegation.capabilities
        )

    def is_over(self, now: int) -> bool:
        """Whether it has expired, in seconds since 1970."""
        expiration = self.delegation.expiration
        return expiration is not None and expiration <= now


class Carried(NamedTuple):
    """What an invocation names, and what travels with it."""

    links: tuple[Link, ...]
    blocks: dict[Link, bytes]


def chosen(held: Iterable[Proof], can: str, space: str, agent: str, now: int) -> Carried:
    """The proofs that an agent needs to ask for something. Raises `NoDelegation`.

    A space needs none to ask for itself.
    """
    if agent == space:
        return Carried((), {})
    about = [proof for proof in held if proof.concerns(space)]
    mine = [proof for proof in about if proof.delegation.audience == agent]
    good = [proof for proof in mine if not proof.is_over(now)]
    if not any(set(proof.abilities) - {ATTEST} for proof in good):
        raise NoDelegation(can, space, agent, reason(about, mine))
    blocks: dict[Link, bytes] = {}
    for proof in good:
        blocks.update(proof.blocks)
    return Carried(tuple(dict.fromkeys(proof.delegation.link for proof in good)), blocks)


def end_of(held: Iterable[Proof], can: str, space: str, agent: str) -> int | None:
    """Until when (seconds since 1970) an agent may do something by what it was given; None for
    ever. Raises `NoDelegation` where that allows something else only."""
    ends = [
        Chain(proof, can, space).end(proof.delegation)
        for proof in held
        if proof.delegation.audience == agent and allows(proof.delegation, can, space)
    ]
    if not ends:
        raise NoDelegation(can, space, agent, ": what is there allows something else")
    return latest(ends)


class Chain:
    """A delegation and those that it rests on, for something in a space."""

    def __init__(self, proof: Proof, can: str, space: str) -> None:
        self.bundle = Bundle(proof.blocks)
        self.wanted = can, space
        self.ends: dict[Link, int | None] = {}

    def end(self, ucan: Delegation, depth: int = DEPTH_MAX) -> int | None:
        """When it is over, or what it rests on."""
        if ucan.link not in self.ends:
            found = viewed(self.bundle, ucan.proofs)
            above = [each for each in found if allows(each, *self.wanted)] if depth else []
            before = latest([self.end(each, depth - 1) for each in above]) if above else None
            ends = [end for end in (ucan.expiration, before) if end is not None]
            self.ends[ucan.link] = min(ends, default=None)
        return self.ends[ucan.link]


def latest(ends: Sequence[int | None]) -> int | None:
    return None if None in ends else max([end for end in ends if end is not None])


def allows(ucan: Delegation, can: str, space: str) -> bool:
    """Whether it says that its audience may do something in a space."""
    return any(
        each.resource in (space, ANY_RESOURCE) and covers(each.can, can)
        for each in ucan.capabilities
    )


def reason(about: list[Proof], mine: list[Proof]) -> str:
    """What is the matter with the proofs that come closest."""
    if mine:
        at = max(proof.delegation.expiration or 0 for proof in mine)
        return f": the one that is there has expired on {datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
    if about:
        return f": the one that is there is for {about[0].delegation.audience}"
    return ""


def spaces_of(held: Iterable[Proof], agent: str) -> list[str]:
    """The spaces that proofs for this agent name, each once; or, where they pass on all that
    somebody has, those that this was given."""
    found = (
        each.resource
        for proof in held
        if proof.delegation.audience == agent
        for ucan in (proof.delegation, *upstream(proof))
        for each in ucan.capabilities
        if principal.is_key(each.resource) and each.can != ATTEST
    )
    return list(dict.fromkeys(found))


def upstream(proof: Proof) -> Iterator[Delegation]:
    """The delegations behind one that passes on everything."""
    if not any(each.resource == ANY_RESOURCE for each in proof.delegation.capabilities):
        return
    yield from viewed(Bundle(proof.blocks), proof.delegation.proofs)


def viewed(bundle: Bundle, links: Iterable[Link]) -> Iterator[Delegation]:
    """Those that are there."""
    for link in links:
        try:
            yield bundle.view(link)
        except InvalidDelegation:
            continue


def read(proof: "Proof | bytes | str | Path") -> Proof:
    """A proof: itself, the bytes of a delegation file, its path, or a text as `parse` reads it.

    Raises `Unusable`.
    """
    match proof:
        case Proof():
            return proof
        case Path():
            return in_file(proof)
        case bytes():
            return decode(proof)
        case str():
            return parse(proof)


def in_file(path: Path) -> Proof:
    """The proof in a file: a CAR, or its text. Raises `Unusable`."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_SIZE_MAX + 1)
    except OSError as why:
        raise Unusable(f"{path} cannot be read: {why.strerror}") from None
    try:
        if is_car(data):
            return decode(data)
        return parse(data.decode("ascii", "replace").strip())
    except Unusable as why:
        raise Unusable(f"{path} is no proof: {why}") from None


def parse(text: str) -> Proof:
    """A proof as text: the base64 of a CAR, in either alphabet, bare or as multibase; or a link
    that carries a CAR inside, as the w3 and storacha command lines print. Raises `Unusable`."""
    if len(text) > 2 * FILE_SIZE_MAX:
        raise Unusable("a proof is not that long")
    for data in unpacked("".join(text.split())):
        if is_car(data):
            return decode(data)
    raise Unusable("it is neither a delegation in a CAR nor the base64 of one")


def unpacked(text: str) -> Iterator[bytes]:
    """What a text could be the base64 of."""
    for each in (text, text[1:] if text[:1] in ("m", "M", "u", "U") else ""):
        padded = each.rstrip("=") + "=" * (-len(each.rstrip("=")) % 4)
        read = urlsafe_b64decode if "-" in each or "_" in each else b64decode
        try:
            data = read(padded.encode("ascii"))
        except (NotBase64, ValueError):
            continue
        yield data
        yield inside_link(data)


def inside_link(data: bytes) -> bytes:
    """The CAR that a link carries instead of its hash; nothing where it is no such link."""
    head = b"\x01" + varint.encode(CAR) + varint.encode(IDENTITY)
    if not data.startswith(head):
        return b""
    try:
        size, begin = varint.decode(data, len(head))
    except varint.VarintError:
        return b""
    return data[begin:] if size == len(data) - begin else b""


def is_car(data: bytes) -> bool:
    return data.startswith(CAR_HEAD[0]) or data[1:].startswith(CAR_HEAD[1])


def decode(data: bytes) -> Proof:
    """The proof in the bytes of a delegation file. Raises `Unusable`."""
    if len(data) > FILE_SIZE_MAX:
        raise Unusable(f"a proof has at most {FILE_SIZE_MAX} bytes")
    try:
        found = car.decode(data)
        if len(found.roots) == 1 and found.blocks.get(found.roots[0], b"").startswith(b"\xa1"):
            delegation = archive.extract(found.roots, found.blocks)
        else:  # older tools make the delegation itself the root, or name none and write it last
            last = found.roots[0] if found.roots else list(found.blocks)[-1]
            delegation = Bundle(found.blocks).view(last)
        return Proof(delegation, Bundle(found.blocks).export(delegation))
    except (car.CarError, InvalidDelegation, IndexError) as why:
        raise Unusable(f"it holds no delegation: {why}") from None


def encode(proof: Proof) -> bytes:
    """The delegation file of a proof."""
    whole = archive.archive(proof.delegation, Bundle(proof.blocks))
    return car.encode((whole.root,), whole.blocks.items())
