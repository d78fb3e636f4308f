"""Goal: the numbers of a space are told so that nobody mistakes them."""

from typing import Any

from taijitu.cli.space import described, in_list

DID = "did:key:z6MkhctUcGzdTWV4B6TYMiG1JzkeyveTpRrvG2p1Unxt1qDg"


def space(**fields: int) -> dict[str, Any]:
    return {"space": DID, "capacity": 10 * 2**20, "reserved": 0, "used": 0, "entries": 0} | fields


def test_a_space_is_told_line_by_line() -> None:
    text = described(space(reserved=2**20, used=3 * 2**20, entries=2))
    assert [line.split(maxsplit=1) for line in text.splitlines()] == [
        ["space", DID],
        ["capacity", "10 MiB"],
        ["used", "3 MiB by 2 entries"],
        ["reserved", "1 MiB for uploads under way"],
        ["free", "6 MiB"],
    ]


def test_a_space_that_holds_more_than_it_may_is_explained() -> None:
    text = described(space(used=11 * 2**20, entries=1))
    assert "free      0 B" in text
    assert "It holds 1 MiB more than that already" in text


def test_in_a_list_what_is_reserved_is_told_only_where_something_is() -> None:
    assert in_list(space(used=2**20, entries=1)) == (DID, "  1 MiB of 10 MiB · 1 entry")
    assert in_list(space(reserved=2**20))[1] == "  0 B of 10 MiB, 1 MiB reserved · 0 entries"
