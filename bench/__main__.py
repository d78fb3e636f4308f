"""`make bench`: every benchmark, three runs each, the median and the worst.

python -m bench [--quick] [--json FILE] [NAME ...]
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

from bench import (
    files,
    flow,
    gateway,
    growth,
    packing,
    recovery,
    report,
    scanning,
    store_flow,
    upload,
)
from bench.load import Plan
from bench.report import Row, Run
from bench.service import running

GIB = 2**30


def store_add(scale: float) -> list[Row]:
    """A signed `store/add` with one proof, durable, over HTTP."""
    rows: list[Row] = []
    for connections, spaces in ((1, 1), (16, 1), (64, 1), (64, 64)):
        count = int((500 if connections == 1 else 3000) * scale)
        with running() as service:
            service.load(Plan("add", min(count, 200), connections, spaces))
            before = service.memory_mib()
            runs = [service.load(Plan("add", count, connections, spaces)) for _ in range(3)]
            grown = f"{service.memory_mib() - before:+.0f}MiB"
        where = "one space" if spaces == 1 else f"{spaces} spaces"
        rows.append(report.row(f"store/add {connections} conn, {where}", runs, memory=grown))
    return rows


def store_list(scale: float) -> list[Row]:
    with running() as service:
        service.load(Plan("list", 100, 16))
        runs = [service.load(Plan("list", int(2000 * scale), 16)) for _ in range(3)]
    return [report.row("store/list (empty) 16 conn", runs)]


def blob_add(scale: float) -> list[Row]:
    """A signed `space/blob/add` with one proof; and what follows it: a PUT, and a conclusion after
    which the accept receipt is there. The CPU time of that includes the add's."""
    rows: list[Row] = []
    for kind, name in (("blob", "space/blob/add"), ("put", "PUT + ucan/conclude")):
        with running() as service:
            service.load(Plan(kind, 100, 16))
            runs = [service.load(Plan(kind, int(2000 * scale), 16)) for _ in range(3)]
        rows.append(report.row(f"{name} 16 conn", runs))
    return rows


def engine_flow(scale: float) -> list[Row]:
    return [
        report.row(f"flow, one cell, {n} in flight", three(flow.flows, scale, n))
        for n in (1, 16, 64, 256)
    ]


def hot_space(scale: float) -> list[Row]:
    return [
        report.row(f"store flow, hot space, {n} in flight", three(store_flow.flows, scale, n))
        for n in (1, 64)
    ]


def three(flows: Callable[[int, int], Run], scale: float, in_flight: int) -> list[Run]:
    count = int((300 if in_flight == 1 else 3000) * scale)
    return [flows(count, in_flight) for _ in range(3)]


def put(scale: float) -> list[Row]:
    size = int(GIB * min(1, scale * 2)) // 2**20 * 2**20
    rows: list[Row] = []
    with running() as service:
        for _ in range(3):
            run, dd = upload.put(service, size)
            rate = f"{size / run.seconds / 1e6:.0f}MB/s"
            share = f"{dd / run.seconds:.0%} of dd's {size / dd / 1e6:.0f}MB/s"
            memory = f"{service.memory_mib():.0f}MiB"
            rows.append(
                report.row(f"PUT {size >> 20} MiB", [run], rate=rate, is_=share, rss=memory)
            )
    return rows


def restart(scale: float) -> list[Row]:
    """From a kill to the first answer; `/s` and `p50` are those of the answer."""
    entries = int(recovery.ENTRIES * scale)
    return [recovery.recovery(entries, int(entries * recovery.WAITING))]


BENCHMARKS = {
    "store_add": store_add,
    "store_list": store_list,
    "blob_add": blob_add,
    "flow": engine_flow,
    "store_flow": hot_space,
    "put": put,
    "pack": packing.packing,
    "files": files.files,
    "gateway": gateway.gateway,
    "scan": scanning.scanning,
    "growth": growth.growth,
    "restart": restart,
}


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped
    scale = 0.1 if "--quick" in arguments else 1.0
    path = Path(arguments[arguments.index("--json") + 1]) if "--json" in arguments else None
    names = [name for name in arguments if name in BENCHMARKS] or list(BENCHMARKS)
    rows: list[Row] = []
    for name in names:
        sys.stderr.write(f"{name} ...\n")
        rows += BENCHMARKS[name](scale)
    print(report.table(rows))
    if path is not None:
        report.save(rows, path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
