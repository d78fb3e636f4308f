"""What a request asks of the gateway, read from its path, its query and its `Accept`. Pure.

Law: what is understood is one of a few forms of answer, with everything in it within its limits;
what is not is refused with a status and a sentence that says what would be.

The query wins over `Accept`, as the path-gateway specification has it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, NoReturn, TypeAlias, cast
from urllib.parse import parse_qs, unquote

from taijitu.ipld.cid import InvalidLink, Link
from taijitu.kernel.record import Record
from taijitu.unixfs import span
from taijitu.unixfs.dag import Scope
from taijitu.unixfs.failures import BadSpan
from taijitu.unixfs.path import SEGMENTS_MAX
from taijitu.unixfs.span import Span

Form: TypeAlias = Literal["page", "raw", "car", "dag-json", "dag-cbor", "json", "cbor"]
"""`page`: what it is, for people and programs that know nothing of links."""

CAR_TYPE: Final = "application/vnd.ipld.car"

TYPES: Final[Mapping[str, Form]] = {
    "application/vnd.ipld.raw": "raw",
    CAR_TYPE: "car",
    "application/vnd.ipld.dag-json": "dag-json",
    "application/vnd.ipld.dag-cbor": "dag-cbor",
}
"""Types that ask for a form. JSON and CBOR do not: whoever fetches a file of JSON accepts those."""

FORMS: Final[frozenset[str]] = frozenset({*TYPES.values(), "json", "cbor"})

NOT_HERE: Final = {
    "application/x-tar": "tar",
    "application/vnd.ipfs.ipns-record": "ipns-record",
}
"""Types of the specification that we do not answer with, and their names in a query."""

FIELDS_MAX: Final = 50
"""Fields of a query, and types of an `Accept`."""

FILE_NAME_MAX: Final = 255
"""Bytes of the name of a file that is downloaded."""

DOTS: Final = (".", "..")


NOTHING: Final[Mapping[str, str]] = {}


class NotUnderstood(Exception):
    """What was asked makes no sense (400), or is not to be had in that form (406)."""

    def __init__(self, text: str, status: Literal[400, 406] = 400) -> None:
        super().__init__(text)
        self.status: Literal[400, 406] = status


class Wish(Record):
    """How a CAR is wanted. `dups`: a block that occurs twice is sent twice."""

    scope: Scope = Scope.ALL
    span: Span | None = None
    dups: bool = False


class Asked(Record):
    """A request, understood. `root` as it was `spelled`; the path behind it in `segments`."""

    root: Link
    spelled: str
    segments: tuple[str, ...] = ()
    is_folder: bool = False
    """The path ends with a slash."""

    form: Form = "page"
    by_header: bool = False
    """`Accept` alone decided the form."""

    html: bool = False
    """A person is looking."""

    wish: Wish = Wish()
    file_name: str | None = None
    download: bool = False
    after: str | None = None
    """The name behind which a page of a listing begins."""


def asked(path: str, query: str, accept: str | None) -> Asked:
    """What `/ipfs/{cid}…` asks, given its path as it was sent. Raises `NotUnderstood`."""
    spelled, _, rest = path.removeprefix("/ipfs/").partition("/")
    root = link_in(spelled)
    fields = Fields(query)
    types = list(accepted(accept or ""))
    by_query = form_in_query(fields)
    form = by_query or form_in(types)
    car = next((each.parameters for each in types if each.name == CAR_TYPE), NOTHING)
    return Asked(
        root,
        spelled,
        segments_in(rest),
        path.endswith("/"),
        form or "page",
        by_query is None and form is not None,
        any(each.name == "text/html" for each in types),
        wish_in(fields, car) if form == "car" else Wish(),
        file_name_in(fields),
        fields.one("download") == "true",
        fields.one("after"),
    )


def link_in(text: str) -> Link:
    try:
        return Link.parse(unquote(text))
    except InvalidLink as why:
        raise NotUnderstood(f"What is asked for has to begin with a CID: {why}.") from None


def segments_in(path: str) -> tuple[str, ...]:
    """The names in the rest of a path; bytes that are not UTF-8 stand in them as surrogates. Empty
    ones mean nothing."""
    segments = tuple([unquote(each, errors="surrogateescape") for each in path.split("/") if each])
    if len(segments) > SEGMENTS_MAX:
        raise NotUnderstood(f"The path has more than {SEGMENTS_MAX} segments.")
    if any(each in DOTS for each in segments):
        raise NotUnderstood("A path leads down only: no segment may be . or .. in it.")
    return segments


class Fields:
    """The fields of a query. Everything raises `NotUnderstood`."""

    def __init__(self, query: str) -> None:
        try:
            self.given = parse_qs(
                query,
                keep_blank_values=True,
                errors="surrogateescape",
                max_num_fields=FIELDS_MAX,
            )
        except ValueError:
            raise NotUnderstood(f"The query has more than {FIELDS_MAX} fields.") from None

    def one(self, *names: str) -> str | None:
        """The value of a field, by the first of its names that is given."""
        for name in names:
            values = self.given.get(name)
            if values and any(each != values[0] for each in values):
                raise NotUnderstood(f"{name} stands in the query more than once.")
            if values:
                return values[0]
        return None


def form_in_query(fields: Fields) -> Form | None:
    given = fields.one("format")
    if given is None or given in FORMS:
        return cast("Form | None", given)
    if given in NOT_HERE.values():
        refuse_form(given)
    raise NotUnderstood(f"format is one of {', '.join(sorted(FORMS))}, not {quoted(given)}.")


def form_in(types: Iterable["Accepted"]) -> Form | None:
    """The form that is wanted most, unless a page, or just anything, is wanted more. Forms that are
    not to be had are refused only where there is nothing else to answer with."""
    refused: str | None = None
    for each in types:
        if each.name in ("text/html", "*/*"):
            return None
        if each.name in TYPES:
            return TYPES[each.name]
        refused = refused or NOT_HERE.get(each.name)
    if refused is not None:
        refuse_form(refused)
    return None


def refuse_form(name: str) -> NoReturn:
    text = f"This gateway does not answer with {name}; with {', '.join(sorted(FORMS))} it does."
    raise NotUnderstood(text, 406)


def wish_in(fields: Fields, parameters: Mapping[str, str]) -> Wish:
    """How a CAR is wanted, by the query and by what stands behind its type in `Accept`."""

    def value(name: str, usual: str) -> str:
        asked = fields.one(f"car-{name}")
        asked = fields.one(name) if asked is None and name != "version" else asked
        return parameters.get(name, usual) if asked is None else asked

    if (version := value("version", "1")) != "1":
        raise NotUnderstood(f"A CAR is to be had in version 1, not {quoted(version)}.")
    if (order := value("order", "dfs")) not in ("dfs", "unk"):
        raise NotUnderstood(f"The order of a CAR is dfs or unk, not {quoted(order)}.")
    if (dups := value("dups", "n")) not in ("y", "n"):
        raise NotUnderstood(f"dups is y or n, not {quoted(dups)}.")
    bounds = span_in(fields.one("entity-bytes"))
    scope = fields.one("dag-scope")
    if scope is None:
        scope = Scope.ALL if bounds is None else Scope.ENTITY
    if scope not in [*Scope]:
        raise NotUnderstood(f"dag-scope is block, entity or all, not {quoted(scope)}.")
    if bounds is not None and scope != Scope.ENTITY:
        raise NotUnderstood(f"entity-bytes goes with dag-scope=entity, not with {scope}.")
    return Wish(Scope(scope), bounds, dups == "y")


def span_in(text: str | None) -> Span | None:
    """The bytes of a file that are wanted."""
    if text is None:
        return None
    try:
        found = span.parse(text)
    except BadSpan:
        raise NotUnderstood(
            f"entity-bytes is from:to, as 0:1023, 1024:* or -1024:*, not {quoted(text)}."
        ) from None
    first, last = found
    if last is not None and (first < 0) == (last < 0) and last < first:
        raise NotUnderstood(f"entity-bytes ends before it begins: {quoted(text)}.")
    return found


def file_name_in(fields: Fields) -> str | None:
    """A name to save a file under: no path, and nothing that does not print."""
    given = fields.one("filename")
    if given is None:
        return None
    kept = "".join(each for each in given if each.isprintable() and each not in "/\\")
    return kept.encode()[:FILE_NAME_MAX].decode("utf-8", "ignore") or None


class Accepted(NamedTuple):
    """One type of an `Accept`, with its parameters."""

    name: str
    parameters: Mapping[str, str]


def accepted(header: str) -> Iterator[Accepted]:
    """The types, those first that are wanted most. Parameters are not quoted strings in practice;
    those that are lose their quotes."""
    found: list[tuple[float, Accepted]] = []
    for each in header.split(",")[:FIELDS_MAX]:
        name, *rest = (part.strip() for part in each.split(";"))
        pairs = [part.partition("=") for part in rest]
        parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
        if (weight := weight_in(parameters.pop("q", "1"))) > 0:
            found.append((weight, Accepted(name.lower(), parameters)))
    found.sort(key=lambda each: -each[0])
    return (each for _, each in found)


def weight_in(text: str) -> float:
    """How much a type is wanted; what is no weight counts as none given."""
    match = re.fullmatch(r"[01](\.\d{0,3})?", text)
    return float(match[0]) if match else 1.0


def quoted(text: str) -> str:
    """A little of what was sent."""
    return repr(text[:40].encode("ascii", "replace").decode())
