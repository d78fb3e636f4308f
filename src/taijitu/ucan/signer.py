"""Signers: an Ed25519 key that speaks for a DID.

Law: a signer is made from a seed it is given; it never makes one up, and never shows it except
through `format` and `archive`. Signatures are deterministic (RFC 8032).
"""

from typing import Final, NoReturn, final

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from taijitu.ipld import multibase, varint
from taijitu.ucan import principal, signature

SEED_SIZE: Final = 32
ED25519_PRIVATE: Final = 0x1300

_PRIVATE_PREFIX: Final = varint.encode(ED25519_PRIVATE)
_PUBLIC_PREFIX: Final = principal.ED25519_PREFIX
_PRIVATE_SIZE: Final = len(_PRIVATE_PREFIX) + SEED_SIZE + principal.ED25519_SIZE


class InvalidKey(ValueError):
    """This is not a private key, or its two halves do not belong together."""


@final
class Signer:
    """Signs as `did`, with the key that `key_did` names."""

    __slots__ = ("__secret", "did", "key_did", "principal", "public_key")

    did: str
    """Who it signs as: a `did:key`, or a DID whose key this is (`did:web` of a service)."""
    key_did: str
    principal: bytes
    """`did` as blocks carry it."""
    public_key: bytes

    def __init__(self, secret: bytes, public_key: bytes, did: str | None = None) -> None:
        """`secret` is seed and public key, 64 bytes. Use `from_seed` or `parse`."""
        self.__secret = secret
        self.public_key = public_key
        self.key_did = principal.to_did(_PUBLIC_PREFIX + public_key)
        self.did = did or self.key_did
        self.principal = principal.from_did(self.did)

    @classmethod
    def from_seed(cls, seed: bytes) -> "Signer":
        """The signer of a 32-byte seed. Raises `InvalidKey`."""
        if len(seed) != SEED_SIZE:
            raise InvalidKey(f"a seed has {SEED_SIZE} bytes, not {len(seed)}")
        public_key, secret = crypto_sign_seed_keypair(seed)
        return cls(secret, public_key)

    @classmethod
    def read(cls, data: bytes) -> "Signer":
        """The signer in 68 bytes: tag, seed, tag, public key. Raises `InvalidKey`."""
        if len(data) != _PRIVATE_SIZE or not data.startswith(_PRIVATE_PREFIX):
            raise InvalidKey("not an Ed25519 private key")
        seed, public = data[2 : 2 + SEED_SIZE], data[2 + SEED_SIZE :]
        if not public.startswith(_PUBLIC_PREFIX):
            raise InvalidKey("not an Ed25519 private key: no public key follows the seed")
        signer = cls.from_seed(seed)
        if signer.public_key != public[2:]:
            raise InvalidKey("the public key is not the one that belongs to this seed")
        return signer

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """The signer in a text that begins `MgC`. Raises `InvalidKey`, without the text."""
        try:
            if not text.startswith(multibase.BASE64PAD):
                raise InvalidKey("a private key is written in base64 and begins with 'M'")
            data = multibase.decode(text)
        except multibase.MultibaseError:
            # The cause would quote the text, and so the key.
            raise InvalidKey("a private key is written in base64 and begins with 'M'") from None
        return cls.read(data)

    def under(self, did: str) -> "Signer":
        """The same key, signing as another DID. Raises `InvalidDid`."""
        return Signer(self.__secret, self.public_key, did)

    def sign(self, payload: bytes) -> bytes:
        """The signature of `payload` as blocks carry it: 68 bytes."""
        signed = crypto_sign(payload, self.__secret)
        return signature.encode(signature.EDDSA, signed[: signature.ED25519_SIGNATURE_SIZE])

    def format(self) -> str:
        """The private key as text (`MgC…`, 93 characters). Keep it secret."""
        return multibase.encode(multibase.BASE64PAD, self._private())

    def archive(self) -> dict[str, object]:
        """The private key as data: `{id: did, keys: {did:key: 68 bytes}}`. Keep it secret."""
        return {"id": self.did, "keys": {self.key_did: self._private()}}

    def _private(self) -> bytes:
        seed = self.__secret[:SEED_SIZE]
        return _PRIVATE_PREFIX + seed + _PUBLIC_PREFIX + self.public_key

    def __repr__(self) -> str:
        return f"<Signer {self.did}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled: use format() and keep it secret")


def from_archive(archive: object) -> Signer:
    """The signer that `Signer.archive` wrote, under its DID. Raises `InvalidKey`."""
    if not isinstance(archive, dict):
        raise InvalidKey("an archived key is a map")
    did, keys = archive.get("id"), archive.get("keys")  # type: ignore[misc]
    if not isinstance(did, str) or not isinstance(keys, dict) or len(keys) != 1:  # type: ignore[arg-type]
        raise InvalidKey("an archived key has a DID as id, and one key")
    ((key_did, data),) = keys.items()  # type: ignore[misc]
    if not isinstance(data, bytes):
        raise InvalidKey("an archived key holds bytes")
    signer = Signer.read(data)
    if signer.key_did != key_did:
        raise InvalidKey("the archived key is filed under another DID")
    return signer if did == key_did else signer.under(did)
