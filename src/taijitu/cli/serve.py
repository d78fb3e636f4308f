"""`taijitu serve`: run the service here."""

import asyncio
import gc
import sys
from typing import TYPE_CHECKING

from taijitu.server import config as configuration
from taijitu.server.config import Config
from taijitu.server.trouble import CannotStart

if TYPE_CHECKING:
    from taijitu.server.installation import Installation


def serve() -> None:
    """Run the service until it is interrupted.

    Settings come from the environment (TAIJITU_PORT, TAIJITU_DATA, ...) and from taijitu.toml.
    """
    # What is being imported is there to stay.
    gc.disable()
    import uvloop

    from taijitu.server import logs
    from taijitu.server.service import serve as run

    loaded = configuration.load()
    logs.configure(loaded.config.log)
    calm_the_collector()
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(loaded.config, ready=greet))
    except CannotStart as why:
        raise running_already(loaded.config, why) from None
    if sys.stdout.isatty():
        print("\n  taijitu has stopped.")


def calm_the_collector() -> None:
    """Values here hold no cycles, so looking for some is mostly in vain: do it rarely, and never
    in what was loaded at start."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def running_already(config: Config, why: CannotStart) -> CannotStart:
    """A better reason than "the port is taken" or "the folder is in use", if there is one: the
    same service is running."""
    from taijitu.cli.door import NobodyThere, knock
    from taijitu.cli.trouble import Refusal

    try:
        about = knock(config.data, "about", {})
    except (NobodyThere, Refusal):
        return why
    return CannotStart(
        f"a service runs on {config.data} already, as process {about['pid']} at {about['url']}. "
        "Use that one, or stop it; for a second service set TAIJITU_DATA and TAIJITU_PORT"
    )


def greet(installation: "Installation") -> None:
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

  Try it:   taijitu demo        watch a file go through the whole machine
            taijitu env node    code for the JavaScript client
            curl {settings.public_url}/version

  Ctrl-C stops it.
""",
        flush=True,
    )


def spaces_sentence(settings: Config) -> str:
    """Who may store here."""
    from taijitu.cli import words

    if settings.provision == "open":
        return f"open: an unknown space gets {words.size(settings.space_capacity)}"
    return "closed: `taijitu space provision DID --capacity 10GiB` lets one in"
