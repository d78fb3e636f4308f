"""Goal: every way to write a CID and a path means the same, and a name means itself."""

import pytest

from taijitu.client import Unusable
from taijitu.client.contents import where
from taijitu.ipld.cid import RAW, link_to

CID = link_to(b"x", RAW)


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        (f"{CID}", ()),
        (f"{CID}/", ()),
        (f"{CID}/a b/c", ("a b", "c")),
        (f"{CID}/a%20b", ("a%20b",)),
        (f"/ipfs/{CID}/a%20b", ("a%20b",)),
        (f"ipfs://{CID}/a%20b", ("a b",)),
        (f"ipfs://{CID}/100%/%C3%BC", ("100%", "ü")),
        (f"ipfs://{CID}/caf%E9", ("caf\udce9",)),
        (f"ipfs://{CID}/a/%2E%2E/b", ("b",)),
    ],
)
def test_a_path_is_read(path: str, segments: tuple[str, ...]) -> None:
    assert where(path) == (CID, segments)


def test_escaped_dots_lead_out_of_nowhere() -> None:
    with pytest.raises(Unusable, match="out of its root"):
        where(f"ipfs://{CID}/%2e%2e/x")


@pytest.mark.parametrize("name", ["%2Fetc%2Fpasswd", "a%2Fb", "a%00b"])
def test_what_is_escaped_is_a_name_and_no_path(name: str) -> None:
    with pytest.raises(Unusable, match="no file can be called"):
        where(f"ipfs://{CID}/{name}")
