"""Goal: what is counted of invocations has names that we chose, whatever clients say."""

from taijitu.server.meter import Meter


def counted(meter: Meter) -> dict[str, float]:
    """Invocations by their labels."""
    lines = meter.answer().body.decode().splitlines()
    rows = (line.rsplit(" ", 1) for line in lines if line.startswith("taijitu_invocations_total"))
    return {name.removeprefix("taijitu_invocations_total"): float(value) for name, value in rows}


def test_invocations_are_counted_by_ability_and_outcome() -> None:
    meter = Meter()
    meter.abilities = frozenset({"store/add", "store/list"})
    for can, outcome in [
        ("store/add", "ok"),
        ("store/add", "ok"),
        ("store/add", "InsufficientStorage"),
        ("store/list", "not ready"),
    ]:
        meter.told(can, outcome)
    assert counted(meter) == {
        '{ability="store/add",outcome="ok"}': 2.0,
        '{ability="store/add",outcome="InsufficientStorage"}': 1.0,
        '{ability="store/list",outcome="not ready"}': 1.0,
    }


def test_nobody_can_make_up_a_label() -> None:
    meter = Meter()
    meter.abilities = frozenset({"store/add"})
    for number in range(1_000):
        meter.told(f"mallory/{number}", "HandlerNotFound")
        meter.told("store/add", f"Mallory{number}")
    assert counted(meter) == {
        '{ability="other",outcome="HandlerNotFound"}': 1_000.0,
        '{ability="store/add",outcome="error"}': 1_000.0,
    }
