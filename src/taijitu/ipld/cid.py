"""Links: the name of a block, made from its bytes (CID, versions 0 and 1).

Law: a `Link` is a value. It is compared, hashed and ordered by its bytes and never changes.
It is deliberately not `bytes`: a link and a byte string are different data.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Final, NoReturn, final

import libipld

from taijitu.ipld import multibase, varint

DAG_PB: Final = 0x70
DAG_CBOR: Final = 0x71
RAW: Final = 0x55
DAG_JSON: Final = 0x0129
CAR: Final = 0x0202

IDENTITY: Final = 0x00
SHA2_256: Final = 0x12

LINK_SIZE_MAX: Final = 16_384
"""Bytes. An identity link carries its block inside, so it may be long."""
SHA2_256_SIZE: Final = 32

_SHA2_256_PREFIX: Final = bytes((SHA2_256, SHA2_256_SIZE))
_CBOR_PREFIX: Final = bytes((1, DAG_CBOR)) + _SHA2_256_PREFIX
_RAW_PREFIX: Final = bytes((1, RAW)) + _SHA2_256_PREFIX
_COMMON: Final = (_CBOR_PREFIX, _RAW_PREFIX)
_COMMON_SIZE: Final = len(_CBOR_PREFIX) + SHA2_256_SIZE
_V0_SIZE: Final = len(_SHA2_256_PREFIX) + SHA2_256_SIZE
_V0_TEXT_LENGTH: Final = 46
"""Characters of a version 0 link in base58btc: always `Qm` and 44 more."""
_BASE58_LENGTH_MAX: Final = 256
"""Characters of a link in base58 or base36, which take time in the square of that. It is enough for
one that carries 128 bytes inside; a block may have thousands of links."""


class InvalidLink(ValueError):
    """These bytes, or this text, are not a link."""


@final
class Link:
    """A CID. There is no other than a well-formed one: the constructor checks its bytes.

    Raises `InvalidLink` for an unknown version, a varint that is not minimal, or a digest that
    is shorter or longer than announced.
    """

    __slots__ = ("data",)

    data: bytes
    """The binary CID: varint(1) varint(codec) multihash, or a bare multihash (version 0)."""

    def __init__(self, data: bytes) -> None:
        if len(data) != _COMMON_SIZE or not data.startswith(_COMMON):
            _parts(data)
        _set_data(self, data)

    @staticmethod
    def read(data: bytes) -> "Link":
        """The link in these bytes, all of them. Raises `InvalidLink`."""
        return Link(data)

    @staticmethod
    def parse(text: str) -> "Link":
        """The link that `text` spells: `b…` in base32, any other multibase, or `Qm…`.

        Raises `InvalidLink`, also for a second spelling of the same text (see `multibase`).
        """
        if len(text) == _V0_TEXT_LENGTH and text.startswith("Qm"):
            return Link.read(_bytes_of(multibase.BASE58BTC + text))
        if len(text) > _BASE58_LENGTH_MAX and text[0] in (multibase.BASE58BTC, multibase.BASE36):
            raise InvalidLink(f"a link of {len(text)} characters in base58 or base36 is too long")
        data = _bytes_of(text)
        if data[:1] == _SHA2_256_PREFIX[:1]:
            raise InvalidLink("a link of version 0 has no multibase prefix")
        return Link.read(data)

    @property
    def version(self) -> int:
        return _parts(self.data)[0]

    @property
    def codec(self) -> int:
        """What the block is written in, as `DAG_CBOR`, `RAW` …"""
        return _parts(self.data)[1]

    @property
    def multihash(self) -> bytes:
        """varint(hash function) varint(size) digest."""
        return self.data[_parts(self.data)[2] :]

    @property
    def hash_code(self) -> int:
        """The hash function, as `SHA2_256`, `IDENTITY` …"""
        return _parts(self.data)[3]

    @property
    def digest(self) -> bytes:
        return self.data[_parts(self.data)[4] :]

    def __str__(self) -> str:
        if self.data[0] == SHA2_256:
            return libipld.encode_multibase(multibase.BASE58BTC, self.data)[1:]
        return libipld.encode_multibase(multibase.BASE32, self.data)

    def __repr__(self) -> str:
        return f"Link.parse({str(self)!r})"

    def __bytes__(self) -> bytes:
        return self.data

    def __hash__(self) -> int:
        return hash(self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Link) and self.data == other.data

    def __lt__(self, other: "Link") -> bool:
        return self.data < other.data

    def __le__(self, other: "Link") -> bool:
        return self.data <= other.data

    def __gt__(self, other: "Link") -> bool:
        return self.data > other.data

    def __ge__(self, other: "Link") -> bool:
        return self.data >= other.data

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Link does not change: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Link does not change: cannot delete {name!r}")

    def __reduce__(self) -> tuple[type["Link"], tuple[bytes]]:
        return Link, (self.data,)


_set_data: Final[Callable[[Link, bytes], None]] = vars(Link)["data"].__set__
"""Fills the slot of a new link, past the `__setattr__` that guards it."""


def multihash(data: bytes) -> bytes:
    """The sha2-256 multihash of `data`: 34 bytes."""
    return _SHA2_256_PREFIX + sha256(data).digest()


def link_to(data: bytes, codec: int = DAG_CBOR) -> Link:
    """The link, version 1 with sha2-256, of a block with these bytes."""
    if codec == DAG_CBOR:
        return Link(_CBOR_PREFIX + sha256(data).digest())
    return link_with(multihash(data), codec)


def link_with(multihash: bytes, codec: int = RAW) -> Link:
    """The link, version 1, that says `codec` of a block with this multihash.

    Raises `InvalidLink` if these bytes are not a multihash.
    """
    return Link(b"\x01" + varint.encode(codec) + multihash)


def _bytes_of(text: str) -> bytes:
    try:
        return multibase.decode(text)
    except multibase.MultibaseError as error:
        raise InvalidLink(f"{text[:80]!r} is not a link: {error}") from error


def _parts(data: bytes) -> tuple[int, int, int, int, int]:
    """Version, codec, where the multihash starts, hash function, where the digest starts."""
    if len(data) == _COMMON_SIZE and data.startswith(_COMMON):
        return 1, data[1], 2, SHA2_256, 4
    if len(data) == _V0_SIZE and data[:2] == _SHA2_256_PREFIX:
        return 0, DAG_PB, 0, SHA2_256, 2
    if len(data) > LINK_SIZE_MAX:
        raise InvalidLink(f"a link of {len(data)} bytes is too long")
    try:
        version, offset = varint.decode(data)
        if version != 1:
            raise InvalidLink(f"a link of unknown version {version}")
        codec, start = varint.decode(data, offset)
        code, offset = varint.decode(data, start)
        size, offset = varint.decode(data, offset)
    except varint.VarintError as error:
        raise InvalidLink(f"not a link: {error}") from error
    if size != len(data) - offset:
        raise InvalidLink(f"a link announces {size} bytes of digest and has {len(data) - offset}")
    if code == SHA2_256 and size != SHA2_256_SIZE:
        raise InvalidLink(f"a sha2-256 digest has 32 bytes, not {size}")
    return 1, codec, start, code, offset
