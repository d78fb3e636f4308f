"""A question is read from a path and a query, or refused with a reason."""

from urllib.parse import urlencode

import pytest

from taijitu.ipld import dagjson
from taijitu.ipld.cid import link_to
from taijitu.server.question import FIELDS_MAX, BadQuestion, Question


def about(**fields: object) -> Question:
    return Question("", urlencode(fields, doseq=True))


def test_links_and_bytes_are_read_from_dag_json() -> None:
    value = {"a": [link_to(b"a"), b"some", b"", {"/x": 1}, {"/": 1, "x": 2}], "b": None, "c": -1.5}
    assert about(nb=dagjson.encode(value).decode()).value("nb", {}) == value
    assert about().value("nb", {}) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"/": 1}',
        '{"/": "no link"}',
        '{"/": {"bytes": "%"}}',
        '{"/": {"bytes": "AAAAA"}}',
        '{"/": {"bytes": 1}}',
        "[" * 100_000,
        "1" * 10_000,
    ],
)
def test_what_is_no_dag_json_is_refused(text: str) -> None:
    with pytest.raises(BadQuestion, match="`nb` is not DAG-JSON"):
        about(nb=text).value("nb", {})


def test_a_field_is_given_once() -> None:
    assert about(can="store/list").one("can") == "store/list"
    assert about(ucan=["a", "b"]).all("ucan") == ["a", "b"]
    for question in (about(), about(can=["a", "b"])):
        with pytest.raises(BadQuestion, match="`can` has to be given, once"):
            question.one("can")


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", " 1", "\u0661", "9" * 17])
def test_a_number_is_digits_and_not_too_many(text: str) -> None:
    with pytest.raises(BadQuestion, match="is not a whole number"):
        about(size=text).natural("size", 10**20)


def test_a_number_has_a_maximum_and_may_have_a_default() -> None:
    assert about(size=7).natural("size", 7) == 7
    assert about().natural("size", 7, 3) == 3
    with pytest.raises(BadQuestion, match="`size` is at most 7, not 8"):
        about(size=8).natural("size", 7)
    with pytest.raises(BadQuestion, match="`size` has to be given"):
        about().natural("size", 7)


def test_a_query_has_so_many_fields() -> None:
    with pytest.raises(BadQuestion, match="the query cannot be read"):
        about(x=[1] * (FIELDS_MAX + 1))
