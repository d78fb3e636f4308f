"""Goal: the pages that we make show whatever strangers have called things, and link to it; nothing
of it becomes a part of the page.

Method: pages are read by a parser of HTML, as a browser would.
"""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taijitu.gateway import listing, values
from taijitu.gateway.listing import Shelf, size
from taijitu.gateway.values import NoSuchForm, written
from taijitu.ipld import dagcbor, dagjson
from taijitu.ipld.cid import DAG_CBOR, DAG_JSON, DAG_PB, RAW, Link, link_to
from taijitu.unixfs.failures import InvalidUnixFS, OverLimit
from taijitu.unixfs.listing import Entry
from taijitu.unixfs.path import VALUE_SIZE_MAX

LINK = link_to(b"linked", RAW)
ROOT = str(link_to(b"root", DAG_PB))
TAGS = {
    *("html", "meta", "title", "style", "h1", "a", "table", "tr", "td", "footer", "p", "code"),
    "pre",
}
NAMES = st.text(min_size=1, max_size=50).filter(lambda name: name not in (".", ".."))


class Page(HTMLParser):
    """What is on a page: its tags, where its links lead, what it says."""

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(text.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {
            *("href", "title", "class", "colspan", "rel", "lang", "charset", "name", "content")
        }
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shelf(*names: str, **more: object) -> Page:
    entries = tuple(Entry(name, LINK, 10) for name in names)
    return Page(listing.page(Shelf(ROOT, ("a", "b"), LINK, entries, **more)))  # type: ignore[arg-type]


@given(st.lists(NAMES, unique=True, max_size=5))
def test_every_name_is_shown_and_linked_to_below_the_page(names: list[str]) -> None:
    page = shelf(*names)
    assert page.tags <= TAGS
    base = f"https://gateway.example/ipfs/{ROOT}/a/b/"
    led = [urlsplit(urljoin(base, link)) for link in page.links if link.startswith("./")]
    found = [each.path.removeprefix(f"/ipfs/{ROOT}/a/b/") for each in led]
    addressable = [name for name in names if Entry(name, LINK, 1).is_addressable]
    assert sorted(unquote(each) for each in found if each) == sorted(addressable)
    assert not any(each.query or each.fragment for each in led)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "\x00"])
def test_a_name_that_no_path_leads_to_is_shown_and_not_linked(name: str) -> None:
    assert [link for link in shelf(name).links if link.startswith("./")] == ["./"]


def test_bytes_that_are_no_text_are_linked_to_as_they_are() -> None:
    assert "./%FF%FEx" in shelf("\udcff\udcfex").links


def test_a_long_name_is_cut_where_it_is_shown_only() -> None:
    page = shelf("x" * 1_000)
    assert f"./{'x' * 1_000}" in page.links
    assert f"{'x' * listing.NAME_SHOWN_MAX}…" in page.texts


def test_a_page_takes_its_colours_from_what_every_browser_knows() -> None:
    """Nothing that browsers learnt in 2024 only: without it they would drop the whole rule."""
    assert "light-dark" not in listing.STYLE
    for name in set(re.findall(r"var\((--\w+)\)", listing.STYLE)):
        assert re.search(rf"{name}: #[0-9a-f]{{3,6}}\b", listing.STYLE), name


def test_the_path_leads_up_step_by_step() -> None:
    assert shelf().links[:4] == ["../../", "../", "./", "../"]


def test_a_page_leads_to_the_next_and_to_the_first() -> None:
    assert "?after=b%26" in shelf("a", "b&", more=True).links
    assert "First page" in shelf("a", after="x").texts
    assert "First page" not in shelf("a").texts


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (150 * 1024, "150 KiB"),
        (5 * 2**30, "5.0 GiB"),
        (2**80, "1048576 EiB"),
    ],
)
def test_a_size_is_told_shortly(amount: int, text: str) -> None:
    assert size(amount) == text


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text()
    | st.binary()
    | st.just(LINK),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text().filter(lambda key: key != "/"), inner, max_size=4)
    ),
)


@given(VALUES)
def test_a_value_is_shown_with_its_links_and_nothing_else(value: object) -> None:
    block = dagcbor.encode(value)
    page = Page(values.page(ROOT, (), link_to(block), block, ()))
    assert page.tags <= TAGS
    own = {link for link in page.links if not link.startswith("?")}
    assert own <= {f"/ipfs/{LINK}"}


@given(VALUES)
def test_a_value_is_the_same_in_both_languages(value: object) -> None:
    block = dagcbor.encode(value)
    as_json = written(link_to(block), block, (), "dag-json")
    assert dagjson.decode(as_json) == value
    back = written(link_to(as_json, DAG_JSON), as_json, (), "dag-cbor")
    assert back == block


def test_a_block_in_its_own_language_is_not_touched() -> None:
    block = b'{ "a" : 1 }'
    link = link_to(block, DAG_JSON)
    assert written(link, block, (), "dag-json") == written(link, block, (), "json") == block
    plain = link_to(b"{x", values.JSON)
    assert written(plain, b"{x", (), "json") == b"{x"


@pytest.mark.parametrize(
    ("codec", "language"),
    [(RAW, "dag-json"), (DAG_PB, "dag-cbor"), (values.JSON, "cbor"), (values.CBOR, "dag-json")],
)
def test_what_is_no_data_is_not_to_be_had_as_such(codec: int, language: values.Language) -> None:
    with pytest.raises(NoSuchForm):
        written(link_to(b"1", codec), b"1", (), language)


@pytest.mark.parametrize("codec", [DAG_CBOR, DAG_JSON])
def test_a_block_that_is_not_what_its_link_says_is_refused(codec: int) -> None:
    for data in (b"", b"\xff", b"[" * 10_000):
        link = link_to(data, codec)
        with pytest.raises(InvalidUnixFS, match=str(link)):
            written(link, data, (), "dag-json")
        with pytest.raises(InvalidUnixFS):
            values.page(ROOT, (), link, data, ())


def test_data_that_is_made_to_grow_in_another_language_is_not_written_in_it() -> None:
    """Twelve megabytes of two."""
    for data, is_written in (("a" * VALUE_SIZE_MAX, True), ("\x01" * VALUE_SIZE_MAX, False)):
        block = dagcbor.encode(data[10:])
        link = link_to(block)
        assert written(link, block, (), "dag-cbor") == block
        if is_written:
            assert written(link, block, (), "dag-json") == dagjson.encode(data[10:])
            continue
        with pytest.raises(OverLimit, match="bytes in dag-json"):
            written(link, block, (), "dag-json")


def test_a_value_deep_inside_is_cut_on_a_page() -> None:
    value: object = "inside"
    for _ in range(120):
        value = [value]
    block = dagcbor.encode(value)
    page = Page(values.page(ROOT, (), link_to(block), block, ()))
    assert "…" in "".join(page.texts)


@pytest.mark.parametrize("depth", [1, 99])
def test_a_page_is_cut_where_the_data_would_make_it_very_long(depth: int) -> None:
    value: object = [0] * 250_000
    for _ in range(depth - 1):
        value = [value]
    block = dagcbor.encode(value)
    page = values.page(ROOT, (), link_to(block), block, ())
    assert values.TEXT_SIZE_MAX < len(page) < values.TEXT_SIZE_MAX + 10_000
    assert "…" in "".join(Page(page).texts)


def test_what_a_path_leads_to_within_a_block_is_shown_alone() -> None:
    block = dagcbor.encode({"a": [10, {"b": LINK}]})
    link = link_to(block)
    assert written(link, block, ("a", "0"), "dag-json") == b"10"
    assert Page(values.page(ROOT, ("a", "1"), link, block, ("a", "1"))).links[0] == f"/ipfs/{LINK}"
    assert Link.parse(ROOT)
