"""Goal: people log in to a service that runs, with a mail server and without one, and the operator
sees to their accounts while it runs.

Method: real processes: the service, the command line, and a mail server that is sometimes away."""

import json
import shlex

from support.accounts import ACCOUNT, EMAIL, Device, lines
from support.client import random_car, talking_to
from support.command import taijitu
from support.eventually import eventually
from support.mailbox import MailServer, link_in, serving
from support.service import Serve, Service, free_port

PLAN = "did:web:plan.example"
SECONDS = 30


async def command_in_log(service: Service) -> list[str]:
    """The words of the command that the log ends with."""

    async def said() -> list[str]:
        return [line["command"] for line in lines(service, "a login waits to be confirmed")]

    return shlex.split((await eventually(said, bool, seconds=SECONDS))[-1])


async def test_without_a_mail_server_the_log_has_the_command_that_confirms(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client:
        alice = Device(client)
        asked = await alice.ask_to_log_in()
        program, *words = await command_in_log(service)
        assert program == "taijitu"
        assert words[-1] == str(asked.link)
        assert not await alice.is_logged_in()
        told = taijitu(service, *words)
        assert (told.code, told.err) == (0, "")
        assert alice.owner.did in told.out
        assert await alice.is_logged_in()
        assert "product" in (await alice.act("plan/get"))["ok"]


async def test_a_login_is_confirmed_while_the_service_is_stopped(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client:
        alice = Device(client)
        await alice.ask_to_log_in()
        service.stop()
        assert taijitu(service, "account", "confirm", EMAIL).code == 0
        service.start()
        assert await alice.is_logged_in()


async def test_of_two_who_ask_for_one_account_the_operator_picks_one(serve: Serve) -> None:
    service = serve()
    async with talking_to(service) as client:
        alice, mallory = Device(client), Device(client, "mallory")
        hers = await alice.ask_to_log_in()
        await mallory.ask_to_log_in()
        told = taijitu(service, "account", "confirm", EMAIL)
        assert told.code == 1
        assert alice.owner.did in told.err
        assert mallory.owner.did in told.err
        assert taijitu(service, "account", "confirm", str(hers.link)).code == 0
        assert await alice.is_logged_in()
        assert not await mallory.is_logged_in()


async def test_only_who_has_a_plan_gets_room_where_plans_are_required(serve: Serve) -> None:
    service = serve(TAIJITU_PROVISION="closed", TAIJITU_PLANS="required")
    async with talking_to(service) as client:
        alice, space, car = Device(client), client.space(), random_car()
        await alice.ask_to_log_in()
        assert taijitu(service, "account", "confirm", EMAIL).code == 0
        wanted = {"provider": client.did, "consumer": space.did}
        refused = (await alice.act("provider/add", **wanted))["error"]
        assert refused["name"] == "AccountPlanMissing"
        assert (await space.add(car))["error"]["name"] == "InsufficientStorage"
        assert taijitu(service, "account", "list").out.splitlines()[1].endswith(" · no plan")

        assert taijitu(service, "account", "plan", EMAIL, PLAN).code == 0
        assert "ok" in await alice.act("provider/add", **wanted)
        assert (await space.add(car))["ok"]["status"] == "upload"
        (told,) = json.loads(taijitu(service, "account", "list", "--json").out)
        assert (told["account"], told["product"], told["given"]) == (ACCOUNT, PLAN, True)


async def test_a_letter_arrives_although_the_mail_server_was_away(serve: Serve) -> None:
    server, port = MailServer(), free_port()
    service = serve(TAIJITU_SMTP_URL=f"smtp://127.0.0.1:{port}?from=store@example.com")
    async with talking_to(service) as client:
        alice = Device(client)
        await alice.ask_to_log_in()

        async def put_off() -> list[object]:
            return [*lines(service, "task put off")]

        await eventually(put_off, bool, seconds=SECONDS)
        async with serving(server, port):

            async def arrived() -> int:
                return len(server.letters)

            await eventually(arrived, bool, seconds=SECONDS)
        link = link_in(server.letters[0])
        page = await client.request("GET", link)
        assert (page.status, alice.owner.did in page.text) == (200, True)
        assert not await alice.is_logged_in(), "to look at it confirms nothing"
        assert (await client.request("POST", link)).status == 200
        assert await alice.is_logged_in()
        assert link.partition("ucan=")[2][:40] not in service.output


async def test_a_letter_that_comes_back_leaves_the_command(serve: Serve) -> None:
    async with serving(MailServer()) as server:
        server.refusals["RCPT"] = "550 no such mailbox"
        service = serve(TAIJITU_SMTP_URL=f"smtp://{server.host}")
        async with talking_to(service) as client:
            alice = Device(client)
            await alice.ask_to_log_in()

            async def came_back() -> list[str]:
                return [line["command"] for line in lines(service, "a letter came back")]

            (command,) = await eventually(came_back, bool, seconds=SECONDS)
            assert taijitu(service, *shlex.split(command)[1:]).code == 0
            assert await alice.is_logged_in()
