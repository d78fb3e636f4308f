"""Goal: a signed URL allows one PUT of one object, and nothing that looks like it: not another
path, method, size or time, not with its parameters doubled or in another order. What a proxy says
about the way it came changes nothing.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from hostile.asking import Target
from support.client import Client, random_car

SIGNATURE = "&X-Amz-Signature="


@pytest.fixture
async def ok(target: Target) -> dict[str, Any]:
    return (await target.space.add(target.awaited))["ok"]


def parts(ok: dict[str, Any]) -> tuple[str, str, list[str]]:
    url = urlsplit(ok["url"])
    return f"{url.scheme}://{url.netloc}", url.path, url.query.split("&")


async def refused(client: Client, url: str, ok: dict[str, Any], data: bytes) -> None:
    reply = await client.request("PUT", url, data, ok["headers"])
    assert reply.status in (400, 403), (url, reply.status)
    assert b"<Code>" in reply.body


async def test_parameters_doubled_moved_added_or_left_out_are_refused(
    target: Target, ok: dict[str, Any]
) -> None:
    base, path, query = parts(ok)
    spoiled = [
        *([*query[:at], query[at], *query[at:]] for at in range(len(query))),
        *(query[:at] + query[at + 1 :] for at in range(len(query))),
        *(query[at:] + query[:at] for at in range(1, len(query))),
        query[::-1],
        [*query, "x=y"],
        ["x=y", *query],
        [*query, ""],
        [each.lower() for each in query],
        [each.replace("%2F", "/").replace("%3B", ";") for each in query],
        [each.replace("%2F", "%2f") for each in query],
        [*query[:3], "X-Amz-Expires=604800", *query[3:]],
    ]
    for each in spoiled:
        await refused(target.client, f"{base}{path}?{'&'.join(each)}", ok, target.awaited.data)
    assert await target.client.put(ok, target.awaited.data) == 200


async def test_other_paths_are_refused(target: Target, ok: dict[str, Any]) -> None:
    base, path, query = parts(ok)
    stored = f"/{target.stored.link}/{target.stored.link}.car"
    for other in (stored, path + "/", "/" + path, path.upper(), path[:-4], f"/x/..{path}", "/%2e"):
        await refused(target.client, f"{base}{other}?{'&'.join(query)}", ok, target.awaited.data)
    assert await target.space.place(target.awaited) == "Receiving"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH"])
async def test_other_methods_are_refused(target: Target, ok: dict[str, Any], method: str) -> None:
    reply = await target.client.request(
        method, ok["url"], None, ok["headers"] | {"content-length": "0"}
    )
    assert reply.status in (400, 403, 405)
    assert await target.space.place(target.awaited) == "Receiving"


async def test_other_sizes_and_other_bytes_are_refused(target: Target, ok: dict[str, Any]) -> None:
    client, data = target.client, target.awaited.data
    for other in (data[:-1], data + b"x", b"", bytes(len(data))):
        headers = ok["headers"] | {"content-length": str(len(other))}
        reply = await client.request("PUT", ok["url"], other, headers)
        assert reply.status in (400, 403)
    assert await client.fetch(target.awaited.link) is None
    assert await client.put(ok, data) == 200


async def test_what_a_proxy_says_of_the_way_it_came_changes_nothing(
    target: Target, ok: dict[str, Any]
) -> None:
    """The host is the public one that was signed, whatever stands in the request."""
    client, data = target.client, target.awaited.data
    said = {
        "host": "backend:8080",
        "x_forwarded_host": "elsewhere.example",
        "x_forwarded_proto": "https",
        "x_forwarded_for": "203.0.113.9",
        "forwarded": "host=elsewhere.example;proto=https",
    }
    assert await client.put(ok, data, **said) == 200
    assert await client.fetch(target.awaited.link) == data


async def test_no_header_makes_it_another_method_or_path(
    target: Target, ok: dict[str, Any]
) -> None:
    client, other = target.client, random_car(target.awaited.size)
    path = f"/{other.link}/{other.link}.car"
    for name in ("x_original_url", "x_rewrite_url", "x_http_method_override"):
        assert await client.put(ok, other.data, **{name: path}) == 400
    assert await client.fetch(other.link) is None


async def test_the_same_url_many_times_at_once_stores_the_bytes_once(
    target: Target, ok: dict[str, Any]
) -> None:
    puts = [target.client.put(ok, target.awaited.data) for _ in range(8)]
    statuses = set(await asyncio.gather(*puts))
    assert 200 in statuses
    assert statuses <= {200, 503}
    usage = await target.space.usage()
    assert usage["used"] == target.stored.size + target.awaited.size
    assert usage["reserved"] == 0
