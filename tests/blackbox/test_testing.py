"""Goal: with `TAIJITU_TESTING=1` a service says at `/testing/*` what others read from the memory of
theirs; it changes nothing by that, and without the setting nothing of it is there.
"""

import re
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from support.client import Client, Inside, Space, random_car, talking_to
from support.eventually import eventually
from support.service import Service, running
from taijitu.ipld import dagjson, multibase
from taijitu.ipld.cid import CAR, RAW, Link, link_to, multihash
from taijitu.ucan.issue import delegate
from taijitu.wire import message
from taijitu.wire.message import Message
from taijitu.wire.sharded_index import Shard, Slice, encode

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "testing.md"
ACCOUNT = "did:mailto:web.mail:alice"
ALICE = "alice@web.mail"


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service that may be asked."""
    data = tmp_path_factory.mktemp("tested") / "data"
    with running(Service(data, {"TAIJITU_TESTING": "1"})) as service:
        yield service


@pytest.fixture
async def client(tested: Service) -> AsyncGenerator[Client]:
    async with talking_to(tested) as client:
        yield client


async def asked(client: Client, what: str, query: Any = ()) -> Any:
    """What `/testing/` answers: a result."""
    url = f"{client.service.url}/testing/{what}?{urlencode(query, doseq=True)}"
    reply = await client.request("GET", url)
    assert reply.status == 200, (reply.status, reply.text)
    assert reply.headers["content-type"] == "application/vnd.ipld.dag-json"
    return dagjson.decode(reply.body)


async def read(client: Client, can: str, space: Space, **nb: object) -> Any:
    query = {"can": can, "with": space.did, "nb": dagjson.encode(nb).decode()}
    return await asked(client, "read", query)


async def tasks(client: Client, link: Link) -> Message | None:
    reply = await client.request("GET", f"{client.service.url}/testing/task/{link}")
    if reply.status == 404:
        return None
    assert (reply.status, reply.headers["content-type"]) == (200, "application/vnd.ipld.car")
    return message.decode(reply.body)


async def keep_blob(space: Space, data: bytes) -> None:
    """Add some bytes as a blob, and put them."""
    blob = {"digest": multihash(data), "size": len(data)}
    receipt = await space.client.send(space.ask("space/blob/add", {"blob": blob}))
    allocated = await space.client.receipt(receipt.fork[0])
    assert allocated is not None
    assert await space.client.put(allocated.out["ok"]["address"], data) == 200


def name(data: bytes) -> str:
    return multibase.encode("z", multihash(data))


@pytest.mark.parametrize("what", ["read?can=store/list", "mail/0", "task/bafy", "location/z", ""])
async def test_without_the_setting_nothing_of_it_is_there(service: Service, what: str) -> None:
    async with talking_to(service) as client:
        reply = await client.request("GET", f"{service.url}/testing/{what}")
        assert reply.status == 404
        assert "/testing/" not in reply.text


async def test_a_list_is_read_as_its_owner_would_read_it(client: Client) -> None:
    alice, one, two = client.space("alice"), random_car(), random_car()
    await alice.store(one)
    await alice.add(two)
    assert await read(client, "store/list", alice) == await alice.page()
    assert await read(client, "store/list", alice, size=1) == await alice.page(size=1)
    assert await read(client, "store/get", alice, link=one.link) == await alice.get(one)
    root = link_to(b"root", RAW)
    await client.send(alice.ask("upload/add", {"root": root, "shards": [one.link]}))
    shown = (await read(client, "upload/get", alice, root=root))["ok"]
    assert (shown["root"], shown["shards"]) == (root, [one.link])
    assert (await read(client, "upload/list", alice))["ok"]["results"] == [shown]


async def test_blobs_are_read_by_their_digests(client: Client) -> None:
    alice, data = client.space("alice"), random_car().data
    await keep_blob(alice, data)
    blob = {"digest": multihash(data), "size": len(data)}
    found = await read(client, "space/blob/get/0/1", alice, digest=multihash(data))
    assert found["ok"]["blob"] == blob
    listed = (await read(client, "space/blob/list", alice))["ok"]["results"]
    assert [each["blob"] for each in listed] == [blob]


async def test_what_is_not_there_is_an_error_and_not_a_status(client: Client) -> None:
    alice, car = client.space("alice"), random_car()
    error = (await read(client, "store/get", alice, link=car.link))["error"]
    assert error["name"] == "StoreItemNotFound"
    assert str(car.link) in error["message"]
    unknown = await asked(client, f"slices/{name(b'never heard of')}")
    assert unknown["error"]["name"] == "NotFound"
    assert (await asked(client, "mail/999"))["error"]["name"] == "NotFound"
    assert await asked(client, f"claims/{name(b'never heard of')}") == {"ok": []}


@pytest.mark.parametrize("can", ["store/add", "store/remove", "ucan/revoke", "access/claim", "x"])
async def test_only_what_reads_can_be_read(client: Client, can: str) -> None:
    query = urlencode({"can": can, "with": client.space().did, "nb": "{}"})
    reply = await client.request("GET", f"{client.service.url}/testing/read?{query}")
    assert reply.status == 404
    assert "store/list" in reply.text


async def test_an_invocation_that_came_in_is_there_with_its_proofs(client: Client) -> None:
    alice, bob = client.space("alice"), client.space("bob")
    capability = {"can": "console/log", "with": alice.did}
    proof = delegate(alice.owner, bob.did, [capability], expiration=None)
    log = bob.issue({**capability, "nb": {"value": "hi"}}, proofs=[proof.link])
    assert await tasks(client, log.link) is None
    await client.send(log, proofs=[proof])
    found = await tasks(client, log.link)
    assert found is not None
    assert found.execute == (log.link,)
    assert found.blocks[log.link] == log.data
    assert found.blocks[proof.link] == proof.data


async def test_a_task_that_was_promised_is_there_before_it_is_done(client: Client) -> None:
    alice, data = client.space("alice"), random_car().data
    blob = {"digest": multihash(data), "size": len(data)}
    receipt = await client.send(alice.ask("space/blob/add", {"blob": blob}))
    for task in receipt.fork:
        found = await tasks(client, task)
        assert found is not None
        assert found.execute == (task,)
        assert task in found.blocks
    assert await client.receipt(receipt.fork[2]) is None


async def test_who_has_revoked_what_is_told(client: Client) -> None:
    alice, bob = client.space("alice"), client.space("bob")
    capability = {"can": "store/list", "with": alice.did}
    one, two = (
        delegate(alice.owner, bob.did, [capability], expiration=None, nonce=each) for each in "12"
    )
    revoke = alice.ask("ucan/revoke", {"ucan": one.link}, proofs=[one.link])
    assert "ok" in (await client.send(revoke, proofs=[one])).out
    query = {"ucan": [str(one.link), str(two.link)]}
    assert await asked(client, "revocations", query) == {
        "ok": {str(one.link): {alice.did: {"cause": revoke.link}}}
    }


async def test_what_is_committed_and_indexed_is_told(client: Client) -> None:
    alice, data = client.space("alice"), random_car().data
    url = f"{client.service.url}/{link_to(data, CAR)}/{link_to(data, CAR)}.car"
    assert await asked(client, f"location/{name(data)}") == {"ok": url}
    await keep_blob(alice, data)
    claim = {"type": "assert/location", "location": [url]}
    assert await asked(client, f"claims/{name(data)}") == {"ok": [claim]}
    content = link_to(data[:100], RAW)
    piece = Slice(multihash(data[10:30]), 10, 20)
    index = encode(content, [Shard(multihash(data), (piece,))])
    await keep_blob(alice, index)
    added = alice.ask("space/index/add", {"index": link_to(index, CAR)})
    assert (await client.send(added)).out == {"ok": {}}
    indexed = {"type": "assert/index", "content": content, "index": link_to(index, CAR)}
    assert await asked(client, f"claims/{name(data[:100])}") == {"ok": [indexed]}
    where = {"shard": name(data), "offset": 10, "length": 20}
    assert await asked(client, f"slices/{name(data[10:30])}") == {"ok": where}
    assert await asked(client, f"slices/{name(data)}") == {"ok": {"shard": name(data)}}
    assert await asked(client, f"slices/{name(data[:100])}") == {"ok": {"index": indexed["index"]}}


async def test_a_car_that_was_only_added_as_such_is_no_commitment(client: Client) -> None:
    alice, car = client.space("alice"), random_car()
    await alice.store(car)
    assert await asked(client, f"claims/{name(car.data)}") == {"ok": []}


async def test_bytes_that_nobody_asked_to_store_are_found_by_who_does(client: Client) -> None:
    alice, car = client.space("alice"), random_car()

    async def said() -> str:
        return client.service.output

    # The audit at the start would take them away.
    await eventually(said, lambda output: '"event":"audit"' in output, seconds=20)
    leave = await asked(client, "upload-url", {"link": str(car.link), "size": car.size})
    assert await client.put(leave["ok"], car.data) == 200
    assert (await alice.add(car))["ok"]["status"] == "done"


async def test_letters_are_told_in_their_order(client: Client) -> None:
    urls: list[str] = []
    for number in range(2):
        agent = client.space(f"device {number}")
        nb = {"iss": ACCOUNT, "att": [{"can": "*"}]}
        assert "ok" in (await client.send(agent.ask("access/authorize", nb))).out
        letter = (await asked(client, f"mail/{number}", {"seconds": 10}))["ok"]
        assert letter["to"] == ALICE
        assert letter["url"].startswith(f"{client.service.url}/validate-email?ucan=")
        urls.append(letter["url"])
    again = [(await asked(client, f"mail/{number}"))["ok"]["url"] for number in range(2)]
    assert again == urls
    assert urls[0] != urls[1]


async def test_asking_changes_nothing(client: Client, tested: Service) -> None:
    alice, car = client.space("alice"), random_car()
    await alice.store(car)
    inside = Inside(tested.data)
    before = inside.everything()
    await read(client, "store/list", alice)
    await read(client, "store/list", client.space("nobody has heard of"))
    await asked(client, f"claims/{name(car.data)}")
    await asked(client, "upload-url", {"link": str(random_car().link), "size": 5})
    await asked(client, "revocations", {"ucan": str(car.link)})
    assert inside.everything() == before


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("read?can=store/list", "`with` has to be given, once."),
        ("read?can=store/list&with=did:key:z6Mk&nb={}", "`with` is no DID"),
        ("read?can=store/list&with=did:web:x&nb={}", "did:key:"),
        ("read?can=store/list&with=SPACE&nb={", "`nb` is not DAG-JSON"),
        ("read?can=store/list&with=SPACE&nb=[]", "object"),
        ('read?can=store/list&with=SPACE&nb={"size":"many"}', '"size"'),
        ('read?can=store/get&with=SPACE&nb={"link":{"/":"x"}}', "`nb` is not DAG-JSON"),
        ('read?can=store/list&with=SPACE&nb={"cursor":"%5Cud800"}', "`nb` is not DAG-JSON"),
        ("task/x", "'x' is not a link"),
        ("revocations", "1 to 100 UCANs"),
        ("revocations?ucan=x", "'x' is not a link"),
        ("claims/bafy", "not a multihash in base58btc"),
        ("location/zQm/..", "not a multihash in base58btc"),
        ("upload-url?link=LINK", "`size` has to be given, once."),
        ("upload-url?link=LINK&size=-1", "'-1' is not a whole number"),
        ("upload-url?link=LINK&size=9999999999999999", "`size` is at most"),
        ("upload-url?link=RAW&size=1", "is not the link of a CAR"),
        ("mail/first", "'first' is not a whole number"),
        ("mail/0?seconds=31", "`seconds` is at most 30, not 31."),
        ("mail/0?" + "x=1%26" * 201, "the query cannot be read"),
    ],
)
async def test_a_question_without_sense_gets_a_sentence(
    client: Client, what: str, text: str
) -> None:
    given = {"SPACE": client.space().did, "LINK": str(random_car().link)}
    given["RAW"] = str(link_to(b"raw", RAW))
    for word, value in given.items():
        what = what.replace(word, value)
    what = what.replace('"', "%22").replace("{", "%7B").replace("}", "%7D").replace("%26", "&")
    reply = await client.request("GET", f"{client.service.url}/testing/{what}")
    assert (reply.status, reply.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert text in reply.text


async def test_the_page_names_every_question_and_no_other(client: Client) -> None:
    reply = await client.request("GET", f"{client.service.url}/testing/")
    told = reply.text.partition("/testing/: ")[2].rstrip(".\n").split(", ")
    rows = re.findall(r"^\| `/testing/([a-z-]+)(?:/|\?)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(each.removesuffix("/…") for each in told)


async def test_other_questions_are_404_and_other_methods_405(client: Client) -> None:
    where = f"{client.service.url}/testing/"
    for what in ("", "clock", "read/x", "mail", "task"):
        reply = await client.request("GET", where + what)
        assert reply.status == 404
        assert "upload-url" in reply.text
    for method in ("POST", "PUT", "DELETE"):
        reply = await client.request(method, f"{where}mail/0", b"")
        assert reply.status == 405
