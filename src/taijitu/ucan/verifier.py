"""Verification: did this key sign these bytes?

Law: the algorithm is decided by the key, never by the signature that is being checked. Keys of
kinds other than Ed25519 and RSA name principals, but nothing they sign is accepted.
"""

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from taijitu.ucan import principal, signature

RSA_BITS_MIN: Final = 2_048
RSA_BITS_MAX: Final = 4_096
RSA_EXPONENT_BITS_MAX: Final = 33
"""A public exponent longer than this only makes verifying slow."""
RSA_KEYS_MAX: Final = 256
"""Parsed RSA keys that are remembered."""


def verify(key: bytes, payload: bytes, varsig: bytes) -> bool:
    """Whether `varsig` is the signature of `payload` by the key principal `key`."""
    if key.startswith(principal.ED25519_PREFIX) and len(key) == principal.ED25519_SIZE:
        raw = signature.eddsa(varsig)
        return raw is not None and _ed25519(key[2:], payload, raw)
    try:
        made = signature.decode(varsig)
        code, public_key = principal.key_code(key)
    except (signature.InvalidSignature, principal.InvalidDid):
        return False
    if code != principal.RSA_PUBLIC or made.code != signature.RS256:
        return False
    return _rsa(public_key, payload, made.raw)


def _ed25519(public_key: bytes, payload: bytes, raw: bytes) -> bool:
    try:
        crypto_sign_open(raw + payload, public_key)
    except (CryptoError, ValueError):
        return False
    return True


def _rsa(public_key: bytes, payload: bytes, raw: bytes) -> bool:
    key = _load_rsa(public_key)
    if key is None:
        return False
    try:
        key.verify(raw, payload, PKCS1v15(), SHA256())
    except WrongSignature:
        return False
    return True


@lru_cache(maxsize=RSA_KEYS_MAX)
def _load_rsa(public_key: bytes) -> RSAPublicKey | None:
    """A PKCS #1 RSAPublicKey in DER, or None if it is not one we verify with."""
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, RSAPublicKey):
        return None
    if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        return None
    if key.public_numbers().e.bit_length() > RSA_EXPONENT_BITS_MAX:
        return None
    return key
