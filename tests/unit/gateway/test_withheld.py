"""Goal: what is blocked leaves by no door: neither by CID and path nor as the CAR in which it lies.

Method: an installation behind HTTP; the operator's verbs are asked directly.
"""

import os

import pytest

from taijitu.buckets.names import path_of
from taijitu.ipld.cid import CAR, RAW, link_to, link_with
from taijitu.server.admin import Admin
from taijitu.ucan.signer import Signer
from unit.gateway.holding import BOB, hold, let_go, store
from unit.gateway.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINUTE = 60_000


def someone() -> str:
    return Signer.from_seed(os.urandom(32)).did


async def test_an_object_of_blocked_spaces_is_not_given_to_the_public(site: Site) -> None:
    admin, mallory = Admin(site.installation), someone()
    shard = await store(site.installation, [os.urandom(100)], mallory)
    assert (await site.get(path_of(shard))).status == 200
    await admin.ask("block", {"space": mallory})
    for reply in (await site.get(path_of(shard)), await site.head(path_of(shard))):
        assert (reply.status, reply.headers["cache-control"]) == (404, "no-store")
    await hold(site.installation, shard, BOB)
    assert (await site.get(path_of(shard))).status == 200
    await let_go(site.installation, shard, BOB)
    await admin.ask("unblock", {"space": mallory})
    assert (await site.get(path_of(shard))).status == 200


async def test_a_blocked_space_still_reads_its_own_with_a_signed_url(site: Site) -> None:
    installation, mallory = site.installation, someone()
    shard = await store(installation, [data := os.urandom(100)], mallory)
    await Admin(installation).ask("block", {"space": mallory})
    signed = installation.bucket.presigner.get(shard, installation.clock.now(), MINUTE)
    _, _, path = signed.removeprefix("http://").partition("/")
    reply = await site.get(f"/{path}")
    assert (reply.status, reply.body) == (200, data)
    await installation.denials.deny(link_with(shard, CAR), "")
    assert (await site.get(f"/{path}")).status == 410


async def test_what_lies_in_a_blocked_object_alone_is_not_given_out(site: Site) -> None:
    data = os.urandom(100)
    shard = await store(site.installation, [data, b"more"])
    link = link_to(data, RAW)
    await site.installation.denials.deny(link_with(shard, CAR), "")
    for query in ("", "?format=raw", "?format=car"):
        assert (await site.get(f"/ipfs/{link}{query}")).status == 410
        assert (await site.head(f"/ipfs/{link}{query}")).status == 410
    assert (await site.get(path_of(shard))).status == 410
    await store(site.installation, [data, b"other"])
    assert (await site.get(f"/ipfs/{link}")).body == data
