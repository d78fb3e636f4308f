"""Spaces that hold bytes, in an installation without a service, as if clients had stored them."""

from collections.abc import Mapping, Sequence

from taijitu.engine.storage import Batch, SliceRow
from taijitu.gateway.denials import name_of
from taijitu.ipld.cid import RAW, Link, link_to, multihash
from taijitu.machines.allocation import Allocate, Release
from taijitu.server.installation import Installation
from taijitu.ucan.signer import Signer

ALICE, BOB = (Signer.from_seed(bytes([number]) * 32).did for number in (1, 2))


async def hold(
    installation: Installation, digest: bytes, space: str = ALICE, number: int = 1
) -> None:
    """Let a space hold the object of a multihash, as its entry asks for it."""
    await installation.spaces.provision(space, 2**40)
    name = name_of(digest)
    message = Allocate(space, name, attempt(digest), number, 1)
    await installation.engine.transact(("allocation", space, name), message)


async def let_go(
    installation: Installation, digest: bytes, space: str = ALICE, number: int = 1
) -> None:
    name = name_of(digest)
    message = Release(space, name, attempt(digest), number)
    await installation.engine.transact(("allocation", space, name), message)


def attempt(digest: bytes) -> Link:
    return link_to(digest, RAW)


async def put(installation: Installation, data: bytes, space: str = ALICE) -> bytes:
    """Store an object. Answers its multihash."""
    digest = multihash(data)
    async with installation.bucket.arrive(digest, len(data)) as arrival:
        await arrival.write(data)
        await arrival.finish()
    await hold(installation, digest, space)
    return digest


async def store(
    installation: Installation, blocks: Mapping[Link, bytes] | Sequence[bytes], space: str = ALICE
) -> bytes:
    """Store blocks one behind the other in an object, and where each lies. Answers the multihash of
    the object."""
    named = blocks if isinstance(blocks, Mapping) else {link_to(each, RAW): each for each in blocks}
    shard = await put(installation, b"".join(named.values()), space)
    rows: list[SliceRow] = []
    offset = 0
    for link, block in named.items():
        rows.append(SliceRow(link.multihash, shard, offset, len(block)))
        offset += len(block)
    await installation.engine.storage.commit(Batch(slices=rows))
    return shard
