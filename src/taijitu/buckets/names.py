"""How an object is called: its multihash, and the path that clients know it by.

Law: every name outside (a URL, a file, a key) is derived from the digest. Nothing that came from
outside is ever used as a name; it is parsed, and the name is made anew.
"""

from typing import Final

from taijitu.ipld.cid import CAR, SHA2_256, InvalidLink, Link

DIGEST_SIZE: Final = 32
"""Bytes."""

MULTIHASH_PREFIX: Final = bytes((SHA2_256, DIGEST_SIZE))
CAR_LINK_PREFIX: Final = b"\x01\x82\x04"
"""varint(1) varint(0x0202): a version 1 link to a CAR."""

PATH_SIZE: Final = 2 * 61 + len("//.car")
"""Characters of `/{link}/{link}.car` where the link is a CAR's, by sha2-256, in base32."""


class UnknownHash(ValueError):
    """Objects are named by sha2-256 multihashes; this is something else."""


def digest_of(multihash: bytes) -> bytes:
    """The 32 bytes of a sha2-256 multihash. Raises `UnknownHash`."""
    if len(multihash) != len(MULTIHASH_PREFIX) + DIGEST_SIZE:
        raise UnknownHash(f"a sha2-256 multihash has 34 bytes, not {len(multihash)}")
    if not multihash.startswith(MULTIHASH_PREFIX):
        raise UnknownHash("a sha2-256 multihash begins with 12 20")
    return multihash[len(MULTIHASH_PREFIX) :]


def multihash_of(digest: bytes) -> bytes:
    """The multihash of a sha2-256 digest."""
    return MULTIHASH_PREFIX + digest


def link_of(multihash: bytes) -> Link:
    """The link of the CAR with these bytes."""
    digest_of(multihash)
    return Link(CAR_LINK_PREFIX + multihash)


def path_of(multihash: bytes) -> str:
    """The path of an object in a URL: `/{link}/{link}.car`."""
    link = link_of(multihash)
    return f"/{link}/{link}.car"


def named_by(path: str) -> bytes | None:
    """The multihash of the object at that path; `None` when the path is no object's."""
    if len(path) != PATH_SIZE or not path.isascii():
        return None
    folder, _, file = path[1:].partition("/")
    if path[0] != "/" or file != f"{folder}.car":
        return None
    try:
        link = Link.parse(folder)
    except InvalidLink:
        return None
    whole = link.codec == CAR and link.hash_code == SHA2_256 and str(link) == folder
    return link.multihash if whole else None
