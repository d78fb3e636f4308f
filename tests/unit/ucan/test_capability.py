"""Rules of derivation, apart from any protocol."""

from typing import Any

import pytest

from taijitu.kernel.record import Record
from taijitu.ucan import capability, schema
from taijitu.ucan.capability import Ability, Claim, Unknown, covers
from taijitu.ucan.delegation import Capability
from taijitu.ucan.schema import NONE, Fields, Mismatch
from unit.ucan.people import alice, car_link, grant, other_car_link, raw_link, space

BY = grant(space, alice, {"can": "*", "with": space.did})
DIGEST = b"\x12\x20" + bytes(32)


class Loose(Record):
    a: Any
    b: Any


ANY = Ability(
    "test/any",
    schema.uri,
    Fields(Loose, {"a": schema.optional(schema.anything), "b": schema.optional(schema.anything)}),
    capability.default,
)


def claim(resource: str = space.did, **nb: Any) -> Claim:
    return Claim(ANY, resource, nb, BY)


@pytest.mark.parametrize(
    ("delegated", "claimed", "covered"),
    [
        ("store/add", "store/add", True),
        ("store/*", "store/add", True),
        ("store/*", "store/add/more", True),
        ("space/blob/*", "space/blob/get/0/1", True),
        ("*", "store/add", True),
        ("store/*", "store", False),
        ("store/*", "storage/add", False),
        ("store/", "store/add", False),
        ("store/a*", "store/add", False),
        ("*/add", "store/add", False),
        ("store/add", "store/*", False),
        ("store/add", "*", False),
    ],
)
def test_wildcards_end_an_ability(delegated: str, claimed: str, covered: bool) -> None:
    assert covers(delegated, claimed) == covered


@pytest.mark.parametrize(
    ("rule", "delegated", "claimed", "words"),
    [
        (capability.default, claim("x:a*"), claim("x:abc"), None),
        (
            capability.default,
            claim("x:a*"),
            claim("x:b"),
            "Resource x:b does not match delegated x:a*",
        ),
        (capability.default, claim("x:a"), claim("x:b"), "Resource x:b is not contained by x:a"),
        (capability.default, claim(a=1), claim(a=1, b=2), None),
        (capability.default, claim(a=1), claim(a=2), "a: 2 violates 1"),
        (capability.default, claim(a=raw_link), claim(), f"a: undefined violates {raw_link}"),
        (capability.equal_with, claim("x:a"), claim("x:a", a=1), None),
        (
            capability.equal_with,
            claim("x:a"),
            claim("x:b"),
            "Can not derive test/any with x:b from x:a",
        ),
        (capability.equal_field("a", "b"), claim(a=1), claim(a=1, b=2), None),
        (capability.equal_field("a", "b"), claim(a="*"), claim(a=1), None),
        (
            capability.equal_field("a", "b"),
            claim(a=[car_link, raw_link]),
            claim(a=[raw_link]),
            f"Constrain violation: {raw_link} violates imposed a constraint {car_link},{raw_link}",
        ),
        (
            capability.equal_field("a", "b"),
            claim(a="x", b="y"),
            claim(a="x", b="z"),
            "Constrain violation: z violates imposed b constraint y",
        ),
        (capability.equal_link, claim(), claim(link=car_link), None),
        (capability.equal_link, claim(link=car_link), claim(link=car_link), None),
        (
            capability.equal_link,
            claim(link=car_link),
            claim(link=other_car_link),
            f"Link {other_car_link} violates imposed {car_link} constraint.",
        ),
        (
            capability.equal_link,
            claim(link=car_link),
            claim(),
            f"Link undefined violates imposed {car_link} constraint.",
        ),
        (capability.equal_link_and_size, claim(size=5), claim(size=5), None),
        (
            capability.equal_link_and_size,
            claim(size=5),
            claim(size=6),
            "Size constraint violation: 6 > 5",
        ),
        (capability.equal_link_and_size, claim(), claim(size=6), None),
        (capability.equal_blob, claim(), claim(blob={"digest": DIGEST, "size": 5}), None),
        (
            capability.equal_blob,
            claim(blob={"digest": DIGEST, "size": 5}),
            claim(blob={"digest": DIGEST, "size": 6}),
            "Size constraint violation: 6 > 5",
        ),
        (
            capability.equal_blob,
            claim(blob={"digest": DIGEST}),
            claim(blob={"digest": b"x"}),
            "Link 1 bytes violates imposed 34 bytes constraint.",
        ),
        (
            capability.equal_blob,
            claim("x:a"),
            claim("x:b"),
            "Expected 'with: \"x:a\"' instead got 'x:b'",
        ),
    ],
)
def test_a_rule_answers_nothing_or_the_violation(
    rule: capability.Rule, delegated: Claim, claimed: Claim, words: str | None
) -> None:
    assert rule(claimed, delegated) == words


def test_what_is_delegated_openly_is_as_claimed() -> None:
    given = Capability("*", "ucan:*", {"can": "*", "with": "ucan:*"})
    resolved = ANY.resolve(claim("x:a", a=1), given, BY)
    assert (resolved.can, resolved.resource, resolved.nb) == ("test/any", "x:a", {"a": 1})


def test_what_is_delegated_narrowly_is_as_delegated() -> None:
    given = Capability("*", "x:a", {"nb": {"b": 2, "c": 3}, "can": "*", "with": "x:a"})
    assert ANY.resolve(claim("x:a", a=1, b=1), given, BY).nb == {"a": 1, "b": 2}


def test_an_invocation_is_taken_exactly() -> None:
    with pytest.raises(Unknown):
        ANY.match(Capability("*", "x:a", {}), BY)
    with pytest.raises(Mismatch):
        ANY.match(Capability("test/any", "x:a", {"nb": None, "with": "x:a"} | {"nb": [1]}), BY)
    assert ANY.match(Capability("test/any", "x:a", {}), BY).nb == {}


def test_a_claim_is_printed_as_json() -> None:
    assert str(claim("x:a")) == '{"can":"test/any","with":"x:a"}'
    assert str(claim("x:a", a=1)) == '{"can":"test/any","with":"x:a","nb":{"a":1}}'
    assert NONE.build({}) == NONE.kind()
