"""`provider/add`, `consumer/*`, `customer/get` and `subscription/*`: which account has which space
provided for, and by which name of ours.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from taijitu.engine.engine import Engine
from taijitu.kernel import receipt as kernel
from taijitu.kernel.machine import State
from taijitu.kernel.record import Record
from taijitu.machines.subscription import Subscribe, Subscribed, subscription_at
from taijitu.protocols.capabilities import PROVIDER_ADD, ProviderAdd
from taijitu.protocols.durable import Durable
from taijitu.protocols.execution import Error, Invocation, Ok, Outcome, Provider
from taijitu.protocols.limits import refusal
from taijitu.protocols.plan import Accounts
from taijitu.protocols.spaces import Spaces
from taijitu.protocols.subscribed import is_space, subscription, subscriptions
from taijitu.ucan.capability import Ability, equal_field, equal_with
from taijitu.ucan.schema import NONE, Fields, account_did, provider_did, space_did, text

SUBSCRIPTIONS_MAX: Final = 2_000
"""Subscriptions that one answer names, the newest first."""


class Consumer(Record):
    consumer: str


class Customer(Record):
    customer: str


class SubscriptionName(Record):
    subscription: str


_CONSUMER: Final = Fields(Consumer, {"consumer": space_did})

CONSUMER_HAS: Final = Ability("consumer/has", provider_did, _CONSUMER, equal_field("consumer"))
CONSUMER_GET: Final = Ability("consumer/get", provider_did, _CONSUMER, equal_field("consumer"))
CUSTOMER_GET: Final = Ability(
    "customer/get",
    provider_did,
    Fields(Customer, {"customer": account_did}),
    equal_field("customer"),
)
SUBSCRIPTION_GET: Final = Ability(
    "subscription/get",
    provider_did,
    Fields(SubscriptionName, {"subscription": text}),
    equal_field("subscription"),
)
SUBSCRIPTION_LIST: Final = Ability("subscription/list", account_did, NONE, equal_with)


class Subscriptions:
    """The abilities. `offers`: by which DIDs we provide, and room for how many bytes."""

    def __init__(
        self,
        durable: Durable,
        spaces: Spaces,
        accounts: Accounts,
        *,
        offers: Mapping[str, int],
    ) -> None:
        self.durable = durable
        self.engine: Engine = durable.engine
        self.spaces = spaces
        self.accounts = accounts
        self.limits = spaces.limits
        self.offers = offers

    def providers(self) -> tuple[Provider[Any], ...]:
        return (
            Provider(PROVIDER_ADD, self.add),
            Provider(CONSUMER_HAS, self.has),
            Provider(CONSUMER_GET, self.get_consumer),
            Provider(CUSTOMER_GET, self.get_customer),
            Provider(SUBSCRIPTION_GET, self.get),
            Provider(SUBSCRIPTION_LIST, self.list),
        )

    async def add(self, invocation: Invocation[ProviderAdd]) -> Outcome:
        """Have a space provided for, at the expense of an account."""
        account, space = invocation.resource, invocation.nb.consumer
        provider = invocation.nb.provider
        if not is_space(space):
            return Error("Error", f"{space:.300} is not the DID of a space")
        if (refused := await self.limits.account_blocked(account)) is not None:
            return refused
        if await self.accounts.lacks_plan(account):
            why = f"Account identified by {account} has not selected a payment plan"
            return Error("AccountPlanMissing", why)
        capacity = self.offers.get(provider)
        if capacity is None:
            return Error("InvalidProvider", f"Invalid provider: {provider}")

        def answer(state: State, reply: kernel.Receipt) -> Ok | Error | None:
            if (refused := refusal(reply)) is not None:
                return refused
            return Ok({"id": name_of(state)}) if isinstance(state, Subscribed) else None

        now, link = self.engine.now(), invocation.link
        message = Subscribe(now, link, space, account, provider, capacity)
        path = subscription_at(space)
        return await self.durable.carry_out(invocation, path, message, answer)

    async def has(self, invocation: Invocation[Consumer]) -> Outcome:
        """Whether a space is provided for, by an account or by the operator."""
        if (refused := self.unknown(invocation.resource)) is not None:
            return refused
        space = invocation.nb.consumer
        if not is_space(space):
            return Ok(False)
        found = await subscription(self.engine, space) or await self.spaces.find(space)
        return Ok(found is not None)

    async def get_consumer(self, invocation: Invocation[Consumer]) -> Outcome:
        """Who has a space provided for, and how full it is."""
        if (refused := self.unknown(invocation.resource)) is not None:
            return refused
        space = invocation.nb.consumer
        found = await subscription(self.engine, space)
        room = None if found is None else await self.spaces.find(space)
        if found is None or room is None:
            return Error("ConsumerNotFound", f"{space} not found", {"did": space})
        return Ok(
            {
                "did": space,
                "allocated": room.reserved + room.used,
                "limit": room.capacity,
                "subscription": name_of(found),
                "customer": found.customer,
            }
        )

    async def get_customer(self, invocation: Invocation[Customer]) -> Outcome:
        """What an account has provided for."""
        if (refused := self.unknown(invocation.resource)) is not None:
            return refused
        account = invocation.nb.customer
        names = [name_of(each) async for each in self.of(account)]
        if not names and await self.accounts.find(account) is None:
            return Error("CustomerNotFound", f"{account} not found", {"did": account})
        return Ok({"did": account, "subscriptions": names})

    async def get(self, invocation: Invocation[SubscriptionName]) -> Outcome:
        """Which account and which space a subscription is about."""
        if (refused := self.unknown(invocation.resource)) is not None:
            return refused
        name = invocation.nb.subscription
        found = await subscription(self.engine, space_in(name))
        if found is None or name_of(found) != name:
            return Error("SubscriptionNotFound", f"{name:.1000} not found")
        return Ok({"customer": found.customer, "consumer": found.space})

    async def list(self, invocation: Invocation[Any]) -> Outcome:
        """What the account has provided for, the newest first."""
        results = [
            {
                "provider": each.provider,
                "consumers": [each.space],
                "subscription": name_of(each),
            }
            async for each in self.of(invocation.resource)
        ]
        return Ok({"results": results})

    def of(self, account: str) -> AsyncIterator[Subscribed]:
        """The subscriptions of an account, as many as an answer names."""
        return subscriptions(self.engine, account, SUBSCRIPTIONS_MAX)

    def unknown(self, provider: str) -> Error | None:
        if provider in self.offers:
            return None
        return Error("UnknownProvider", f"Provider {provider} not found", {"did": provider})


def name_of(subscription: Subscribed) -> str:
    """The name of a subscription: `<account>:<space>@<provider>`."""
    return f"{subscription.customer}:{subscription.space}@{subscription.provider}"


def space_in(name: str) -> str:
    """The space in the name of a subscription, if that is one."""
    return "did:key:" + name.rpartition("@")[0].rpartition(":did:key:")[2]
