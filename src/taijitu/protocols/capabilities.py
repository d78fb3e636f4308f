"""The abilities of the service: every request by name, with the schema of its caveats.

Law: fields stand in the order of the wire's schema, because error texts show them in it. The
tables of the w3up and Storacha capability packages are the source; where the two differ, what
either client sends is accepted.
"""

from typing import Any, Final

from taijitu.ipld.cid import Link
from taijitu.kernel.record import Record
from taijitu.ucan.capability import (
    Ability,
    default,
    equal_blob,
    equal_field,
    equal_link,
    equal_link_and_size,
    equal_with,
    same_resource,
)
from taijitu.ucan.schema import (
    AWAIT,
    NONE,
    Fields,
    account_did,
    boolean,
    car_link,
    did,
    did_bytes,
    either,
    fields,
    key_or_account_did,
    link,
    list_of,
    map_of,
    natural,
    octets,
    optional,
    piece_link,
    provider_did,
    space_did,
    text,
    uri,
)

_BLOB = fields(digest=octets, size=natural)


class Blob(Record):
    """Some bytes: their multihash, and how many they are."""

    digest: bytes
    size: int


# Shapes that several abilities share


class AnyLink(Record):
    """`link` is absent if the client left it out."""

    link: Link | None


class Page(Record):
    """Which page of a list: after `cursor`, at most `size` entries, backwards with `pre`."""

    cursor: str | None
    size: int | None
    pre: bool | None


_PAGE: Final = Fields(
    Page, {"cursor": optional(text), "size": optional(natural), "pre": optional(boolean)}
)

# store/*


class StoreAdd(Record):
    link: Link
    size: int
    """Bytes."""
    origin: Link | None


class StoreRemove(Record):
    link: Link


STORE_ADD: Final = Ability(
    "store/add",
    space_did,
    Fields(StoreAdd, {"link": car_link, "size": natural, "origin": optional(link)}),
    equal_link_and_size,
)
STORE_GET: Final = Ability(
    "store/get", space_did, Fields(AnyLink, {"link": optional(car_link)}), equal_link
)
STORE_REMOVE: Final = Ability(
    "store/remove", space_did, Fields(StoreRemove, {"link": car_link}), equal_link
)
STORE_LIST: Final = Ability("store/list", space_did, _PAGE, same_resource)

# upload/*


class UploadAdd(Record):
    root: Link
    shards: list[Link] | None


class UploadGet(Record):
    root: Link | None


class UploadRemove(Record):
    root: Link


class UploadShardList(Record):
    root: Link
    cursor: str | None
    size: int | None


UPLOAD_ADD: Final = Ability(
    "upload/add",
    space_did,
    Fields(UploadAdd, {"root": link, "shards": optional(list_of(car_link))}),
    equal_field("root", "shards"),
)
UPLOAD_GET: Final = Ability(
    "upload/get", space_did, Fields(UploadGet, {"root": optional(link)}), equal_field("root")
)
UPLOAD_REMOVE: Final = Ability(
    "upload/remove", space_did, Fields(UploadRemove, {"root": link}), equal_field("root")
)
UPLOAD_LIST: Final = Ability("upload/list", space_did, _PAGE, equal_with)
UPLOAD_SHARD_LIST: Final = Ability(
    "upload/shard/list",
    space_did,
    Fields(UploadShardList, {"root": link, "cursor": optional(text), "size": optional(natural)}),
    equal_field("root"),
)

# space/*


SPACE_INFO: Final = Ability(
    "space/info",
    did,
    NONE,
    equal_with,
    sources=(STORE_ADD, STORE_LIST, STORE_REMOVE, UPLOAD_ADD, UPLOAD_LIST, UPLOAD_REMOVE),
)


class SpaceBlobAdd(Record):
    blob: dict[str, Any]
    """`{digest, size}`; see `blob_of`."""


class BlobDigest(Record):
    digest: bytes
    """A multihash."""


class SpaceBlobList(Record):
    cursor: str | None
    size: int | None
    pre: bool | None
    """The published schemas lack it; the other lists have it, and so has the answer `before`."""


class SpaceIndexAdd(Record):
    index: Link
    content: Link | None


_DIGEST: Final = Fields(BlobDigest, {"digest": octets})

SPACE_BLOB_ADD: Final = Ability(
    "space/blob/add", space_did, Fields(SpaceBlobAdd, {"blob": _BLOB}), equal_blob
)
SPACE_BLOB_REMOVE: Final = Ability("space/blob/remove", space_did, _DIGEST, equal_field("digest"))
SPACE_BLOB_LIST: Final = Ability(
    "space/blob/list",
    space_did,
    Fields(
        SpaceBlobList,
        {"cursor": optional(text), "size": optional(natural), "pre": optional(boolean)},
    ),
    equal_with,
)
SPACE_BLOB_GET: Final = Ability("space/blob/get/0/1", space_did, _DIGEST, equal_field("digest"))
SPACE_INDEX_ADD: Final = Ability(
    "space/index/add",
    space_did,
    Fields(SpaceIndexAdd, {"index": car_link, "content": optional(link)}),
    equal_field("index", "content"),
)


def blob_of(nb: dict[str, Any]) -> Blob:
    """A blob as caveats hold it."""
    return Blob(nb["digest"], nb["size"])


# web3.storage/blob/*, http/put and assert/location: tasks that the service makes


class BlobAllocate(Record):
    blob: dict[str, Any]
    cause: Link
    space: str


class BlobAccept(Record):
    blob: dict[str, Any]
    space: str
    put: dict[str, Any]
    """`{"ucan/await": [selector, link of the http/put task]}`; `_put` on the wire."""
    ttl: int | None


class HttpPut(Record):
    body: dict[str, Any]
    url: Any
    headers: Any


class AssertLocation(Record):
    content: Any
    location: list[str]
    range: dict[str, Any] | None
    space: bytes | None


BLOB_ALLOCATE: Final = Ability(
    "web3.storage/blob/allocate",
    did,
    Fields(BlobAllocate, {"blob": _BLOB, "cause": link, "space": space_did}),
    equal_blob,
)
BLOB_ACCEPT: Final = Ability(
    "web3.storage/blob/accept",
    did,
    Fields(
        BlobAccept, {"blob": _BLOB, "space": space_did, "_put": AWAIT, "ttl": optional(natural)}
    ),
    equal_blob,
)
HTTP_PUT: Final = Ability(
    "http/put",
    did,
    Fields(
        HttpPut,
        {"body": _BLOB, "url": either(AWAIT, text), "headers": either(AWAIT, map_of(text))},
    ),
    default,
)
ASSERT_LOCATION: Final = Ability(
    "assert/location",
    did,
    Fields(
        AssertLocation,
        {
            "content": either(link, fields(digest=octets)),
            "location": list_of(uri),
            "range": optional(fields(offset=natural, length=optional(natural))),
            "space": optional(did_bytes),
        },
    ),
    equal_field("content", "location", "range", "space"),
)

# ucan/*


class UcanAttest(Record):
    proof: Link


class UcanConclude(Record):
    receipt: Link


class UcanRevoke(Record):
    ucan: Link
    proof: list[Link] | None


UCAN_ATTEST: Final = Ability(
    "ucan/attest", did, Fields(UcanAttest, {"proof": link}), equal_field("proof")
)
UCAN_CONCLUDE: Final = Ability(
    "ucan/conclude", did, Fields(UcanConclude, {"receipt": link}), equal_field("receipt")
)
UCAN_REVOKE: Final = Ability(
    "ucan/revoke",
    did,
    Fields(UcanRevoke, {"ucan": link, "proof": optional(list_of(link))}),
    equal_field("ucan", "proof"),
)

# access/*, provider/add, plan/get: accounts


class AccessAuthorize(Record):
    iss: str | None
    """The account that is asked."""
    att: list[dict[str, Any]]
    """`[{can}]`: the abilities that are asked for."""


class AccessConfirm(Record):
    iss: str
    aud: str
    att: list[dict[str, Any]]
    cause: Link


class AccessDelegate(Record):
    delegations: dict[str, Link]


class ProviderAdd(Record):
    provider: str
    consumer: str


_REQUESTED: Final = list_of(fields(can=text))

ACCESS_AUTHORIZE: Final = Ability(
    "access/authorize",
    space_did,
    Fields(AccessAuthorize, {"iss": optional(account_did), "att": _REQUESTED}),
    equal_field("iss", "att"),
)
ACCESS_CONFIRM: Final = Ability(
    "access/confirm",
    did,
    Fields(AccessConfirm, {"iss": account_did, "aud": space_did, "att": _REQUESTED, "cause": link}),
    equal_field("iss", "aud", "att", "cause"),
)
ACCESS_CLAIM: Final = Ability("access/claim", key_or_account_did, NONE, equal_with)
ACCESS_DELEGATE: Final = Ability(
    "access/delegate",
    space_did,
    Fields(AccessDelegate, {"delegations": map_of(link)}),
    equal_field("delegations"),
)
PROVIDER_ADD: Final = Ability(
    "provider/add",
    account_did,
    Fields(ProviderAdd, {"provider": provider_did, "consumer": space_did}),
    equal_field("provider", "consumer"),
)
PLAN_GET: Final = Ability("plan/get", account_did, NONE, equal_with)

# usage/report, filecoin/offer


class UsageReport(Record):
    period: dict[str, int]
    """`{from, to}`, seconds since 1970."""


class FilecoinOffer(Record):
    content: Link
    piece: Link


PERIOD: Final = fields(**{"from": natural, "to": natural})
"""In seconds since 1970."""

USAGE_REPORT: Final = Ability(
    "usage/report",
    space_did,
    Fields(UsageReport, {"period": PERIOD}),
    equal_field("period"),
)
FILECOIN_OFFER: Final = Ability(
    "filecoin/offer",
    did,
    Fields(FilecoinOffer, {"content": link, "piece": piece_link}),
    equal_field("content", "piece"),
)

ALL: Final[dict[str, Ability[Any]]] = {
    ability.can: ability
    for ability in (
        *(STORE_ADD, STORE_GET, STORE_REMOVE, STORE_LIST),
        *(UPLOAD_ADD, UPLOAD_GET, UPLOAD_REMOVE, UPLOAD_LIST, UPLOAD_SHARD_LIST),
        *(SPACE_INFO, SPACE_INDEX_ADD),
        *(SPACE_BLOB_ADD, SPACE_BLOB_REMOVE, SPACE_BLOB_LIST, SPACE_BLOB_GET),
        *(BLOB_ALLOCATE, BLOB_ACCEPT, HTTP_PUT, ASSERT_LOCATION),
        *(UCAN_ATTEST, UCAN_CONCLUDE, UCAN_REVOKE),
        *(ACCESS_AUTHORIZE, ACCESS_CONFIRM, ACCESS_CLAIM, ACCESS_DELEGATE),
        *(PROVIDER_ADD, PLAN_GET, USAGE_REPORT, FILECOIN_OFFER),
    )
}
"""Every ability by its name."""
