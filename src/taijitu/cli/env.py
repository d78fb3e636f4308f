"""`taijitu env`: what a client has to be told to use this service."""

import shlex
import sys
from typing import Final, Literal

from taijitu.cli import words

Client = Literal["w3", "storacha", "node"]
CommandLine = Literal["w3", "storacha"]
Shell = Literal["sh", "fish", "powershell"]

NODE: Final = """\
// npm install @web3-storage/w3up-client @ucanto/client @ucanto/transport @ipld/dag-ucan
import * as Ucanto from '@ucanto/client'
import {{ CAR, HTTP }} from '@ucanto/transport'
import * as DID from '@ipld/dag-ucan/did'
import {{ create }} from '@web3-storage/w3up-client'
import {{ StoreMemory }} from '@web3-storage/w3up-client/stores/memory'

const service = Ucanto.connect({{
  id: DID.parse({did}),
  codec: CAR.outbound,
  channel: HTTP.open({{ url: new URL({url}), method: 'POST' }}),
}})

const client = await create({{
  store: new StoreMemory(), // leave this out to keep the agent's key on this machine
  serviceConf: {{ access: service, upload: service, filecoin: service }},
  receiptsEndpoint: new URL({receipts}),
}})

const space = await client.createSpace('mine', {{ skipGatewayAuthorization: true }})
await client.addSpace(await space.createAuthorization(client.agent))
await client.setCurrentSpace(space.did())
console.log(`${{client.agent.did()}} may store in ${{space.did()}}`)

// const link = await client.capability.store.add(car) // a Blob that holds a CAR
"""


GATEWAY: Final = """\
# storacha space create asks a gateway that is none of ours, and fails with it, unless it is told
# not to: storacha space create NAME --no-gateway-authorization"""

HINTS: Final[dict[CommandLine, str]] = {"storacha": GATEWAY}
"""What no setting can do: comments, in any shell."""


def env(
    client: Client,
    /,
    *,
    shell: Shell = "sh",
    json: bool = False,
) -> None:
    """Print the settings with which a client uses this service.

    For a command line: eval "$(taijitu env w3)". For Node.js: a beginning that can be pasted.
    What has to be typed beside the settings is printed as a comment.

    Parameters
    ----------
    client
        w3: the command line of @web3-storage/w3cli. storacha: that of @storacha/cli. node: code
        for @web3-storage/w3up-client.
    shell
        In whose language.
    json
        Print JSON.
    """
    url, did = service()
    settings = variables(client, url, did)
    if json:
        words.print_json(settings)
    elif client == "node":
        print(snippet(url, did), end="")
    else:
        print("\n".join(line(name, value, shell) for name, value in settings.items()))
        if client in HINTS:
            print(HINTS[client])


def variables(client: Client, url: str, did: str) -> dict[str, str]:
    """What the client calls the three things that it must know."""
    receipts = f"{url}/receipt/"
    match client:
        case "w3":
            return {
                "W3UP_SERVICE_URL": url,
                "W3UP_SERVICE_DID": did,
                "W3UP_RECEIPTS_ENDPOINT": receipts,
            }
        case "storacha":
            return {
                "STORACHA_SERVICE_URL": url,
                "STORACHA_SERVICE_DID": did,
                "STORACHA_RECEIPTS_URL": receipts,
            }
        case "node":
            return {"url": url, "did": did, "receipts": receipts}


def snippet(url: str, did: str) -> str:
    """A JavaScript module that connects the published client to this service."""
    quoted = {name: f"'{value}'" for name, value in variables("node", url, did).items()}
    return NODE.format_map(quoted)


def line(name: str, value: str, shell: Shell) -> str:
    """One setting, in the language of a shell."""
    match shell:
        case "sh":
            return f"export {name}={shlex.quote(value)}"
        case "fish":
            return f"set -gx {name} {shlex.quote(value)}"
        case "powershell":
            return f"$env:{name} = '{value}'"


def service() -> tuple[str, str]:
    """URL and DID of the service: as it says itself, or as the settings have it."""
    from taijitu.cli.door import NobodyThere, knock
    from taijitu.cli.reach import adopted
    from taijitu.server import config as configuration

    wanted = configuration.load().config
    try:
        about = knock(wanted.data, "about", {})
        return about["url"], about["did"]
    except NobodyThere:
        config = adopted(wanted)
    if config.did != wanted.did:
        print(
            f"warning: {config.data} belongs to {config.did}, and the settings here say "
            f"{wanted.public_url}; start the service, or set TAIJITU_PORT or TAIJITU_PUBLIC_URL "
            "as it has them",
            file=sys.stderr,
        )
    return config.public_url, config.did
