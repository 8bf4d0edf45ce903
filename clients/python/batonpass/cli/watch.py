"""`batonpass watch`: what happens to tasks, as it happens."""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

import click

from batonpass.cli import flags, format, output
from batonpass.cli.failure import Failure
from batonpass.cli.output import Record
from batonpass.cli.records import queue as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb
from batonpass.cli.views import activity as views
from batonpass.queue.v1 import queue_service_pb2 as pb

_PASSING: Final = {"UNAVAILABLE", "CANCELLED", "UNKNOWN", "INTERNAL", "RESOURCE_EXHAUSTED", "ABORTED"}
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 5.0


@click.command(
    cls=Verb,
    examples="""
    batonpass watch
    batonpass watch --for 1m -o json | jq .task_id
    batonpass watch --limit 10
    """,
)
@flags.any_queue()
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after this many.  [default: never]")
@click.option("--for", "span", type=flags.DURATION, help="Stop after this time.  [default: never]")
@pass_session
def watch(session: Session, queue: str, limit: int | None, span: timedelta | None) -> None:
    """Show what happens to tasks as it happens: taken in, offered, started, ended, retried.

    It comes over a stream, without polling, and begins anew when the service comes back. With -o json, one
    object a line. Ctrl-C ends it.
    """
    happened = islice(Watch(session, queue, span).records(), limit)
    try:
        _show(session, happened)
    except KeyboardInterrupt:
        click.echo(err=True)


def _show(session: Session, happened: Iterator[Record]) -> None:
    if session.form != "table":
        for record in happened:
            click.echo(output.dump(record, session.form, line=True), nl=False)
    elif sys.stdout.isatty():
        views.live(happened, f"namespace {session.namespace}, {session.queue.peer.address}")
    else:
        for record in happened:
            click.echo(format.printable(views.line(record)))


class Watch:
    """One watch over all its streams. `span` is how long it goes on, None = for ever."""

    def __init__(self, session: Session, queue: str, span: timedelta | None) -> None:
        self._session = session
        self._request = pb.WatchActivityRequest(queue=queue)
        self._until = None if span is None else time.monotonic() + span.total_seconds()
        self._begun = False
        self._delay = _FIRST_DELAY

    def records(self) -> Iterator[Record]:
        """What happens, until the time is up. Raises Failure when it cannot begin, or never again."""
        while True:
            try:
                yield from self._stream()
                reason = "the queue service ended the watch"
            except Failure as failure:
                if failure.fault.code == "DEADLINE_EXCEEDED" and self._until is not None:
                    return
                if not self._begun or failure.fault.code not in _PASSING:
                    raise
                reason = failure.fault.message
            self._pause(reason)

    def _stream(self) -> Iterator[Record]:
        for message in self._session.tasks.WatchActivity(self._request, timeout=self._left()):
            self._welcome()
            yield from map(records.activity, message.activities)

    def _welcome(self) -> None:
        """The first message says that nothing from here on is missed."""
        if not self._begun or self._delay != _FIRST_DELAY:
            self._session.note(f"Watching the queue at {self._session.queue.peer.address}.")
        self._begun, self._delay = True, _FIRST_DELAY

    def _pause(self, reason: str) -> None:
        self._session.note(f"{reason[:1].upper()}{reason[1:]}; trying again in {self._delay:g} s.")
        time.sleep(self._delay)
        self._delay = min(2 * self._delay, _LONGEST_DELAY)

    def _left(self) -> float | None:
        return None if self._until is None else max(self._until - time.monotonic(), 0.001)
