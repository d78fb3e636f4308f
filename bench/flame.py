"""Where the time of a `store/add` goes, drawn: a flame graph of the service under load.

    python -m bench.flame docs/flame.svg        (needs py-spy on the path, and leave to use it)

Each box is a function, as wide as its share of the samples in which the interpreter was busy; what
it calls stands upon it.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from bench.load import Plan
from bench.service import Service, running

SECONDS, RATE = 20, 250
WIDTH, ROW, MARGIN = 1200, 15, 4
"""Pixels."""
SHARE_MIN = 0.002
"""Narrower boxes are left out."""
LETTER = 6.2
"""Pixels of one letter."""


class Frame:
    """A function as it was called, with the samples in it, and what it called."""

    def __init__(self) -> None:
        self.samples = 0
        self.calls: dict[str, Frame] = {}


def main(path: Path) -> None:
    with running() as service:
        service.load(Plan("add", 500, 64))
        stacks = sampled(service)
    root = gathered(stacks)
    path.write_text("\n".join(drawing(root)) + "\n")


def sampled(service: Service) -> list[str]:
    """Lines `outer;…;inner COUNT`."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "stacks")
        into = ["--output", str(raw), "--format", "raw"]
        how = ["--gil", "--duration", str(SECONDS), "--rate", str(RATE)]
        spy = subprocess.Popen(["py-spy", "record", "--pid", str(service.process.pid), *into, *how])
        while spy.poll() is None:
            service.load(Plan("add", 2000, 64))
        return raw.read_text().splitlines()


def gathered(stacks: list[str]) -> Frame:
    root = Frame()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        at = root
        at.samples += int(count)
        for name in map(shortened, stack.split(";")):
            at = at.calls.setdefault(name, Frame())
            at.samples += int(count)
    return root


def shortened(name: str) -> str:
    """`update (taijitu/machines/entry.py:195)` without the line, and without our own name."""
    function, _, place = name.partition(" (")
    file = place.rpartition(":")[0].removeprefix("taijitu/").removesuffix(".py")
    return f"{function} {file}".strip()


def drawing(root: Frame) -> Iterator[str]:
    height = (depth(root) + 1) * ROW + 2 * MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="monospace" font-size="10">'
    )
    yield f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    yield from boxes("all", root, 0.0, height - MARGIN - ROW, WIDTH / root.samples)
    yield "</svg>"


def depth(frame: Frame) -> int:
    return 1 + max(map(depth, frame.calls.values()), default=0)


def boxes(name: str, frame: Frame, x: float, y: float, scale: float) -> Iterator[str]:
    width = frame.samples * scale
    if width < SHARE_MIN * WIDTH:
        return
    share = f"{width / WIDTH:.1%}"
    room = int((width - 4) / LETTER)
    label = escape(name[:room]) if room > 2 else ""
    yield (
        f'<g><title>{escape(name)}: {share}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" '
        f'height="{ROW - 1}" rx="1" fill="{colour(name)}"/>'
        f'<text x="{x + 2:.1f}" y="{y + ROW - 4}">{label}</text></g>'
    )
    for inner, called in sorted(frame.calls.items()):
        yield from boxes(inner, called, x, y - ROW, scale)
        x += called.samples * scale


def colour(name: str) -> str:
    """The same for one file."""
    place = name.partition(" ")[2]
    hue = sum(place.encode()) * 37 % 360
    return f"hsl({hue} 60% 82%)"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
