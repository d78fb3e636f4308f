"""The flow on DBOS: a workflow of one step, with a timeout that is durable as the workflow is.

The start is recorded before `start_workflow_async` returns, the step's answer when it has one, the
outcome at the end: that is the message, the answer, the last state. The timeout is the timer; it is
moot once the workflow has ended.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dbos import DBOS, DBOSConfig, SetWorkflowID, SetWorkflowTimeout

from bench.peers import postgres

NAME = "DBOS"
LOAD_APART = False
HOUR_SECONDS = 3600


@DBOS.step()
async def work(key: str) -> str:
    return "done"


@DBOS.workflow()
async def job(key: str) -> str:
    await work(key)
    return "finished"


@asynccontextmanager
async def ready() -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    with postgres.running() as url:
        config: DBOSConfig = {
            "name": "peers",
            "system_database_url": url,
            "log_level": "ERROR",
        }
        DBOS(config=config)
        DBOS.launch()
        try:
            yield flow
        finally:
            DBOS.destroy()


async def flow(key: str) -> str:
    with SetWorkflowID(key), SetWorkflowTimeout(HOUR_SECONDS):
        started = await DBOS.start_workflow_async(job, key)
    return await started.get_result()
