"""Goal: every answer has the shape, and every refusal the name, that ucanto clients expect.

Method: the published ucanto client and capabilities, pinned, against the service as a process;
the PUT is done by hand, with the URL and headers that `store/add` answered.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from support.node import run_scenario
from support.service import Service

FOUND = {"status": 200, "identical": True}


@pytest.fixture(scope="module")
def life(service: Service) -> Any:
    """One CAR from `store/add` to `store/remove`, all answers on the way."""
    return run_scenario("ucanto.mjs", "store", service)


@pytest.fixture(scope="module")
def refusals(service: Service) -> Any:
    """Whatever may not be done, each with its answer."""
    return run_scenario("ucanto.mjs", "refusals", service)


def test_store_add_answers_where_to_put_the_bytes(life: Any) -> None:
    ok = life["add"]["ok"]
    assert {**ok, "url": "…"} == {
        "status": "upload",
        "allocated": life["size"],
        "with": life["space"],
        "link": life["link"],
        "url": "…",
        "headers": {
            "content-length": str(life["size"]),
            "x-amz-checksum-sha256": life["digest"],
        },
    }


def test_the_upload_url_is_signed_over_length_host_and_checksum(life: Any) -> None:
    url = urlsplit(life["add"]["ok"]["url"])
    assert url.path.endswith(f"/{life['link']}/{life['link']}.car")
    assert parse_qs(url.query)["X-Amz-SignedHeaders"] == [
        "content-length;host;x-amz-checksum-sha256"
    ]


def test_bytes_that_were_put_come_back_identical(life: Any) -> None:
    assert life["before"]["status"] == 404
    assert life["put"] == 200
    assert life["back"] == FOUND


def test_store_get_and_store_list_show_the_same_item(life: Any) -> None:
    item = life["get"]["ok"]
    assert item["link"] == life["link"]
    assert item["size"] == life["size"]
    page = life["list"]["ok"]
    assert page["size"] == 1
    assert page["results"] == [item]


def test_space_info_names_the_space_and_its_provider(life: Any, service: Service) -> None:
    assert life["info"] == {"ok": {"did": life["space"], "providers": [service.did]}}


def test_store_remove_answers_the_size_and_then_nothing_is_there(life: Any) -> None:
    assert life["remove"]["ok"]["size"] == life["size"]
    assert life["listAfter"] == {"ok": {"size": 0, "results": []}}


@pytest.mark.parametrize("verb", ["getAfter", "removeAgain"])
def test_what_was_removed_is_not_found(life: Any, verb: str) -> None:
    error = life[verb]["error"]
    assert error["name"] == "StoreItemNotFound"
    assert error["message"] == f"{life['link']} not found in {life['space']}"
    assert error["space"] == life["space"]
    assert error["link"] == {"/": life["link"]}


def test_only_the_signed_bytes_can_be_put_and_only_where_and_while_they_were_signed_for(
    service: Service,
) -> None:
    facts = run_scenario("ucanto.mjs", "puts", service)
    assert facts["otherBytes"] == 400
    assert facts["otherLength"] == 403
    assert facts["otherPath"] == 403
    assert facts["longerLife"] == 403
    assert facts["otherSignature"] == 403
    assert facts["before"]["status"] == 404, "a refused PUT must leave nothing behind"
    assert facts["right"] == 200
    assert facts["after"] == FOUND


def test_the_same_bytes_cost_nothing_twice_in_one_space_and_their_size_in_another(
    service: Service,
) -> None:
    facts = run_scenario("ucanto.mjs", "again", service)
    assert facts["same"]["ok"]["status"] == "done"
    assert facts["same"]["ok"]["allocated"] == 0
    assert facts["second"]["ok"]["status"] == "done"
    assert facts["second"]["ok"]["allocated"] == facts["size"]
    assert "url" not in facts["second"]["ok"]


def test_removing_from_one_space_takes_nothing_from_another(service: Service) -> None:
    facts = run_scenario("ucanto.mjs", "again", service)
    assert facts["removed"]["ok"]["size"] == facts["size"]
    assert facts["bobStill"]["ok"]["size"] == facts["size"]
    assert facts["back"] == FOUND
    assert facts["listed"] == {"alice": 0, "bob": 1}


def test_a_list_is_newest_first_and_comes_in_pages_forward_and_back(service: Service) -> None:
    facts = run_scenario("ucanto.mjs", "pages", service)
    assert facts["all"] == facts["cars"]
    assert [link for page in facts["forward"] for link in page] == facts["cars"]
    assert facts["sizes"][:3] == [3, 3, 1]
    assert facts["back"] == facts["first"], "items, before and after: the very same page"
    assert facts["backFromThird"] == facts["second"]


def test_sixty_four_adds_at_once_in_one_space_all_succeed(service: Service) -> None:
    facts = run_scenario("ucanto.mjs", "crowd", service)
    assert facts["failed"] == []
    assert facts["uploads"] == [200] * 64
    assert sorted(facts["listed"]) == sorted(facts["links"])


def test_each_invocation_of_a_message_gets_its_own_receipt(service: Service) -> None:
    one, two, three = run_scenario("ucanto.mjs", "batch", service)["outs"]
    assert one["ok"]["status"] == two["ok"]["status"] == "upload"
    assert one["ok"]["link"] != two["ok"]["link"]
    assert three["error"]["name"] == "StoreItemNotFound"


def test_the_same_invocation_again_gets_the_same_receipt(service: Service) -> None:
    facts = run_scenario("ucanto.mjs", "repeat", service)
    assert facts["same"]
    assert facts["first"] == facts["second"]
    assert facts["first"]["ok"]["allocated"] == facts["size"]


@pytest.mark.parametrize(
    ("what", "name", "phrase"),
    [
        ("unauthorised", "Unauthorized", "Delegated capability not found"),
        ("othersProof", "Unauthorized", "Delegation audience is '"),
        ("expired", "Unauthorized", "has expired on"),
        ("audience", "InvalidAudience", "Expected literal"),
        ("unknownAbility", "HandlerNotFound", 'does not implement {can: "store/frobnicate"}'),
        ("internalMessage", "HandlerNotFound", 'does not implement {can: "store/put"} handler'),
        ("twoCapabilities", "InvocationCapabilityError", "a single capability."),
        ("noCarLink", "Unauthorized", "0x202 codec"),
        ("noSize", "Unauthorized", "malformed 'store/add' capability"),
        ("fraction", "Unauthorized", "malformed 'store/add' capability"),
        ("tooLarge", "Error", "Maximum size exceeded:"),
        ("getUnknown", "StoreItemNotFound", "not found in"),
        ("removeUnknown", "StoreItemNotFound", "not found in"),
    ],
)
def test_a_refusal_has_the_name_and_the_phrase_that_clients_compare(
    refusals: Any, what: str, name: str, phrase: str
) -> None:
    error = refusals[what]["error"]
    assert error["name"] == name
    assert phrase in error["message"]


def test_a_negative_size_is_refused(refusals: Any) -> None:
    assert refusals["negative"]["error"]["message"]


def test_no_refusal_shows_a_stack_or_changes_anything(refusals: Any) -> None:
    answers = {what: answer for what, answer in refusals.items() if what != "list"}
    assert not [what for what, answer in answers.items() if "stack" in answer["error"]]
    assert refusals["list"] == {"ok": {"size": 0, "results": []}}
