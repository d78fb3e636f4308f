"""Goal: an operator sees what waits, and can put it aside and take it up again."""

import json
from typing import Any

from support.client import random_car, talking_to
from support.command import taijitu
from support.service import Service


def waiting(service: Service) -> dict[str, Any]:
    return json.loads(taijitu(service, "waiting", "--json").out)


async def test_what_waits_is_told_put_aside_and_taken_up_again(service: Service) -> None:
    car = random_car()
    async with talking_to(service) as client:
        alice = client.space("alice")
        assert taijitu(service, "waiting").out.strip() == "Everything is at rest."

        added = await alice.add(car)
        found = waiting(service)
        assert (found["cells"], found["tasks"], found["parked"]) == (1, 2, 0)
        upload = next(task for task in found["told"] if task["ability"] == "s3/put")
        said = taijitu(service, "waiting").out
        assert "waits for the client's upload" in said
        assert str(car.link) in said

        assert taijitu(service, "park", upload["task"]).out.strip() == "s3/put is parked."
        assert waiting(service)["parked"] == 1
        said = taijitu(service, "waiting").out
        assert f"taijitu retry {upload['task']}" in said

        assert taijitu(service, "retry", upload["task"]).code == 0
        assert waiting(service)["parked"] == 0
        assert await client.put(added["ok"], car.data) == 200
        assert taijitu(service, "waiting").out.strip() == "Everything is at rest."

    gone = taijitu(service, "retry", upload["task"])
    assert gone.code == 1
    assert "it may be settled by now" in gone.err


async def test_the_doctor_tells_what_is_parked(service: Service) -> None:
    async with talking_to(service) as client:
        alice = client.space("alice")
        await alice.add(car := random_car())
        upload = next(task for task in waiting(service)["told"] if task["ability"] == "s3/put")
        taijitu(service, "park", upload["task"])

        found = taijitu(service, "doctor")
        assert found.code == 1
        assert "1 parked" in found.out
        assert str(car.link) in found.out
        assert f"taijitu retry {upload['task']}" in found.out

        await alice.remove(car)
        assert taijitu(service, "doctor").code == 0
