"""`batonpass process`: waits until everything that is due has run."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from batonpass.cli import flags, format
from batonpass.cli.failure import Failure, Unfinished
from batonpass.cli.output import Record
from batonpass.cli.program import program
from batonpass.cli.records import task as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.tables import milliseconds
from batonpass.cli.unfinished import open_tasks, stuck_tasks, unsettled_fires
from batonpass.cli.verb import INTERRUPTED, Verb
from batonpass.cli.views.task import why as why_it_waits
from batonpass.queue.v1 import queue_service_pb2 as queue_pb
from batonpass.scheduler.v1 import schedule_service_pb2 as scheduler_pb

PATIENCE: Final = 2.0
"""Seconds after which a wait says what holds it up."""

_SHOWN: Final = 20


class Wait:
    """One wait: what has ended so far, what has not, and how much time is left."""

    def __init__(self, session: Session, queue: str, timeout: timedelta) -> None:
        self._session = session
        self._queue = queue
        self._until = time.monotonic() + timeout.total_seconds()
        self.ended: list[Record] = []
        self.awaited = 0
        self.remaining = 0
        self.fires = 0
        self.waiting: list[Record] = []
        self.late = False
        self.interrupted = False

    @property
    def failed(self) -> int:
        """Tasks that failed for good."""
        return sum(task["status"] == "failed" for task in self.ended)

    def run(self) -> None:
        """Returns when all is done, when the time is up (`late`) or at Ctrl-C (`interrupted`).

        `waiting` and `fires` then say what is still open.
        """
        try:
            with warned(self._session, self._queue):
                self._hand_over()
                self._follow()
        except KeyboardInterrupt:
            self.interrupted = True
            self._look()
        except Failure as failure:
            if failure.fault.code != "DEADLINE_EXCEEDED":
                raise
            self.late = self._look() or len(self.ended) < self.awaited

    def _look(self) -> bool:
        """Whether anything is still open; a service may be away, and that is then a part of the answer."""
        try:
            self.fires = unsettled_fires(self._session)
            self.waiting = open_tasks(self._session, self._queue)
        except Failure as failure:
            self._session.fail(failure)
            return True
        return bool(self.fires or self.waiting)

    def _hand_over(self) -> None:
        self._session.schedules.AwaitHandover(scheduler_pb.AwaitHandoverRequest(), timeout=self._left())

    def _follow(self) -> None:
        request = queue_pb.AwaitTasksRequest(queue=self._queue)
        for message in self._session.tasks.AwaitTasks(request, timeout=self._left()):
            self.remaining = message.remaining
            if message.HasField("task"):
                self._end(records.record(message.task))
            else:
                self.awaited = message.remaining

    def _left(self) -> float:
        return max(self._until - time.monotonic(), 0.001)

    def _end(self, task: Record) -> None:
        self.ended.append(task)
        if self._session.form == "table":
            self._session.say(task, line(task))

    def record(self) -> Record:
        """The result as a whole."""
        return {
            "awaited": self.awaited,
            "succeeded": sum(task["status"] == "completed" for task in self.ended),
            "failed": self.failed,
            "remaining": self.remaining,
            "unsettled_fires": self.fires,
            "tasks": self.ended,
            "waiting": self.waiting,
        }


@click.command(cls=Verb, examples="batonpass process\nbatonpass process --timeout 10m -o json")
@click.option("--timeout", type=flags.DURATION, default="60s", show_default=True, help="How long to wait.")
@flags.any_queue()
@pass_session
def process(session: Session, timeout: timedelta, queue: str) -> None:
    """Wait until everything that is due has run, and show each task as it ends.

    Due means at the time of the call. Tasks without a handler are left to pull clients, so they are not
    waited for. Exit code 1 when a task failed for good, or when the time is up before all have ended. Ctrl-C
    ends the wait, not the tasks.
    """
    wait = Wait(session, queue, timeout)
    wait.run()
    session.say(wait.record(), *_summary(wait, timeout))
    if wait.interrupted:
        raise click.exceptions.Exit(INTERRUPTED)
    if wait.late or wait.failed:
        raise Unfinished


@contextmanager
def warned(session: Session, queue: str) -> Iterator[None]:
    """Says once, on stderr, which tasks nobody can run, when what is inside takes longer than a moment."""
    _ = session.tasks  # A channel is opened by one thread only.
    timer = threading.Timer(PATIENCE, _warn, (session, queue))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _warn(session: Session, queue: str) -> None:
    """A service that is away is told about by the wait itself; ValueError: the wait is over."""
    with suppress(Failure, ValueError):
        stuck = stuck_tasks(session, queue)
        if stuck:
            reasons = [_reason(task) for task in stuck[:_SHOWN]]
            session.note("\n".join(["Nobody can run these for now:", *reasons, *_rest(len(stuck))]))


def line(task: Record) -> str:
    """A task that has ended, in one line."""
    words = [
        f"{datetime.now(UTC):%H:%M:%SZ}",
        f"{task['state']:<9}",
        task["task_id"],
        f"attempt {task['attempt']}",
        milliseconds(task["duration_ms"]) and f"took {milliseconds(task['duration_ms'])}",
        task["executor"] and f"on {task['executor']}",
        task["error"] and f"- {task['error'].splitlines()[0]}",
    ]
    return "  ".join(word for word in words if word)


def _summary(wait: Wait, timeout: timedelta) -> list[str]:
    states = Counter(task["state"].lower() for task in wait.ended)
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    if not wait.late and not wait.interrupted:
        return [f"All is done: {counts}." if wait.ended else "Nothing was due."]
    cause = "Interrupted" if wait.interrupted else f"Time is up after {format.duration(timeout)}"
    who = "1 fire waits" if wait.fires == 1 else f"{wait.fires} fires wait"
    fires = [f"  {who} for the queue's verdict"] if wait.fires else []
    reasons = [*fires, *map(_reason, wait.waiting[:_SHOWN]), *_rest(len(wait.waiting))]
    still = "still open:" if reasons else "nothing is known to be open."
    return [f"{cause} ({counts or 'nothing has ended'}); {still}", *reasons]


def _rest(count: int) -> list[str]:
    more = count - _SHOWN
    return [f"  and {more} more: {program()} task list"] if more > 0 else []


def _reason(task: Record) -> str:
    match task["state"]:
        case "RUNNING":
            why = f"runs on {task['executor']} since {task['started_at']}"
        case "OFFERED":
            why = f"is offered to {task['executor']}"
        case "SCHEDULED":
            why = f"waits for attempt {task['attempt']} at {task['run_at']}"
        case _:
            why = f"waits: {why_it_waits(task) or 'for its turn'}"
    return f"  {task['task_id']} {why}"
