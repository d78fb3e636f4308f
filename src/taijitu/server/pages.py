"""The pages that a letter leads to. Each says one thing, to a person who may have clicked by
mistake.

Law: nothing is loaded and no program runs. The address is a secret: no other page hears of it, and
nobody keeps the page.
"""

from html import escape
from typing import Final

from taijitu.machines.login import Asked, Confirmed
from taijitu.server.http import HttpAnswer
from taijitu.server.post import shown
from taijitu.ucan import principal

HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}

STYLE: Final = """
:root { color-scheme: light dark }
body { font: 17px/1.5 system-ui, sans-serif; max-width: 34em; margin: 8vh auto; padding: 0 1.2em }
h1 { font-size: 1.6em; line-height: 1.25; margin: 0 0 .6em; overflow-wrap: anywhere }
dl { border: 1px solid #8885; border-radius: 10px; padding: .9em 1.1em; margin: 1.4em 0 }
dt { font-size: .8em; opacity: .7 }
dd { margin: 0 0 .7em; overflow-wrap: anywhere }
dd:last-child { margin: 0 }
code { font: .88em/1.5 ui-monospace, monospace }
button { font: inherit; font-weight: 600; color: #fff; background: #1a6b4a; border: 0 }
button { border-radius: 10px; padding: .7em 1.6em; cursor: pointer }
button:hover, button:focus-visible { background: #23855d }
.small { font-size: .85em; opacity: .75; margin-top: 1.4em }
"""


def page(host: str, status: int, title: str, body: str, **more: str) -> HttpAnswer:
    """`host`, `title` and `more` (headers) are texts, `body` is HTML."""
    text = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)} · {escape(host)}</title>
<style>{STYLE}</style>
<h1>{escape(title)}</h1>
{body}
</html>
"""
    return HttpAnswer(status, HEADERS | more, text.encode())


def question(host: str, login: Asked) -> HttpAnswer:
    """Who asks for what, and a button that says yes."""
    email = principal.to_email(login.account)
    body = f"""<p>A program wants to act for this account at <b>{escape(host)}</b>.</p>
<dl>
<dt>Program (its key)</dt><dd><code>{escape(login.agent)}</code></dd>
<dt>It wants to</dt><dd>{wishes(login.att)}</dd>
<dt>You can say yes until</dt><dd>{shown(login.expires)}</dd>
</dl>
<form method="post"><button>Yes, let it in</button></form>
<p class="small">If you did not just log in somewhere, close this page, and nothing happens.</p>"""
    return page(host, 200, f"Log in as {email}?", body)


def confirmed(host: str, login: Confirmed) -> HttpAnswer:
    """It is done, now or before."""
    body = f"""<p>The program may act for <b>{escape(principal.to_email(login.account))}</b> at
<b>{escape(host)}</b>. Go back to it; this page can be closed.</p>
<dl>
<dt>Program (its key)</dt><dd><code>{escape(login.agent)}</code></dd>
<dt>It may</dt><dd>{wishes(login.att)}</dd>
<dt>Confirmed</dt><dd>{shown(login.at)}</dd>
</dl>"""
    return page(host, 200, "Logged in", body)


def late(host: str) -> HttpAnswer:
    """It was not confirmed in time."""
    body = """<p>This login was not confirmed in time. Nothing has happened. Log in once more, and
there will be another letter.</p>"""
    return page(host, 410, "This link is over", body)


def wrong(host: str) -> HttpAnswer:
    """The address is not one of ours, or not whole."""
    body = """<p>It was not made here, or a part of it is missing. Open the link in the letter as it
stands there; it may be longer than one line.</p>"""
    return page(host, 400, "This link is not right", body)


def busy(host: str, seconds: int) -> HttpAnswer:
    """It is not known yet what came of it."""
    body = """<p>It took too long to confirm the login. Open the link in the letter again.</p>"""
    return page(host, 503, "Please try again", body, **{"retry-after": str(seconds)})


def wishes(att: tuple[str, ...]) -> str:
    """What a program may do with the account's spaces, in HTML."""
    if "*" in att:
        return "do everything that the account may do"
    return ", ".join(f"<code>{escape(can)}</code>" for can in att)
