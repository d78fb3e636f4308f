"""Goal: what a request asks of the gateway is understood as the specifications have it, or refused
with a sentence."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taijitu.gateway.asked import SEGMENTS_MAX, Asked, NotUnderstood, Wish, accepted, asked
from taijitu.ipld.cid import Link
from taijitu.unixfs.dag import Scope
from taijitu.unixfs.span import Span

CID = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
V0 = "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR"
PATH = f"/ipfs/{CID}"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


def wish(query: str, accept: str | None = None) -> Wish:
    return asked(PATH, query, accept).wish


def refused(path: str = PATH, query: str = "", accept: str | None = None) -> NotUnderstood:
    with pytest.raises(NotUnderstood) as why:
        asked(path, query, accept)
    text = str(why.value)
    assert text.endswith(".")
    assert text.isprintable()
    return why.value


def test_a_plain_request_asks_for_a_page() -> None:
    assert asked(PATH, "", None) == Asked(Link.parse(CID), CID)


def test_a_link_of_version_0_is_understood_and_kept_as_it_was_spelled() -> None:
    found = asked(f"/ipfs/{V0}/a", "", None)
    assert (found.root, found.spelled) == (Link.parse(V0), V0)


@pytest.mark.parametrize(
    ("rest", "segments", "is_folder"),
    [
        ("", (), False),
        ("/", (), True),
        ("/a/b", ("a", "b"), False),
        ("/a//b/", ("a", "b"), True),
        ("/a%20b/%C3%A4", ("a b", "ä"), False),
        ("/a+b", ("a+b",), False),
        ("/%2Fetc", ("/etc",), False),
        ("/%FF", ("\udcff",), False),
        ("/%zz", ("%zz",), False),
    ],
)
def test_a_path_is_names(rest: str, segments: tuple[str, ...], is_folder: bool) -> None:
    found = asked(PATH + rest, "", None)
    assert (found.segments, found.is_folder) == (segments, is_folder)


@pytest.mark.parametrize("rest", ["/..", "/a/../b", "/.", "/%2e%2e/x", "/a/%2E"])
def test_a_path_never_leads_up(rest: str) -> None:
    assert "leads down only" in str(refused(PATH + rest))


def test_a_path_has_a_limit() -> None:
    assert len(asked(PATH + "/a" * SEGMENTS_MAX, "", None).segments) == SEGMENTS_MAX
    assert str(SEGMENTS_MAX) in str(refused(PATH + "/a" * (SEGMENTS_MAX + 1)))


@pytest.mark.parametrize(
    "cid",
    ["", "x", "bafy", CID[:-1], CID + "a", "Qm", V0[:-1], "%00", "%FF", "../" + CID, "z" * 99],
)
def test_what_is_no_cid_is_refused(cid: str) -> None:
    assert refused(f"/ipfs/{cid}").status == 400


@pytest.mark.parametrize(
    ("query", "accept", "form", "by_header"),
    [
        ("format=raw", None, "raw", False),
        ("format=car", None, "car", False),
        ("format=dag-json", None, "dag-json", False),
        ("format=cbor", None, "cbor", False),
        ("", "application/vnd.ipld.raw", "raw", True),
        ("", "application/vnd.ipld.car", "car", True),
        ("", "Application/VND.ipld.car;version=1", "car", True),
        ("", "application/vnd.ipld.dag-cbor", "dag-cbor", True),
        ("format=raw", "application/vnd.ipld.car", "raw", False),
        ("", BROWSER, "page", False),
        ("", "*/*", "page", False),
        ("", "application/json", "page", False),
        ("", "image/webp, application/vnd.ipld.raw", "raw", True),
        ("", "application/vnd.ipld.raw;q=0.2, application/vnd.ipld.car", "car", True),
        ("", "application/vnd.ipld.raw, */*;q=0.1", "raw", True),
        ("", "text/html, application/vnd.ipld.raw;q=0.9", "page", False),
        ("", "application/x-tar, application/vnd.ipld.car;q=0.9", "car", True),
        ("", "application/vnd.ipfs.ipns-record, */*;q=0.1", "page", False),
        ("", "application/vnd.ipld.raw;q=0", "page", False),
        ("", "application/vnd.ipld.raw;q=nonsense", "raw", True),
        ("", ",;,=", "page", False),
        ("format=raw&unknown=1", None, "raw", False),
    ],
)
def test_the_form_is_what_the_query_says_or_what_is_wanted_most(
    query: str, accept: str | None, form: str, by_header: bool
) -> None:
    found = asked(PATH, query, accept)
    assert (found.form, found.by_header) == (form, by_header)


def test_a_browser_is_known_by_what_it_accepts() -> None:
    assert asked(PATH, "", BROWSER).html
    assert not asked(PATH, "", "*/*").html


@pytest.mark.parametrize(
    ("query", "accept", "status"),
    [
        ("format=tar", None, 406),
        ("format=ipns-record", None, 406),
        ("", "application/x-tar", 406),
        ("", "application/x-tar, application/json;q=0.9", 406),
        ("", "application/vnd.ipfs.ipns-record", 406),
        ("format=exe", None, 400),
        ("format=", None, 400),
        ("format=raw&format=car", None, 400),
        ("&".join(f"a{number}=1" for number in range(51)), None, 400),
    ],
)
def test_a_form_that_is_not_to_be_had_is_refused(
    query: str, accept: str | None, status: int
) -> None:
    assert refused(query=query, accept=accept).status == status


def test_a_car_holds_all_below_each_block_once_unless_it_is_wanted_otherwise() -> None:
    assert wish("format=car") == Wish(Scope.ALL, None, False)
    assert wish("format=car&dag-scope=block") == Wish(Scope.BLOCK)
    assert wish("format=car&dag-scope=entity&dups=y") == Wish(Scope.ENTITY, None, True)
    assert wish("format=car&car-dups=y&car-order=unk&car-version=1") == Wish(Scope.ALL, None, True)
    assert wish("format=car&order=dfs") == Wish()


def test_what_stands_behind_the_type_counts_unless_the_query_says_otherwise() -> None:
    accept = 'application/vnd.ipld.car; version=1; order="dfs"; dups=y'
    assert wish("", accept) == Wish(Scope.ALL, None, True)
    assert wish("format=car", accept) == Wish(Scope.ALL, None, True)
    assert wish("format=car", f"image/png, {accept}") == Wish(Scope.ALL, None, True)
    assert wish("dups=n", accept) == Wish()
    assert wish("car-dups=n", accept) == Wish()


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0:1023", Span(0, 1023)),
        ("5:5", Span(5, 5)),
        ("1024:*", Span(1024, None)),
        ("-1024:*", Span(-1024, None)),
        ("-10:-5", Span(-10, -5)),
        ("0:-1", Span(0, -1)),
        ("-5:100", Span(-5, 100)),
        ("0:999999999999999999", Span(0, 999_999_999_999_999_999)),
    ],
)
def test_bytes_of_an_entity_are_from_and_to(text: str, span: Span) -> None:
    assert wish(f"format=car&entity-bytes={text}") == Wish(Scope.ENTITY, span)
    assert wish(f"format=car&dag-scope=entity&entity-bytes={text}") == Wish(Scope.ENTITY, span)


@pytest.mark.parametrize(
    "query",
    [
        *("dag-scope=everything", "dag-scope=", "car-version=2", "car-order=bfs", "dups=maybe"),
        *("entity-bytes=5", "entity-bytes=:5", "entity-bytes=a:b", "entity-bytes=5:2"),
        *("entity-bytes=-2:-5", "entity-bytes=*:5", "entity-bytes=0:", "entity-bytes=0:+1"),
        *("entity-bytes=0:10000000000000000000", "entity-bytes=0:5:6", "entity-bytes="),
        *("dag-scope=all&entity-bytes=0:5", "dag-scope=block&entity-bytes=0:5"),
    ],
)
def test_a_car_that_makes_no_sense_is_refused(query: str) -> None:
    assert refused(query=f"format=car&{query}").status == 400


def test_how_a_car_would_be_wanted_does_not_matter_where_none_is() -> None:
    assert asked(PATH, "dag-scope=everything", None).form == "page"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.txt", "a.txt"),
        ("a%20b.txt", "a b.txt"),
        ("../../etc/passwd", "....etcpasswd"),
        ("a%0d%0aset-cookie:x", "aset-cookie:x"),
        ("%22;x=%22", '";x="'),
        ("", None),
        ("%00", None),
        ("%FF", None),
        ("x" * 300, "x" * 255),
        ("%C3%A4" * 128, "ä" * 127),
    ],
)
def test_the_name_of_a_file_holds_no_path_and_nothing_that_does_not_print(
    given: str, name: str | None
) -> None:
    assert asked(PATH, f"filename={given}", None).file_name == name


def test_a_download_has_to_be_asked_for_with_true() -> None:
    assert asked(PATH, "download=true", None).download
    assert not asked(PATH, "download=1", None).download


def test_types_come_in_the_order_in_which_they_are_wanted() -> None:
    names = [each.name for each in accepted("a/a;q=0.1, b/b, c/c;q=0.5;x=1, d/d")]
    assert names == ["b/b", "d/d", "c/c", "a/a"]


@given(st.text(), st.text(), st.text())
def test_whatever_is_asked_is_understood_or_refused(path: str, query: str, accept: str) -> None:
    for rest in (path, CID + path, f"{CID}/{path}"):
        with suppress(NotUnderstood):
            assert asked(f"/ipfs/{rest}", query, accept).form
