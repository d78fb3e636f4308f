"""Unsigned varints as multiformats uses them: LEB128, minimal, at most nine bytes.

Law: a number has exactly one encoding, so a longer spelling of it is an error.
"""

from typing import Final

VARINT_BYTES_MAX: Final = 9
VARINT_MAX: Final = (1 << 63) - 1


class VarintError(ValueError):
    """These bytes are not a minimal unsigned varint."""


def encode(number: int) -> bytes:
    """The varint of `number`, which must lie in 0 … 2**63 - 1. Raises `VarintError`."""
    if 0 <= number < 0x80:
        return bytes((number,))
    if not 0 <= number <= VARINT_MAX:
        raise VarintError(f"{number} does not fit into an unsigned varint of nine bytes")
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def decode(data: bytes, offset: int = 0) -> tuple[int, int]:
    """The number at `offset` and the offset after it. Raises `VarintError`."""
    number = shift = 0
    for position in range(offset, offset + VARINT_BYTES_MAX):
        if position >= len(data):
            raise VarintError("the data ends inside a varint")
        byte = data[position]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                raise VarintError("a varint is longer than it needs to be")
            return number, position + 1
        shift += 7
    raise VarintError(f"a varint is longer than {VARINT_BYTES_MAX} bytes")
