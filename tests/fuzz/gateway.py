"""Requests to the gateway, spoiled: understood within their limits, or refused with a sentence; and
files of any beginning, which have a type."""

from typing import Final

from taijitu.gateway.asked import (
    FILE_NAME_MAX,
    SEGMENTS_MAX,
    Asked,
    NotUnderstood,
    asked,
)
from taijitu.gateway.types import by_bytes, by_name
from taijitu.server.dispositions import disposition

CID: Final = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"

REQUESTS: Final = [
    f"/ipfs/{CID}/a/b%20c/\n\n*/*".encode(),
    f"/ipfs/{CID}\nformat=car&dag-scope=entity&entity-bytes=0:99&car-dups=y\n".encode(),
    f"/ipfs/{CID}\nfilename=a%C3%A4.txt&download=true&after=x\ntext/html,*/*;q=0.8".encode(),
    f"/ipfs/{CID}/x\n\napplication/vnd.ipld.car;version=1;order=dfs;dups=y;q=0.5".encode(),
]
BEGINNINGS: Final = [
    b"<!doctype html><p>",
    b"<?xml version='1.0'?><svg/>",
    b"RIFF\x00\x00\x00\x00WAVE",
    b"\x00\x00\x00\x20ftypisom",
    "Wörter".encode(),
]


def request(data: bytes, _: int) -> None:
    """A path, a query and an `Accept`, a line each."""
    path, query, accept = (*data.decode("latin-1").split("\n", 2), "", "")[:3]
    found = understood(path, query, accept)
    if isinstance(found, NotUnderstood):
        assert found.status in (400, 406)
        assert str(found).endswith(".")
        return
    assert len(found.segments) <= SEGMENTS_MAX
    assert not {"", ".", ".."} & set(found.segments)
    name = found.file_name or ""
    assert len(name.encode()) <= FILE_NAME_MAX
    assert name.isprintable()
    assert not {"/", "\\"} & set(name)
    for each in (name, *found.segments):
        header = disposition("inline", each)
        assert header.isascii()
        assert header.isprintable()


def understood(path: str, query: str, accept: str) -> Asked | NotUnderstood:
    try:
        return asked(path, query, accept)
    except NotUnderstood as why:
        return why


def beginning(data: bytes, _: int) -> None:
    """How a file begins, and what it is called."""
    assert by_bytes(data).count("/") == 1
    named = by_name(data.decode("latin-1"))
    assert named is None or named.count("/") == 1
