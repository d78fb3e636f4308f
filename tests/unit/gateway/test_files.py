"""Goal: files and data come out as the path-gateway specification has it.

Method: content is packed and stored; then it is asked for over a real socket.
"""

import asyncio
import os

import pytest
from aiohttp import ClientPayloadError

from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import DAG_CBOR, DAG_JSON, RAW, Link, link_to
from taijitu.server.connection import Connection
from taijitu.unixfs import block as packing
from taijitu.unixfs.block import Packed
from taijitu.unixfs.data import Data, Kind, Time
from unit.gateway.site import Site, Stored, file, folder, single

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


async def test_a_file_comes_back_with_its_headers(site: Site) -> None:
    data = os.urandom(300_000)
    top = folder({"photo.png": file(data, 10_000)})
    photo = file(data, 10_000)
    await site.store(top)
    reply = await site.get(f"{top.path}/photo.png")
    assert (reply.status, reply.body) == (200, data)
    headers = reply.headers
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == "300000"
    assert headers["etag"] == f'"{photo.link}"'
    assert headers["cache-control"] == "public, max-age=29030400, immutable"
    assert headers["x-ipfs-path"] == f"{top.path}/photo.png"
    assert headers["x-ipfs-roots"] == f"{top.link},{photo.link}"
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["vary"] == "accept"
    assert headers["content-security-policy"].startswith("sandbox ")
    assert "allow-same-origin" not in headers["content-security-policy"]
    assert "content-disposition" not in headers
    assert "content-location" not in headers


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 4000, 4001, 50_000])
async def test_a_file_of_any_shape_comes_back_whole(site: Site, size: int) -> None:
    data = os.urandom(size)
    stored = file(data, 1_000, 4)
    await site.store(stored)
    reply = await site.get(stored.path)
    assert (reply.status, reply.body) == (200, data)
    assert reply.headers["content-length"] == str(size)


async def test_head_says_what_get_would_and_reads_no_leaf(site: Site) -> None:
    stored = file(os.urandom(30_000), 1_000)
    root = Stored(stored.packed, [each for each in stored.blocks if each.link == stored.link])
    await site.store(root)
    head = await site.head(f"{stored.path}?filename=a.bin")
    assert (head.status, head.headers["content-length"], head.body) == (200, "30000", b"")
    assert (await site.get(stored.path)).status == 404
    await site.store(stored)
    whole = await site.get(f"{stored.path}?filename=a.bin")
    varying = {"date", "x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in varying} == {
        k: v for k, v in whole.headers.items() if k not in varying
    }


@pytest.mark.parametrize("begins", [b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n", b"<!doctype html>", b""])
async def test_head_says_what_get_would_also_of_what_has_no_name(site: Site, begins: bytes) -> None:
    """To know its type takes its first bytes."""
    stored = file(begins + bytes(3_000 if begins else 0), 1_000)
    await site.store(stored)
    head, whole = await site.head(stored.path), await site.get(stored.path)
    varying = {"date", "x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in varying} == {
        k: v for k, v in whole.headers.items() if k not in varying
    }
    assert "content-type" in head.headers
    assert head.body == b""


async def test_what_has_to_match_another_tag_is_refused(site: Site) -> None:
    stored = file(b"text")
    await site.store(stored)
    tag = (await site.head(stored.path)).headers["etag"]
    assert (await site.get(stored.path, if_match=tag)).body == b"text"
    assert (await site.get(stored.path, if_match='"another"')).status == 412


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=999-1000", 999, 1001),
        ("bytes=10-19", 10, 20),
        ("bytes=29000-", 29_000, 30_000),
        ("bytes=-5", 29_995, 30_000),
        ("bytes=0-99999999", 0, 30_000),
    ],
)
async def test_a_range_gives_that_part(site: Site, asked: str, start: int, end: int) -> None:
    data = os.urandom(30_000)
    stored = file(data, 1_000, 5)
    await site.store(stored)
    reply = await site.get(stored.path, range=asked)
    assert (reply.status, reply.body) == (206, data[start:end])
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/30000"
    assert reply.headers["content-length"] == str(end - start)


async def test_a_range_takes_only_the_blocks_that_hold_it(site: Site) -> None:
    data = os.urandom(10_000)
    stored = file(data, 1_000)
    kept = {stored.link, link_to(data[3_000:4_000], RAW)}
    await site.store(Stored(stored.packed, [each for each in stored.blocks if each.link in kept]))
    path = f"{stored.path}?filename=a.bin"
    assert (await site.get(path, range="bytes=3000-3999")).body == data[3_000:4_000]
    with pytest.raises(ClientPayloadError):
        await site.get(path, range="bytes=3000-4000")
    assert (await site.get(path, range="bytes=4000-4000")).status == 404


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=-0", "bytes=50-60"])
async def test_a_range_past_the_end_is_416(site: Site, asked: str) -> None:
    for stored in (file(b"0123456789"), file(b"0123456789", 3)):
        await site.store(stored)
        reply = await site.get(stored.path, range=asked)
        assert (reply.status, reply.headers["content-range"]) == (416, "bytes */10")
        assert "10 bytes" in reply.text


async def test_a_range_goes_on_only_with_what_it_began_with(site: Site) -> None:
    stored = file(b"0123456789")
    await site.store(stored)
    same = await site.get(stored.path, range="bytes=5-", if_range=f'"{stored.link}"')
    other = await site.get(stored.path, range="bytes=5-", if_range='"other"')
    assert (same.status, same.body) == (206, b"56789")
    assert (other.status, other.body) == (200, b"0123456789")


@pytest.mark.parametrize("tags", ['"{}"', 'W/"{}"', '"other", "{}"', "*"])
async def test_what_the_client_has_is_not_sent_again(site: Site, tags: str) -> None:
    stored = file(b"once")
    await site.store(stored)
    reply = await site.get(stored.path, if_none_match=tags.format(stored.link))
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["etag"] == f'"{stored.link}"'
    assert "immutable" in reply.headers["cache-control"]
    assert "content-type" not in reply.headers, "one that has the file would forget its type"


async def test_a_name_need_not_be_escaped(site: Site) -> None:
    """As `curl` sends what is typed, and again on the same connection."""
    top = folder({"ä ö.txt": file("für mich".encode())})
    await site.store(top)
    head = f"GET {top.path}/ä%20ö.txt?filename=ü HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    try:
        for _ in range(2):
            writer.write(head)
            assert b"200" in await reader.readline()
            said = await reader.readuntil("für mich".encode())
            assert b"filename*=UTF-8''%C3%BC" in said
    finally:
        writer.close()


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
async def test_a_name_that_is_not_escaped_may_come_in_pieces(size: int) -> None:
    head = "GET /ipfs/x/ä HTTP/1.1\r\nname: ö\r\n\r\n".encode()
    connection = object.__new__(Connection)
    said = b""
    for start in range(0, len(head), size):
        piece = head[start : start + size]
        said += connection.in_ascii(piece) if connection.line_open else piece
    assert said == b"GET /ipfs/x/%C3%A4 HTTP/1.1\r\nname: \xc3\xb6\r\n\r\n"


async def test_a_link_of_version_0_is_served(site: Site) -> None:
    stored = file(b"0123456789", 3)
    await site.store(stored)
    v0 = Link(stored.link.multihash)
    reply = await site.get(f"/ipfs/{v0}")
    assert str(v0).startswith("Qm")
    assert (reply.status, reply.body) == (200, b"0123456789")
    assert reply.headers["x-ipfs-path"] == f"/ipfs/{v0}"


async def test_the_name_in_the_query_decides_type_and_disposition(site: Site) -> None:
    stored = file(b"<p>")
    await site.store(stored)
    plain = await site.get(stored.path)
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    inline = await site.get(f"{stored.path}?filename=test%D1%82.html")
    assert inline.headers["content-type"] == "text/html; charset=utf-8"
    assert inline.headers["content-disposition"] == (
        "inline; filename=\"test_.html\"; filename*=UTF-8''test%D1%82.html"
    )
    saved = await site.get(f"{stored.path}?download=true&filename=a%22b.html")
    assert saved.headers["content-disposition"] == (
        "attachment; filename=\"a_b.html\"; filename*=UTF-8''a%22b.html"
    )
    assert (await site.get(f"{stored.path}?download=true")).headers[
        "content-disposition"
    ] == "attachment"


async def test_a_type_is_told_from_the_beginning_also_where_a_part_is_asked_for(
    site: Site,
) -> None:
    data = b"%PDF-1.7" + bytes(5_000)
    stored = file(data, 5)
    await site.store(stored)
    for headers in ({}, {"range": "bytes=2000-2010"}):
        reply = await site.get(stored.path, **headers)
        assert reply.headers["content-type"] == "application/pdf"
        assert "content-security-policy" not in reply.headers


async def test_mode_and_time_of_a_file_are_told(site: Site) -> None:
    leaf = packing.raw(b"old")
    node = packing.node(Data(Kind.FILE, b"old", 3, mode=0o644, mtime=Time(1_000_000_000, 5)), [])
    await site.store(Stored(Packed(node.link, 3), [leaf, node]))
    reply = await site.get(f"/ipfs/{node.link}")
    assert (reply.body, reply.headers["last-modified"]) == (b"old", "Sun, 09 Sep 2001 01:46:40 GMT")


async def test_a_symlink_is_shown_and_not_followed(site: Site) -> None:
    node = packing.node(Data(Kind.SYMLINK, b"../../etc/passwd"), [])
    link = Stored(Packed(node.link, 16), [node])
    top = folder({"link": link, "etc": folder({"passwd": file(b"x")})})
    await site.store(top)
    reply = await site.get(f"{top.path}/link")
    assert (reply.headers["content-type"], reply.body) == ("inode/symlink", b"../../etc/passwd")
    assert (await site.get(f"{top.path}/link/passwd")).status == 404


# Data


VALUE = {"a": [1, True, None, "text"], "link": link_to(b"elsewhere", RAW), "bytes": b"\x00\x01"}


def data_in(codec: int) -> Stored:
    encode = dagcbor.encode if codec == DAG_CBOR else dagjson.encode
    block = encode(VALUE)
    return single(link_to(block, codec), block)


@pytest.mark.parametrize("codec", [DAG_CBOR, DAG_JSON])
async def test_data_is_shown_as_it_is_or_in_the_other_language(site: Site, codec: int) -> None:
    stored = data_in(codec)
    await site.store(stored)
    own = "dag-cbor" if codec == DAG_CBOR else "dag-json"
    reply = await site.get(stored.path)
    assert reply.headers["content-type"] == f"application/vnd.ipld.{own}"
    assert reply.body == stored.blocks[0].data
    as_json = await site.get(f"{stored.path}?format=dag-json")
    assert dagjson.decode(as_json.body) == VALUE
    as_cbor = await site.get(stored.path, accept="application/vnd.ipld.dag-cbor")
    assert dagcbor.decode(as_cbor.body) == VALUE
    assert as_cbor.headers["content-location"] == f"{stored.path}?format=dag-cbor"
    assert len({each.headers["etag"] for each in (as_json, as_cbor)}) == 2
    assert (await site.get(f"{stored.path}?format=json")).headers["content-type"] == (
        "application/json"
    )


async def test_a_person_is_shown_data_as_a_page(site: Site) -> None:
    stored = data_in(DAG_CBOR)
    await site.store(stored)
    reply = await site.get(stored.path, accept=BROWSER)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert f'<a href="/ipfs/{VALUE["link"]}">' in reply.text
    assert '"text"' in reply.text


async def test_a_path_leads_through_data_and_into_it(site: Site) -> None:
    leaf = file(b"behind")
    block = dagcbor.encode({"deep": [{"to": leaf.link}], "value": {"a": 1}})
    stored = single(link_to(block), block)
    await site.store(stored, leaf)
    assert (await site.get(f"{stored.path}/deep/0/to")).body == b"behind"
    assert (await site.get(f"{stored.path}/value?format=dag-json")).text == '{"a":1}'
    assert (await site.get(f"{stored.path}/value?format=raw")).status == 400
    assert (await site.get(f"{stored.path}/deep/1/to")).status == 404


async def test_a_file_is_not_to_be_had_as_data(site: Site) -> None:
    stored = file(b"file")
    await site.store(stored)
    assert (await site.get(f"{stored.path}?format=dag-json")).status == 406
    assert (await site.get(stored.path, accept="application/json")).body == b"file"


# Refusals


async def test_a_path_that_leads_nowhere_says_what_is_missing_where(site: Site) -> None:
    inner = folder({"a": file(b"a")})
    top = folder({"inner": inner})
    await site.store(top)
    reply = await site.get(f"{top.path}/inner/b/c")
    assert reply.status == 404
    assert "'b'" in reply.text
    assert str(inner.link) in reply.text
    assert reply.headers["cache-control"] == "no-store"
    assert "'index.htm'" in (await site.get(f"{top.path}/index.htm")).text
    assert "is a file" in (await site.get(f"{top.path}/inner/a/b")).text


async def test_what_nobody_stored_is_404_or_412_where_only_what_is_here_counts(
    site: Site,
) -> None:
    path = f"/ipfs/{link_to(b'unheard of', RAW)}"
    assert (await site.get(path)).status == 404
    assert (await site.head(path)).status == 404
    assert (await site.get(path, cache_control="only-if-cached")).status == 412


async def test_what_is_denied_is_gone(site: Site) -> None:
    inner = file(b"0123456789" * 10, 30)
    top = folder({"a": inner, "b": file(b"b")})
    await site.store(top)
    await site.installation.denials.deny(inner.link, "secret reason")
    for query in ("", "?format=raw", "?format=car", "?format=dag-json"):
        for path in (inner.path, f"{top.path}/a"):
            reply = await site.get(path + query)
            assert reply.status == 410
            assert "is blocked here" in reply.text
            assert "secret" not in reply.text
            assert (await site.head(path + query)).status == 410
    assert (await site.get(f"{top.path}/b")).status == 200
    tag = f'"{inner.link}"'
    assert (await site.get(inner.path, if_none_match=tag)).status == 410


@pytest.mark.parametrize("path", ["/ipfs/", "/ipfs/nonsense", "/ipfs/x/y", "/ipfs/bafybe/.."])
async def test_what_is_no_link_is_400(site: Site, path: str) -> None:
    assert (await site.get(path)).status == 400


async def test_a_codec_that_nobody_knows_is_to_be_had_as_raw_only(site: Site) -> None:
    stored = single(link_to(b"strange", 0x7777), b"strange")
    await site.store(stored)
    reply = await site.get(stored.path)
    assert (reply.status, "0x7777" in reply.text) == (400, True)
    assert (await site.get(f"{stored.path}?format=raw")).body == b"strange"


async def test_no_service_worker_is_for_all_content(site: Site) -> None:
    script = file(b"self")
    top = folder({"sw.js": script})
    await site.store(top)
    assert (await site.get(script.path, service_worker="script")).status == 400
    assert (await site.get(f"{top.path}/sw.js", service_worker="script")).status == 200


async def test_what_can_be_done_is_told_to_pages_of_other_origins(site: Site) -> None:
    stored = file(b"x")
    await site.store(stored)
    reply = await site.ask("OPTIONS", stored.path)
    assert (reply.status, reply.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert (await site.get(stored.path)).headers["access-control-allow-origin"] == "*"
    assert (await site.ask("PUT", stored.path)).status == 405
