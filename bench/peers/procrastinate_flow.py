"""The flow on Procrastinate, which has jobs and no states: the state is a row of our own, changed
in the transactions that defer and cancel the jobs.

One transaction begins: the row, the job for the work, the job an hour from now. The worker fetches
the job, does the work, and in one transaction writes the last state and cancels the later job.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from procrastinate import App, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from bench.peers import postgres

NAME = "Procrastinate"
LOAD_APART = False
IN_FLIGHT_MAX = 64
CONNECTIONS_MAX = 20

app = App(connector=PsycopgConnector())
finished: dict[str, asyncio.Future[str]] = {}


def pool() -> AsyncConnectionPool:
    connector = app.connector
    assert isinstance(connector, PsycopgConnector)
    return connector.pool


@app.task
async def work(key: str, timer: int) -> None:
    async with pool().connection() as connection, connection.transaction():
        await connection.execute("UPDATE flows SET state = 'finished' WHERE key = %s", [key])
        manager = app.job_manager
        canceled = await manager.cancel_job_by_id_async(timer, connection=connection)
    finished[key].set_result("finished" if canceled else "too late")


@app.task
async def give_up(key: str) -> None:
    async with pool().connection() as connection:
        await connection.execute("UPDATE flows SET state = 'late' WHERE key = %s", [key])


@asynccontextmanager
async def ready() -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    with postgres.running() as url:
        connector = PsycopgConnector(conninfo=url, max_size=CONNECTIONS_MAX)
        app.connector = app.job_manager.connector = connector
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            async with pool().connection() as connection:
                await connection.execute("CREATE TABLE flows (key text PRIMARY KEY, state text)")
            worker = asyncio.create_task(
                app.run_worker_async(concurrency=IN_FLIGHT_MAX, install_signal_handlers=False)
            )
            try:
                yield flow
            finally:
                worker.cancel()
                await asyncio.gather(worker, return_exceptions=True)


async def flow(key: str) -> str:
    finished[key] = asyncio.get_running_loop().create_future()
    async with pool().connection() as connection, connection.transaction():
        await connection.execute("INSERT INTO flows VALUES (%s, 'working')", [key])
        later = give_up.configure(connection=connection, schedule_in={"hours": 1})
        timer = await later.defer_async(key=key)
        await work.configure(connection=connection).defer_async(key=key, timer=timer)
    try:
        return await finished[key]
    finally:
        del finished[key]
