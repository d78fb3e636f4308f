"""The golden vectors, at the level of bytes: codecs, archives, links, messages.

What the decoded UCANs and receipts say is tested with the code that reads them.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from support import vectors
from taijitu.ipld import car, dagcbor, dagjson
from taijitu.ipld.cid import DAG_CBOR, RAW, Link, link_to

CODEC: list[dict[str, Any]] = vectors.manifest()["codec"]


def described() -> Iterator[dict[str, Any]]:
    """Every entry of the manifest that lists the blocks of a CAR file."""
    manifest = vectors.manifest()
    yield from manifest["delegations"]
    yield from manifest["receipts"]  # one of them does not list its blocks
    for message in manifest["messages"]:
        yield message["request"]
        yield message["response"]


def links_in(value: object) -> Iterator[Link]:
    if isinstance(value, Link):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from links_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from links_in(item)


def test_the_vectors_are_the_ones_that_were_checked_in() -> None:
    lines = (vectors.FOLDER / "SHA256SUMS").read_text("utf-8").splitlines()
    expected = {name: digest for digest, name in (line.split() for line in lines)}
    actual = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in vectors.FOLDER.iterdir()
        if path.name != "SHA256SUMS"
    }
    assert expected == actual


def test_every_case_of_the_manifest_is_here() -> None:
    assert len(CODEC) == 8
    entries = list(described())
    assert len(entries) == 48 + 7 + 2 * 10
    assert [entry["name"] for entry in entries if "blocks" not in entry] == ["bad-signature"]
    files = {entry["file"] for entry in entries} | {vectors.manifest()["archive"]["file"]}
    assert files == set(vectors.cars())


@pytest.mark.parametrize("case", CODEC, ids=lambda case: case["name"])
def test_dag_cbor_and_dag_json_are_what_javascript_writes(case: dict[str, Any]) -> None:
    block = bytes.fromhex(case["cbor"])
    value = dagcbor.decode(block)
    assert dagcbor.encode(value) == block
    assert str(link_to(block)) == case["cid"]
    assert dagjson.encode(value).decode() == case["dag_json"]


@pytest.mark.parametrize("entry", list(described()), ids=lambda entry: entry["file"])
def test_an_archive_holds_the_blocks_the_manifest_lists(entry: dict[str, Any]) -> None:
    archive = car.decode(vectors.car(entry["file"]))
    if "blocks" in entry:
        assert sorted(str(link) for link in archive.blocks) == sorted(entry["blocks"])
    assert str(archive.roots[0]) == entry["root"]
    if "roots" in entry:
        assert [str(root) for root in archive.roots] == entry["roots"]


@pytest.mark.parametrize("file", vectors.cars())
def test_an_archive_is_written_as_it_was_read(file: str) -> None:
    archive = car.decode(vectors.car(file))
    assert car.encode(archive.roots, archive.blocks.items()) == vectors.car(file)


@pytest.mark.parametrize("file", vectors.cars())
def test_every_block_is_named_and_written_as_it_was_read(file: str) -> None:
    for link, block in car.decode(vectors.car(file)).blocks.items():
        assert link.codec in (DAG_CBOR, RAW)
        assert link_to(block, link.codec) == link
        assert Link.parse(str(link)) == link
        if link.codec == DAG_CBOR:
            value = dagcbor.decode(block)
            assert dagcbor.encode(value) == block
            assert all(Link.parse(str(inner)) == inner for inner in links_in(value))
