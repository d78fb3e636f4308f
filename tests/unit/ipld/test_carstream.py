"""Goal: a CAR is read block by block however its bytes come, and nothing comes out that is not what
its link names."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taijitu.ipld import car, varint
from taijitu.ipld.car import CarError
from taijitu.ipld.carstream import HEADER_SIZE_MAX, CarStream
from taijitu.ipld.cid import RAW, Link, link_to


def read(pieces: list[bytes], size_max: int = 1000) -> list[tuple[Link, bytes]]:
    stream, found = CarStream(size_max), list[tuple[Link, bytes]]()
    for piece in pieces:
        stream.feed(piece)
        while (block := stream.block()) is not None:
            found.append(block)
    assert stream.is_between
    return found


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 500))
def test_a_car_is_the_same_however_its_bytes_come(contents: list[bytes], step: int) -> None:
    blocks = [(link_to(content, RAW), content) for content in dict.fromkeys(contents)]
    data = car.encode([link_to(b"root", RAW)], blocks)
    assert read([data[at : at + step] for at in range(0, len(data), step)]) == blocks


def test_an_end_within_a_block_or_the_header_is_told() -> None:
    block = os.urandom(50)
    data = car.encode([], [(link_to(block, RAW), block)])
    for stop in range(len(data)):
        stream = CarStream()
        stream.feed(data[:stop])
        while stream.block() is not None:
            pass
        assert stream.is_between == (stop == len(car.encode([], [])))


@pytest.mark.parametrize(
    "spoiled",
    [
        varint.encode(HEADER_SIZE_MAX + 1),
        b"\xff" * 9,
        b"\x00",
        b"\x01\x00",
        car.encode([], []) + varint.encode(100_000) + bytes(100),
        car.encode([], []) + b"\x00",
        car.encode([], []) + b"\x03\x01\x55\x12",
        car.encode([], [(link_to(b"a", RAW), b"b")]),
    ],
)
def test_what_is_no_car_is_refused(spoiled: bytes) -> None:
    with pytest.raises(CarError):
        read([spoiled])
