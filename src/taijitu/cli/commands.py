"""The tree of commands, and what is said to those whom it does not understand. Reading it takes a
library that takes a while to import, so `taijitu serve` does without.
"""

from typing import Final

from cyclopts import App, CycloptsError, Parameter, UnknownCommandError

from taijitu import __version__
from taijitu.cli import USAGE, say

app = App(
    name="taijitu",
    help="A content-addressed storage service, and the machines under it.",
    help_epilogue="Settings come from the environment (TAIJITU_DATA, TAIJITU_PORT, ...) "
    "and from taijitu.toml. `taijitu COMMAND --help` says more about a command.",
    help_format="markdown",
    version=__version__,
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative=(), show_default=lambda value: value or None),
)
key = App(name="key", help="Make a key, or show whose it is.", sort_key=20)
space = App(name="space", help="Make spaces, let them in, and see how much they hold.", sort_key=21)
account = App(name="account", help="Confirm logins, and see to accounts.", sort_key=22)

COMMANDS: Final = (
    (app, "serve", "serve:serve", "Run the service until it is interrupted."),
    (app, "demo", "demo:demo", "Watch one file go through the whole machine, step by step."),
    (app, "check", "check:check", "Say whether the service could start here, and why not."),
    (app, "doctor", "doctor:doctor", "Examine the service, whether it runs or not."),
    (
        app,
        "waiting",
        "waiting:waiting",
        "Tell what is not at rest: what for, since when, until when.",
    ),
    (app, "retry", "waiting:retry", "Try a waiting task again at once."),
    (app, "park", "waiting:park", "Put a task aside until somebody retries it."),
    (app, "backup", "backup:backup", "Make a backup, while the service runs or not."),
    (app, "restore", "backup:restore", "Make a data folder of a backup."),
    (app, "env", "env:env", "Print the settings with which a client uses this service."),
    (app, "put", "put:put", "Store files and folders, or a CAR as it is."),
    (app, "get", "get:get", "Fetch a file or a folder by its CID, and verify it."),
    (app, "ls", "ls:ls", "List what a space holds, or what is in a folder."),
    (app, "tree", "tree:tree", "Show everything in a folder and below."),
    (app, "rm", "rm:rm", "Remove uploads and CARs from a space."),
    (app, "whoami", "whoami:whoami", "Show as whom put, get, ls and rm ask, and with what proof."),
    (app, "delegate", "delegate:delegate", "Delegate abilities over a space to somebody."),
    (app, "revoke", "revoke:revoke", "Take delegations back."),
    (app, "proof", "proof:proof", "Show what delegations say."),
    (app, "login", "login:login", "Act for the account with an e-mail address."),
    (app, "completion", "completion:completion", "Let a shell complete commands and options."),
    (app, "block", "denial:block", "Give out no more what a CID names."),
    (app, "unblock", "denial:unblock", "Give it out again."),
    (app, "blocked", "denial:blocked", "List what is not given out."),
    (app, "chart", "chart:chart", "Draw a machine from its code: a Mermaid chart and a table."),
    (app, "history", "history:history", "Tell everything that happened to one object of a space."),
    (key, "new", "key:new", "Make a new private key."),
    (key, "show", "key:show", "Show whose key the service's (or the one in a file) is."),
    (key, "rotate", "key:rotate", "Give the service a new key. Its DID stays."),
    (space, "create", "create:create", "Make a new space, as an agent."),
    (space, "provision", "space:provision", "Give a space room, now and from now on."),
    (space, "list", "space:all_spaces", "List the spaces that have room here."),
    (space, "info", "space:info", "Show how much one space may hold, and does."),
    (space, "block", "space:block", "Let nothing new into a space. What it holds stays."),
    (space, "unblock", "space:unblock", "Let a blocked space in again."),
    (account, "confirm", "account:confirm", "Confirm a login, as the link in its letter does."),
    (account, "waiting", "account:waiting", "List the logins that wait to be confirmed."),
    (account, "list", "account:all_accounts", "List the accounts that are known here."),
    (account, "plan", "account:plan", "Show the plan of an account, or give it another one."),
    (account, "block", "account:block", "Let an e-mail address or a domain log in no more."),
    (account, "unblock", "account:unblock", "Let them in again."),
    (account, "blocked", "account:blocked", "List the addresses and domains that are shut out."),
)
"""Where each command belongs, its name, its function and its summary."""

for _place, (_parent, _name, _function, _summary) in enumerate(COMMANDS):
    _parent.command(f"taijitu.cli.{_function}", name=_name, help=_summary, sort_key=_place)
app.command(key)
app.command(space)
app.command(account)


def call(tokens: list[str]) -> int:
    """Call the command that is meant. Answers the exit code."""
    try:
        show_whole_help(tokens)
        code = app(
            tokens,
            verbose=False,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as why:
        say(f"{misunderstood(why)}\nTry `{' '.join(('taijitu', *command_of(why)))} --help`.")
        return USAGE
    return code if isinstance(code, int) else 0


def show_whole_help(tokens: list[str]) -> None:
    """The summary of a command stands in for its docstring in lists only, not on its own page."""
    _, commands, _ = app.parse_commands(tokens)
    for command in commands:
        function = command.default_command
        if function is not None and function.__module__.startswith("taijitu.cli"):
            command.help = function.__doc__


def misunderstood(why: CycloptsError) -> str:
    """The sentence for arguments that make no sense."""
    if isinstance(why, UnknownCommandError):
        return str(why).replace('Unknown command "', 'there is no command "', 1)
    text = str(why).strip()
    return text[:1].lower() + text[1:]


def command_of(why: CycloptsError) -> tuple[str, ...]:
    """The command that was meant, as far as it was understood."""
    return tuple(why.command_chain or ())
