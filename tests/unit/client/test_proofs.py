"""Goal: a proof is read in every form in which people have one, and only what helps is sent."""

from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest

from taijitu.cli.delegate import as_text
from taijitu.client import NoDelegation, Unusable, new_key
from taijitu.client.proofs import (
    Proof,
    chosen,
    decode,
    encode,
    end_of,
    parse,
    read,
    spaces_of,
)
from taijitu.ipld import car
from taijitu.ipld.cid import CAR, link_to
from taijitu.ucan.delegation import Delegation
from taijitu.ucan.issue import delegate
from taijitu.ucan.signer import Signer

VECTOR = Path(__file__).parents[2] / "vectors" / "delegation-archive.car"
NOW = 2_000_000_000

SPACE, ALICE, BOB = new_key(), new_key(), new_key()


def made(
    issuer: Signer = SPACE,
    *,
    to: Signer = ALICE,
    can: str = "store/*",
    resource: str = "",
    expiration: int | None = None,
    above: Proof | None = None,
) -> Proof:
    ucan = delegate(
        issuer,
        to.did,
        [{"can": can, "with": resource or SPACE.did}],
        expiration=expiration,
        proofs=[above.delegation.link] if above else [],
    )
    return Proof(ucan, {**(above.blocks if above else {}), ucan.link: ucan.data})


def legacy(ucan: Delegation, roots: bool) -> bytes:
    """A CAR as older tools wrote it: the delegation itself is the root, or the last block."""
    return car.encode([ucan.link] if roots else [], [(ucan.link, ucan.data)])


def test_a_file_that_the_javascript_client_wrote_is_read() -> None:
    proof = read(VECTOR)
    assert str(proof.delegation.link) == (
        "bafyreigczpqi5z663ef4gbk6voy2bfcsydt7ynahcl7t7s7xo7eprppype"
    )
    assert decode(encode(proof)).delegation.link == proof.delegation.link


def test_a_proof_is_the_same_in_every_form(tmp_path: Path) -> None:
    proof = made(BOB, above=made(to=BOB))
    data = encode(proof)
    path = tmp_path / "proof"
    path.write_text(as_text(data) + "\n")
    plain, url = b64encode(data).decode(), urlsafe_b64encode(data).decode()
    wrapped = "\n".join(plain[at : at + 76] for at in range(0, len(plain), 76))
    forms: list[bytes | str | Path] = [data, as_text(data), plain, plain.rstrip("="), url]
    forms += [wrapped, f"m{plain.rstrip('=')}", f"u{url.rstrip('=')}", path]
    for form in forms:
        found = read(form)
        assert found.delegation.link == proof.delegation.link
        assert found.blocks == proof.blocks


@pytest.mark.parametrize("roots", [True, False])
def test_a_proof_of_older_tools_is_read(roots: bool) -> None:
    proof = made()
    assert decode(legacy(proof.delegation, roots)).delegation.link == proof.delegation.link
    assert parse(b64encode(legacy(proof.delegation, roots)).decode()).blocks == proof.blocks


@pytest.mark.parametrize(
    "text",
    ["", "m", "hello", "MgCY", "=", "bafyreigczpqi5z663ef4gbk6voy2bfcsydt7ynahcl7t7s7xo7eprppype"],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(Unusable, match="neither a delegation in a CAR nor"):
        parse(text)


def test_a_car_of_something_else_is_no_proof() -> None:
    photo = link_to(b"photo", CAR)
    for roots in ([photo], []):
        with pytest.raises(Unusable, match="holds no delegation"):
            decode(car.encode(roots, [(photo, b"photo")]))
    with pytest.raises(Unusable, match="holds no delegation"):
        decode(car.encode([], []))


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"m" * (3 * 1024 * 1024))
    with pytest.raises(Unusable, match="is no proof"):
        read(path)


def test_whoever_is_the_space_needs_no_proof() -> None:
    assert chosen([made()], "store/add", SPACE.did, SPACE.did, NOW) == ((), {})


def test_only_what_has_to_do_with_the_space_is_sent() -> None:
    good = made(BOB, above=made(to=BOB))
    held = [
        good,
        made(to=BOB),
        made(resource=BOB.did),
        made(expiration=NOW),
    ]
    carried = chosen(held, "store/add", SPACE.did, ALICE.did, NOW)
    assert carried.links == (good.delegation.link,)
    assert carried.blocks == good.blocks


def test_an_attestation_goes_along_and_is_not_enough() -> None:
    attestation = made(can="ucan/attest", resource="did:web:example.org")
    everything = made(can="*", resource="ucan:*")
    carried = chosen([attestation, everything], "store/add", SPACE.did, ALICE.did, NOW)
    assert set(carried.links) == {attestation.delegation.link, everything.delegation.link}
    with pytest.raises(NoDelegation):
        chosen([attestation], "store/add", SPACE.did, ALICE.did, NOW)


def test_the_spaces_of_proofs_are_those_they_name_for_this_agent() -> None:
    held = [made(), made(can="upload/*"), made(to=BOB, resource=BOB.did), made(resource="ucan:*")]
    assert spaces_of(held, ALICE.did) == [SPACE.did]


def test_what_was_given_ends_with_the_first_of_what_it_rests_on() -> None:
    def end(can: str, *held: Proof) -> int | None:
        return end_of(held, can, SPACE.did, BOB.did)

    short = made(to=ALICE, expiration=NOW + 10)
    onward = made(ALICE, to=BOB, above=short)
    assert end("store/add", onward) == NOW + 10
    assert end("store/*", made(ALICE, to=BOB, above=short, expiration=NOW + 5)) == NOW + 5
    assert end("store/add", onward, made(to=BOB, expiration=NOW + 20)) == NOW + 20
    assert end("store/add", onward, made(to=BOB)) is None
    assert end("store/add", made(to=BOB), onward) is None


def test_what_was_not_given_cannot_be_passed_on() -> None:
    held = [made(to=BOB, can="store/list"), made(to=ALICE, can="*")]
    for can in ("*", "store/*", "store/add", "upload/list"):
        with pytest.raises(NoDelegation, match="allows something else"):
            end_of(held, can, SPACE.did, BOB.did)
    with pytest.raises(NoDelegation):
        end_of(held, "store/list", ALICE.did, BOB.did)


def test_proofs_that_rest_on_each_other_many_times_are_looked_at_once() -> None:
    level = [made(to=ALICE, expiration=NOW + 7)]
    blocks = dict(level[0].blocks)
    for _ in range(20):
        level = [
            Proof(
                delegate(
                    ALICE,
                    ALICE.did,
                    [{"can": "store/*", "with": SPACE.did}],
                    expiration=None,
                    proofs=[each.delegation.link for each in level],
                    nonce=str(number),
                ),
                blocks,
            )
            for number in range(4)
        ]
        blocks |= {each.delegation.link: each.delegation.data for each in level}
    proof = level[0]
    assert end_of([proof], "store/add", SPACE.did, ALICE.did) == NOW + 7
