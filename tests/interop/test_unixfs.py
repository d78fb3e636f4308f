"""Goal: what is packed here is the same blocks in the same order as when the published client packs
it, the root among them; and what that has packed can be read here.

Method: a corpus at the borders of chunks, nodes, shards and names, packed by both.
"""

import random
from pathlib import Path
from typing import Final

import pytest

from support.packing import Job, bytes_of, packed_by_javascript, packed_here
from support.walking import Store, bytes_at, found_at, listed
from taijitu.ipld import car
from taijitu.ipld.cid import Link

MIB: Final = 1024 * 1024

FILES: Final[list[Job]] = [
    {"size": size, "seed": 1}
    for size in (0, 1, 100_000, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB - 1, 20 * MIB + 7)
]
SMALL_CHUNKS: Final[list[Job]] = [
    {"size": size, "seed": 2, "chunk": 10, "width": 3}
    for size in (*range(9, 12), *range(29, 32), *range(89, 92), *range(269, 272), 811, 2431)
]
WIDE: Final[list[Job]] = [
    {"size": 16 * leaves + more, "seed": 3, "chunk": 16, "width": 1024}
    for leaves in (1, 1024, 1025, 2048)
    for more in (-1, 0, 1)
]
DIRECTORIES: Final[list[Job]] = [
    {"paths": [f"file-{at}.txt" for at in range(entries)], "sizes": [5, 0, 7, 1000]}
    for entries in (0, 1, 2, 1000, 1001, 2000)
]
ODD_NAMES: Final = [
    *("ü", "u\u0308", "☯", "\uff61", "\U0001f600", "日本語.txt", "שלום", "a\u200bb"),
    *("with space", "50%", "a%2Fb", "#?&=+", "new\nline", "tab\t", "\u007f", "\u0001", "\\", '"'),
    *("..hidden", ".hidden", "...", "trailing.", "CON", "-", "~", "__proto__", "constructor"),
    *("10", "9", "0", "A", "a", "B", "b", "Z", "n" * 255, "ß" * 127),
    *("\ud800", "x\udc00y", "\udfff\ud800"),
]
ODD: Final[list[Job]] = [
    {"paths": ODD_NAMES, "sizes": [3]},
    {"paths": list(reversed(ODD_NAMES)), "sizes": [3]},
    {"paths": [f"{name}{at}" for at in range(24) for name in ODD_NAMES], "sizes": [3]},
    {"paths": ["./a", "/b", "e/f/g", "e/h", "e/f/i", "a"], "sizes": [3]},
    {"paths": ["/".join("abcdefgh"[at % 8] for at in range(100)) + "/end"], "sizes": [9]},
    {"paths": [f"d{at % 7}/e{at % 11}/f{at}" for at in range(300)], "sizes": [1, 2]},
    {"paths": [f"large/{at:04}" for at in range(1010)] + ["small"], "sizes": [4]},
]
LARGE: Final[list[Job]] = [
    {"size": 300 * MIB, "seed": 4},
    {"size": 1025 * MIB + 5, "seed": 4},
    {"paths": [f"n{at}" for at in range(20_000)], "sizes": [6]},
]


def test_a_file_is_the_same_blocks_in_the_same_order() -> None:
    jobs = FILES + SMALL_CHUNKS + WIDE
    for job, there in zip(jobs, packed_by_javascript(jobs), strict=True):
        assert packed_here(job) == there, job


def test_a_directory_is_the_same_blocks_in_the_same_order() -> None:
    jobs = DIRECTORIES + ODD
    for job, there in zip(jobs, packed_by_javascript(jobs), strict=True):
        assert packed_here(job) == there, str(job)[:200]


@pytest.mark.full
def test_large_files_and_a_directory_of_20_000_are_the_same_blocks() -> None:
    for job, there in zip(LARGE, packed_by_javascript(LARGE), strict=True):
        assert packed_here(job) == there, str(job)[:200]


def test_any_set_of_names_makes_the_same_directory() -> None:
    chance = random.Random(5)
    letters = "ab.-0Z é☯\U0001f600"
    jobs: list[Job] = []
    for _ in range(4):
        names = {"".join(chance.choices(letters, k=chance.randint(1, 12))) for _ in range(1100)}
        order = sorted(names - {".", ".."})
        chance.shuffle(order)
        jobs.append({"paths": order, "sizes": [1]})
    for job, there in zip(jobs, packed_by_javascript(jobs), strict=True):
        assert packed_here(job) == there


def test_what_javascript_packed_is_read_here(tmp_path: Path) -> None:
    paths = [f"docs/{at:04}.txt" for at in range(1100)] + ["a/b/c/deep ☯.bin", "empty"]
    sizes = [40] * 1100 + [3 * MIB + 1, 0]
    job: Job = {"paths": paths, "sizes": sizes, "car": str(tmp_path / "packed.car")}
    [made] = packed_by_javascript([job])
    archive = car.decode((tmp_path / "packed.car").read_bytes())
    store, root = Store(archive.blocks), Link.parse(made["root"])
    assert archive.roots == (root,)
    for at in (0, 1, 555, 1099, 1100, 1101):
        content = bytes_at(found_at(root, paths[at], store), store)
        assert content == b"".join(bytes_of(sizes[at], at))
    assert [entry.name for entry in listed(root, store)] == ["a", "docs", "empty"]
    docs = listed(found_at(root, "docs", store), store)
    assert sorted(entry.name for entry in docs) == [f"{at:04}.txt" for at in range(1100)]
