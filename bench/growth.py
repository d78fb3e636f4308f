"""What an add and a listing cost when many entries are there already, all of them in one space."""

import os
import tempfile

from bench import filling, report
from bench.load import Plan
from bench.report import Row
from bench.service import running

POWERS = 3, 4, 5, 6
"""How many entries: ten to these powers."""
DID = "did:web:growth.example"
"""A folder remembers whose it is, and every service listens at another port."""


def growth(scale: float) -> list[Row]:
    """One folder, filled further and further, and a new service on it each time."""
    adds: list[Row] = []
    lists: list[Row] = []
    seed, have = filling.SEED.hex(), 0
    with tempfile.TemporaryDirectory(prefix="taijitu-bench-") as folder:
        settings = {"TAIJITU_DATA": folder, "TAIJITU_DID": DID}
        for power in POWERS:
            want = int(10**power * scale)
            filling.fill({**os.environ, **settings}, range(have, want), 0)
            have = want
            with running(**settings) as service:
                runs = [service.load(Plan("list", 100, 16, seed=seed)) for _ in range(3)]
                more = {"rss": f"{service.memory_mib():.0f}MiB"}
                lists.append(report.row(f"store/list, a page of {have:,}", runs, **more))
                count = int(1000 * scale) or 100
                runs = [service.load(Plan("add", count, 64, seed=seed)) for _ in range(3)]
                more = {"rss": f"{service.memory_mib():.0f}MiB"}
                adds.append(report.row(f"store/add after {have:,}", runs, **more))
    return adds + lists
