"""How long it takes to compute the next fire of a plain five-field expression, beside croniter and cronsim.

Each walks the same instants of the same expressions in one zone; the time of a fire is that of the whole
walk divided by its length, construction and, with us, every cache of the engine included.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

from scheduler_service.domain.spec import CronSpec
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.timing import Timing
from tests.bench.figures import Rate, Table

EXPRESSIONS: Final = ("*/5 * * * *", "*/15 9-17 * * MON-FRI", "0 2 * * *", "30 3 1,15 * *", "0 6 * * 0")
ZONE: Final = "Europe/Berlin"
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class NextFire:
    """Fires computed a second, one figure for each run."""

    ours: Rate
    croniter: Rate
    cronsim: Rate


def next_fire(runs: int, fires: int) -> NextFire:
    """`fires` of each expression in each run; the three take turns."""
    rates: dict[str, list[float]] = {name: [] for name in _WALKS}
    for run in range(runs):
        for name, walk in _WALKS.items():
            start = _START.replace(year=_START.year + run)
            rates[name].append(_rate(walk, start, fires))
    return NextFire(**{name: Rate(values) for name, values in rates.items()})


def _rate(walk: Callable[[str, datetime], Iterator[datetime]], start: datetime, fires: int) -> float:
    began = time.perf_counter()
    found = sum(sum(1 for _ in islice(walk(text, start), fires)) for text in EXPRESSIONS)
    return found / (time.perf_counter() - began)


def _ours(expression: str, start: datetime) -> Iterator[datetime]:
    table = timetable(Timing(specs=(CronSpec(expression),), time_zone=ZONE))
    instant = table.next_after(start)
    while instant is not None:
        yield instant
        instant = table.next_after(instant)


def _croniter(expression: str, start: datetime) -> Iterator[datetime]:
    search = croniter(expression, start.astimezone(ZoneInfo(ZONE)))
    while True:
        yield search.get_next(datetime)


def _cronsim(expression: str, start: datetime) -> Iterator[datetime]:
    return CronSim(expression, start.astimezone(ZoneInfo(ZONE)))


_WALKS: Final = {"ours": _ours, "croniter": _croniter, "cronsim": _cronsim}


def next_fires(table: Table) -> None:
    """The rows of the bench."""
    found = next_fire(runs=3, fires=1_000)
    table.rate("next fire, five fields", found.ours, found.croniter, "croniter")
    table.rate("next fire, five fields", found.ours, found.cronsim, "cronsim")
