"""Goal: a new release takes the data of an old one along, an old one leaves that of a new alone.

Method: a release to come, which is this one with one more step of the schema, as a real process.
"""

from pathlib import Path

import pytest

from support.client import Inside, Space, random_car, talking_to
from support.service import SOURCE, Serve, Service, ServiceFailed

NEXT_RELEASE = """\
from taijitu.storage import statements

known = statements.migrations

def migrations(backend):
    return [*known(backend), "CREATE TABLE novelty (name TEXT) STRICT"]

statements.migrations = migrations
"""


@pytest.fixture
def next_release(tmp_path: Path) -> str:
    """Where Python has to look for modules first, to become the next release."""
    folder = tmp_path / "next"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NEXT_RELEASE)
    return f"{folder}:{SOURCE}"


def schema(service: Service) -> int:
    return Inside(service.data).rows("PRAGMA user_version")[0][0]


async def test_data_goes_along_to_the_next_release_and_not_back(
    serve: Serve, next_release: str
) -> None:
    service = serve()
    car, later = random_car(), random_car()
    async with talking_to(service) as client:
        alice = client.space()
        await alice.store(car)
    before = schema(service)
    service.stop()

    service.settings["PYTHONPATH"] = next_release
    service.start()
    async with talking_to(service) as client:
        again = Space(client, alice.owner, "alice")
        assert set(await again.links()) == {car.link}
        assert await client.fetch(car.link) == car.data
        await again.store(later)
    assert schema(service) == before + 1
    service.restart()
    service.stop()

    unchanged = (service.data / "taijitu.db").read_bytes()
    service.settings["PYTHONPATH"] = str(SOURCE)
    with pytest.raises(ServiceFailed, match="exited with 1 instead of starting") as refused:
        service.start()
    said = str(refused.value).splitlines()[-1]
    assert said.startswith("taijitu: ")
    assert f"schema version {before + 1}" in said
    assert "written by a newer version" in said
    assert (service.data / "taijitu.db").read_bytes() == unchanged
    service.settings["PYTHONPATH"] = next_release
    service.start()
