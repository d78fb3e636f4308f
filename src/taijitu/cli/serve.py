"""`taijitu serve`: run the service here."""

import asyncio
import sys

from taijitu.server import config, logs
from taijitu.server.installation import Installation
from taijitu.server.service import serve as run


def serve() -> None:
    """Run the service until it is interrupted.

    Settings come from the environment (TAIJITU_PORT, TAIJITU_DATA, ...) and from taijitu.toml.
    """
    import uvloop

    loaded = config.load()
    logs.configure(loaded.config.log)
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(loaded.config, ready=greet))


def greet(installation: Installation) -> None:
    """Tell who answers where, and what to try first."""
    settings = installation.config
    print(
        f"""
  ☯ taijitu is ready

    {"URL":8}{settings.public_url}
    {"DID":8}{installation.signer.did}
    {"key":8}{installation.signer.key_did}
    {"data":8}{settings.data}
    {"spaces":8}{spaces_sentence(settings)}

  Try it:   taijitu demo                 a file through the whole machine
            curl {settings.public_url}/version
            taijitu env node             settings for the JavaScript clients
""",
        flush=True,
    )


def spaces_sentence(settings: config.Config) -> str:
    if settings.provision == "open":
        return f"open: an unknown space gets {settings.space_capacity / 2**30:g} GiB"
    return "closed: `taijitu space provision DID --capacity 10GiB` lets a space in"
