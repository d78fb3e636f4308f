"""Explores every world that can be reached, and asks of each: is it sound, and can it come to rest?

Sound: what the ledger, the allocations, the blobs, the entries and the bucket say fits together.
At rest: if from now on nothing more goes wrong and nobody asks for more, every entry reaches a
final state, nothing is open, no room is held for nothing and no bytes lie about unclaimed.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from model.world import (
    SIZE,
    TICK,
    Budget,
    Rules,
    World,
    deliveries,
    key,
    moves,
    open_tasks,
    spend,
    start,
    tasks,
)
from taijitu.machines import allocation, blob, contents, entry, ledger

REST_MOVES_MAX = 400


class Found(NamedTuple):
    """How many worlds were explored, whether all of them were, and what is wrong in one."""

    worlds: int
    complete: bool
    wrong: str = ""
    path: tuple[str, ...] = ()


def explore(
    rules: Rules,
    budget: Budget,
    *,
    capacity: int = SIZE,
    spaces: tuple[str, ...] = ("alice",),
    worlds_max: int = 1_000_000,
) -> Found:
    first = start(rules, capacity, spaces, budget)
    came_from: dict[bytes, tuple[bytes | None, str]] = {key(first): (None, "start")}
    restful: set[bytes] = set()
    queue = deque([first])
    while queue:
        world = queue.popleft()
        here = key(world)
        wrong = next(unsound(world, rules), None) or restless(world, rules, restful)
        if wrong:
            return Found(len(came_from), False, wrong, tuple(story(came_from, here)))
        for label, later in moves(world, rules):
            there = key(later)
            if there not in came_from:
                came_from[there] = (here, label)
                queue.append(later)
        if len(came_from) > worlds_max:
            return Found(len(came_from), False)
    return Found(len(came_from), True)


def story(came_from: dict[bytes, tuple[bytes | None, str]], here: bytes | None) -> list[str]:
    lines: list[str] = []
    while here is not None:
        here, label = came_from[here]
        lines.append(label)
    return lines[::-1]


# Sound


def unsound(world: World, rules: Rules, *, at_rest: bool = False) -> Iterator[str]:
    """Everything that does not fit together in this world, in words."""
    together = at_rest or not rules.provider_is_remote
    if world.thrown_away:
        yield "an entry expired although its bytes had come in time"
    states = {path: head.state for path, head in world.heads}
    allocations = {p: s for p, s in states.items() if isinstance(s, allocation.Allocated)}
    for path, state in states.items():
        match state:
            case ledger.Provisioned(capacity, reserved, used):
                mine = [a for p, a in allocations.items() if p[1] == path[1]]
                neighbour = SIZE if world.taken and path[1] == "alice" else 0
                if reserved != sum(a.size for a in mine if not a.stored) + neighbour:
                    yield f"{path}: reserved {reserved} is not what live attempts hold"
                if used != sum(a.size for a in mine if a.stored):
                    yield f"{path}: used {used} is not what is stored"
                if reserved < 0 or used < 0 or reserved + used > capacity:
                    yield f"{path}: {reserved} + {used} of {capacity}"
            case entry.Stored(attempt):
                if together and not owns(allocations, path, attempt, stored=True):
                    yield f"{path}: stored, but its room is not in use"
                if world.bytes_here is None:
                    yield f"{path}: stored, but there are no bytes"
                elif world.bytes_here != attempt.size:
                    yield f"{path}: stored, but the bytes are not as declared"
            case entry.Receiving(attempt):
                if together and not owns(allocations, path, attempt, stored=False):
                    yield f"{path}: receiving, but no room is set aside"
            case entry.Absent() | entry.Failed():
                if together and ("allocation", *path[1:]) in allocations:
                    yield f"{path}: given up, but room is still held"
            case blob.Kept(references) | blob.Sweeping(references):
                if references != len(allocations):
                    yield f"{path}: {references} references, {len(allocations)} allocations"
            case contents.Read() if is_at_hand(world) and not world.known:
                yield f"{path}: read, but nobody knows what lies there"
            case _:
                continue


def is_at_hand(world: World) -> bool:
    """The bytes are here, and nobody is deleting them."""
    being_swept = (isinstance(head.state, blob.Sweeping) for _, head in world.heads)
    return world.bytes_here is not None and not any(being_swept)


def owns(allocations, path, attempt: entry.Attempt, *, stored: bool) -> bool:
    held = allocations.get(("allocation", *path[1:]))
    return held is not None and (held.attempt, held.number, held.size, held.stored) == (
        attempt.id,
        attempt.number,
        attempt.size,
        stored,
    )


# At rest


def restless(world: World, rules: Rules, restful: set[bytes]) -> str:
    """Why this world does not come to rest by itself; empty if it does. `restful` remembers."""
    calm = spend(world, **Budget(ticks=0, answers=1)._asdict())
    passed: list[bytes] = []
    for _ in range(REST_MOVES_MAX):
        here = key(calm)
        if here in restful:
            break
        passed.append(here)
        later = next(deliveries(calm, rules), None) or next(tasks(calm, rules), None)
        if later is not None:
            calm = later[1]
        elif any(True for _ in open_tasks(calm, rules)) and calm.now < 20 * TICK:
            calm = calm._replace(now=calm.now + TICK)
        else:
            if wrong := next(unrested(calm, rules), None):
                return wrong
            break
    else:
        return "does not come to rest"
    restful.update(passed)
    return ""


def unrested(world: World, rules: Rules) -> Iterator[str]:
    yield from unsound(world, rules, at_rest=True)
    for planned, _, task in open_tasks(world, rules):
        yield f"{task} of {planned.digest.decode()} is never done"
    needed = False
    for path, head in world.heads:
        match head.state:
            case entry.Active() | entry.Receiving():
                yield f"{path} stays {type(head.state).__name__} for ever"
            case blob.Sweeping():
                yield f"{path} is being swept for ever"
            case blob.Kept(references):
                needed = references > 0
            case contents.Reading():
                yield f"{path} is being read for ever"
            case contents.Read() if world.bytes_here is None:
                yield f"{path}: what lies in bytes that are not here is still known"
            case entry.Stored() if rules.looks_inside and not world.known:
                yield f"{path}: nobody has looked through its bytes"
            case _:
                continue
    if world.known and world.bytes_here is None:
        yield "what lay in bytes that are not here is still written down"
    if world.bytes_here is not None and not needed:
        yield "bytes lie about that nobody refers to"
