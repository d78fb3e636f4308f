"""Goal: people who use the published w3up client can use taijitu without noticing.

Method: the client as it is published, pinned, in Node.js, against the service as a process.
"""

from datetime import UTC, datetime, timedelta

from support.node import run_scenario
from support.service import Service


def test_a_car_is_stored_listed_fetched_back_and_removed(service: Service) -> None:
    facts = run_scenario("w3up.mjs", "store", service)
    assert facts["answered"] == facts["link"]
    assert facts["back"] == {"status": 200, "identical": True}
    assert facts["list"] == {"size": 1, "links": [facts["link"]]}
    assert facts["item"]["link"] == facts["link"]
    assert facts["item"]["size"] == facts["size"]
    assert facts["removed"]["size"] == facts["size"]
    assert facts["after"] == {"size": 0, "results": []}


def test_an_item_says_when_it_was_added(service: Service) -> None:
    facts = run_scenario("w3up.mjs", "store", service)
    added = datetime.fromisoformat(facts["item"]["insertedAt"])
    assert abs(datetime.now(UTC) - added) < timedelta(minutes=1)


def test_a_space_names_the_service_as_its_provider(service: Service) -> None:
    facts = run_scenario("w3up.mjs", "store", service)
    assert facts["info"] == {"did": facts["space"], "providers": [service.did]}


def test_a_car_that_is_stored_already_is_not_sent_again(service: Service) -> None:
    facts = run_scenario("w3up.mjs", "again", service)
    assert facts == {"same": True, "uploads": 1, "back": {"status": 200, "identical": True}}


def test_a_car_of_32_mebibytes_comes_back_as_it_was(service: Service) -> None:
    facts = run_scenario("w3up.mjs", "large", service)
    assert facts["back"] == {"status": 200, "identical": True}


def test_each_space_lists_its_own_cars_only(service: Service) -> None:
    assert run_scenario("w3up.mjs", "spaces", service) == {"inOne": 1, "inTwo": 0}


def test_a_blob_is_put_accepted_at_a_place_and_removed(service: Service) -> None:
    facts = run_scenario("w3up.mjs", "blob", service)
    assert facts["audience"] == facts["space"]
    assert facts["claimed"]
    assert (facts["status"], facts["identical"]) == (200, True)
    assert facts["listed"] == [[True, 1000]]
    assert (facts["removed"], facts["after"]) == ({"size": 1000}, 0)


def test_a_blob_that_is_stored_already_is_not_sent_again(service: Service) -> None:
    assert run_scenario("w3up.mjs", "blobAgain", service) == {"uploads": 1, "same": True}
