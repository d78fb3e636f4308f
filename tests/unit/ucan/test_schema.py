from typing import Any

import pytest

from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.ucan import failure, schema
from taijitu.ucan.failure import FAILURE_TEXT_MAX, Failure, quoted, told
from taijitu.ucan.reasons import date_text
from taijitu.ucan.schema import MISSING, Fields, Mismatch, Reader
from unit.ucan.people import account, alice, car_link, raw_link, service

V0 = Link.parse("QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR")
PROMISE = {"ucan/await": [".out.ok", raw_link]}


class Sample(Record):
    link: Link
    size: int
    note: str | None


SAMPLE = Fields(
    Sample,
    {"link": schema.car_link, "size": schema.natural, "note": schema.optional(schema.text)},
)


@pytest.mark.parametrize(
    ("reader", "value", "read"),
    [
        (schema.text, "x", "x"),
        (schema.boolean, True, True),
        (schema.integer, -1, -1),
        (schema.integer, 1.0, 1),
        (schema.natural, 0, 0),
        (schema.octets, b"x", b"x"),
        (schema.anything, None, None),
        (schema.link, raw_link, raw_link),
        (schema.link, V0, V0),
        (schema.car_link, car_link, car_link),
        (schema.link_of(0x55), raw_link, raw_link),
        (schema.link_that_is(raw_link), raw_link, raw_link),
        (schema.did, service.did, service.did),
        (schema.space_did, alice.did, alice.did),
        (schema.account_did, account, account),
        (schema.provider_did, service.did, service.did),
        (schema.key_or_account_did, account, account),
        (schema.key_or_account_did, alice.did, alice.did),
        (schema.uri, "https://x.example/", "https://x.example/"),
        (schema.did_bytes, alice.principal, alice.principal),
        (schema.literal("a"), "a", "a"),
        (schema.optional(schema.text), MISSING, MISSING),
        (schema.optional(schema.text), "x", "x"),
        (schema.either(schema.integer, schema.text), "x", "x"),
        (schema.either(schema.integer, schema.text), 1, 1),
        (schema.list_of(schema.integer), [1, 2.0], [1, 2]),
        (schema.map_of(schema.integer), {"a": 1.0}, {"a": 1}),
        (schema.fields(a=schema.integer), {"a": 1, "b": 2}, {"a": 1}),
        (schema.AWAIT, PROMISE, PROMISE),
    ],
)
def test_a_reader_gives_the_value_back(reader: Reader, value: Any, read: Any) -> None:
    found = reader(value)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("reader", "value", "words"),
    [
        (schema.text, 1, "Expected value of type string instead got 1"),
        (schema.text, MISSING, "Expected value of type string instead got undefined"),
        (schema.text, None, "Expected value of type string instead got null"),
        (schema.boolean, 1, "Expected value of type boolean instead got 1"),
        (schema.integer, "1", 'Expected value of type number instead got "1"'),
        (schema.integer, True, "Expected value of type number instead got true"),
        (schema.integer, 1.5, "Expected value of type integer instead got 1.5"),
        (schema.integer, MISSING, "Expected value of type number instead got undefined"),
        (schema.integer, 2**53, "Expected an integer that is safe in JavaScript"),
        (schema.natural, -1, "Expected a number of at least 0 instead got -1"),
        (schema.octets, "x", 'Expected value of type Uint8Array instead got "x"'),
        (schema.anything, MISSING, "Expected a value instead got undefined"),
        (schema.link, "x", 'Expected link to be a CID instead of "x"'),
        (schema.link, b"x", "Expected link to be a CID instead of 1 bytes"),
        (schema.link, {"/": "x"}, 'Expected link to be a CID instead of {"/":"x"}'),
        (schema.car_link, raw_link, "Expected link to be CID with 0x202 codec"),
        (schema.car_link, V0, "Expected link to be CID version 1, not version 0"),
        (schema.car_link, MISSING, "Expected link to be a CID instead of undefined"),
        (schema.piece_link, raw_link, "Expected link to be CID with 0x1011 hashing algorithm"),
        (schema.piece_link, car_link, "Expected link to be CID with 0x55 codec"),
        (schema.link_that_is(raw_link), car_link, f"Expected link to be {raw_link}"),
        (schema.space_did, service.did, f'Expected a did:key: but got "{service.did}" instead'),
        (schema.account_did, alice.did, "Expected a did:mailto: but got"),
        (schema.provider_did, alice.did, "Expected a did:web: but got"),
        (schema.key_or_account_did, service.did, "Expected a did:key: or did:mailto: but got"),
        (schema.did, "alice", 'Expected a did: but got "alice" instead'),
        (schema.uri, "x", 'Expected URI instead got "x"'),
        (schema.uri, "x:", 'Expected URI instead got "x:"'),
        (schema.did_bytes, b"x", "Expected a DID in bytes"),
        (schema.literal("a"), "b", 'Expected literal "a" instead got "b"'),
        (schema.optional(schema.text), None, "instead got null"),
        (schema.list_of(schema.text), "x", 'Expected value of type array instead got "x"'),
        (schema.list_of(schema.text), [1], "Array contains invalid element at 0:"),
        (schema.map_of(schema.text), [], "Expected value of type dictionary instead got array"),
        (schema.map_of(schema.text), {"a": 1}, 'Object contains invalid field "a":'),
        (schema.fields(a=schema.text), [], "Expected value of type object instead got array"),
        (schema.AWAIT, {}, 'Object contains invalid field "ucan/await":'),
    ],
)
def test_a_reader_says_what_is_wrong(reader: Reader, value: Any, words: str) -> None:
    with pytest.raises(Mismatch) as caught:
        reader(value)
    assert words in str(caught.value)
    assert told(caught.value.failure).startswith(str(caught.value))


def test_unknown_keys_are_dropped_and_absent_ones_are_none() -> None:
    values = SAMPLE.read({"size": 1.0, "more": 2, "link": car_link})
    assert list(values.items()) == [("link", car_link), ("size", 1)]
    assert SAMPLE.build(values) == Sample(car_link, 1, None)


def test_a_mismatch_tells_where() -> None:
    with pytest.raises(Mismatch) as caught:
        SAMPLE.read({"link": car_link, "size": "x"})
    assert told(caught.value.failure) == (
        'Object contains invalid field "size":\n  - Expected value of type number instead got "x"'
    )


def test_reasons_are_told_in_order_and_indented() -> None:
    tree = Failure("a", (Failure(lambda: "b\nb2", (Failure("c"),)), Failure("d")))
    assert told(tree) == "a\n  - b\n  b2\n    - c\n  - d"


def test_telling_a_tree_that_shares_branches_is_cut() -> None:
    """Forty levels: 2**40 lines if it were told whole."""
    tree = Failure("leaf")
    for level in range(40):
        tree = Failure(str(level), (tree, tree))
    text = told(tree)
    assert len(text) <= FAILURE_TEXT_MAX + 2
    assert text.endswith(failure.CUT)
    assert len(told(Failure("x" * 99), limit=10)) == 11


def test_reasons_that_are_not_told_are_not_put_into_words() -> None:
    def never() -> str:
        raise AssertionError

    tree = Failure("x" * FAILURE_TEXT_MAX, (Failure(never),))
    assert told(tree).endswith(failure.CUT)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [None, True, "é"]}, '{"b":1,"a":[null,true,"é"]}'),
        ({"link": raw_link}, f'{{"link":{{"/":"{raw_link}"}}}}'),
        (b"\x12\x20", '{"0":18,"1":32}'),
        (1.0, "1"),
        (1.5, "1.5"),
    ],
)
def test_values_are_quoted_as_javascript_does(value: Any, text: str) -> None:
    assert quoted(value) == text


def test_what_is_quoted_is_cut() -> None:
    assert len(quoted(bytes(1_000_000))) < 600
    assert len(quoted("x" * 1_000_000)) == failure.VALUE_TEXT_MAX + 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1767225600, "Thu Jan 01 2026 00:00:00 GMT+0000 (Coordinated Universal Time)"),
        (-1, "Wed Dec 31 1969 23:59:59 GMT+0000 (Coordinated Universal Time)"),
        (2**53 - 1, "Invalid Date"),
        (-(2**53) + 1, "Invalid Date"),
    ],
)
def test_a_date_is_printed_as_javascript_does(seconds: int, text: str) -> None:
    assert date_text(seconds) == text
