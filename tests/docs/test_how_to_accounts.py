"""Goal: an operator who follows the page about accounts gets where it says.

Method: its blocks are typed as they stand, one after the other, while devices log in."""

from pathlib import Path

from docs.test_how_to import blocks, page, typed
from support.accounts import Device
from support.client import talking_to
from support.service import Serve


async def test_the_page_about_accounts_is_followed(serve: Serve, tmp_path: Path) -> None:
    confirm, mail, plan, shut, let_in = blocks(page("accounts"))
    service = serve(TAIJITU_PROVISION="closed", TAIJITU_PLANS="required")
    async with talking_to(service) as client:
        alice, mallory = Device(client), Device(client, "mallory")
        asked = await alice.ask_to_log_in()
        said = typed(service, confirm, tmp_path)
        assert str(asked.link) in said
        assert f"Confirmed: {alice.did}" in said
        assert await alice.is_logged_in()

        wanted = {"provider": client.did, "consumer": client.space().did}
        assert "error" in await alice.act("provider/add", **wanted)
        assert "plan did:web:plan.example.org" in typed(service, plan, tmp_path)
        assert "ok" in await alice.act("provider/add", **wanted)

        said = typed(service, shut, tmp_path)
        assert said.endswith("mallory@example.com\nspam.example.org\n")
        for email in ("mallory@example.com", "anybody@spam.example.org"):
            refused = (await client.send(mallory.asks_to_log_in(email))).out["error"]
            assert refused["name"] == "AccountBlocked"
        typed(service, let_in, tmp_path)
        await mallory.ask_to_log_in("mallory@example.com")
        service.stop()
        typed(service, mail, tmp_path)
