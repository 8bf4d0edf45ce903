"""Reads happen as often as they are cheap, and silence counts only when one could have been heard."""

from datetime import UTC, datetime, timedelta

from queue_service.app.pace import Pace
from queue_service.app.quiet import Quiet

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Seconds:
    """A monotonic clock by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(pace: Pace, seconds: Seconds, takes: float) -> float:
    pace.begin()
    seconds.now += takes
    pace.end()
    return pace.wait()


def test_cheap_reads_may_follow_each_other() -> None:
    """1 ms of work every 20 ms."""
    seconds = Seconds()
    assert round(run(Pace(monotonic=seconds), seconds, 0.001), 6) == 0.019


def test_dear_reads_take_a_twentieth_of_the_time() -> None:
    """7 s of work every 140 s."""
    seconds = Seconds()
    assert round(run(Pace(timedelta(seconds=1), seconds), seconds, 7), 6) == 133


def test_a_single_long_read_is_no_reason_to_wait() -> None:
    """The process was busy with something else; only what is dear time after time runs seldom."""
    seconds = Seconds()
    pace = Pace(monotonic=seconds)
    run(pace, seconds, 0.001)
    assert run(pace, seconds, 2) < 0.02
    for _ in range(4):
        wait = run(pace, seconds, 2)
    assert wait == 38


def test_least_distance_counts_from_the_beginning() -> None:
    """A read each second stays one each second, whatever it takes below 50 ms."""
    seconds = Seconds()
    pace = Pace(timedelta(seconds=1), seconds)
    assert pace.wait() == 0
    assert round(run(pace, seconds, 0.01), 6) == 0.99
    seconds.now += 1
    assert pace.wait() == 0


def quiet() -> tuple[Quiet, Seconds]:
    seconds = Seconds()
    return Quiet(timedelta(seconds=18), timedelta(seconds=15), seconds), seconds


def test_nobody_is_judged_after_a_start() -> None:
    """Agents need time to come back after the queue has been away."""
    watch, seconds = quiet()
    assert not watch.look(NOW)
    seconds.now += 10
    assert not watch.look(NOW + timedelta(seconds=10))
    seconds.now += 8
    assert watch.look(NOW + timedelta(seconds=18))


def test_a_break_starts_it_anew() -> None:
    """A process that was stopped, or had no database, heard nobody meanwhile."""
    watch, seconds = quiet()
    watch.look(NOW)
    seconds.now += 40
    assert not watch.look(NOW + timedelta(seconds=40))
    for passed in (50, 58):
        seconds.now = 100 + passed
        judged = watch.look(NOW + timedelta(seconds=passed))
    assert judged


def test_a_jump_of_the_clock_starts_it_anew() -> None:
    """An hour forward expires no session that was renewed a second ago."""
    watch, seconds = quiet()
    watch.look(NOW)
    seconds.now += 10
    watch.look(NOW + timedelta(seconds=10))
    seconds.now += 10
    assert not watch.look(NOW + timedelta(hours=1, seconds=20))
    seconds.now += 10
    assert not watch.look(NOW + timedelta(hours=1, seconds=30))
    seconds.now += 10
    assert watch.look(NOW + timedelta(hours=1, seconds=40))
