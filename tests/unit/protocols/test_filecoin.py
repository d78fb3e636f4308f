"""`filecoin/offer`: a piece is checked for its form, and noted if its content is here. No deals."""

import asyncio
from typing import Any

import pytest

from taijitu.ipld import varint
from taijitu.ipld.cid import CAR, RAW, Link, link_to, link_with, multihash
from taijitu.machines.piece import Offered, Unknown, piece_at
from taijitu.protocols.filecoin import Filecoin, fault_of
from taijitu.ucan.issue import delegate
from taijitu.ucan.schema import PIECE_HASH
from taijitu.ucan.signer import Signer
from unit.protocols.serving import Serving
from unit.ucan.people import alice, ask, bob, cap, car_link, mallory, raw_link, service, space

DATA = b"a car that is stored here"
CONTENT = link_to(DATA, CAR)
ROOT = bytes(range(32))


def piece_of(padding: int = 102, height: int = 2, root: bytes = ROOT) -> Link:
    digest = varint.encode(padding) + bytes([height]) + root
    return link_with(varint.encode(PIECE_HASH) + varint.encode(len(digest)) + digest, RAW)


PIECE = piece_of()


@pytest.fixture
async def serving() -> Serving:
    serving = Serving()
    serving.begin(Filecoin(serving.durable))
    await serving.world.provision(space.did, 1_000)
    await serving.world.add(space.did, DATA)
    return serving


async def offer(
    serving: Serving, piece: Link = PIECE, content: Link = CONTENT, agent: Signer = alice
) -> Any:
    return await serving.invoke("filecoin/offer", agent, piece=piece, content=content)


async def noted(serving: Serving, piece: Link = PIECE, content: Link = CONTENT) -> Any:
    return (await serving.engine.read(piece_at(piece, content))).state


async def test_an_agent_offers_a_piece_in_his_own_name(serving: Serving) -> None:
    asked = ask(alice, cap("filecoin/offer", alice.did, piece=PIECE, content=CONTENT))
    answered = await serving.send(asked)
    assert answered.out == {"ok": {"piece": PIECE}}
    at = serving.engine.now()
    assert await noted(serving) == Offered(PIECE, CONTENT, alice.did, asked.link, at)


async def test_what_would_follow_has_names(serving: Serving) -> None:
    asked = [
        ask(agent, cap("filecoin/offer", agent.did, piece=PIECE, content=CONTENT))
        for agent in (alice, bob)
    ]
    first, second = [await serving.send(each) for each in asked]
    nb = {"content": CONTENT, "piece": PIECE}
    submit, accept = (
        delegate(
            service, service.did, [{"can": can, "with": service.did, "nb": nb}], expiration=None
        ).link
        for can in ("filecoin/submit", "filecoin/accept")
    )
    for answered in (first, second):
        assert (answered.fork, answered.join) == ((submit,), accept)


async def test_the_same_offer_twice_is_one(serving: Serving) -> None:
    asked = ask(alice, cap("filecoin/offer", alice.did, piece=PIECE, content=CONTENT))
    first = await serving.send(asked)
    serving.world.clock.advance(1_000)
    assert (await serving.send(asked)).link == first.link


async def test_of_all_who_offer_the_first_is_remembered(serving: Serving) -> None:
    people = (mallory, alice, bob)
    answers = await asyncio.gather(*[offer(serving, agent=each) for each in people])
    assert answers == [{"ok": {"piece": PIECE}}] * 3
    assert (await noted(serving)).agent == mallory.did
    assert (await serving.engine.read(piece_at(PIECE, CONTENT))).seq == 1


async def test_a_wrong_word_about_a_piece_hides_no_right_one(serving: Serving) -> None:
    other = b"something else that is stored here"
    await serving.world.add(space.did, other)
    await offer(serving, content=link_to(other, CAR), agent=mallory)
    await offer(serving)
    assert (await noted(serving)).agent == alice.did


async def test_a_piece_of_what_is_not_here_is_answered_and_not_noted(serving: Serving) -> None:
    assert await offer(serving, content=car_link) == {"ok": {"piece": PIECE}}
    assert await noted(serving, content=car_link) == Unknown()
    await serving.world.remove(space.did, DATA)
    assert await offer(serving) == {"ok": {"piece": PIECE}}
    assert await noted(serving) == Unknown()


async def test_content_is_known_by_its_hash_whatever_its_codec(serving: Serving) -> None:
    raw = link_with(multihash(DATA), RAW)
    await offer(serving, content=raw)
    assert (await noted(serving, content=raw)).content == raw


@pytest.mark.parametrize("piece", [raw_link, car_link, link_with(PIECE.multihash, CAR)])
async def test_what_is_no_link_to_a_piece_is_refused(serving: Serving, piece: Link) -> None:
    error = (await offer(serving, piece))["error"]
    assert error["name"] == "Unauthorized"
    assert "Encountered malformed 'filecoin/offer' capability" in error["message"]


@pytest.mark.parametrize(
    ("piece", "fault"),
    [
        (piece_of(root=ROOT[:-1]), "bytes instead of"),
        (piece_of(root=ROOT + b"x"), "bytes instead of"),
        (piece_of(height=1), "height is 1"),
        (piece_of(padding=127), "padding of 127"),
        (piece_of(padding=254, height=3), "padding of 254"),
    ],
)
async def test_what_no_piece_can_be_is_refused(serving: Serving, piece: Link, fault: str) -> None:
    error = (await offer(serving, piece))["error"]
    assert fault in error["message"]
    assert await noted(serving, piece) == Unknown()


@pytest.mark.parametrize("digest", [b"", b"\x80", b"\x80\x00", b"\xff" * 20])
def test_a_multihash_without_a_number_is_no_piece(digest: bytes) -> None:
    piece = link_with(varint.encode(PIECE_HASH) + varint.encode(len(digest)) + digest, RAW)
    assert "varint" in str(fault_of(piece))


@pytest.mark.parametrize(("padding", "height"), [(0, 2), (126, 2), (127, 3), (0, 255)])
def test_every_piece_that_can_be_is_one(padding: int, height: int) -> None:
    assert fault_of(piece_of(padding, height)) is None


async def test_an_inline_content_of_any_length_is_not_written_down(serving: Serving) -> None:
    inline = link_with(b"\x00\x81\x01" + bytes(129), RAW)
    assert "more than 128 bytes" in (await offer(serving, content=inline))["error"]["message"]


async def test_what_was_offered_is_in_no_deal(serving: Serving) -> None:
    error = await serving.error("filecoin/info", alice, piece=PIECE)
    assert error["name"] == "RecordNotFound"
    await offer(serving)
    told = await serving.ok("filecoin/info", space, piece=PIECE)
    assert told == {"piece": PIECE, "aggregates": [], "deals": []}
