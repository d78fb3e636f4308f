"""Names of cells: any text as one segment of a path.

Law: different texts have different segments, so `%` is escaped too: `a/b` and `a%2Fb` are two DIDs.
"""

from typing import Final
from urllib.parse import quote

SAFE: Final = ":@+"
"""What stays readable, besides letters, digits, `-`, `.`, `_` and `~`."""


def segment(text: str) -> str:
    """A text that is not empty (a DID) as a segment of a path."""
    return quote(text, safe=SAFE)
