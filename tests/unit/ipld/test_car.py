from hashlib import sha256

import pytest

from taijitu.ipld import car, dagcbor, varint
from taijitu.ipld.car import Car, CarError, Limits
from taijitu.ipld.cid import IDENTITY, RAW, Link, link_to, multihash

ONE, TWO = b"one", b"two" * 100
LINK_ONE, LINK_TWO = link_to(ONE, RAW), link_to(TWO)
BLOCKS = {LINK_ONE: ONE, LINK_TWO: TWO}


def section(*parts: bytes) -> bytes:
    content = b"".join(parts)
    return varint.encode(len(content)) + content


def header(**fields: object) -> bytes:
    return section(dagcbor.encode(fields))


HEADER = header(roots=[LINK_TWO], version=1)
ARCHIVE = HEADER + section(LINK_ONE.data, ONE) + section(LINK_TWO.data, TWO)


def test_an_archive_is_a_header_and_blocks_in_order() -> None:
    assert car.encode([LINK_TWO], BLOCKS.items()) == ARCHIVE
    archive = car.decode(ARCHIVE)
    assert archive == Car((LINK_TWO,), BLOCKS)
    assert list(archive.blocks) == [LINK_ONE, LINK_TWO]


@pytest.mark.parametrize(
    "roots",
    [
        (),
        (LINK_ONE,),
        (LINK_ONE, LINK_TWO, LINK_ONE),
        (Link(multihash(ONE)),),
        (link_to(ONE, 0x0202),),
    ],
)
def test_roots_are_kept_and_need_not_be_among_the_blocks(roots: tuple[Link, ...]) -> None:
    assert car.decode(car.encode(roots, ())) == Car(roots, {})


def test_a_block_given_twice_is_written_once() -> None:
    written = car.encode([LINK_ONE], [(LINK_ONE, ONE), (LINK_TWO, TWO), (LINK_ONE, ONE)])
    assert written == car.encode([LINK_ONE], BLOCKS.items())


def test_a_block_found_twice_is_read_once() -> None:
    twice = ARCHIVE + section(LINK_ONE.data, ONE)
    assert car.decode(twice) == car.decode(ARCHIVE)


@pytest.mark.parametrize(
    ("link", "block"),
    [
        (link_to(b"", RAW), b""),
        (link_to(b"x" * 3_000_000), b"x" * 3_000_000),
        (link_to(ONE, 0x0202), ONE),
        (Link(multihash(ONE)), ONE),
        (Link(bytes((1, RAW, IDENTITY, 3)) + ONE), ONE),
        (Link(bytes((1, RAW, IDENTITY, 0))), b""),
    ],
    ids=["empty", "large", "car", "version 0", "identity", "empty identity"],
)
def test_any_link_we_can_check_may_name_a_block(link: Link, block: bytes) -> None:
    assert car.decode(car.encode([link], [(link, block)])) == Car((link,), {link: block})


@pytest.mark.parametrize(
    ("link", "block"),
    [
        (LINK_ONE, b"onf"),
        (LINK_TWO, TWO[:-1]),
        (LINK_TWO, TWO + b"\x00"),
        (link_to(ONE, 0x0202), b"onf"),
        (Link(multihash(ONE)), b"onf"),
        (Link(bytes((1, RAW, IDENTITY, 3)) + ONE), b"onf"),
        (Link(bytes((1, RAW, IDENTITY, 3)) + ONE), b""),
    ],
)
def test_a_block_that_is_not_what_its_link_says_is_refused(link: Link, block: bytes) -> None:
    with pytest.raises(CarError, match="do not hash to its link"):
        car.decode(car.encode([link], [(link, block)]))


@pytest.mark.parametrize("size", [0, 91, 92, 16_347, 16_348, 2_097_115, 2_097_116])
def test_a_section_may_have_any_length(size: int) -> None:
    """Goal: the lengths at which a section's varint grows from one byte to four."""
    block = bytes(size)
    link = link_to(block, RAW)
    assert car.decode(car.encode([link], [(link, block)])) == Car((link,), {link: block})


def test_every_flipped_bit_of_a_digest_or_a_block_is_noticed() -> None:
    begin = len(HEADER) + 1 + 4  # after the section's length and the link's four numbers
    for position in range(begin, begin + 32 + len(ONE)):
        for bit in range(8):
            flipped = bytearray(ARCHIVE)
            flipped[position] ^= 1 << bit
            with pytest.raises(CarError, match="do not hash to its link"):
                car.decode(bytes(flipped))


def test_another_codec_is_another_link_to_the_same_bytes() -> None:
    flipped = bytearray(ARCHIVE)
    flipped[len(HEADER) + 2] ^= 1
    assert list(car.decode(bytes(flipped)).blocks.items()) == [
        (link_to(ONE, RAW ^ 1), ONE),
        (LINK_TWO, TWO),
    ]


def test_a_hash_function_we_cannot_check_is_refused() -> None:
    link = Link(b"\x01\x55\x1b\x20" + sha256(ONE).digest())
    with pytest.raises(CarError, match="unknown hash function 0x1b"):
        car.decode(car.encode([link], [(link, ONE)]))


def test_an_archive_cut_off_anywhere_but_between_blocks_is_refused() -> None:
    whole = {len(HEADER), len(HEADER) + 1 + 36 + len(ONE), len(ARCHIVE)}
    for size in range(len(ARCHIVE) + 1):
        if size in whole:
            car.decode(ARCHIVE[:size])
            continue
        with pytest.raises(CarError):
            car.decode(ARCHIVE[:size])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Unexpected end of data"),
        (b"\x80", "Unexpected end of data"),
        (b"\x01\x02\x03", "Invalid CAR header format"),
        (b"\x00", "zero length"),
        (b"\x80\x00" + b"x" * 20, "longer than it needs to be"),
        (b"\xff" * 20, "longer than 9 bytes"),
        (section(b"\xff"), "Invalid CAR header format"),
        (section(b"\xa0"), "Invalid CAR header format"),
        (header(version=1), "Invalid CAR header format"),
        (header(roots=[]), "Invalid CAR header format"),
        (header(roots=[], version=0), "Invalid CAR header format"),
        (header(roots=[], version=3), "Invalid CAR header format"),
        (header(roots=[], version=True), "Invalid CAR header format"),
        (header(roots=[], version=1.0), "Invalid CAR header format"),
        (header(roots=[], version="1"), "Invalid CAR header format"),
        (header(roots={}, version=1), "Invalid CAR header format"),
        (header(roots=[LINK_ONE, LINK_ONE.data], version=1), "Invalid CAR header format"),
        (header(roots=["bafy"], version=1), "Invalid CAR header format"),
        (header(roots=[], version=1, more=1), "Invalid CAR header format"),
        (HEADER + b"\x00", "zero length"),
        (HEADER + section(b"\x01"), "malformed link"),
        (HEADER + section(b"\x01\x55\x12"), "malformed link"),
        (HEADER + section(LINK_ONE.data[:-1]), "longer than its section"),
        (HEADER + section(LINK_ONE.data[:-1]) + ARCHIVE, "longer than its section"),
        (HEADER + section(b"\x02" + LINK_ONE.data[1:], ONE), "version 2"),
        (HEADER + section(b"\x01\x55\x12\x1f" + bytes(31), ONE), "has 32 bytes, not 31"),
        (HEADER + section(b"\x01\x55\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "longer than its"),
    ],
)
def test_a_malformed_archive_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(CarError, match=reason):
        car.decode(data)


def test_limits_are_kept_to_the_byte() -> None:
    exact = Limits(size_max=len(ARCHIVE), blocks_max=2, block_size_max=len(TWO), roots_max=1)
    assert car.decode(ARCHIVE, exact).blocks == BLOCKS


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(size_max=len(ARCHIVE) - 1), "over the limit of"),
        (Limits(blocks_max=1), "more than 1 blocks"),
        (Limits(block_size_max=len(TWO) - 1), "over the limit"),
        (Limits(roots_max=1), "more than 1 roots"),
    ],
)
def test_an_archive_over_a_limit_is_refused(limits: Limits, reason: str) -> None:
    archive = ARCHIVE
    if limits.roots_max == 1:
        archive = car.encode([LINK_ONE, LINK_TWO], BLOCKS.items())
    with pytest.raises(CarError, match=reason):
        car.decode(archive, limits)


def version_2(offset: int = 51, size: int = len(ARCHIVE), inner: bytes = ARCHIVE) -> bytes:
    pragma = bytes.fromhex("0aa16776657273696f6e02")
    numbers = b"".join(number.to_bytes(8, "little") for number in (offset, size, 0))
    return pragma + bytes(16) + numbers + inner


def test_version_2_is_version_1_in_an_envelope() -> None:
    assert car.decode(version_2()) == car.decode(ARCHIVE)
    padded = version_2(offset=60, inner=bytes(9) + ARCHIVE + b"an index")
    assert car.decode(padded) == car.decode(ARCHIVE)


@pytest.mark.parametrize(
    "data",
    [
        version_2()[:50],
        version_2(size=len(ARCHIVE) + 1),
        version_2(offset=52),
        version_2(offset=2**64 - 1),
        version_2(offset=0),
        version_2(size=0),
        version_2(inner=version_2(), size=len(version_2())),
    ],
    ids=["cut off", "too long", "shifted", "far away", "in itself", "empty", "nested"],
)
def test_a_malformed_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(CarError):
        car.decode(data)


def test_a_root_that_is_not_a_link_cannot_be_written() -> None:
    with pytest.raises(dagcbor.EncodeError):
        car.encode([object()], ())  # type: ignore[list-item]
