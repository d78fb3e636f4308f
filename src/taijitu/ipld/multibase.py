"""Bytes as text, and back: the multibase prefixes, with a single spelling for each text.

Law: `decode` accepts only what `encode` would have written, so bits left over at the end, a
wrong case and missing padding are errors. (RFC 4648 base32/base64 leave that to the reader.)
"""

from typing import Final

import libipld

BASE16: Final = "f"
BASE32: Final = "b"
BASE32_UPPER: Final = "B"
BASE36: Final = "k"
BASE58BTC: Final = "z"
BASE64: Final = "m"
BASE64PAD: Final = "M"
BASE64URL: Final = "u"

BASES: Final = frozenset(
    (BASE16, BASE32, BASE32_UPPER, BASE36, BASE58BTC, BASE64, BASE64PAD, BASE64URL)
)
TEXT_LENGTH_MAX: Final = 32_768
"""Characters of a text we decode. Base58 takes time in the square of its length."""
BASE58_LENGTH_MAX: Final = 2_048
"""Characters of a base58 or base36 text: an RSA-8192 public key as did:key needs 1,430."""


class MultibaseError(ValueError):
    """This text is not bytes in a base we know."""


def encode(base: str, data: bytes) -> str:
    """`data` in `base` (one of `BASES`), with its prefix. Raises `MultibaseError`."""
    if base not in BASES:
        raise MultibaseError(f"unknown multibase prefix {base!r}")
    return libipld.encode_multibase(base, data)


def decode(text: str) -> bytes:
    """The bytes that `text` spells after its one-letter prefix. Raises `MultibaseError`."""
    base = text[:1]
    if base not in BASES:
        raise MultibaseError(f"unknown multibase prefix {base!r}")
    limit = BASE58_LENGTH_MAX if base in (BASE58BTC, BASE36) else TEXT_LENGTH_MAX
    if len(text) > limit:
        raise MultibaseError(f"a multibase text of {len(text)} characters is too long")
    try:
        data = libipld.decode_multibase(text)[1]
    except ValueError as error:
        raise MultibaseError(f"not a multibase text: {text[:80]!r}") from error
    if libipld.encode_multibase(base, data) != text:
        raise MultibaseError(f"not the canonical spelling: {text[:80]!r}")
    return data
