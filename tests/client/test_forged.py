"""Goal: a client takes nothing on trust: no receipt that the service did not sign for this very
invocation, no byte that the link does not name. Method: a server that lies."""

import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from client.forger import CONTENT_TYPE, Forger, lying, saying, signed
from taijitu.client import (
    Client,
    NotAccepted,
    NotFound,
    Refused,
    Retry,
    Signer,
    Unavailable,
    Untrusted,
    WrongBytes,
    new_key,
)
from taijitu.client.accounts import claim
from taijitu.client.proofs import Proof, encode
from taijitu.client.retry import Retrying
from taijitu.ipld.cid import CAR, RAW, Link, link_to
from taijitu.ucan import receipt as receipts
from taijitu.ucan.issue import delegate
from taijitu.wire import message

MALLORY = new_key()
SERVICE = new_key().under("did:web:example.org")
ELSEWHERE = link_to(b"another invocation")

Made = Callable[[Link], web.Response]


@pytest.fixture
async def forger() -> AsyncGenerator[Forger]:
    async with lying(SERVICE) as forger:
        yield forger


def client_of(forger: Forger, alice: Signer, **more: object) -> Client:
    given: dict[str, object] = {"retry": Retry(tries=3, pause=0.01)} | more
    return Client(forger.url, key=alice, **given)  # type: ignore[arg-type]


def tampered(ran: Link) -> web.Response:
    """A receipt of the service, with another outcome under its signature."""
    said = receipts.decode(ELSEWHERE, signed(SERVICE, ran).data)
    other = signed(SERVICE, ran, {"ok": {"size": 1, "results": []}})
    data = other.data.replace(other.signature, said.signature)
    link = link_to(data)
    body = message.encode(report={ran: link}, blocks={link: data})
    return web.Response(body=body, content_type=CONTENT_TYPE)


def answering(body: bytes) -> Made:
    return lambda _: web.Response(body=body, content_type=CONTENT_TYPE)


def renamed(ran: Link) -> web.Response:
    """Mallory's receipt, with the service's name as its issuer."""
    return saying(signed(MALLORY.under(SERVICE.did), ran))


FORGED: dict[str, tuple[Made, str]] = {
    "signed by somebody else": (lambda ran: saying(signed(MALLORY, ran)), "did not sign"),
    "signed in the service's name": (renamed, "did not sign"),
    "signed by the service's key under its own name": (
        lambda ran: saying(signed(Signer.parse(SERVICE.format()), ran)),
        "did not sign",
    ),
    "with another outcome": (tampered, "did not sign"),
    "for another invocation": (
        lambda ran: saying(signed(SERVICE, ELSEWHERE), ran),
        "for another invocation",
    ),
    "filed under another invocation": (
        lambda ran: saying(signed(SERVICE, ran), ELSEWHERE),
        "without a receipt",
    ),
    "without a receipt": (answering(message.encode()), "without a receipt"),
    "without the receipt's block": (
        lambda ran: answering(message.encode(report={ran: ELSEWHERE}))(ran),
        "without a receipt",
    ),
    "not a message": (answering(b"hello"), "something else than a receipt"),
    "cut off": (
        lambda ran: answering((saying(signed(SERVICE, ran)).body or b"")[:-9])(ran),  # type: ignore[index]
        "something else than a receipt",
    ),
    "of which nothing can be read": (
        lambda ran: saying(signed(SERVICE, ran, {"ok": 7})),
        "nothing readable",
    ),
    "of a list that is none": (
        lambda ran: saying(signed(SERVICE, ran, {"ok": {"results": {}}})),
        "no usable 'results'",
    ),
    "of a list of nonsense": (
        lambda ran: saying(signed(SERVICE, ran, {"ok": {"results": [7]}})),
        "not an item",
    ),
}


async def test_an_honest_receipt_is_believed(forger: Forger, alice: Signer) -> None:
    async with client_of(forger, alice) as client:
        assert (await client.store.page()).items == ()


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_answer_is_refused_and_not_asked_for_again(
    forger: Forger, alice: Signer, name: str
) -> None:
    forger.lie, said = FORGED[name]
    async with client_of(forger, alice) as client:
        with pytest.raises(Untrusted, match=said):
            await client.store.page()
    assert len(forger.asked) == 1


async def test_an_answer_without_end_is_not_read(forger: Forger, alice: Signer) -> None:
    forger.lie = answering(bytes(17 * 1024 * 1024))
    async with client_of(forger, alice) as client:
        with pytest.raises(Untrusted, match="has more than"):
            await client.store.page()


@pytest.mark.parametrize(
    "name", ["BlobNotFound", "IndexNotFound", "StoreItemNotFound", "UploadNotFound"]
)
async def test_what_is_not_there_is_told_from_what_is_not_allowed(
    forger: Forger, alice: Signer, name: str
) -> None:
    """Services name it after the thing, and some say no more than that."""
    forger.lie = lambda ran: saying(signed(SERVICE, ran, {"error": {"name": name}}))
    async with client_of(forger, alice) as client:
        with pytest.raises(NotFound, match=name):
            await client.store.page()


@pytest.mark.parametrize("error", ["no", {}, {"name": 7, "message": None}])
async def test_an_error_of_any_shape_is_a_refusal(
    forger: Forger, alice: Signer, error: object
) -> None:
    forger.lie = lambda ran: saying(signed(SERVICE, ran, {"error": error}))
    async with client_of(forger, alice) as client:
        with pytest.raises(Refused) as refused:
            await client.store.page()
    assert refused.value.name == "Error"


async def test_a_list_that_goes_in_circles_ends(forger: Forger, alice: Signer) -> None:
    item = {"link": link_to(b"", CAR), "size": 1, "insertedAt": "yesterday"}
    ok = {"ok": {"results": [item], "cursor": "same", "size": 1}}
    forger.lie = lambda ran: saying(signed(SERVICE, ran, ok))
    async with client_of(forger, alice) as client:
        assert len([item async for item in client.store.list()]) == 2


@pytest.mark.parametrize("url", ["file:///etc/passwd", "nowhere", "http://"])
async def test_bytes_are_put_to_no_other_place_than_http(
    forger: Forger, alice: Signer, url: str
) -> None:
    ok = {"ok": {"status": "upload", "url": url, "headers": {}, "allocated": 1}}
    forger.lie = lambda ran: saying(signed(SERVICE, ran, ok))
    async with client_of(forger, alice) as client:
        with pytest.raises(Exception, match="is not a URL"):
            await client.store.add(b"something")
    assert len(forger.asked) == 1


# Bytes


async def test_bytes_that_the_link_does_not_name_are_refused(forger: Forger) -> None:
    data = os.urandom(1_000)
    link = link_to(data, CAR)

    async def changed(_: web.Request) -> web.Response:
        return web.Response(body=data[:-1] + bytes([data[-1] ^ 1]))

    async def more(_: web.Request) -> web.Response:
        return web.Response(body=data + b"!")

    async def less(_: web.Request) -> web.Response:
        return web.Response(body=data[:-1])

    async with Client(forger.url) as client:
        for forger.object in (changed, more, less):
            with pytest.raises(WrongBytes):
                await client.fetch(link)


async def test_a_part_from_elsewhere_is_noticed(forger: Forger) -> None:
    """The connection breaks, and what comes then belongs somewhere else."""
    data = os.urandom(500_000)
    link = link_to(data, CAR)

    async def breaking(request: web.Request) -> web.StreamResponse:
        if "range" in request.headers:
            headers = {"content-range": f"bytes 400000-499999/{len(data)}"}
            return web.Response(status=206, body=data[400_000:], headers=headers)
        response = web.StreamResponse(headers={"content-length": str(len(data))})
        await response.prepare(request)
        await response.write(data[:300_000])
        assert request.transport is not None
        request.transport.close()
        return response

    forger.object = breaking
    async with Client(forger.url, retry=Retry(pause=0.01)) as client:
        with pytest.raises(Untrusted, match="another part"):
            await client.fetch(link)


async def test_a_server_that_knows_no_parts_is_read_again(forger: Forger) -> None:
    data, requests = os.urandom(500_000), list[str]()
    link = link_to(data, CAR)

    async def breaking(request: web.Request) -> web.StreamResponse:
        requests.append(request.headers.get("range", ""))
        if len(requests) > 1:
            return web.Response(body=data)
        response = web.StreamResponse(headers={"content-length": str(len(data))})
        await response.prepare(request)
        await response.write(data[:300_000])
        assert request.transport is not None
        request.transport.close()
        return response

    forger.object = breaking
    async with Client(forger.url, retry=Retry(pause=0.01)) as client:
        assert await client.fetch(link) == data
    assert len(requests) == 2


# What HTTP says


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_what_may_pass_is_asked_again_with_the_same_invocation(
    forger: Forger, alice: Signer, status: int
) -> None:
    def busy(ran: Link) -> web.Response:
        if len(forger.asked) < 3:
            return web.Response(status=status, text="Ask again.", headers={"retry-after": "0"})
        return saying(signed(SERVICE, ran))

    forger.lie = busy
    async with client_of(forger, alice) as client:
        await client.store.page()
    assert len(forger.asked) == 3
    assert len(set(forger.asked)) == 1


async def test_what_the_service_wants_to_be_waited_for_is_told(
    forger: Forger, alice: Signer
) -> None:
    told: list[Retrying] = []

    def busy(ran: Link) -> web.Response:
        if told:
            return saying(signed(SERVICE, ran))
        return web.Response(status=503, text="Full.", headers={"retry-after": "1"})

    forger.lie = busy
    async with client_of(forger, alice, notice=told.append) as client:
        await client.store.page()
    assert [(each.number, each.seconds) for each in told] == [(1, 1.0)]
    assert told[0].why.endswith("answers 503: Full.")


async def test_what_stays_unavailable_is_told_in_the_service_s_words(
    forger: Forger, alice: Signer
) -> None:
    forger.lie = lambda _: web.Response(status=503, text="Under repair.")
    async with client_of(forger, alice) as client:
        with pytest.raises(Unavailable, match=r"3 times: .* answers 503: Under repair\."):
            await client.store.page()


@pytest.mark.parametrize("status", [302, 400, 401, 403, 413, 415])
async def test_what_would_be_refused_again_is_asked_once(
    forger: Forger, alice: Signer, status: int
) -> None:
    forger.lie = lambda _: web.Response(
        status=status, text="No.", headers={"location": "http://127.0.0.1:1/"}
    )
    async with client_of(forger, alice) as client:
        with pytest.raises(NotAccepted) as refused:
            await client.store.page()
    assert refused.value.status == status
    assert len(forger.asked) == 1


@pytest.mark.parametrize("status", [200, 403, 404, 405])
async def test_whoever_does_not_say_who_he_is_is_asked_nothing(
    forger: Forger, alice: Signer, status: int
) -> None:
    async def silent(_: web.Request) -> web.Response:
        return web.json_response({"name": "something"}, status=status)

    forger.object = silent
    async with Client(f"{forger.url}/elsewhere", key=alice) as client:
        with pytest.raises(Untrusted, match="does not say who it is"):
            await client.store.page()
    assert forger.asked == []


async def test_a_service_that_gives_nothing_back_is_told_from_content_it_does_not_have(
    forger: Forger, alice: Signer, tmp_path: Path
) -> None:
    root, shard = link_to(b"content", RAW), link_to(b"shard", CAR)

    async def nothing(_: web.Request) -> web.Response:
        return web.Response(status=404)

    forger.object = nothing
    known = {"ok": {"root": root, "shards": [shard]}}
    forger.lie = lambda ran: saying(signed(SERVICE, ran, known))
    async with client_of(forger, alice) as client:
        with pytest.raises(NotFound, match=f"gives {root} neither by a gateway nor"):
            await client.get(root, tmp_path / "back")
        forger.lie = lambda ran: saying(signed(SERVICE, ran, {"error": {"name": "UploadNotFound"}}))
        with pytest.raises(NotFound, match="UploadNotFound"):
            await client.get(root, tmp_path / "back")


async def test_a_delegation_that_cannot_be_read_keeps_nobody_from_the_others(
    forger: Forger, alice: Signer
) -> None:
    """Anybody may leave one at a service."""
    made = delegate(SERVICE, alice.did, [{"can": "*", "with": SERVICE.did}], expiration=None)
    good = encode(Proof(made, {made.link: made.data}))
    left = {"a": b"nonsense", "b": good[:-9], "c": good, "d": 7}
    forger.lie = lambda ran: saying(signed(SERVICE, ran, {"ok": {"delegations": left}}))
    async with client_of(forger, alice) as client:
        (proof,) = await claim(client)
        assert proof.delegation.link == made.link


async def test_an_index_that_takes_long_is_waited_for_and_is_asked_about_as_before(
    forger: Forger, alice: Signer
) -> None:
    """Ten times "not yet" are more than a question is tried."""

    def later(ran: Link) -> web.Response:
        if len(forger.asked) <= 10:
            return web.Response(status=503, headers={"retry-after": "0"}, text="Ask again.")
        return saying(signed(SERVICE, ran, {"ok": {}}))

    forger.lie = later
    notices: list[Retrying] = []
    async with client_of(forger, alice, notice=notices.append) as client:
        await client.space.index(link_to(b"index"), size=10**12)
        assert (len(forger.asked), len(set(forger.asked))) == (11, 1)
        forger.asked.clear()
        with pytest.raises(Unavailable, match="upload/list failed, 3 times"):
            await client.uploads.page()
    assert {notice.number for notice in notices[:10]} == {0}


async def test_nobody_waits_for_a_gateway_to_say_whether_it_has_something(forger: Forger) -> None:
    """What was put is stored by then; where it opens is good to know, and no more."""
    asked: list[str] = []

    async def busy(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=503, headers={"retry-after": "30"})

    forger.object = busy
    async with Client(forger.url) as anyone:
        with pytest.raises(Unavailable):
            await anyone.contents.is_here(link_to(b"content", RAW))
    assert asked == [f"/ipfs/{link_to(b'content', RAW)}"]
