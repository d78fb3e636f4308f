import pytest

from taijitu.ipld import varint

NUMBERS = {
    0: "00",
    1: "01",
    0x7F: "7f",
    0x80: "8001",
    0xED: "ed01",
    0x1205: "8524",
    0x0D1D: "9d1a",
    0xD0ED: "eda103",
    2**63 - 1: "ffffffffffffffff7f",
}


@pytest.mark.parametrize(("number", "text"), NUMBERS.items())
def test_a_number_has_one_spelling(number: int, text: str) -> None:
    data = bytes.fromhex(text)
    assert varint.encode(number) == data
    assert varint.decode(b"\xff" + data + b"\xff", 1) == (number, 1 + len(data))


@pytest.mark.parametrize("number", [-1, 2**63, 2**64])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(varint.VarintError, match="nine bytes"):
        varint.encode(number)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ends inside"),
        ("80", "ends inside"),
        ("ffff", "ends inside"),
        ("8000", "longer than it needs"),
        ("818000", "longer than it needs"),
        ("80808080808080808001", "longer than 9 bytes"),
        ("ffffffffffffffffff01", "longer than 9 bytes"),
    ],
)
def test_a_malformed_varint_is_refused(text: str, reason: str) -> None:
    with pytest.raises(varint.VarintError, match=reason):
        varint.decode(bytes.fromhex(text))
