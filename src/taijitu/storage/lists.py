"""What a batch does to the lists, put in one order: first who leaves, then who comes.

A cell that comes into a list where it stands already keeps its position; one that leaves and
comes back is the newest member.
"""

from collections.abc import Iterable

from taijitu.engine.storage import ListChange

Member = tuple[str, str]
"""A list, by its name, and the path of a cell in it."""


def leaving_and_coming(changes: Iterable[ListChange]) -> tuple[list[Member], list[Member]]:
    """Those who leave and, in their order, those who come after that."""
    leaving: dict[Member, None] = {}
    coming: dict[Member, None] = {}
    for name, path, present in changes:
        if present:
            coming.setdefault((name, path))
        else:
            coming.pop((name, path), None)
            leaving[name, path] = None
    return list(leaving), list(coming)
