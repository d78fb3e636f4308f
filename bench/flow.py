"""The engine alone: flows through one machine, in this process, on SQLite with fsync.

A flow is: a message, a state, a worldly task that is answered at once, a message, the last state;
and a timer that was armed and is moot by then.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TypeAlias, assert_never

import uvloop

from bench.report import Run
from taijitu.engine.actor import Assignment, View
from taijitu.engine.clock import SystemClock
from taijitu.engine.dispatch import Dispatcher
from taijitu.engine.engine import Engine
from taijitu.kernel.effect import Message, Task, send
from taijitu.kernel.machine import Machine, State, Step, become, stay
from taijitu.kernel.receipt import DONE, Receipt
from taijitu.machines.world import Sleep
from taijitu.storage.sqlite import SqliteStorage

HOUR_MS = 3_600_000


class Idle(State, tag="idle"): ...


class Working(State, tag="working"): ...


class Finished(State, tag="finished"): ...


class Late(State, tag="late"): ...


AnyState: TypeAlias = Idle | Working | Finished | Late


class Start(Message, tag="job/start"): ...


class Finish(Message, tag="job/finish"): ...


class GiveUp(Message, tag="job/give-up"): ...


AnyMessage: TypeAlias = Start | Finish | GiveUp


class Work(Task, tag="job/work"):
    actor = "worker"
    name: str


def update(state: AnyState, message: AnyMessage) -> Step[AnyState]:
    match message, state:
        case Start(at), Idle():
            work = Work("work") >> send(Finish)
            return become(Working(), work, Sleep(at + HOUR_MS) >> send(GiveUp))
        case Finish(), Working():
            return become(Finished())
        case GiveUp(), Working():
            return become(Late())
        case ((Start() | Finish() | GiveUp()), (Idle() | Working() | Finished() | Late())):
            return stay(state)
        case _:
            assert_never((message, state))


JOB = Machine("job", 1, update, Idle(), states=AnyState, messages=AnyMessage, tasks=Work | Sleep)


class Worker:
    """Answers at once."""

    def prompt(self, task: Task, view: View, at: int) -> Receipt | None:
        return None

    async def run(self, assignment: Assignment) -> Receipt | None:
        return DONE


def flows(count: int, in_flight: int) -> Run:
    return uvloop.run(measured(count, in_flight))


async def measured(count: int, in_flight: int) -> Run:
    with tempfile.TemporaryDirectory(prefix="taijitu-bench-") as folder:
        storage = SqliteStorage.open(Path(folder) / "flows.db")
        worker = Worker()
        actors = {"job/work": worker, "task/sleep": worker}
        engine = Engine(storage, {"job": JOB}, actors, SystemClock())
        dispatching = asyncio.create_task(Dispatcher(engine).run())
        try:
            return await flood(engine, count, in_flight)
        finally:
            dispatching.cancel()
            await asyncio.gather(dispatching, return_exceptions=True)
            await storage.close()


async def flood(engine: Engine, count: int, in_flight: int) -> Run:
    numbers, latencies = iter(range(count)), []

    async def one_after_the_other() -> None:
        for number in numbers:
            began = time.perf_counter()
            path = ("job", f"{number}")
            started = await engine.transact(path, Start(engine.now()))
            head = await engine.changed(path, started.head, engine.now() + HOUR_MS)
            assert isinstance(head.state, Finished)
            latencies.append(time.perf_counter() - began)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Run(count, seconds, cpu, latencies)
