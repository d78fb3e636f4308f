"""`taijitu account`: who logs in here, and with which plan."""

import time
from typing import Any

from taijitu.cli import REFUSED, say, words


def confirm(login: str, /, *, json: bool = False) -> int:
    """Confirm a login on behalf of its account, as the link in the letter does.

    From then on the agent that asked for it acts for the account. Whoever runs the service can do
    that, so be sure who is asking. Works while the service runs, and also when it does not.

    Parameters
    ----------
    login
        The e-mail address for which one login waits; or the request, as the log names it.
    json
        Print JSON: {"confirmed": login}, or {"several": [login, ...]} if that many wait for the
        address; a login is as `taijitu account waiting --json` has it.
    """
    from taijitu.cli.reach import ask

    answer = ask("confirm", login=login)
    several = answer.get("several", [])
    if json:
        words.print_json(answer)
    elif several:
        say(
            f"{len(several)} logins wait for {several[0]['email']}. Confirm one of them by its "
            "request:\n" + "\n".join(line for each in several for line in in_list(each))
        )
    else:
        print(confirmed(answer["confirmed"]))
    return REFUSED if several else 0


def waiting(*, json: bool = False) -> None:
    """List the logins that wait to be confirmed, the newest first.

    Parameters
    ----------
    json
        Print JSON: a list of {"request", "account", "email", "agent", "att", "at", "expires"},
        times in ms since 1970.
    """
    from taijitu.cli.reach import ask

    found = ask("logins")
    if json:
        words.print_json(found)
    elif found:
        print("\n".join(line for login in found for line in in_list(login)))
    else:
        print("No login waits to be confirmed.")


def all_accounts(*, json: bool = False) -> None:
    """List the accounts that are known here: that somebody logged in to, or that have a plan.

    Parameters
    ----------
    json
        Print JSON: a list of {"account", "email", "since", "confirmed", "product", "given",
        "blocked"}. Times in ms since 1970: "confirmed" of the first login, or null. "product" is
        the plan, or null; "given": it was given or chosen, and is not merely what everybody has.
    """
    from taijitu.cli.reach import ask

    found = ask("accounts")
    if json:
        words.print_json(found)
    elif found:
        print("\n".join(line for account in found for line in told(account)))
    else:
        print("Nobody has logged in here yet.")


def plan(account: str, product: str | None = None, /, *, json: bool = False) -> None:
    """Show the plan of an account, or give it another one.

    With TAIJITU_PLANS=required only accounts that were given a plan may have spaces provided for.
    An account may be given one before it was ever here.

    Parameters
    ----------
    account
        The e-mail address, or the DID of the account (did:mailto:...).
    product
        The plan, a DID of your choice, such as did:web:plan.example.org.
    json
        Print JSON, as `taijitu account list --json`.
    """
    from taijitu.cli.reach import ask

    if product is None:
        found = ask("account", account=account)
    else:
        found = ask("plan", writes=True, account=account, product=product)
    if json:
        words.print_json(found)
    else:
        print("\n".join(told(found)))


def block(subject: str, /, *, json: bool = False) -> None:
    """Let an e-mail address, or all of a domain, log in no more, nor have spaces provided for.

    Agents that have logged in already stay logged in, and spaces keep what they have: see
    `taijitu space block`.

    Parameters
    ----------
    subject
        An e-mail address, or a domain, such as example.org.
    json
        Print JSON: {"subject"}.
    """
    from taijitu.cli.reach import ask

    answer = ask("account-block", subject=subject)
    if json:
        words.print_json(answer)
    else:
        print(f"{answer['subject']} is shut out.")


def unblock(subject: str, /, *, json: bool = False) -> None:
    """Let an e-mail address, or a domain, in again.

    Parameters
    ----------
    subject
        As it was given to `taijitu account block`.
    json
        Print JSON: {"subject", "blocked"}: whether it was shut out before.
    """
    from taijitu.cli.reach import ask

    answer = ask("account-unblock", subject=subject)
    if json:
        words.print_json(answer)
    elif answer["blocked"]:
        print(f"{answer['subject']} is let in again.")
    else:
        print(f"{answer['subject']} was not shut out.")


def blocked(*, json: bool = False) -> None:
    """List the e-mail addresses and domains that are shut out.

    Parameters
    ----------
    json
        Print JSON: a list of texts.
    """
    from taijitu.cli.reach import ask

    found = ask("account-blocked")
    if json:
        words.print_json(found)
    else:
        print("\n".join(found) or "Nobody is shut out.")


def confirmed(login: dict[str, Any]) -> str:
    """What a person is told about a login that was just confirmed."""
    if "agent" not in login:
        return "It is confirmed, and was before."
    return f"Confirmed: {login['agent']}\nacts for {login['email']} now, once it has claimed that."


def in_list(login: dict[str, Any]) -> tuple[str, ...]:
    """A login for people, over some lines."""
    left = login["expires"] - int(time.time() * 1000)
    until = f"{words.span(left)} left" if left > 0 else "too late"
    return (
        login["request"],
        f"  {login['email']} · {until}",
        f"  {login['agent']} wants {', '.join(map(meaning, login['att']))}",
    )


def meaning(can: str) -> str:
    """What an ability lets an agent do."""
    return "everything" if can == "*" else can


def told(account: dict[str, Any]) -> tuple[str, str]:
    """An account for people, on two lines."""
    at = account["confirmed"]
    since = "never logged in" if at is None else f"first login {words.moment(at)[:16]}"
    shut = " · blocked" if account["blocked"] else ""
    return account["email"], f"  {since} · {plan_of(account)}{shut}"


def plan_of(account: dict[str, Any]) -> str:
    match account:
        case {"product": None}:
            return "no plan"
        case {"product": product, "given": True}:
            return f"plan {product}"
        case {"product": product}:
            return f"plan {product}, as everybody has"
        case _:
            raise AssertionError(account)
