"""What a service answers, as values: each read from the `ok` of a receipt, or of a page of one.

Law: a reader raises `Untrusted` for what lacks a field it promises. Fields nobody here knows are
dropped, so that a newer service can be asked.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, cast

from taijitu.client.failures import Untrusted
from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record

V = TypeVar("V")


class Service(Record):
    """Who answers at a URL."""

    did: str
    """To whom invocations are addressed, and who signs receipts."""
    key: str
    """The `did:key` with which it signs."""
    past: tuple[str, ...] = ()
    """The `did:key`s with which it signed before, as it says itself."""


class Added(Record):
    """A CAR that a space holds now."""

    link: Link
    size: int
    """Bytes."""
    allocated: int
    """Bytes of the space that it took: 0 if the space held it already."""
    sent: bool
    """Whether its bytes had to be sent: a service may have them from elsewhere."""


class Room(Record):
    """The answer to `store/add`: `done`, or where to put the bytes."""

    status: Literal["done", "upload"]
    allocated: int
    """Bytes."""
    url: str = ""
    headers: Mapping[str, str] = {}


class Item(Record):
    """A CAR in the list of a space."""

    link: Link
    size: int
    """Bytes."""
    inserted_at: datetime | None
    origin: Link | None
    """The CAR that came before it in the same upload, if the client said so."""


class Page(Record):
    """Some items of a list, the newest first."""

    items: tuple[Item, ...]
    cursor: str | None
    """Where the next page begins; None after the last."""


class Removed(Record):
    """A CAR that a space no longer holds."""

    link: Link
    size: int | None
    """Bytes that the space got back, if the service says so."""


class Upload(Record):
    """What a space noted about some content."""

    root: Link
    shards: tuple[Link, ...]
    """The CARs that hold it, wherever they are stored."""
    inserted_at: datetime | None = None
    updated_at: datetime | None = None
    """Both are known of uploads that were asked for or listed."""


class UploadPage(Record):
    """Some uploads of a list, the newest first."""

    items: tuple[Upload, ...]
    cursor: str | None
    """Where the next page begins; None after the last."""


class BlobAdded(Record):
    """Bytes that a space holds now."""

    link: Link
    """As if they were a CAR; its multihash is what counts."""
    size: int
    """Bytes."""
    sent: bool
    """Whether they had to be sent: a service may have them already."""
    url: str | None = None
    """Where they are, if the service says so."""


class Blob(Record):
    """Bytes in the list of a space."""

    digest: bytes
    """Their multihash."""
    size: int
    """Bytes."""
    inserted_at: datetime | None


class BlobPage(Record):
    """Some blobs of a list, the newest first."""

    items: tuple[Blob, ...]
    cursor: str | None
    """Where the next page begins; None after the last."""


class Put(Record):
    """A file or a folder that a space holds now."""

    root: Link
    shards: tuple[Link, ...]
    """The CARs that its blocks lie in, in their order."""
    index: Link
    """The CAR that says where in them."""
    size: int
    """Bytes of all files."""
    stored: int
    """Bytes of shards and index."""
    sent: int
    """How many of these had to be sent."""


class SpaceInfo(Record):
    """What `space/info` says."""

    did: str
    providers: tuple[str, ...]


def room(ok: Mapping[str, Any]) -> Room:
    status = ok.get("status")
    if status == "done":
        return Room("done", allocated(ok))
    if status != "upload":
        raise Untrusted(f"the service answers store/add with the status {status!r:.60}")
    headers = cast("dict[str, object]", field(ok, "headers", dict))
    named = {name: value for name, value in headers.items() if isinstance(value, str)}
    return Room("upload", allocated(ok), field(ok, "url", str), named)


def allocated(ok: Mapping[str, Any]) -> int:
    number = ok.get("allocated", 0)
    return number if isinstance(number, int) else 0


def item(value: object) -> Item:
    found = fields_of(value)
    origin = found.get("origin")
    return Item(
        field(found, "link", Link),
        field(found, "size", int),
        moment(found.get("insertedAt")),
        origin if isinstance(origin, Link) else None,
    )


def upload(value: object) -> Upload:
    found = fields_of(value)
    return Upload(
        field(found, "root", Link),
        tuple(shards_in(found)),
        moment(found.get("insertedAt")),
        moment(found.get("updatedAt")),
    )


def shards_in(found: Mapping[str, Any]) -> list[Link]:
    shards = cast("list[Any]", field(found, "shards", list) if "shards" in found else [])
    if not all(isinstance(shard, Link) for shard in shards):
        raise Untrusted("the service names a shard by something that is not a link")
    return shards


def page(ok: Mapping[str, Any]) -> Page:
    items = tuple(item(each) for each in results(ok))
    return Page(items, cursor_in(ok))


def uploads(ok: Mapping[str, Any]) -> UploadPage:
    items = tuple(upload(each) for each in results(ok))
    return UploadPage(items, cursor_in(ok))


def blob(value: object) -> Blob:
    found = fields_of(value)
    held = cast("dict[str, Any]", field(found, "blob", dict))
    return Blob(
        field(held, "digest", bytes), field(held, "size", int), moment(found.get("insertedAt"))
    )


def blobs(ok: Mapping[str, Any]) -> BlobPage:
    items = tuple(blob(each) for each in results(ok))
    return BlobPage(items, cursor_in(ok))


def results(ok: Mapping[str, Any]) -> list[object]:
    return cast("list[object]", field(ok, "results", list))


def cursor_in(ok: Mapping[str, Any]) -> str | None:
    """Where to go on. Services end a list with an empty page, or with one that has no cursor."""
    cursor = ok.get("cursor")
    return cursor if results(ok) and isinstance(cursor, str) else None


def fields_of(value: object) -> dict[str, Any]:
    """Something listed, as the map that it has to be. Raises `Untrusted`."""
    if not isinstance(value, dict):
        raise Untrusted("the service lists something that is not an item")
    return cast("dict[str, Any]", value)


def removed(link: Link, ok: Mapping[str, Any]) -> Removed:
    size = ok.get("size")
    return Removed(link, size if isinstance(size, int) else None)


def space_info(ok: Mapping[str, Any]) -> SpaceInfo:
    providers = cast("list[object]", field(ok, "providers", list))
    return SpaceInfo(field(ok, "did", str), tuple(str(each) for each in providers))


def moment(value: object) -> datetime | None:
    """A time as services write it, or None for what is not one. It is UTC if they do not say."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def field(ok: Mapping[str, Any], name: str, kind: type[V]) -> V:
    """One field that has to be there. Raises `Untrusted`."""
    value = ok.get(name)
    if not isinstance(value, kind):
        raise Untrusted(f"the service's answer has no usable {name!r}")
    return value
