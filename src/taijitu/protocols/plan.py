"""`plan/*`: what an account has chosen to be provided with. Nothing is charged for here.

open      every account has a plan
assigned  those have one to whom the operator gave one; spaces are provided for without
required  the same, and only for those who have one are spaces provided for
"""

from collections.abc import AsyncIterator
from typing import Any, Final, Literal, TypeAlias

from taijitu.engine.cell import read_head
from taijitu.engine.engine import Engine
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.kernel.record import Record
from taijitu.machines.account import Assign, Choose, Known, account_at
from taijitu.protocols.capabilities import PLAN_GET
from taijitu.protocols.durable import Durable
from taijitu.protocols.entries import iso
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.limits import refusal
from taijitu.protocols.names import segment
from taijitu.ucan.capability import Ability, equal_field
from taijitu.ucan.schema import Fields, account_did, did, uri

Policy: TypeAlias = Literal["open", "assigned", "required"]

PAGE: Final = 500

PRODUCT_LENGTH_MAX: Final = 500
"""Characters of a product's DID."""

URL_LENGTH_MAX: Final = 2_000


class PlanSet(Record):
    product: str


class PlanAdminSession(Record):
    return_url: str


PLAN_SET: Final = Ability(
    "plan/set", account_did, Fields(PlanSet, {"product": did}), equal_field("product")
)
PLAN_ADMIN_SESSION: Final = Ability(
    "plan/create-admin-session",
    account_did,
    Fields(PlanAdminSession, {"returnURL": uri}),
    equal_field("returnURL"),
)


class Accounts:
    """Accounts and their plans. `usual` is the product of those who have one because all do."""

    def __init__(self, engine: Engine, policy: Policy, usual: str) -> None:
        self.engine = engine
        self.policy = policy
        self.usual = usual

    async def find(self, account: str) -> Known | None:
        """What is known of an account."""
        state = (await self.engine.read(account_at(segment(account)))).state
        return state if isinstance(state, Known) else None

    async def product(self, account: str) -> tuple[str, int] | None:
        """The plan of an account, and since when (ms since 1970)."""
        # Whoever is asked for has been let in by a session, and so was confirmed at some time.
        found = await self.find(account)
        return self.plan_of(found or Known(account, self.engine.now(), None, None, 0))

    def plan_of(self, known: Known) -> tuple[str, int] | None:
        """The same, of what is known."""
        if known.product is not None:
            return known.product, known.updated
        return (self.usual, known.since) if self.policy == "open" else None

    async def lacks_plan(self, account: str) -> bool:
        """Whether it may not have spaces provided for, for want of a plan."""
        return self.policy == "required" and await self.product(account) is None

    async def assign(self, account: str, product: str) -> Known:
        """Give an account a plan, known or not."""
        message = Assign(self.engine.now(), account, product)
        await self.engine.transact(account_at(segment(account)), message)
        found = await self.find(account)
        assert found is not None
        return found

    async def all(self) -> AsyncIterator[Known]:
        """Every account that is known, ordered by DID."""
        after = ""
        while rows := await self.engine.storage.scan("account/", after=after, limit=PAGE):
            for row in rows:
                state = read_head(self.engine.machines, row)[0].state
                if isinstance(state, Known):
                    yield state
            after = rows[-1].path


class Plans:
    """The three abilities."""

    def __init__(self, durable: Durable, accounts: Accounts) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.accounts = accounts

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(PLAN_GET, self.get),
            Provider(PLAN_SET, self.set),
            Provider(PLAN_ADMIN_SESSION, self.administer),
        )

    async def get(self, invocation: Invocation[Any]) -> Outcome:
        """The plan of the account."""
        account = invocation.resource
        found = await self.accounts.product(account)
        if found is None:
            return Error("PlanNotFound", f"could not find a plan for {account}")
        product, updated = found
        return Ok({"product": product, "updatedAt": iso(updated)})

    async def set(self, invocation: Invocation[PlanSet]) -> Outcome:
        """Change to another plan."""
        account, product = invocation.resource, invocation.nb.product
        if len(product) > PRODUCT_LENGTH_MAX:
            return Error("Error", f"a product has at most {PRODUCT_LENGTH_MAX} characters")

        def answer(_: State, reply: kernel.Receipt) -> Ok | Error:
            return refusal(reply) or Ok({})

        is_open = self.accounts.policy == "open"
        message = Choose(self.engine.now(), account, product, is_open)
        path = account_at(segment(account))
        return await self.durable.carry_out(invocation, path, message, answer)

    async def administer(self, invocation: Invocation[PlanAdminSession]) -> Outcome:
        """Where to go to see to the plan: there is nothing to see to, so back to where the client
        came from."""
        account, url = invocation.resource, invocation.nb.return_url
        if len(url) > URL_LENGTH_MAX:
            return Error("Error", f"a URL has at most {URL_LENGTH_MAX} characters")
        if await self.accounts.product(account) is None:
            return Error("CustomerNotFound", f"{account} not found")
        return Ok({"url": url})
