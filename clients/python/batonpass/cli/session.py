"""What one command line works with: where the services are, who asks, and how results are printed."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batonpass.cli import output
from batonpass.cli.failure import Failure

if TYPE_CHECKING:
    from batonpass.cli.connect import Connection
    from batonpass.client.endpoints import TlsFiles
    from batonpass.queue.v1.pull_service_pb2_grpc import PullServiceStub
    from batonpass.queue.v1.queue_service_pb2_grpc import QueueServiceStub
    from batonpass.scheduler.v1.backfill_service_pb2_grpc import BackfillServiceStub
    from batonpass.scheduler.v1.calendar_service_pb2_grpc import CalendarServiceStub
    from batonpass.scheduler.v1.event_service_pb2_grpc import EventServiceStub
    from batonpass.scheduler.v1.schedule_service_pb2_grpc import ScheduleServiceStub
    from batonpass.scheduler.v1.template_service_pb2_grpc import TemplateServiceStub


@dataclass
class Session:
    """The options that hold for the whole command line; channels are opened when they are first used.

    An address is `HOST:PORT`, or None to look it up. `timeout` is the deadline of a unary call.
    """

    form: str
    namespace: str
    actor: str
    timeout: timedelta
    scheduler_address: str | None = None
    queue_address: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None

    @property
    def tls(self) -> "TlsFiles | None":
        """The files of mutual TLS; None for plaintext."""
        from batonpass.client.endpoints import TlsFiles

        cert, key = (Path(name) if name else None for name in (self.tls_cert, self.tls_key))
        return TlsFiles(Path(self.tls_ca), cert, key) if self.tls_ca else None

    @cached_property
    def scheduler(self) -> "Connection":
        """The scheduler service."""
        from batonpass.cli.connect import connect

        return connect("scheduler", self.scheduler_address, self)

    @cached_property
    def queue(self) -> "Connection":
        """The queue service."""
        from batonpass.cli.connect import connect

        return connect("queue", self.queue_address, self)

    @cached_property
    def schedules(self) -> "ScheduleServiceStub":
        """Calls about schedules."""
        from batonpass.scheduler.v1.schedule_service_pb2_grpc import ScheduleServiceStub

        return ScheduleServiceStub(self.scheduler.channel)

    @cached_property
    def events(self) -> "EventServiceStub":
        """Calls about events."""
        from batonpass.scheduler.v1.event_service_pb2_grpc import EventServiceStub

        return EventServiceStub(self.scheduler.channel)

    @cached_property
    def backfills(self) -> "BackfillServiceStub":
        """Calls about backfills."""
        from batonpass.scheduler.v1.backfill_service_pb2_grpc import BackfillServiceStub

        return BackfillServiceStub(self.scheduler.channel)

    @cached_property
    def calendars(self) -> "CalendarServiceStub":
        """Calls about calendars."""
        from batonpass.scheduler.v1.calendar_service_pb2_grpc import CalendarServiceStub

        return CalendarServiceStub(self.scheduler.channel)

    @cached_property
    def templates(self) -> "TemplateServiceStub":
        """Calls about schedule templates."""
        from batonpass.scheduler.v1.template_service_pb2_grpc import TemplateServiceStub

        return TemplateServiceStub(self.scheduler.channel)

    @cached_property
    def tasks(self) -> "QueueServiceStub":
        """Calls about tasks, limits and executors."""
        from batonpass.queue.v1.queue_service_pb2_grpc import QueueServiceStub

        return QueueServiceStub(self.queue.channel)

    @cached_property
    def pull(self) -> "PullServiceStub":
        """Calls about leases."""
        from batonpass.queue.v1.pull_service_pb2_grpc import PullServiceStub

        return PullServiceStub(self.queue.channel)

    def close(self) -> None:
        """Closes the channels that were opened."""
        for name in ("scheduler", "queue"):
            if name in self.__dict__:
                getattr(self, name).channel.close()

    def show(self, record: output.Record, view: output.View) -> None:
        """Prints a result; `view` makes what people read of it."""
        output.show(record, self.form, view)

    def say(self, record: output.Record, *sentences: str) -> None:
        """Prints a result that people read as sentences."""
        output.show(record, self.form, lambda _: sentences)

    def note(self, text: str) -> None:
        """Says something beside the result."""
        output.note(text, self.form)

    def fail(self, failure: Failure) -> None:
        """Says what went wrong and goes on; raise `Unfinished` in the end."""
        output.fail(failure.fault, self.form)


pass_session = click.make_pass_decorator(Session)
