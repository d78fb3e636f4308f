"""Goal: the dashboard shows figures that the service has.

Method: a real service under a little load; what each panel asks for has to be among its metrics.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.client import random_car, talking_to
from support.eventually import eventually
from support.service import HTTP, Serve, Service

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana-dashboard.json"
METRIC = re.compile(r"\b(?:taijitu|process)_\w+(?=\{)")


def figures(service: Service) -> dict[str, float]:
    """What `GET /metrics` says: values by name and labels."""
    with HTTP.open(f"{service.url}/metrics") as answer:
        lines = [line for line in answer.read().decode().splitlines() if line[0] != "#"]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def test_the_dashboard_asks_for_what_there_is(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client:
        await client.space().store(random_car())
        await client.post(b"nonsense")
    there = {name.partition("{")[0] for name in figures(service)}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        metric
        for panel in panels
        for target in panel["targets"]
        for metric in METRIC.findall(target["expr"])
    }
    assert len(asked) > 15
    assert asked <= there


def test_no_two_panels_lie_on_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for cell in cells(at):
            assert cell not in taken, (panel["title"], taken[cell])
            taken[cell] = panel["title"]


def cells(at: dict[str, Any]) -> list[tuple[int, int]]:
    return [
        (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]


async def test_the_figures_are_those_of_the_spaces_and_of_the_tasks(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client:
        alice, bob = client.space(), client.space("bob")
        stored, begun = random_car(1_000), random_car(500)
        await alice.store(stored)
        await bob.add(begun)
        await client.admin("block", space=bob.did)
        assert figures(service)["taijitu_commit_seconds_count"] >= 2
        sent = figures(service)
        put = 'taijitu_task_outcomes_total{ability="s3/put",outcome="ok"}'
        assert sent[put] == 1.0
        assert sent['taijitu_invocations_total{ability="store/add",outcome="ok"}'] == 2.0
        assert sent['taijitu_commit_failures_total{reason="bug"}'] == 0.0
        assert sent["taijitu_commit_transactions_sum"] >= sent["taijitu_commit_seconds_count"]

    service.restart()  # a census is taken at the start

    async def now() -> dict[str, float]:
        return figures(service)

    found = await eventually(now, lambda found: found["taijitu_spaces"] == 2, seconds=10)
    wanted = {
        "taijitu_spaces_blocked": 1,
        "taijitu_entries": 1,
        "taijitu_used_bytes": 1_000,
        "taijitu_reserved_bytes": 500,
        "taijitu_capacity_bytes": 2 * 10 * 2**30,
        'taijitu_tasks{state="asked"}': 1,
        'taijitu_tasks{state="later"}': 1,
        'taijitu_tasks{state="parked"}': 0,
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)
