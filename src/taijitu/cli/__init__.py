"""The command line: one program, `taijitu`. Each command is a file; nothing is imported before it
is asked for, so that `taijitu --help` is quick.
"""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError
from rich.console import Console

from taijitu import __version__

REFUSED, USAGE = 1, 2
"""Exit codes: what was asked was refused or failed; it was asked in a way nobody understands."""

app = App(
    name="taijitu",
    help="A content-addressed storage service, and the machines under it.",
    version=__version__,
)
app.command("taijitu.cli.serve:serve")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Answers the exit code."""
    from taijitu.cli.trouble import Refusal
    from taijitu.server.trouble import CannotStart

    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = app(tokens, exit_on_error=False, print_error=True, error_console=errors)
    except CycloptsError:
        return USAGE
    except (Refusal, CannotStart) as why:
        errors.print(f"taijitu: {why}", markup=False)
        return REFUSED
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else 0
