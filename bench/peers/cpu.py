"""CPU time of processes, as the system counts it."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree_seconds(root: int) -> float:
    """User and system time so far of a process and all that descend from it, ended ones included
    once they were waited for. Seconds, to a hundredth."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it ended while we looked
            continue
        process = int(file.parent.name)
        parents[process] = int(fields[1])
        seconds[process] = sum(int(each) for each in fields[11:15]) / TICKS
    return sum(took for process, took in seconds.items() if descends(process, root, parents))


def descends(process: int, root: int, parents: dict[int, int]) -> bool:
    while process in parents:
        if process == root:
            return True
        process = parents[process]
    return False
