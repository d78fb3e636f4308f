"""Goal: browsers are told what a file is, and never that it is a page when it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taijitu.gateway.types import HTML, OCTETS, PLAIN, by_bytes, by_name


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("index.html", HTML),
        ("a.HTML", HTML),
        ("notes.txt", PLAIN),
        ("notes.md", "text/markdown; charset=utf-8"),
        ("data.json", "application/json; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("photo.jpeg", "image/jpeg"),
        ("drawing.svg", "image/svg+xml"),
        ("film.webm", "video/webm"),
        ("film.mp4", "video/mp4"),
        ("sound.wav", "audio/wav"),
        ("paper.pdf", "application/pdf"),
        ("module.wasm", "application/wasm"),
        ("all.tar.gz", "application/gzip"),
        ("all.tar", "application/x-tar"),
        ("page.html.gz", "application/gzip"),
        ("data.Z", OCTETS),
        ("README", None),
        ("", None),
        (".html", None),
        ("a.unheardof", None),
        ("data:text/html,x", None),
        ("a/b.html", HTML),
    ],
)
def test_a_name_tells_a_type(name: str, found: str | None) -> None:
    assert by_name(name) == found


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"", PLAIN),
        (b"plain words\n", PLAIN),
        ("Wörter".encode(), PLAIN),
        ("ä".encode()[:1], OCTETS),
        (("a" * 511 + "ä").encode(), PLAIN),
        (b"\x00\x01\x02", OCTETS),
        (b"text\x00", OCTETS),
        (b"\xff\xfe", OCTETS),
        (b"<!DOCTYPE html><p>x", HTML),
        (b"\n  <html lang=en>", HTML),
        (b"\xef\xbb\xbf<!doctype HTML>", HTML),
        (b"<p>a part of a page", PLAIN),
        (b"<?xml version='1.0'?><a/>", "text/xml; charset=utf-8"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "image/svg+xml"),
        (b"<svg xmlns='x'/>", "image/svg+xml"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"RIFF\x00\x00\x00\x00????", OCTETS),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x20ftypavif", "image/avif"),
        (b"\x1aE\xdf\xa3....", "video/webm"),
        (b"PK\x03\x04", "application/zip"),
    ],
)
def test_how_a_file_begins_tells_a_type(start: bytes, found: str) -> None:
    assert by_bytes(start) == found


@given(st.binary(max_size=600))
def test_whatever_it_is_has_a_type(start: bytes) -> None:
    assert "/" in by_bytes(start)


@given(st.text())
def test_whatever_it_is_called_it_has_a_type_or_none(name: str) -> None:
    found = by_name(name)
    assert found is None or "/" in found
