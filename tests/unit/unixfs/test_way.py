import pytest

from taijitu.unixfs.failures import OverLimit
from taijitu.unixfs.murmur import murmur3_64
from taijitu.unixfs.way import SHARD_DEPTH_MAX, Way, width_of
from unit.unixfs.hostile import COLLIDING


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", "0000000000000000"),
        ("hello", "cbd8a7b341bd9b02"),
        ("hello, world", "342fac623a5ebc8e"),
        ("19 Jan 2038 at 3:14:07 AM", "b89e5988b737affc"),
        ("The quick brown fox jumps over the lazy dog.", "cd99481f9ee902c9"),
    ],
)
def test_the_hash_is_that_of_everybody_else(text: str, digest: str) -> None:
    assert murmur3_64(text.encode()).hex() == digest


def test_the_way_of_a_name_is_that_of_the_example_in_the_specification() -> None:
    way = Way(b"470.txt", 256)
    assert [way.slot(0), way.slot(1)] == [0x00, 0x6E]


@pytest.mark.parametrize("fanout", [8, 16, 64, 256, 512, 1024])
def test_slots_are_the_bits_of_the_hash_and_then_of_those_that_follow(fanout: int) -> None:
    bits = fanout.bit_length() - 1
    hashes = [murmur3_64(b"a name"), *(murmur3_64(b"a name" + bytes((at,))) for at in range(1, 6))]
    text = "".join(f"{byte:08b}" for byte in b"".join(hashes))
    way = Way(b"a name", fanout)
    assert [way.slot(depth) for depth in range(SHARD_DEPTH_MAX)] == [
        int(text[depth * bits : (depth + 1) * bits], 2) for depth in range(SHARD_DEPTH_MAX)
    ]


@pytest.mark.parametrize(("fanout", "width"), [(8, 1), (16, 1), (32, 2), (256, 2), (1024, 3)])
def test_a_slot_is_spelled_in_as_many_digits_as_the_last_one_needs(fanout: int, width: int) -> None:
    assert width_of(fanout) == width


def test_names_that_were_made_to_collide_have_one_way_for_ever_and_it_is_cut() -> None:
    one, other = (Way(name.encode(), 256) for name in COLLIDING)
    assert [one.slot(at) for at in range(SHARD_DEPTH_MAX)] == [
        other.slot(at) for at in range(SHARD_DEPTH_MAX)
    ]
    with pytest.raises(OverLimit, match="32 shards"):
        one.slot(SHARD_DEPTH_MAX)
