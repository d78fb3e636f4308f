import pytest

from support.walking import Store
from taijitu.ipld import dagpb
from taijitu.ipld.cid import DAG_CBOR, DAG_PB, RAW, Link, link_to
from taijitu.ipld.dagpb import PbLink, PbNode
from taijitu.unixfs import data as messages
from taijitu.unixfs.data import Data, Kind, Time
from taijitu.unixfs.failures import InvalidUnixFS, NotUnixFS
from taijitu.unixfs.node import Directory, File, Part, Shard, Slot, Symlink, read
from unit.unixfs import hostile

LEAF = link_to(b"leaf", RAW)


def made(data: Data, *links: PbLink) -> tuple[Link, bytes]:
    block = dagpb.encode(PbNode(links, messages.encode(data)))
    return link_to(block, DAG_PB), block


def test_a_raw_block_is_a_file() -> None:
    assert read(LEAF, b"leaf") == File(4, b"leaf")


def test_a_file_has_content_and_parts_mode_and_time() -> None:
    data = Data(Kind.FILE, b"ab", 6, (4,), mode=0o600, mtime=Time(7, 8))
    node = read(*made(data, PbLink(LEAF)))
    assert node == File(6, b"ab", (Part(LEAF, 4),), 0o600, Time(7, 8))


def test_the_old_type_of_leaves_is_a_file_too() -> None:
    assert read(*made(Data(Kind.RAW, b"ab", 2))) == File(2, b"ab")


def test_a_file_that_says_nothing_of_its_size_is_empty() -> None:
    assert read(*made(Data(Kind.FILE))) == File(0, b"")


def test_a_directory_has_its_links_in_the_order_of_the_block() -> None:
    one, other = PbLink(LEAF, b"b", 4), PbLink(LEAF, b"a", 4)
    data = messages.encode(Data(Kind.DIRECTORY, mode=0o700))
    block = dagpb.encode(PbNode([one], data)) + dagpb.encode(PbNode([other]))
    with pytest.raises(InvalidUnixFS, match="both sides"):
        read(link_to(block, DAG_PB), block)
    block = dagpb.encode(PbNode([one])) + dagpb.encode(PbNode([other], data))
    assert read(link_to(block, DAG_PB), block) == Directory([one, other], 0o700)


def test_a_symlink_has_a_target() -> None:
    assert read(*made(Data(Kind.SYMLINK, b"../a"))) == Symlink(b"../a")


def test_a_shard_has_slots_in_order() -> None:
    store = Store()
    link = hostile.shard(store, {255: ("z", LEAF), 0: ("", LEAF)})
    node = read(link, store[link])
    assert node == Shard(256, {0: Slot(b"", LEAF, 1), 255: Slot(b"z", LEAF, 1)})
    assert isinstance(node, Shard)
    assert [*node.slots] == [0, 255]


def shard(field: int = 1, hash_type: int | None = 0x22, fanout: int | None = 256) -> Data:
    content = field.to_bytes(32, "big").lstrip(b"\0")
    return Data(Kind.HAMT_SHARD, content, hash_type=hash_type, fanout=fanout)


@pytest.mark.parametrize(
    ("data", "links", "why"),
    [
        (Data(Kind.FILE, filesize=4, blocksizes=(4,)), [], "0 parts and the sizes of 1"),
        (Data(Kind.FILE, filesize=4), [PbLink(LEAF)], "1 parts and the sizes of 0"),
        (Data(Kind.FILE, filesize=5, blocksizes=(4,)), [PbLink(LEAF)], "says it has 5 bytes"),
        (Data(Kind.FILE, b"abc"), [], "says it has None bytes"),
        (Data(Kind.FILE, filesize=4, blocksizes=(4,)), [PbLink(LEAF, b"x")], "has a name"),
        (Data(Kind.SYMLINK, b"a"), [PbLink(LEAF)], "symlink has links"),
        (Data(Kind.SYMLINK), [], "target of 0 bytes"),
        (Data(Kind.SYMLINK, b"a" * 5000), [], "target of 5000 bytes"),
        (Data(Kind.METADATA), [], "not in use"),
        (shard(hash_type=0x12), [PbLink(LEAF, b"00a")], "hashed with 18"),
        (shard(hash_type=None), [PbLink(LEAF, b"00a")], "hashed with None"),
        (shard(fanout=None), [PbLink(LEAF, b"00a")], "fan-out of 0"),
        (shard(fanout=4), [PbLink(LEAF, b"0a")], "fan-out of 4"),
        (shard(fanout=100), [PbLink(LEAF, b"00a")], "fan-out of 100"),
        (shard(fanout=2**40), [PbLink(LEAF, b"00a")], "fan-out of"),
        (shard(), [PbLink(LEAF, b"0")], "for a slot"),
        (shard(), [PbLink(LEAF)], "for a slot"),
        (shard(field=1 << 10), [PbLink(LEAF, b"0aname")], "for a slot"),
        (shard(field=1 << 8, fanout=8), [PbLink(LEAF, b"8name")], "for a slot"),
        (shard(), [PbLink(LEAF, b"00a"), PbLink(LEAF, b"00b")], "slot 0 twice"),
        (shard(field=2), [PbLink(LEAF, b"00a")], "bit field"),
        (shard(field=3), [PbLink(LEAF, b"00a")], "bit field"),
        (shard(field=0), [PbLink(LEAF, b"00a")], "bit field"),
    ],
)
def test_what_does_not_agree_with_itself_is_refused(
    data: Data, links: list[PbLink], why: str
) -> None:
    link, block = made(data, *links)
    with pytest.raises(InvalidUnixFS, match=why) as refused:
        read(link, block)
    assert str(link) in str(refused.value)


def test_other_blocks_are_refused_by_what_they_are() -> None:
    with pytest.raises(NotUnixFS, match="0x71"):
        read(link_to(b"\xa0", DAG_CBOR), b"\xa0")
    for block in (b"", b"\xff", b"\x0a\x00"):
        with pytest.raises(InvalidUnixFS):
            read(link_to(block, DAG_PB), block)
