"""The routes, and what holds for every answer."""

import asyncio

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from taijitu.kernel.failures import Fault
from taijitu.server.about import did_document, version
from taijitu.server.http import HttpAnswer
from taijitu.server.limits import RPC_BODY_SIZE_MAX, Slots
from taijitu.ucan.signer import Signer
from unit.server.running import ABOUT, Service

CAR = "application/vnd.ipld.car"


async def test_a_message_is_handed_on_with_its_headers(service: Service) -> None:
    headers = {"content-type": CAR, "accept": CAR}
    async with service.http.post(service.url, data=b"message", headers=headers) as answer:
        assert (answer.status, await answer.read()) == (200, b"message")
    assert service.doors.asked == [(CAR, CAR, b"message")]


async def test_the_answer_is_given_as_it_comes_from_behind(service: Service) -> None:
    async def rpc(*_: object) -> HttpAnswer:
        return HttpAnswer(415, {"accept": CAR, "content-type": "text/plain"}, b"no")

    service.doors.rpc = rpc
    async with service.http.post(service.url, data=b"") as answer:
        assert (answer.status, answer.headers["accept"], await answer.read()) == (415, CAR, b"no")


async def test_a_body_that_is_too_large_is_413_whether_or_not_it_says_so(
    service: Service,
) -> None:
    large = bytes(RPC_BODY_SIZE_MAX + 1)

    async def pieces():
        for at in range(0, len(large), 65_536):
            yield large[at : at + 65_536]

    async with service.http.post(service.url, data=pieces()) as answer:
        assert answer.status == 413
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()
    assert service.doors.asked == []


async def test_a_receipt_is_asked_for_by_its_task(service: Service) -> None:
    async def receipt(task: str) -> HttpAnswer:
        return HttpAnswer(200, {"content-type": CAR}, task.encode())

    service.doors.receipt = receipt
    async with service.http.get(f"{service.url}/receipt/bafytask") as answer:
        assert (answer.status, await answer.read()) == (200, b"bafytask")
    for path in ("/receipt/", "/receipt/a/b", "/receipt/" + "a" * 200, "/receipt/..%2f"):
        async with service.http.get(service.url + path) as answer:
            assert answer.status == 404
    assert service.doors.asked == ["bafytask"]


async def test_the_service_says_who_it_is(service: Service) -> None:
    async with service.http.get(f"{service.url}/version") as answer:
        assert await answer.json() == {
            "name": "taijitu",
            "version": "1.2.3",
            "did": ABOUT.did,
            "publicKey": ABOUT.key_did,
        }
    async with service.http.get(f"{service.url}/.well-known/did.json") as answer:
        document = await answer.json()
        assert document["id"] == ABOUT.did
        (method,) = document["verificationMethod"]
        assert f"did:key:{method['publicKeyMultibase']}" == ABOUT.key_did
        assert document["assertionMethod"] == [method["id"]]


def test_the_keys_of_before_are_named_to_verify_with_and_for_nothing_else() -> None:
    first, second = (Signer.from_seed(bytes(31) + bytes([one])).did for one in (1, 2))
    about = replace(ABOUT, past=(first, second))
    assert msgspec.json.decode(version(about).body)["pastKeys"] == [first, second]
    document = msgspec.json.decode(did_document(about).body)
    methods = document["verificationMethod"]
    keys = [f"did:key:{method['publicKeyMultibase']}" for method in methods]
    assert keys == [ABOUT.key_did, second, first]
    names = [method["id"] for method in methods]
    assert document["assertionMethod"] == names
    assert document["authentication"] == document["capabilityInvocation"] == names[:1]


async def test_people_get_a_page(service: Service) -> None:
    async with service.http.get(service.url) as answer:
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        text = await answer.text()
        assert ABOUT.did in text
        assert "taijitu env w3" in text


async def test_health_says_what_ails_the_service(service: Service) -> None:
    async with service.http.get(f"{service.url}/health") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
    service.doors.trouble = "the database does not answer"
    async with service.http.get(f"{service.url}/health") as answer:
        assert answer.status == 503
        assert (await answer.json())["trouble"] == "the database does not answer"


async def test_requests_and_bytes_are_counted(service: Service) -> None:
    await service.store(b"twelve bytes")
    async with service.http.get(f"{service.url}/metrics") as answer:
        text = await answer.text()
    assert 'taijitu_http_requests_total{method="PUT",route="object",status="200"} 1.0' in text
    assert 'taijitu_received_bytes_total{route="object"} 12.0' in text
    assert 'taijitu_http_request_seconds_count{route="object"} 1.0' in text


async def test_an_invented_method_is_not_a_label(service: Service) -> None:
    async with service.http.request("PROPFIND", service.url) as answer:
        assert answer.status == 405
    async with service.http.get(f"{service.url}/metrics") as answer:
        assert 'method="other",route="rpc",status="405"' in await answer.text()


@pytest.mark.parametrize("path", ["/", "/version", "/receipt/x", "/some/where"])
async def test_a_method_that_is_not_there_is_405_and_says_which_are(
    service: Service, path: str
) -> None:
    async with service.http.delete(service.url + path) as answer:
        assert answer.status == 405
        assert "GET" in answer.headers["allow"]
        assert answer.headers["allow"] in await answer.text()


@pytest.mark.parametrize("path", ["/", "/receipt/x", "/a/a.car", "/version"])
async def test_browsers_may_ask_from_any_page(service: Service, path: str) -> None:
    headers = {
        "origin": "https://page.example",
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type,x-amz-checksum-sha256",
    }
    async with service.http.options(service.url + path, headers=headers) as answer:
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-allow-headers"] == "*"
        assert "GET" in answer.headers["access-control-allow-methods"]
    async with service.http.get(service.url + path) as answer:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == "*"


async def test_what_breaks_inside_does_not_show_outside(service: Service) -> None:
    async def rpc(*_: object) -> HttpAnswer:
        raise RuntimeError("the secret is 42")

    service.doors.rpc = rpc
    async with service.http.post(service.url, data=b"") as answer:
        text = await answer.text()
        assert answer.status == 500
        assert answer.headers["x-request-id"] in text
        assert "42" not in text
        assert "RuntimeError" not in text


async def test_a_world_that_does_not_answer_is_503_and_worth_another_try(
    service: Service,
) -> None:
    async def rpc(*_: object) -> HttpAnswer:
        raise Fault("the disk at /secret/place is full")

    service.doors.rpc = rpc
    async with service.http.post(service.url, data=b"") as answer:
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "/secret/place" not in await answer.text()


async def test_more_than_so_many_at_once_are_told_to_ask_again(service: Service) -> None:
    service.app.rpcs = Slots(2)
    inside, go = asyncio.Semaphore(0), asyncio.Event()

    async def rpc(*_: object) -> HttpAnswer:
        inside.release()
        await go.wait()
        return HttpAnswer(200)

    async def post() -> int:
        async with service.http.post(service.url, data=b"") as answer:
            return answer.status

    service.doors.rpc = rpc
    waiting = [asyncio.create_task(post()) for _ in range(2)]
    for _ in waiting:
        await inside.acquire()
    assert await post() == 503
    async with service.http.get(f"{service.url}/health") as answer:
        assert answer.status == 200
    go.set()
    assert await asyncio.gather(*waiting) == [200, 200]
    assert service.app.rpcs.taken == 0


async def test_every_answer_has_an_id_of_its_own(service: Service) -> None:
    ids: set[str] = set()
    for path in ("/version", "/nowhere/at-all", "/health"):
        async with service.http.get(service.url + path) as answer:
            ids.add(answer.headers["x-request-id"])
    assert len(ids) == 3


async def test_a_refused_body_does_not_spoil_the_connection(service: Service) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as http:
        async with http.put(f"{service.url}/a/a.car", data=bytes(500_000)) as answer:
            assert answer.status == 403
        async with http.get(f"{service.url}/version") as answer:
            assert answer.status == 200


async def test_a_web_socket_is_refused(service: Service) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await service.http.ws_connect(service.url)
