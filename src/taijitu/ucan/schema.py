"""Schemas: what the caveats (`nb`) and the resource (`with`) of an ability must look like.

Law: a reader takes a decoded value and gives it back, perhaps narrowed, or raises `Mismatch`
with the words a JavaScript peer would use. Unknown keys are dropped. An integer is what
JavaScript calls one, so a float without a fraction is read as the integer it is.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from taijitu.ipld import varint
from taijitu.ipld.cid import CAR, RAW, Link
from taijitu.kernel.record import Record
from taijitu.ucan import principal
from taijitu.ucan.failure import Failure, quoted

N = TypeVar("N", bound=Record)

Reader: TypeAlias = Callable[[Any], Any]
PIECE_HASH: Final = 0x1011
"""fr32-sha2-256-trunc254-padded-binary-tree, of the multicodec table."""

INTEGER_MAX: Final = 2**53 - 1
"""The largest whole number that a JavaScript peer can hold."""


class _Missing:
    """There is no such key; JavaScript says `undefined`."""


MISSING: Final = _Missing()


class Mismatch(ValueError):
    """This value is not what the schema asks for."""

    def __init__(self, head: str, *causes: Failure) -> None:
        super().__init__(head)
        self.failure = Failure(head, causes)


class Nothing(Record):
    """The caveats of an ability that has none."""


class Fields(Record, Generic[N], eq=False):
    """The schema of a map, and the record its values make.

    The readers stand in the order of the record's fields; a key that is absent becomes None.
    """

    kind: type[N]
    readers: dict[str, Reader]

    def read(self, value: Any) -> dict[str, Any]:
        """What the map says about our keys, in the order of the readers. Raises `Mismatch`."""
        return _read_fields(self.readers, value)

    def build(self, values: Mapping[str, Any]) -> N:
        """The record of values that `read` gave."""
        get = values.get
        return self.kind(*[get(key) for key in self.readers])


def shown(value: Any) -> str:
    """A value as error texts name it."""
    if value is MISSING:
        return "undefined"
    if isinstance(value, Link):
        return str(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return quoted(value)


def _wrong_type(expected: str, value: Any) -> Mismatch:
    kind = "array" if isinstance(value, list) else "object" if isinstance(value, dict) else None
    return Mismatch(f"Expected value of type {expected} instead got {kind or shown(value)}")


def text(value: Any) -> str:
    if value.__class__ is not str:
        raise _wrong_type("string", value)
    return value


def boolean(value: Any) -> bool:
    if value.__class__ is not bool:
        raise _wrong_type("boolean", value)
    return value


def integer(value: Any) -> int:
    if value.__class__ is float:
        if not value.is_integer():
            raise _wrong_type("integer", value)
        value = int(value)
    if value.__class__ is not int:
        raise _wrong_type("number", value)
    if not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise Mismatch(f"Expected an integer that is safe in JavaScript instead got {value}")
    return value


def natural(value: Any) -> int:
    """A size or a count: an integer that is not negative."""
    number = integer(value)
    if number < 0:
        raise Mismatch(f"Expected a number of at least 0 instead got {number}")
    return number


def octets(value: Any) -> bytes:
    if value.__class__ is not bytes:
        raise _wrong_type("Uint8Array", value)
    return value


def anything(value: Any) -> Any:
    if value is MISSING:
        raise Mismatch("Expected a value instead got undefined")
    return value


def link(value: Any) -> Link:
    """Any link."""
    if value.__class__ is not Link:
        raise Mismatch(f"Expected link to be a CID instead of {shown(value)}")
    return value


def link_of(codec: int) -> Reader:
    """A link of version 1 with this codec."""
    prefix = b"\x01" + varint.encode(codec)

    def read(value: Any) -> Link:
        if value.__class__ is Link and value.data.startswith(prefix):
            return value
        if link(value).version != 1:
            raise Mismatch(f"Expected link to be CID version 1, not version {value.version}")
        raise Mismatch(f"Expected link to be CID with {codec:#x} codec")

    return read


def piece_link(value: Any) -> Link:
    """A link to a piece of Filecoin, by the hash function that it has."""
    found: Link = _raw_link(value)
    if found.hash_code != PIECE_HASH:
        raise Mismatch(f"Expected link to be CID with {PIECE_HASH:#x} hashing algorithm")
    return found


def link_that_is(expected: Link) -> Reader:
    """Exactly this link."""

    def read(value: Any) -> Link:
        if link(value) != expected:
            raise Mismatch(f"Expected link to be {expected} instead of {value}")
        return value

    return read


def did(value: Any) -> str:
    """The DID of anyone, as text."""
    return _did(value, "did:")


def space_did(value: Any) -> str:
    return _did(value, "did:key:")


def account_did(value: Any) -> str:
    return _did(value, "did:mailto:")


def provider_did(value: Any) -> str:
    return _did(value, "did:web:")


def key_or_account_did(value: Any) -> str:
    found = text(value)
    if not found.startswith(("did:key:", "did:mailto:")):
        raise Mismatch(f'Expected a did:key: or did:mailto: but got "{found}" instead')
    return found


def uri(value: Any) -> str:
    """Any URI: a scheme, a colon, and something after it."""
    found = text(value)
    scheme, colon, rest = found.partition(":")
    if not scheme or not colon or not rest:
        raise Mismatch(f"Expected URI instead got {shown(found)}")
    return found


def did_bytes(value: Any) -> bytes:
    """A principal in bytes."""
    found = octets(value)
    try:
        principal.to_did(found)
    except principal.InvalidDid as error:
        raise Mismatch(f"Expected a DID in bytes: {error}") from error
    return found


def _did(value: Any, prefix: str) -> str:
    found = text(value)
    if not found.startswith(prefix):
        raise Mismatch(f'Expected a {prefix} but got "{found}" instead')
    return found


def literal(expected: str) -> Reader:
    """Exactly this text."""

    def read(value: Any) -> str:
        if value != expected:
            raise Mismatch(f'Expected literal "{expected}" instead got {shown(value)}')
        return expected

    return read


def optional(reader: Reader) -> Reader:
    """The key may be absent. (Null is not absence.)"""
    return lambda value: MISSING if value is MISSING else reader(value)


def either(first: Reader, second: Reader) -> Reader:
    """What either reads; the words are the second's."""

    def read(value: Any) -> Any:
        try:
            return first(value)
        except Mismatch:
            return second(value)

    return read


def list_of(reader: Reader) -> Reader:
    def read(value: Any) -> list[Any]:
        if value.__class__ is not list:
            raise _wrong_type("array", value)
        items: list[Any] = []
        for index, item in enumerate(cast("list[Any]", value)):
            try:
                items.append(reader(item))
            except Mismatch as error:
                head = f"Array contains invalid element at {index}:"
                raise Mismatch(head, error.failure) from error
        return items

    return read


def map_of(reader: Reader) -> Reader:
    """Any keys; every value as `reader` reads it."""

    def read(value: Any) -> dict[str, Any]:
        if value.__class__ is not dict:
            raise _wrong_type("dictionary", value)
        return {key: _field(key, reader, item) for key, item in value.items()}

    return read


def fields(**readers: Reader) -> Reader:
    """A map inside the caveats."""
    return lambda value: _read_fields(readers, value)


def _read_fields(readers: dict[str, Reader], value: Any) -> dict[str, Any]:
    if value.__class__ is not dict:
        raise _wrong_type("object", value)
    found: dict[str, Any] = {}
    for key, reader in readers.items():
        item = _field(key, reader, value.get(key, MISSING))
        if item is not MISSING:
            found[key] = item
    return found


def _field(key: str, reader: Reader, value: Any) -> Any:
    try:
        return reader(value)
    except Mismatch as error:
        raise Mismatch(f'Object contains invalid field "{key}":', error.failure) from error


_raw_link: Final = link_of(RAW)

car_link: Final = link_of(CAR)
"""A link to a CAR."""

NONE: Final = Fields(Nothing, {})
"""No caveats."""

AWAIT: Final = fields(**{"ucan/await": list_of(anything)})
"""A value that another task will give: `{"ucan/await": [selector, link]}`."""
