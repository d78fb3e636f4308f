"""Who a service says it is, in the documents it shows to everyone."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from taijitu.client.answers import Service
from taijitu.ucan import principal

KEYS_MAX: Final = 32
"""Keys of a service that are read of those that it names."""


def of_version(body: bytes) -> Service | None:
    """Who a service says it is at `/version`: `{"did", "publicKey", "pastKeys"?}`."""

    def keys(said: Any) -> Service:
        past = tuple(str(key) for key in said.get("pastKeys", ())[:KEYS_MAX])
        return Service(str(said["did"]), str(said["publicKey"]), past)

    return decoded(body, keys)


def of_document(body: bytes) -> Service | None:
    """The same in a DID document with Multikeys: the first is the one in use."""

    def keys(said: Any) -> Service:
        methods = said["verificationMethod"][:KEYS_MAX]
        key, *past = [f"did:key:{each['publicKeyMultibase']}" for each in methods]
        return Service(str(said["id"]), key, tuple(past))

    return decoded(body, keys)


def decoded(body: bytes, of: Callable[[Any], Service]) -> Service | None:
    try:
        service = of(msgspec.json.decode(body))
        for did in (service.did, service.key, *service.past):
            principal.from_did(did)
    except (
        msgspec.DecodeError,
        principal.InvalidDid,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
    ):
        return None
    return service
