import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taijitu.ipld.cid import RAW, Link, link_to
from taijitu.ipld.dagcbor import NESTING_MAX, DecodeError
from taijitu.ipld.dagjson import decode, encode

LINK = link_to(b"a leaf", RAW)

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text()
    | st.binary()
    | st.just(LINK)
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda k: k != "/"), inner),
)


@settings(deadline=None)
@given(values)
def test_what_is_written_is_read(value: object) -> None:
    assert decode(encode(value)) == value


def test_links_and_bytes_have_their_own_spelling() -> None:
    text = f'{{"link": {{"/": "{LINK}"}}, "bytes": {{"/": {{"bytes": "AQID"}}}}, "n": [1.5]}}'
    assert decode(text.encode()) == {"link": LINK, "bytes": b"\x01\x02\x03", "n": [1.5]}
    assert isinstance(decode(text.encode())["link"], Link)


def test_a_slash_among_other_keys_is_a_key() -> None:
    assert decode(b'{"/": "x", "a": 1}') == {"/": "x", "a": 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"/": "no link"}', "not a link"),
        ('{"/": 1}', "neither"),
        ('{"/": {"bytes": 1}}', "neither"),
        ('{"/": {"bytes": "AQ=="}}', "neither"),
        ('{"/": {"bytes": "AQID", "more": 1}}', "neither"),
        ('{"/": {"bytes": "A"}}', "base64"),
        ('{"/": {"bytes": "A_-Q"}}', "base64"),
        ("", "not DAG-JSON"),
        ("{} {}", "not DAG-JSON"),
        ("NaN", "not DAG-JSON"),
        ("[" * (NESTING_MAX + 1) + "]" * (NESTING_MAX + 1), "deeper than"),
        ("[" * 200_000, "not DAG-JSON"),
    ],
)
def test_what_says_something_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode(text.encode())


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(DecodeError, match="not DAG-JSON"):
        decode(b'"\xff"')
