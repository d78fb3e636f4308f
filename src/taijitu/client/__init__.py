"""A client of the service, for asyncio.

async with Client("http://localhost:3000", key=Path("agent.key")) as client:
    added = await client.store.add(Path("photos.car"))
    data = await client.fetch(added.link)

It verifies every receipt and every byte, and tries again what may be tried again.
"""

from taijitu.client.accounts import NewSpace
from taijitu.client.answers import (
    Added,
    Blob,
    BlobAdded,
    BlobPage,
    Item,
    Page,
    Put,
    Removed,
    Service,
    SpaceInfo,
    Upload,
    UploadPage,
)
from taijitu.client.blobs import Blobs
from taijitu.client.client import Client
from taijitu.client.failures import (
    ClientError,
    HandlerExecutionError,
    HandlerNotFound,
    InsufficientStorage,
    InvalidAudience,
    NoDelegation,
    NotAccepted,
    NotFound,
    Refused,
    SizeMismatch,
    Unauthorized,
    Unavailable,
    Unreadable,
    Untrusted,
    Unusable,
    WrongBytes,
)
from taijitu.client.keys import new_key
from taijitu.client.proofs import Proof
from taijitu.client.retry import Retry, Retrying
from taijitu.client.space import Space
from taijitu.client.store import Store
from taijitu.client.uploads import Uploads
from taijitu.ipld.cid import Link
from taijitu.ucan.signer import Signer

__all__ = [
    "Added",
    "Blob",
    "BlobAdded",
    "BlobPage",
    "Blobs",
    "Client",
    "ClientError",
    "HandlerExecutionError",
    "HandlerNotFound",
    "InsufficientStorage",
    "InvalidAudience",
    "Item",
    "Link",
    "NewSpace",
    "NoDelegation",
    "NotAccepted",
    "NotFound",
    "Page",
    "Proof",
    "Put",
    "Refused",
    "Removed",
    "Retry",
    "Retrying",
    "Service",
    "Signer",
    "SizeMismatch",
    "Space",
    "SpaceInfo",
    "Store",
    "Unauthorized",
    "Unavailable",
    "Unreadable",
    "Untrusted",
    "Unusable",
    "Upload",
    "UploadPage",
    "Uploads",
    "WrongBytes",
    "new_key",
]
