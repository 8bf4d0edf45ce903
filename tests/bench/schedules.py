"""Schedules as a large installation has them: expressions, zones, labels; the same for a number for ever."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

ZONES = {
    "UTC": 300,
    "Asia/Shanghai": 140,
    "Asia/Kolkata": 140,
    "America/New_York": 60,
    "Europe/Berlin": 50,
    "America/Sao_Paulo": 40,
    "Asia/Jakarta": 40,
    "Africa/Lagos": 40,
    "America/Los_Angeles": 35,
    "America/Chicago": 35,
    "Asia/Tokyo": 30,
    "Europe/Moscow": 25,
    "America/Mexico_City": 25,
    "Africa/Cairo": 20,
    "Europe/London": 20,
    "Asia/Manila": 15,
    "Australia/Sydney": 8,
    "America/St_Johns": 1,
    "Australia/Lord_Howe": 1,
    "Pacific/Apia": 1,
}
"""By population, about; many a server's clock stands on UTC."""

Chance = random.Random


def population(count: int, start: datetime) -> Iterator[pb.Schedule]:
    """`count` schedules, none of which is due before `start`."""
    begin = Timestamp(seconds=int(start.timestamp()))
    for number in range(count):
        chance = random.Random(number)
        kind = chance.choices(_KINDS, _SHARES)[0]
        yield pb.Schedule(
            schedule_id=f"job-{number:07}",
            specs=kind(chance),
            time_zone=chance.choices(_NAMES, _PEOPLE)[0],
            start_time=begin,
            template=task_pb2.TaskTemplate(handler=f"name:job-{chance.randrange(200)}"),
            labels={"team": f"team-{chance.randrange(50)}"} if chance.random() < 0.5 else {},
        )


def steady(name: str, count: int) -> Iterator[pb.Schedule]:
    """Schedules that fire once a second each, evenly spread over it."""
    for number in range(count):
        phase = Duration(nanos=number * 1_000_000_000 // count // 1_000_000 * 1_000_000)
        yield pb.Schedule(
            schedule_id=f"{name}-{number:05}",
            specs=[pb.ScheduleSpec(interval=pb.IntervalSpec(every=Duration(seconds=1), phase=phase))],
            template=task_pb2.TaskTemplate(handler="name:noop"),
            overlap_policy=task_pb2.OVERLAP_POLICY_ALLOW_ALL,
        )


def herd(name: str, count: int, instant: float) -> Iterator[pb.Schedule]:
    """Cron schedules with the default overlap policy, all first due at the second of `instant`."""
    at = datetime.fromtimestamp(int(instant), UTC)
    cron = pb.CronSpec(expression=f"{at.second} {at.minute} {at.hour} * * *", seconds=pb.SECONDS_FIELD_FIRST)
    for number in range(count):
        yield pb.Schedule(
            schedule_id=f"{name}-{number:05}",
            specs=[pb.ScheduleSpec(cron=cron)],
            template=task_pb2.TaskTemplate(handler="name:noop"),
        )


def _cron(expression: str) -> list[pb.ScheduleSpec]:
    return [pb.ScheduleSpec(cron=pb.CronSpec(expression=expression))]


def _minutely(chance: Chance) -> list[pb.ScheduleSpec]:
    return _cron(chance.choice(["* * * * *", "*/2 * * * *", "*/5 * * * *", "*/10 6-22 * * 1-5"]))


def _hourly(chance: Chance) -> list[pb.ScheduleSpec]:
    return _cron(f"{_minute(chance)} {chance.choice(['*', '*/2', '*/6', '8-18'])} * * *")


def _daily(chance: Chance) -> list[pb.ScheduleSpec]:
    return _cron(f"{_minute(chance)} {_hour(chance)} * * {chance.choice(['*', '*', '1-5'])}")


def _weekly(chance: Chance) -> list[pb.ScheduleSpec]:
    return _cron(f"{_minute(chance)} {_hour(chance)} * * {chance.randrange(7)}")


def _monthly(chance: Chance) -> list[pb.ScheduleSpec]:
    day = chance.choice(["1", "1", "15", "L", "LW", str(chance.randrange(1, 29))])
    return _cron(f"{_minute(chance)} {_hour(chance)} {day} * *")


def _yearly(chance: Chance) -> list[pb.ScheduleSpec]:
    return _cron(f"{_minute(chance)} {_hour(chance)} {chance.randrange(1, 29)} {chance.randrange(1, 13)} *")


def _interval(chance: Chance) -> list[pb.ScheduleSpec]:
    every = chance.choice([60, 300, 900, 3600, 5400, 86400])
    interval = pb.IntervalSpec(every=Duration(seconds=every), phase=Duration(seconds=chance.randrange(every)))
    return [pb.ScheduleSpec(interval=interval)]


def _union(chance: Chance) -> list[pb.ScheduleSpec]:
    return [*_daily(chance), *_weekly(chance)]


def _minute(chance: Chance) -> int:
    """People like full hours."""
    return chance.choice([0, 0, 0, 30, 15, chance.randrange(60)])


def _hour(chance: Chance) -> int:
    """Work is planned for the night, and for the beginning of the day."""
    return chance.choice([0, 1, 2, 3, 4, 5, 6, 8, 9, chance.randrange(24)])


_SHARES_BY_KIND: dict[Callable[[Chance], list[pb.ScheduleSpec]], int] = {
    _minutely: 5,
    _hourly: 15,
    _daily: 40,
    _weekly: 15,
    _monthly: 10,
    _yearly: 3,
    _interval: 10,
    _union: 2,
}
_KINDS, _SHARES = list(_SHARES_BY_KIND), list(_SHARES_BY_KIND.values())
_NAMES, _PEOPLE = list(ZONES), list(ZONES.values())
