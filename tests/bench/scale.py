"""How far the scheduler scales: `./dev bench schedules`.

A population of schedules of which none is due, at two sizes, and beside each size what is asked of the
service all the same: an idle minute's CPU, 100 fires a second, reads, 10,000 fires in one second. Then the
same herd by one replica and by three. PostgreSQL is durable; services, database and client share the machine.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from batonpass.scheduler.v1 import schedule_service_pb2 as service_pb
from batonpass.scheduler.v1.schedule_service_pb2_grpc import ScheduleServiceStub

from tests.bench import load, schedules
from tests.bench.figures import Latency, Table
from tests.support.stack import Stack, eventually

FEW, MANY = 1_000, 1_000_000
HERD = 10_000
PER_SECOND = 100
IDLE = 20.0
STEADY = 30.0
READS = 50


def run(folder: Path, scale: float) -> Table:
    """`scale` multiplies the larger population and the herds."""
    table, many, herd = Table(), max(FEW, int(MANY * scale)), max(100, int(HERD * scale))
    with Stack(folder / "one", tell=False) as stack:
        stack.start()
        bench = _Scale(stack, table)
        bench.at_size(FEW, herd)
        bench.at_size(many, herd)
    with Stack(folder / "three", replicas=3, queues=1, tell=False) as stack:
        stack.start()
        _compare_replicas(stack, table, 3 * herd)
    return table


class _Scale:
    """One replica of each service."""

    def __init__(self, stack: Stack, table: Table) -> None:
        self._stack = stack
        self._table = table
        self._stored = 0
        self._scheduler = psutil.Process(stack.scheduler.pid)

    def at_size(self, size: int, herd: int) -> None:
        """Fills up to `size` and measures there."""
        rate = self._fill(size)
        name = f"{size:,} stored"
        self._table.add(f"{name}: bulk create", f"{rate:,.0f}/s")
        _say(f"{name}: idle")
        self._table.add(f"{name}: CPU, nothing due", f"{100 * self._cpu(IDLE):.1f} %")
        self._steady(name)
        self._reads(name, size)
        _say(f"{name}: herd of {herd:,}")
        late = _herd(self._stack, f"herd-{size}", herd)
        self._table.latency(f"{name}: lateness, {herd:,} due in one second", late)
        memory = self._scheduler.memory_info().rss / 1024**2
        self._table.add(f"{name}: memory of the scheduler", f"{memory:,.0f} MiB")

    def _fill(self, size: int) -> float:
        start = datetime.now(UTC) + timedelta(days=1)
        wanted = islice(schedules.population(size, start), self._stored, None)
        count, self._stored = size - self._stored, size
        seconds = asyncio.run(load.create_batches(self._stack.scheduler_address, wanted, _progress(count)))
        asyncio.run(_execute(self._stack, "VACUUM ANALYZE"))
        return count / seconds

    def _cpu(self, seconds: float) -> float:
        """Share of one core that the scheduler takes."""
        before = self._scheduler.cpu_times()
        time.sleep(seconds)
        after = self._scheduler.cpu_times()
        return (after.user + after.system - before.user - before.system) / seconds

    def _steady(self, name: str) -> None:
        _say(f"{name}: {PER_SECOND} a second")
        address = self._stack.scheduler_address
        steady = list(schedules.steady(f"steady-{self._stored}", PER_SECOND))
        asyncio.run(load.create_batches(address, steady))
        begin = datetime.now(UTC) + timedelta(seconds=3)
        time.sleep(3)
        cpu = self._cpu(STEADY)
        end = datetime.now(UTC)
        asyncio.run(load.delete_schedules(address, steady))
        late = asyncio.run(_lateness(self._stack, f"steady-{self._stored}-%", begin, end))
        self._table.add(f"{name}: CPU, {PER_SECOND} fires a second", f"{100 * cpu:.1f} %")
        self._table.latency(f"{name}: lateness, {PER_SECOND} fires a second", Latency(late))

    def _reads(self, name: str, size: int) -> None:
        _say(f"{name}: reads")
        for what, latency in asyncio.run(_read(self._stack.scheduler_address, size)).items():
            self._table.latency(f"{name}: {what}", latency)


async def _read(address: str, size: int) -> dict[str, Latency]:
    """Reads of each kind, one after another, at places all over the population."""
    one = [f"job-{number * size // READS:07}" for number in range(READS)]
    async with load.channel(address) as link:
        stub: Any = ScheduleServiceStub(link)
        page = service_pb.ListSchedulesRequest(page_size=100)
        tokens = [(await stub.ListSchedules(page, timeout=60)).next_page_token]
        for _ in range(READS):
            page.page_token = tokens[-1]
            tokens.append((await stub.ListSchedules(page, timeout=60)).next_page_token)
        pages = [service_pb.ListSchedulesRequest(page_size=100, page_token=token) for token in tokens]
        labelled = service_pb.ListSchedulesRequest(page_size=100, labels={"team": "team-7"})
        return {
            "list, a page of 100": await _timed(stub.ListSchedules, pages),
            "list, by label": await _timed(stub.ListSchedules, [labelled] * 10),
            "get": await _timed(
                stub.GetSchedule, [service_pb.GetScheduleRequest(schedule_id=id) for id in one]
            ),
            "preview": await _timed(
                stub.PreviewSchedule, [service_pb.PreviewScheduleRequest(schedule_id=id) for id in one]
            ),
            "stats of all": await _timed(stub.GetScheduleStats, [service_pb.GetScheduleStatsRequest()] * 10),
        }


async def _timed(call: Callable[..., Awaitable[object]], requests: Iterable[object]) -> Latency:
    seconds = []
    for request in requests:
        begin = time.perf_counter()
        await call(request, timeout=60)
        seconds.append(time.perf_counter() - begin)
    return Latency(seconds)


def _compare_replicas(stack: Stack, table: Table, herd: int) -> None:
    """A herd by one replica, then one by three; the rate counts from the instant to the last acceptance."""
    for other in stack.schedulers[1:]:
        other.stop()
    _say(f"one replica, herd of {herd:,}")
    one = herd / _herd(stack, "alone", herd).quantile(1.0)
    for other in stack.schedulers[1:]:
        other.start()
    stack.wait_serving()
    eventually(lambda: asyncio.run(_senders(stack)) == 3, "three replicas share the outbox", 30)
    _say(f"three replicas, herd of {herd:,}")
    three = herd / _herd(stack, "together", herd).quantile(1.0)
    table.add(
        f"{herd:,} due in one second: three replicas", f"{three:,.0f}/s", f"one {one:,.0f}/s", three / one
    )


async def _senders(stack: Stack) -> int:
    """Sessions that hold advisory locks of the scheduler: one a replica."""
    rows = await _fetch(
        stack,
        "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND application_name = 'batonpass-scheduler-locks'",
    )
    return int(rows[0][0])


def _herd(stack: Stack, name: str, count: int) -> Latency:
    """Lateness of `count` schedules that come due in the same second."""
    instant = int(time.time()) + 10 + count / 1_000
    asyncio.run(load.create_batches(stack.scheduler_address, schedules.herd(name, count, instant)))
    begin = datetime.fromtimestamp(int(instant), UTC)
    assert time.time() < instant, "the herd was not made in time"

    def late() -> list[float]:
        return asyncio.run(_lateness(stack, f"{name}-%", begin, begin))

    time.sleep(instant - time.time() + 1)
    eventually(lambda: len(late()) >= count, f"{count} tasks accepted", 300, every=1)
    return Latency(late())


async def _lateness(stack: Stack, pattern: str, begin: datetime, end: datetime) -> list[float]:
    """Seconds from the nominal instant to the acceptance by the queue, of fires from `begin` to `end`."""
    rows = await _fetch(
        stack,
        "SELECT extract(epoch FROM enqueued_at - nominal_at)::float8 FROM queue.tasks "
        "WHERE schedule_id LIKE $1 AND nominal_at BETWEEN $2 AND $3",
        pattern,
        begin,
        end,
    )
    return [row[0] for row in rows]


async def _fetch(stack: Stack, sql: str, *values: object) -> list[Any]:
    connection = await asyncpg.connect(stack.database_url)
    try:
        return list(await connection.fetch(sql, *values))
    finally:
        await connection.close()


async def _execute(stack: Stack, sql: str) -> None:
    connection = await asyncpg.connect(stack.database_url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _progress(count: int) -> Callable[[int], None]:
    """Says now and then how many of `count` are done."""
    begin = said = time.perf_counter()

    def tell(done: int) -> None:
        nonlocal said
        if time.perf_counter() - said > 5:
            said = time.perf_counter()
            _say(f"{done:,} of {count:,} created, {done / (said - begin):,.0f}/s")

    return tell


def _say(text: str) -> None:
    print(f"measuring: {text}", file=sys.stderr, flush=True)
