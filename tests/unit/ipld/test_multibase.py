import pytest

from taijitu.ipld import multibase
from taijitu.ipld.multibase import MultibaseError

SPELLINGS = {
    "f": "f00ff68",
    "b": "bad7wq",
    "B": "BAD7WQ",
    "k": "k01eg8",
    "z": "z1LSK",
    "m": "mAP9o",
    "M": "MAP9o",
    "u": "uAP9o",
}


@pytest.mark.parametrize(("base", "text"), SPELLINGS.items())
def test_bytes_have_one_spelling_in_each_base(base: str, text: str) -> None:
    data = bytes.fromhex("00ff68")
    assert multibase.encode(base, data) == text
    assert multibase.decode(text) == data


def test_every_base_is_tried_above() -> None:
    assert set(SPELLINGS) == multibase.BASES


def test_padding_is_written_and_required() -> None:
    assert multibase.encode("M", b"\x00") == "MAA=="
    assert multibase.decode("MAA==") == b"\x00"
    with pytest.raises(MultibaseError):
        multibase.decode("MAA")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x00",
        "Qm",
        "b1",
        "bAD7WQ",
        "z0",
        "zl",
        "mAP9o=",
        "mAA==",
        "f0",
        "fAB",
        "bad7wr",
        "mAB",
        "é",
    ],
)
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(MultibaseError):
        multibase.decode(text)


def test_an_unknown_base_is_refused() -> None:
    with pytest.raises(MultibaseError, match="unknown multibase prefix 'x'"):
        multibase.encode("x", b"")


@pytest.mark.parametrize(
    ("base", "length"),
    [("z", multibase.BASE58_LENGTH_MAX), ("k", multibase.BASE58_LENGTH_MAX), ("b", 32_768)],
)
def test_a_text_that_is_too_long_is_not_even_tried(base: str, length: int) -> None:
    with pytest.raises(MultibaseError, match="too long"):
        multibase.decode(base + "1" * length)
