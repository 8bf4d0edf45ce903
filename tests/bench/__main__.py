"""Measures the running product beside its floors, in one run: `./dev bench`.

PostgreSQL (durable: fsync and synchronous_commit on), one replica of each service on their defaults, one
agent and the producer share the machine. The agent declares 2,000 slots: limits do not bind. Rates are
medians of `--runs` runs with the range; ratios are of the medians. Compare the ratios of one run.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from tests.bench import load, scale
from tests.bench.bare_sql import BareSql
from tests.bench.figures import Latency, Rate, Table
from tests.bench.next_fire import next_fires
from tests.support.stack import Stack, eventually, free_port

SLOTS = 2_000


def main() -> int:
    options = _options()
    if options.what == "schedules":
        with tempfile.TemporaryDirectory(prefix="batonpass-bench-") as folder:
            print(scale.run(Path(folder), options.scale))
        return 0
    table = Table()
    with tempfile.TemporaryDirectory(prefix="batonpass-bench-") as folder:
        starts = Path(folder) / "starts.json"
        with Stack(Path(folder) / "stack", env={"BENCH_STARTS": str(starts)}, tell=False) as stack:
            stack.start()
            bench = Bench(stack, starts, options.runs, options.scale)
            of_stack = (bench.enqueue, bench.drain, bench.idle_latency, bench.events, bench.lateness)
            for measure in (next_fires, *of_stack):
                print(f"measuring: {measure.__name__.replace('_', ' ')}", file=sys.stderr, flush=True)
                measure(table)
    print(table)
    return 0


class Bench:
    """The measures. `scale` multiplies the numbers of tasks."""

    def __init__(self, stack: Stack, starts: Path, runs: int, scale: float) -> None:
        self._stack = stack
        self._starts = starts
        self._runs = range(runs)
        self._scale = scale

    def enqueue(self, table: Table) -> None:
        """Unary calls beside a bare echo, batches beside bare SQL; the backlog stays for `drain`."""
        single, echo, batch, bare = [], [], [], []
        queue = self._stack.queue_address
        with _echo_server() as echo_address:
            for run in self._runs:
                echo.append(asyncio.run(load.echo(echo_address, self._count(5_000))))
                single.append(asyncio.run(load.enqueue_single(queue, f"single-{run}", self._count(5_000))))
        for run in self._runs:
            bare.append(asyncio.run(self._bare("enqueue", self._count(20_000), 500)))
            batch.append(asyncio.run(load.enqueue_batches(queue, f"batch-{run}", self._count(20_000))))
        table.rate("enqueue, unary, 64 callers", Rate(single), Rate(echo), "bare echo")
        table.rate("enqueue, batches of 500", Rate(batch), Rate(bare), "bare SQL")

    def drain(self, table: Table) -> None:
        """The backlog of `enqueue` first, then one backlog a run."""
        rates, bare = [], []
        self._drained()
        for run in self._runs:
            tasks = self._count(20_000)
            asyncio.run(load.enqueue_batches(self._stack.queue_address, f"drain-{run}", tasks))
            asyncio.run(self._execute("VACUUM ANALYZE"))
            seconds = sorted(self._drained().values())
            assert len(seconds) == tasks, f"{len(seconds)} of {tasks} tasks ran"
            rates.append(tasks / (seconds[-1] - seconds[0]))
            asyncio.run(self._bare("enqueue", tasks, 500, keep=False))
            bare.append(asyncio.run(self._bare("drain", tasks, 1_000, keep=True)))
        table.rate("drain, one agent, no-op handlers", Rate(rates), Rate(bare), "bare SQL, batches of 1000")

    def idle_latency(self, table: Table) -> None:
        """One task every 50 ms on an idle queue."""
        agent = self._agent()
        sent = asyncio.run(load.paced_tasks(self._stack.queue_address, "idle", self._count(400), 20))
        self._wait_empty()
        agent.stop()
        started = json.loads(self._starts.read_text())
        table.latency(
            "idle: enqueue call -> handler start", Latency([started[task] - at for task, at in sent.items()])
        )

    def events(self, table: Table) -> None:
        """One event every 50 ms."""
        sent = asyncio.run(load.paced_events(self._stack.scheduler_address, "event", self._count(400), 20))
        accepted = self._accepted(len(sent), "listen-event.%")
        table.latency(
            "event call -> task accepted", Latency([accepted[task] - at for task, at in sent.items()])
        )

    def lateness(self, table: Table) -> None:
        """A thousand schedules at one instant."""
        schedules = self._count(1_000)
        instant = int(time.time()) + 15
        asyncio.run(load.schedules_at(self._stack.scheduler_address, "herd", schedules, instant))
        accepted = self._accepted(schedules, "herd-%")
        name = f"lateness of {schedules:,} schedules due at once"
        table.latency(name, Latency([at - instant for at in accepted.values()]))

    def _count(self, number: int) -> int:
        return max(20, int(number * self._scale))

    def _agent(self):  # type: ignore[no-untyped-def]
        self._starts.unlink(missing_ok=True)
        return self._stack.start_agent(
            "bench", "--handlers", "tests.bench.handlers:worker", "--concurrency", str(SLOTS)
        )

    def _drained(self) -> dict[str, float]:
        """Runs an agent until the queue is empty; returns when each task started."""
        agent = self._agent()
        self._wait_empty()
        agent.stop()
        return dict(json.loads(self._starts.read_text()))

    def _wait_empty(self) -> None:
        eventually(
            lambda: not asyncio.run(self._fetch("SELECT FROM queue.tasks LIMIT 1")),
            "the queue is empty",
            300,
            0.2,
        )

    def _accepted(self, count: int, pattern: str) -> dict[str, float]:
        """When the queue accepted the tasks, in seconds of the database's wall clock."""
        columns = "task_id, extract(epoch FROM enqueued_at)::float8 AS at"
        sql = " UNION ALL ".join(
            f"SELECT {columns} FROM queue.{table} WHERE task_id LIKE $1" for table in ("tasks", "history")
        )
        rows = eventually(
            lambda: len(r := asyncio.run(self._fetch(sql, pattern))) >= count and r,
            f"{count} tasks accepted",
            120,
        )
        return {row["task_id"]: row["at"] for row in rows}

    async def _bare(self, what: str, tasks: int, batch: int, keep: bool = False) -> float:
        connection = await asyncpg.connect(self._stack.database_url)
        try:
            bare = BareSql(connection)
            if not keep:
                await bare.prepare()
            rate: float = await getattr(bare, what)(tasks, batch)
            return rate
        finally:
            await connection.close()

    async def _fetch(self, sql: str, *values: object) -> "list[asyncpg.Record]":
        connection = await asyncpg.connect(self._stack.database_url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(sql, *values)
            return rows
        finally:
            await connection.close()

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self._stack.database_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


class _echo_server:
    """A bare grpc.aio server in a process of its own."""

    def __enter__(self) -> str:
        address = f"127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "tests.bench.echo", address]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return address

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("product", "schedules"),
        default="product",
        help="the whole product, or how far the scheduler scales (see scale.py; about 15 minutes)",
    )
    parser.add_argument("--runs", type=int, default=3, help="runs of each rate (default 3)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="multiplies the numbers of tasks (default 1)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
