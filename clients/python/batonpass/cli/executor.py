"""`batonpass executor`: who runs the work."""

import click

from batonpass.cli import flags
from batonpass.cli.pages import listed
from batonpass.cli.records import queue as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun
from batonpass.cli.views import queue as views
from batonpass.queue.v1 import queue_service_pb2 as pb


@click.group(cls=Noun)
def executor() -> None:
    """Show who runs the work."""


@executor.command("list", examples="batonpass executor list\nbatonpass executor list -o json")
@flags.limit("executors")
@pass_session
def list_executors(session: Session, limit: int) -> None:
    """List agents and pull clients, connected or seen before, with their limits and use."""
    found = listed(
        lambda size, token: session.tasks.ListExecutors(
            pb.ListExecutorsRequest(page_size=size, page_token=token)
        ),
        lambda page: [records.executor(one) for one in page.executors],
        limit,
    )
    session.show({"executors": found.tell(session)}, views.executors)
