"""Delegation files, and what travels with a delegation."""

import pytest

from support import vectors
from taijitu.ipld import car, dagcbor
from taijitu.ipld.cid import RAW, Link, link_to
from taijitu.ucan import archive
from taijitu.ucan.bundle import EXPORT_BLOCKS_MAX, PROOF_DEPTH_MAX, Bundle
from taijitu.ucan.delegation import InvalidDelegation
from taijitu.ucan.issue import delegate
from unit.ucan.people import alice, ask, bob, bundle, cap, grant, read_car, space, store_add

ARCHIVE = vectors.manifest()["archive"]
THINGS = {link_to(data, RAW): data for data in (b"one", b"two", b"three")}
ONE, TWO, THREE = THINGS


def test_a_delegation_file_is_read_and_written_as_javascript_does() -> None:
    file = read_car(ARCHIVE["file"])
    found = archive.extract(file.roots, file.blocks)
    assert str(found.link) == ARCHIVE["ucan"]
    assert ARCHIVE["variant"] == archive.VARIANT
    written = archive.archive(found, Bundle(file.blocks))
    assert car.encode([written.root], written.blocks.items()) == vectors.car(ARCHIVE["file"])


@pytest.mark.parametrize(
    "root",
    [
        dagcbor.encode({}),
        dagcbor.encode([]),
        dagcbor.encode({"ucan@0.9.1": "text"}),
        dagcbor.encode({"ucan@0.9.1": ONE, "more": 1}),
        dagcbor.encode({"ucan@0.9.1": ONE}),
        b"\xff",
    ],
)
def test_another_root_is_not_a_delegation_file(root: bytes) -> None:
    with pytest.raises(InvalidDelegation):
        archive.extract([link_to(root)], {link_to(root): root})


@pytest.mark.parametrize("roots", [[], [ONE, TWO], [ONE]])
def test_a_delegation_file_has_one_root(roots: list[Link]) -> None:
    with pytest.raises(InvalidDelegation):
        archive.extract(roots, {})


def test_proofs_travel_before_what_they_prove_and_mentioned_blocks_after_them() -> None:
    first = grant(space, alice, cap("*"))
    second = grant(alice, bob, cap("*"), proofs=[first])
    last = ask(
        bob,
        cap("store/add", deep=[{"er": ONE}]),
        proofs=[second],
        facts=[{"0": TWO, "nested": {"not": THREE}}],
    )
    given = bundle(last, second, first)
    given = Bundle({**given.blocks, **THINGS})
    assert list(given.export(last)) == [first.link, second.link, ONE, TWO, last.link]


def test_what_is_not_there_does_not_travel() -> None:
    proof = grant(space, alice, cap("*"))
    last = ask(alice, store_add(), proofs=[proof])
    assert list(Bundle({}).export(last)) == [last.link]


def test_what_is_shared_travels_once() -> None:
    proof = grant(space, alice, cap("*"))
    left, right = (grant(alice, bob, cap(f"{x}/*"), proofs=[proof]) for x in ("store", "upload"))
    last = ask(bob, store_add(), proofs=[left, right])
    given = bundle(proof, left, right)
    assert list(given.export(last)) == [proof.link, left.link, right.link, last.link]


def test_a_proof_that_is_no_ucan_travels_as_it_is() -> None:
    broken = dagcbor.encode({"no": "ucan"})
    last = delegate(bob, alice.did, [store_add()], expiration=None, proofs=[link_to(broken)])
    assert list(Bundle({link_to(broken): broken}).export(last)) == [link_to(broken), last.link]


def test_proofs_above_each_other_are_limited() -> None:
    chain = [grant(space, space, cap("*"))]
    while len(chain) <= PROOF_DEPTH_MAX:
        chain.append(grant(space, space, cap("*"), proofs=[chain[-1]]))
    assert len(bundle(*chain).export(chain[-2])) == PROOF_DEPTH_MAX
    with pytest.raises(InvalidDelegation):
        bundle(*chain).export(chain[-1])


def test_blocks_that_travel_are_limited() -> None:
    blocks = {link_to(data, RAW): data for data in map(str.encode, map(str, range(1_030)))}
    last = ask(alice, cap("store/add", links=list(blocks)))
    assert len(blocks) > EXPORT_BLOCKS_MAX
    with pytest.raises(InvalidDelegation):
        Bundle(blocks).export(last)
