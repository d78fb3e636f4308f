"""How a valid input is spoiled: a few bytes of script say what is done to it, and where.

A script of no bytes leaves the input as it is, so what Hypothesis finds, it can make simpler.
"""

from collections.abc import Sequence
from typing import Final

STEP: Final = 5
"""Bytes of one step of a script: what, where (two), how, how much."""

SCRIPT_STEPS_MAX: Final = 4
SIZE_MAX: Final = 100_000
"""Bytes of an input, whatever is done to it."""

HEADS: Final = bytes.fromhex(
    "0001171819 1a1b1f20383b3f40585b5f60787b7f80989b9fa0b8bbbf c0c2d82a d9f4f5f6f7f8f9fafbff"
)
"""Bytes that mean something: the heads of CBOR values, lengths, the first byte of a varint."""

TEXTS: Final = tuple(b"%,;=&/+-.* \t\n\x00\"'{}[]:09aA?#")


def spoiled(data: bytes, others: Sequence[bytes], script: bytes) -> bytes:
    """`data` after all steps of `script`. Parts of `others` get into it."""
    for start in range(0, len(script) - STEP + 1, STEP):
        what, high, low, how, much = script[start : start + STEP]
        at = (high << 8 | low) * (len(data) + 1) >> 16
        data = step(what % 12, data, at, how, much, others)[:SIZE_MAX]
    return data


def step(  # noqa: PLR0917
    what: int, data: bytes, at: int, how: int, much: int, others: Sequence[bytes]
) -> bytes:
    """One change at a place (0 … the length of `data`)."""
    head, tail = data[:at], data[at:]
    match what:
        case 0:  # a bit
            return head + bytes(byte ^ 1 << how % 8 for byte in tail[:1]) + tail[1:]
        case 1:  # a byte that means something
            return head + HEADS[how % len(HEADS)].to_bytes() + tail[1:]
        case 2:  # a count or a length that is off by a few
            return head + bytes((byte + how - 128) % 256 for byte in tail[:1]) + tail[1:]
        case 3:  # a length that is huge
            return head + (b"\xff" * (1 + how % 9))[: 1 + much % 9] + tail[1:]
        case 4:  # the end is missing
            return head
        case 5:  # the beginning is missing
            return tail
        case 6:  # a part is missing
            return head + tail[1 + how % 64 :]
        case 7:  # a part comes twice, or more often
            return head + tail[: 1 + how] * (1 + much % 4) + tail
        case 8:  # noise
            return (
                head + bytes((how * 31 + much * number) % 256 for number in range(much % 40)) + tail
            )
        case 9:  # a part of another input
            other = others[how % len(others)]
            begin = len(other) * much // 256
            return head + other[begin : begin + 64] + tail[64 if much % 2 else 0 :]
        case 10:  # the rest of another input
            other = others[how % len(others)]
            return head + other[len(other) * much // 256 :]
        case _:  # a character that means something
            return head + TEXTS[how % len(TEXTS)].to_bytes() + tail[much % 2 :]
