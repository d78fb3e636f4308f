"""What the service says about itself: to programs, to DID resolvers, to people."""

import html
from typing import Final

import msgspec

from taijitu.kernel.record import Record
from taijitu.server.http import HttpAnswer

JSON: Final = "application/json"
DID_KEY: Final = "did:key:"


class About(Record):
    """Who is serving."""

    did: str
    """The service's `did:web`."""

    key_did: str
    """Its public key, as a `did:key`."""

    version: str
    public_url: str
    past: tuple[str, ...] = ()
    """The public keys it had before, as `did:key`s, the oldest first."""


def version(about: About) -> HttpAnswer:
    """`{"name", "version", "did", "publicKey"}`, and `pastKeys` if there are any."""
    past = {"pastKeys": about.past} if about.past else {}
    return json(
        {
            "name": "taijitu",
            "version": about.version,
            "did": about.did,
            "publicKey": about.key_did,
            **past,
        }
    )


def did_document(about: About) -> HttpAnswer:
    """The DID document that makes the `did:web` resolvable (W3C DID core; Multikey).

    What the service says now is signed with its first key. The others, which it had before, are
    there to verify what they signed: nothing new is said with them.
    """
    method = f"{about.did}#key"
    past = {f"{about.did}#{multikey(key)}": key for key in reversed(about.past)}
    return json(
        {
            "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
            "id": about.did,
            "verificationMethod": [
                {
                    "id": name,
                    "type": "Multikey",
                    "controller": about.did,
                    "publicKeyMultibase": multikey(key),
                }
                for name, key in {method: about.key_did, **past}.items()
            ],
            "authentication": [method],
            "assertionMethod": [method, *past],
            "capabilityInvocation": [method],
        }
    )


def multikey(key_did: str) -> str:
    """A `did:key` as a Multikey: the same letters."""
    return key_did.removeprefix(DID_KEY)


def page(about: About) -> HttpAnswer:
    """A short page for whoever opens the service in a browser."""
    did, url, key = (html.escape(text) for text in (about.did, about.public_url, about.key_did))
    body = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>taijitu</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44em; margin: 3em auto; padding: 0 1em }}
code, pre {{ font: 14px/1.5 ui-monospace, monospace; background: #8882; overflow-wrap: anywhere }}
pre {{ padding: 1em; overflow-x: auto }}
</style>
<h1>☯ taijitu</h1>
<p>A storage service for content-addressed data. It speaks the protocol of the w3up and Storacha
clients: each request is a signed UCAN invocation, each answer a signed receipt.</p>
<p>DID <code>{did}</code><br>key <code>{key}</code><br>version {html.escape(about.version)}</p>
<h2>Try it</h2>
<pre>curl {url}/version
taijitu env w3        # the settings for the w3 command line
taijitu env storacha  # the same for storacha</pre>
<p>Programs: <code>POST {url}/</code> takes invocations, <code>GET {url}/receipt/&lt;task&gt;</code>
gives receipts, and stored bytes are at <code>{url}/&lt;link&gt;/&lt;link&gt;.car</code>.
See also <a href="/health">health</a> and <a href="/metrics">metrics</a>.</p>
</html>
"""
    return HttpAnswer(
        200,
        {
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
        },
        body.encode(),
    )


def json(value: object, status: int = 200) -> HttpAnswer:
    """An answer that is data."""
    return HttpAnswer(status, {"content-type": JSON}, msgspec.json.encode(value))
