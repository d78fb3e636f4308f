"""The abilities of the service: their caveats, and what derives from what."""

from typing import Any

import pytest

from taijitu.ipld.cid import RAW, Link, link_to, multihash
from taijitu.protocols import capabilities
from taijitu.protocols.capabilities import ALL, Blob, blob_of
from taijitu.ucan.schema import Mismatch
from unit.ucan.people import (
    account,
    alice,
    ask,
    bob,
    cap,
    car_link,
    grant,
    is_allowed,
    other_car_link,
    raw_link,
    refusal,
    service,
    space,
)

DIGEST, OTHER = multihash(b"blob"), multihash(b"other")
BLOB = {"digest": DIGEST, "size": 4}
PIECE = Link.read(bytes([1, RAW]) + bytes.fromhex("912020") + bytes(32))
AWAITED = {"ucan/await": [".out.ok.address.url", raw_link]}

WHOLE: dict[str, dict[str, Any]] = {
    "store/add": {"link": car_link, "size": 1, "origin": other_car_link},
    "store/get": {"link": car_link},
    "store/remove": {"link": car_link},
    "store/list": {"cursor": "x", "size": 1, "pre": True},
    "upload/add": {"root": raw_link, "shards": [car_link]},
    "upload/get": {"root": raw_link},
    "upload/remove": {"root": raw_link},
    "upload/list": {"cursor": "x", "size": 1, "pre": True},
    "upload/shard/list": {"root": raw_link, "cursor": "x", "size": 1},
    "space/info": {},
    "space/index/add": {"index": car_link, "content": raw_link},
    "space/blob/add": {"blob": BLOB},
    "space/blob/remove": {"digest": DIGEST},
    "space/blob/list": {"cursor": "x", "size": 1, "pre": True},
    "space/blob/get/0/1": {"digest": DIGEST},
    "web3.storage/blob/allocate": {"blob": BLOB, "cause": raw_link, "space": space.did},
    "web3.storage/blob/accept": {
        "blob": BLOB,
        "space": space.did,
        "_put": {"ucan/await": [".out.ok", raw_link]},
        "ttl": 1,
    },
    "http/put": {"body": BLOB, "url": AWAITED, "headers": AWAITED},
    "assert/location": {
        "content": {"digest": DIGEST},
        "location": ["https://x.example/y"],
        "range": {"offset": 0, "length": 4},
        "space": space.principal,
    },
    "ucan/attest": {"proof": raw_link},
    "ucan/conclude": {"receipt": raw_link},
    "ucan/revoke": {"ucan": raw_link, "proof": [car_link]},
    "access/authorize": {"iss": account, "att": [{"can": "*"}]},
    "access/confirm": {
        "iss": account,
        "aud": alice.did,
        "att": [{"can": "*"}],
        "cause": raw_link,
    },
    "access/claim": {},
    "access/delegate": {"delegations": {"any": raw_link}},
    "provider/add": {"provider": service.did, "consumer": space.did},
    "plan/get": {},
    "usage/report": {"period": {"from": 0, "to": 1}},
    "filecoin/offer": {"content": raw_link, "piece": PIECE},
}
"""Every field of every ability, optional ones included."""

OPTIONAL = {
    "store/add": {"origin"},
    "store/get": {"link"},
    "store/list": {"cursor", "size", "pre"},
    "upload/add": {"shards"},
    "upload/get": {"root"},
    "upload/list": {"cursor", "size", "pre"},
    "upload/shard/list": {"cursor", "size"},
    "space/index/add": {"content"},
    "space/blob/list": {"cursor", "size", "pre"},
    "web3.storage/blob/accept": {"ttl"},
    "assert/location": {"range", "space"},
    "ucan/revoke": {"proof"},
    "access/authorize": {"iss"},
}
ACCOUNT = ("provider/add", "plan/get")
FIELDS = [(can, field) for can, nb in WHOLE.items() for field in nb]


def test_every_ability_has_a_whole_example() -> None:
    assert WHOLE.keys() == ALL.keys()


@pytest.mark.parametrize("can", ALL)
def test_whole_caveats_are_read_into_their_record(can: str) -> None:
    fields = ALL[can].nb
    assert fields.read(WHOLE[can]) == WHOLE[can]
    built = fields.build(fields.read(WHOLE[can]))
    assert list(fields.readers) == [
        {"put": "_put"}.get(name, name) for name in built.__struct_fields__
    ]
    assert [getattr(built, name) for name in built.__struct_fields__] == list(WHOLE[can].values())


@pytest.mark.parametrize(("can", "field"), FIELDS)
def test_a_field_is_optional_or_required(can: str, field: str) -> None:
    rest = {name: value for name, value in WHOLE[can].items() if name != field}
    if field in OPTIONAL.get(can, set()):
        assert ALL[can].nb.read(rest) == rest
    else:
        with pytest.raises(Mismatch, match=f'invalid field "{field}"'):
            ALL[can].nb.read(rest)


@pytest.mark.parametrize(("can", "field"), FIELDS)
@pytest.mark.parametrize("value", [None, 1.5], ids=str)
def test_a_field_of_another_type_is_refused(can: str, field: str, value: object) -> None:
    with pytest.raises(Mismatch, match=f'invalid field "{field}"'):
        ALL[can].nb.read(WHOLE[can] | {field: value})


def owner_of(can: str) -> str:
    return account if can in ACCOUNT else space.did


@pytest.mark.parametrize("can", [can for can in ALL if can not in ACCOUNT])
def test_each_ability_can_be_delegated_and_used(can: str) -> None:
    proof = grant(space, alice, cap(can))
    asked = ask(alice, cap(can, **WHOLE[can]), [proof])
    assert is_allowed(asked, proof)


@pytest.mark.parametrize("can", ALL)
def test_each_ability_is_over_its_kind_of_resource(can: str) -> None:
    ability = ALL[can]
    assert ability.resource(owner_of(can)) == owner_of(can)
    with pytest.raises(Mismatch):
        ability.resource("https://x.example/")


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("store/add", {"link": other_car_link}),
    ("store/get", {"link": other_car_link}),
    ("store/remove", {"link": other_car_link}),
    ("upload/add", {"root": car_link}),
    ("upload/add", {"shards": [other_car_link]}),
    ("upload/add", {"shards": [car_link, other_car_link]}),
    ("upload/get", {"root": car_link}),
    ("upload/remove", {"root": car_link}),
    ("upload/shard/list", {"root": car_link}),
    ("space/blob/add", {"blob": {"digest": OTHER, "size": 4}}),
    ("space/blob/add", {"blob": {"digest": DIGEST, "size": 5}}),
    ("space/blob/remove", {"digest": OTHER}),
    ("space/blob/get/0/1", {"digest": OTHER}),
    ("space/index/add", {"index": other_car_link}),
    ("ucan/attest", {"proof": car_link}),
    ("ucan/conclude", {"receipt": car_link}),
    ("ucan/revoke", {"ucan": car_link}),
    ("http/put", {"url": "https://x.example/"}),
    ("filecoin/offer", {"content": car_link}),
    ("usage/report", {"period": {"from": 0, "to": 2}}),
    ("access/delegate", {"delegations": {"any": car_link}}),
    ("store/add", {"size": 2}),
]


@pytest.mark.parametrize(("can", "change"), CHANGES, ids=str)
def test_other_caveats_than_delegated_violate_the_delegation(
    can: str, change: dict[str, Any]
) -> None:
    proof = grant(space, alice, cap(can, **WHOLE[can]))
    assert is_allowed(ask(alice, cap(can, **WHOLE[can]), [proof]), proof)
    asked = ask(alice, cap(can, **(WHOLE[can] | change)), [proof])
    assert "Constraint violation" in refusal(asked, proof)


@pytest.mark.parametrize(
    ("can", "nb", "delegated", "words"),
    [
        ("upload/list", {}, {}, f"Can not derive upload/list with {space.did} from {bob.did}"),
        ("store/list", {}, {}, f"Expected 'with: \"{bob.did}\"' instead got '{space.did}'"),
        (
            "space/blob/remove",
            {"digest": DIGEST},
            {},
            f"Can not derive space/blob/remove with {space.did} from {bob.did}",
        ),
    ],
)
def test_another_resource_is_not_derived(
    can: str, nb: dict[str, Any], delegated: dict[str, Any], words: str
) -> None:
    proof = grant(bob, alice, cap(can, bob.did, **delegated))
    assert words in refusal(ask(alice, cap(can, **nb), [proof]), proof)


def test_the_words_of_violations_are_those_people_search_for() -> None:
    proof = grant(space, alice, cap("upload/add", root=car_link))
    text = refusal(ask(alice, cap("upload/add", root=raw_link), [proof]), proof)
    assert f"Constrain violation: {raw_link} violates imposed root constraint {car_link}" in text
    proof = grant(space, alice, cap("store/remove", link=car_link))
    text = refusal(ask(alice, cap("store/remove", link=other_car_link), [proof]), proof)
    assert f"Link {other_car_link} violates imposed {car_link} constraint." in text


def test_a_blob_is_a_digest_and_a_size() -> None:
    assert blob_of(BLOB) == Blob(DIGEST, 4)


def test_a_cid_of_version_0_may_be_an_upload() -> None:
    root = Link.parse("QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR")
    assert capabilities.UPLOAD_ADD.nb.read({"root": root}) == {"root": root}
    assert link_to(b"x") != root
