"""The content type of a file: by its name, else by how its bytes begin. Pure.

Law: the same file has the same type on every machine, so nothing is asked of the system. A type is
told from the first `SNIFFED` bytes; text is what is UTF-8 and has no control characters.
"""

from codecs import getincrementaldecoder
from mimetypes import MimeTypes
from typing import Final

SNIFFED: Final = 512
"""Bytes that tell a type."""

OCTETS: Final = "application/octet-stream"
PLAIN: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"

NEWER: Final = {
    ".avif": "image/avif",
    ".cjs": "text/javascript",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".log": "text/plain",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mkv": "video/x-matroska",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".toml": "application/toml",
    ".ts": "video/mp2t",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}
"""What the tables of some Python versions know otherwise, or not at all."""

BEGINNINGS: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"OggS\x00", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x00asm", "application/wasm"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
)

RIFF: Final = {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
BRANDS: Final = {b"avif": "image/avif", b"heic": "image/heic", b"M4A ": "audio/mp4"}
MARKUP: Final = (
    (b"<!doctype html", HTML),
    (b"<html", HTML),
    (b"<?xml", "text/xml; charset=utf-8"),
    (b"<svg", "image/svg+xml"),
)

CONTROLS: Final = frozenset(range(0x20)) - frozenset(b"\t\n\f\r\x1b")

_tables: Final = MimeTypes(())
for _ending, _type in NEWER.items():
    _tables.add_type(_type, _ending)

COMPRESSED: Final = {"gzip": "application/gzip", "bzip2": "application/x-bzip2"}
TEXTUAL: Final = frozenset(("application/json", "application/xml", "application/toml"))


def by_name(name: str) -> str | None:
    """What the ending of a name says. A compressed file is what it is, not what is in it."""
    found, coding = _tables.guess_type("/" + name.replace("/", "_"))
    if coding is not None:
        return COMPRESSED.get(coding, OCTETS)
    if found is not None and (found.startswith("text/") or found in TEXTUAL):
        return f"{found}; charset=utf-8"
    return found


def by_bytes(start: bytes) -> str:
    """What a file is that begins with these bytes, if they tell."""
    start = start[:SNIFFED]
    for beginning, found in BEGINNINGS:
        if start.startswith(beginning):
            return found
    if start[:4] == b"RIFF" and start[8:12] in RIFF:
        return RIFF[start[8:12]]
    if start[4:8] == b"ftyp":
        return BRANDS.get(start[8:12], "video/mp4")
    if not is_text(start):
        return OCTETS
    return markup(start.removeprefix(b"\xef\xbb\xbf").lstrip().lower())


def is_text(start: bytes) -> bool:
    """Whether it is UTF-8; where there is more, it may end in the midst of a character."""
    if not CONTROLS.isdisjoint(start):
        return False
    try:
        getincrementaldecoder("utf-8")().decode(start, final=len(start) < SNIFFED)
    except UnicodeDecodeError:
        return False
    return True


def markup(start: bytes) -> str:
    """Which text it is, in small letters."""
    for beginning, found in MARKUP:
        if start.startswith(beginning):
            return "image/svg+xml" if found.startswith("text/xml") and b"<svg" in start else found
    return PLAIN
