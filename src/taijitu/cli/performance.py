"""What the demo does, and how it looks."""

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.text import Text

from taijitu.cli import story, words
from taijitu.cli.agent import Agent, Asked, is_the_same, put, request
from taijitu.cli.door import knock
from taijitu.cli.trouble import Refusal
from taijitu.ipld.cid import CAR, SHA2_256, SHA2_256_SIZE, Link, link_with
from taijitu.server.config import Config

PATIENCE: Final = 15.0
"""Seconds to wait for what has to come by itself, beyond the time it is due."""

LOOK_PAUSE: Final = 0.05
"""Seconds between two looks."""

TRIES: Final = 5
"""How many upload URLs may die unused."""

STORED, REMOVED = "Stored", "Absent"
"""Names of states, as a history calls them."""

FORBIDDEN: Final = 403
"""The status of an upload whose URL is dead."""

ROOM_MIN: Final = 1024 * 1024
"""Bytes that the space gets, at least."""

NAME_LENGTH_MAX: Final = 40
"""Characters of a file's name that are shown."""


class Sample(NamedTuple):
    """The file that is stored. The service looks into no CAR: any bytes will do."""

    path: Path
    is_made_up: bool
    size: int
    link: Link


def sample(path: Path, is_made_up: bool) -> Sample:
    """Measure a file and name it. Raises `Refusal`."""
    try:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").digest()
            size = file.tell()
    except OSError as why:
        raise Refusal(f"{path} cannot be read: {why.strerror}") from None
    link = link_with(bytes((SHA2_256, SHA2_256_SIZE)) + digest, CAR)
    return Sample(path, is_made_up, size, link)


def again(car: Sample, folder: Path) -> str:
    """The command that goes on with what one on this folder has begun."""
    which = "taijitu" if shutil.which("taijitu") else sys.argv[0]
    file = [] if car.is_made_up else [str(car.path.absolute())]
    return shlex.join([which, "demo", *file, "--folder", str(folder.absolute())])


class Performance:
    """One file and one service, from the first request to the last byte swept."""

    def __init__(self, config: Config, car: Sample, folder: Path) -> None:
        self.config = config
        self.car = car
        self.folder = folder
        about = knock(config.data, "about", {})
        self.agent = Agent(about["url"], about["did"], about["key"], folder)
        self.console = Console(highlight=False, emoji=False, soft_wrap=True)
        self.marks = story.marks()
        self.shown = 0
        """How many transitions were shown so far."""

    def run(self) -> None:
        self.open_space()
        self.tell_what_happened()
        if self.state != REMOVED:
            if self.state != STORED:
                self.store()
            self.get_back()
            self.remove()
        self.watch_the_sweep()

    # The acts

    def open_space(self) -> None:
        """A service, a space, an agent, a file."""
        car, agent = self.car, self.agent
        room = max(ROOM_MIN, 2 * car.size)
        knock(self.config.data, "provision", {"space": agent.space, "capacity": room})
        name = "a CAR, made up" if car.is_made_up else f"{car.path.name[:NAME_LENGTH_MAX]}"
        self.console.print("\n  ☯  [bold]One file through the whole machine[/]\n")
        self.line("service", f"{agent.did} at {agent.url}")
        self.line("space", agent.space)
        self.line("", f"has room for {words.size(room)}", style="dim")
        self.line("agent", agent.signer.did)
        self.line("", "may do store/* in the space: the space has signed that", style="dim")
        self.line("file", f"{name}: {words.size(car.size)} ({car.size:,} bytes)")
        self.line("", str(car.link), style="dim")
        self.line("folder", str(self.folder))
        self.line("", f"killed (kill -9 {os.getpid()}), it is finished by", style="dim")
        self.line("", again(car, self.folder), style="dim")
        self.console.print()
        self.line(
            "", "In plans, a >> b is: b, once a has succeeded; ~a is: if a fails;", style="dim"
        )
        self.line("", "📬 is a message, which the object hears.", style="dim")

    def tell_what_happened(self) -> None:
        """A demo that was killed here before has left a history."""
        if not self.steps():
            return
        self.act(0, "A demo was killed here", "this is what it had done, and what was made of it")
        self.show_transitions()

    def store(self) -> None:
        """Ask for room and put the bytes. URLs live so short here that on a busy machine one may
        die before it is used."""
        for _ in range(TRIES):
            answer = self.add()
            if self.state == STORED or self.upload(answer):
                return
        raise Refusal("this machine is too busy: every upload URL died before the bytes were sent")

    def add(self) -> dict[str, Any]:
        """Ask for room. The answer says where to put the bytes."""
        self.act(1, "The agent asks for room", "store/add, signed")
        asked = self.agent.ask("store/add", {"link": self.car.link, "size": self.car.size})
        self.show_transitions()
        return self.show_receipt(asked)

    def upload(self, answer: Mapping[str, Any]) -> bool:
        """Put the bytes. False if the URL was dead already."""
        self.act(2, "It puts the bytes where the receipt says", "HTTP PUT")
        before = time.monotonic()
        sent = put(answer["url"], answer["headers"], self.car.path)
        took = words.span(round(1000 * (time.monotonic() - before)))
        self.console.print()
        self.line("to", short(answer["url"]))
        self.line("status", f"{sent.status} after {took}")
        if sent.status == FORBIDDEN:
            self.line("", "The URL died before the bytes were sent: once more.")
            return False
        if sent.status != 200:
            raise Refusal(f"the bytes were not taken: {sent.body.decode('utf-8', 'replace')}")
        self.wait_for("Stored")
        self.show_transitions()
        self.show_usage()
        return True

    def get_back(self) -> None:
        """Anybody who knows the link can read."""
        self.act(3, "Somebody reads it back", "HTTP GET")
        if not is_the_same(self.url, self.car.path):
            raise Refusal("what came back is not what was stored")
        self.console.print()
        self.line("bytes", f"{words.size(self.car.size)}, identical")

    def remove(self) -> None:
        """Let go of it: the room is free at once."""
        self.act(4, "The agent lets go of it", "store/remove, signed")
        asked = self.agent.ask("store/remove", {"link": self.car.link})
        self.show_transitions()
        self.show_receipt(asked)
        self.show_usage()

    def watch_the_sweep(self) -> None:
        """The bytes go once no URL can bring them any more."""
        self.act(5, "The bytes are swept", "once no upload URL can bring them again")
        closes = max(step["state"].get("closes", 0) for step in self.steps()) / 1000
        left = max(0, round(1000 * (closes - time.time())))
        self.console.print()
        self.line("wait", f"the URL is dead in {words.span(left)} …")
        give_up = time.monotonic() + left / 1000 + PATIENCE
        while (answer := request("HEAD", self.url)).status == 200:
            if time.monotonic() > give_up:
                raise Refusal("the bytes are still there, long after they should have gone")
            time.sleep(LOOK_PAUSE)
        self.line("status", f"{answer.status}: the bytes are gone")

    # What the acts need

    @property
    def url(self) -> str:
        """Where the bytes can be read."""
        return f"{self.agent.url}/{self.car.link}/{self.car.link}.car"

    def steps(self) -> list[dict[str, Any]]:
        """Every transition of the object so far."""
        asked = {"space": self.agent.space, "cid": str(self.car.link)}
        if not knock(self.config.data, "place", asked)["seq"]:
            return []
        return knock(self.config.data, "history", asked)["steps"]

    @property
    def state(self) -> str | None:
        """The name of the state that the object is in; `None` if nobody has asked for it yet."""
        steps = self.steps()
        return steps[-1]["state_name"] if steps else None

    def wait_for(self, state: str) -> None:
        """Wait until the object is in a state. Raises `Refusal` if it never comes there."""
        give_up = time.monotonic() + PATIENCE
        while (found := self.state) != state:
            if time.monotonic() > give_up:
                raise Refusal(f"the object is {found}, and should be {state} by now")
            time.sleep(LOOK_PAUSE)

    def show_transitions(self) -> None:
        """The transitions that were not shown yet."""
        steps = self.steps()
        before: dict[str, Any] | None = None
        for step in steps:
            if step["seq"] > self.shown:
                self.show_transition(step, before)
            before = step
        self.shown = steps[-1]["seq"]

    def show_transition(self, step: dict[str, Any], before: dict[str, Any] | None) -> None:
        """Which message led to which state, what had sent it, and what is planned now."""
        after = "" if before is None else story.lasted(before["at"], step["at"])
        led = Text.assemble("     ", *story.arrow(step, self.marks), (f"  {after}", "dim"))
        led.rstrip()
        self.console.print()
        self.console.print(led)
        self.note("block", step["cid"], style="dim")
        for pipeline in before["pipelines"] if before else ():
            if pipeline["delivered"] and pipeline["text"].endswith(story.sent(step)):
                self.note("sent by", pipeline["text"].removesuffix(story.sent(step)))
        for number, pipeline in enumerate(step["pipelines"]):
            self.note("" if number else "plan", pipeline["text"])

    def show_receipt(self, asked: Asked) -> dict[str, Any]:
        """The receipt, which is signed; answers its `ok`. Raises `Refusal` if it is an error."""
        receipt = asked.receipt
        self.console.print()
        self.line("receipt", str(receipt.link))
        self.line("", f"signed by {receipt.issuer}: verified", style="green")
        if not receipt.is_ok:
            error = receipt.out["error"]
            raise Refusal(f"the service refuses: {error.get('message', error)}")
        answer = receipt.out["ok"]
        for name in sorted(answer.keys() & SHOWN.keys(), key=list(SHOWN).index):
            self.line("", f"{name:9}  {short(SHOWN[name](answer[name]))}", style="dim")
        return answer

    def show_usage(self) -> None:
        """What the space holds now, as an operator sees it."""
        space = knock(self.config.data, "space", {"space": self.agent.space})
        entries = words.count(space["entries"], "entry", "entries")
        self.console.print()
        self.line(
            "usage",
            f"{words.size(space['used'])} used by {entries} · "
            f"{words.size(space['reserved'])} reserved · of {words.size(space['capacity'])}",
        )

    def act(self, number: int, title: str, how: str) -> None:
        self.console.print(f"\n\n  [bold]{number}  {title}[/]  [dim]{how}[/]")

    def line(self, name: str, value: str, style: str = "") -> None:
        self.console.print(Text.assemble((f"     {name:8} ", "dim"), (value, style)))

    def note(self, name: str, value: str, style: str = "") -> None:
        self.console.print(Text.assemble((f"       {name:8}", "dim"), (value, style)))


def bytes_told(count: int) -> str:
    return f"{count:,} bytes"


SHOWN: Final[Mapping[str, Callable[[Any], str]]] = {
    "status": str,
    "allocated": bytes_told,
    "size": bytes_told,
    "url": str,
    "headers": ", ".join,
}
"""Fields of a receipt that are shown, in this order, and how."""

VALUE_MAX: Final = 54
"""Characters of a value that are shown: then a line fits."""


def short(text: str) -> str:
    """A value, cut to fit a line."""
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 1]}…"
