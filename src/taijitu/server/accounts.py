"""What an operator can ask about accounts; see `taijitu.server.admin`."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from taijitu.ipld.cid import InvalidLink, Link
from taijitu.machines.account import Known
from taijitu.machines.login import Asked
from taijitu.protocols.login import unreachable
from taijitu.protocols.plan import PRODUCT_LENGTH_MAX
from taijitu.server.installation import Installation
from taijitu.server.trouble import BadRequest
from taijitu.ucan import principal
from taijitu.ucan.principal import InvalidDid

SHOWN_MAX: Final = 80
"""Characters of what was given that an answer repeats."""


class AccountVerbs:
    """Verbs of the admin door. Times are in ms since 1970."""

    def __init__(self, installation: Installation) -> None:
        self.logins = installation.logins
        self.accounts = installation.accounts
        self.limits = installation.spaces.limits
        self.verbs: dict[str, Callable[..., Awaitable[Any]]] = {
            "logins": self.waiting,
            "confirm": self.confirm,
            "accounts": self.all_accounts,
            "account": self.account,
            "plan": self.plan,
            "account-block": self.block,
            "account-unblock": self.unblock,
            "account-blocked": self.blocked,
        }

    async def waiting(self) -> list[dict[str, Any]]:
        """The logins that wait to be confirmed, the newest first."""
        return [told_login(each) for each in await self.logins.waiting()]

    async def confirm(self, login: str) -> dict[str, Any]:
        """Say yes to a login: to that of a request, or to the only one that waits for an account
        (its e-mail address, or its DID). Answers with those to choose from where there are several.
        """
        request = link_of(login)
        found = await self.found(login, request)
        if len(found) > 1:
            return {"several": [told_login(each) for each in found]}
        link = found[0].request if found else request
        if link is None:
            raise BadRequest(f"no login waits to be confirmed for {login:.{SHOWN_MAX}}")
        refused = await self.logins.confirm(link)
        if refused is not None:
            raise BadRequest(refused.message)
        return {"confirmed": told_login(found[0]) if found else {"request": str(link)}}

    async def found(self, login: str, request: Link | None) -> list[Asked]:
        """The logins that wait and are meant."""
        if request is not None:
            asked = await self.logins.asked(request)
            return [] if asked is None else [asked]
        return list(await self.logins.waiting(account_of(login)))

    async def all_accounts(self) -> list[dict[str, Any]]:
        """Every account that is known, ordered by DID."""
        return [await self.told(each) async for each in self.accounts.all()]

    async def account(self, account: str) -> dict[str, Any]:
        """What is known of one account (its e-mail address, or its DID)."""
        did = account_of(account)
        found = await self.accounts.find(did)
        if found is None:
            raise BadRequest(f"nobody ever logged in to {did}, and nobody gave it a plan")
        return await self.told(found)

    async def plan(self, account: str, product: str) -> dict[str, Any]:
        """Give an account a plan, whether it is known or not. `product` is a DID."""
        did = account_of(account)
        try:
            principal.from_did(product)
        except InvalidDid as why:
            raise BadRequest(f"a plan is named by a DID, such as did:web:plan: {why}") from None
        if len(product) > PRODUCT_LENGTH_MAX:
            raise BadRequest(f"the DID of a plan has at most {PRODUCT_LENGTH_MAX} characters")
        return await self.told(await self.accounts.assign(did, product))

    async def block(self, subject: str) -> dict[str, Any]:
        """Let nobody with an e-mail address, or with any of a domain, log in any more."""
        refused = await self.limits.block(found := address_or_domain(subject))
        if refused is not None:
            raise BadRequest(refused.message)
        return {"subject": found}

    async def unblock(self, subject: str) -> dict[str, Any]:
        """Let them in again. `blocked`: whether they were shut out before."""
        found = address_or_domain(subject)
        return {"subject": found, "blocked": await self.limits.unblock(found)}

    async def blocked(self) -> list[str]:
        """The e-mail addresses and domains that are shut out."""
        return [each async for each in self.limits.all_blocked() if not each.startswith("did:")]

    async def told(self, known: Known) -> dict[str, Any]:
        """An account as plain data. `product` is the plan that it has in the end."""
        plan = self.accounts.plan_of(known)
        return {
            "account": known.account,
            "email": principal.to_email(known.account),
            "since": known.since,
            "confirmed": known.confirmed,
            "product": None if plan is None else plan[0],
            "given": known.product is not None,
            "blocked": await self.limits.shuts_out(known.account),
        }


def told_login(asked: Asked) -> dict[str, Any]:
    """A login as plain data."""
    return {
        "request": str(asked.request),
        "account": asked.account,
        "email": principal.to_email(asked.account),
        "agent": asked.agent,
        "att": list(asked.att),
        "at": asked.at,
        "expires": asked.expires,
    }


def link_of(text: str) -> Link | None:
    """A request, if the text names one."""
    try:
        return Link.parse(text)
    except InvalidLink:
        return None


def account_of(text: str) -> str:
    """The DID of an account that is given by its DID or its e-mail address. Raises `BadRequest`."""
    try:
        did = text if text.startswith("did:") else principal.from_email(text)
    except InvalidDid:
        did = ""
    if not did or unreachable(did) is not None:
        raise BadRequest(f"{text[:SHOWN_MAX]!r} is neither an e-mail address nor an account")
    return did


def address_or_domain(text: str) -> str:
    """What may be shut out, in lower case, as it is looked up. Raises `BadRequest`."""
    address = text if "@" in text else f"anybody@{text}"
    try:
        account_of(address)
    except BadRequest:
        why = "is neither an e-mail address nor a domain"
        raise BadRequest(f"{text[:SHOWN_MAX]!r} {why}") from None
    return text.lower()
