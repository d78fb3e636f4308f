"""The command line: one program, `taijitu`. Each command is a file; nothing is imported before it
is asked for, so that `taijitu --help` is quick, and `taijitu serve` back at once after a crash.

Law: what was asked for goes to standard output, everything else to standard error. The exit code
is 0, or `REFUSED` when it could not be done, or `USAGE` when it was not understood.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final

REFUSED: Final = 1
"""Exit code: what was asked was refused, or failed."""

USAGE: Final = 2
"""Exit code: it was asked in a way nobody understands."""

INTERRUPTED: Final = 130
"""Exit code: a person pressed Ctrl-C."""

PIPE_CLOSED: Final = 141
"""Exit code: whoever read the output stopped reading."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Answers the exit code."""
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = run(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads any more. Python would flush once again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def run(tokens: list[str]) -> int:
    """Run a command, and say in one sentence why it could not be done."""
    try:
        return start() if tokens == ["serve"] else call(tokens)
    except Exception as why:
        from taijitu.cli.trouble import Misuse, Refusal
        from taijitu.server.trouble import CannotStart

        if isinstance(why, Misuse):
            say(str(why))
            return USAGE
        if not isinstance(why, Refusal | CannotStart):
            raise
        say(str(why))
        return REFUSED


def start() -> int:
    """Serve. It is what a supervisor starts again after a crash, and there is nothing to parse."""
    from taijitu.cli.serve import serve

    serve()
    return 0


def call(tokens: list[str]) -> int:
    """Understand what is asked for, and do it."""
    from taijitu.cli import commands

    return commands.call(tokens)


def say(text: str) -> None:
    """A sentence for the person at the terminal."""
    print(f"taijitu: {text}", file=sys.stderr)
