"""`batonpass agent`: runs tasks on this host.

Nothing here imports grpc: the agent starts the process that guards its children before it does.
"""

from collections.abc import Sequence
from typing import Any

import click

from batonpass.cli import flags
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb


@click.command(
    cls=Verb,
    examples="""
    batonpass agent --allow-shell
    batonpass agent --name host-7 --label zone=eu --label disk=ssd --concurrency 8
    batonpass agent --handlers images:worker --queue 127.0.0.1:7402
    """,
)
@click.option("--name", metavar="NAME", help="Its name, unique in the namespace.  [default: the host's name]")
@click.option(
    "--queue",
    "queue_address",
    type=flags.ADDRESS,
    metavar="HOST:PORT",
    help="Queue service.  [env var: BATONPASS_QUEUE]",
)
@click.option(
    "--allow-shell", is_flag=True, help="Run shell commands: whoever can enqueue can then do as you can."
)
@click.option("--allow-http", is_flag=True, help="Call http:// and https:// handlers.")
@click.option("--label", "labels", type=flags.LABEL, multiple=True, help="A label to register; repeatable.")
@click.option(
    "--concurrency", type=click.IntRange(1), metavar="N", help="Most tasks at a time.  [default: its limit]"
)
@click.option(
    "--handlers",
    multiple=True,
    metavar="MODULE:OBJECT",
    help="A Worker whose registered handlers it runs; repeatable.",
)
@click.option(
    "--grace",
    type=flags.DURATION,
    default="30s",
    show_default=True,
    help="For running work when it is told to end.",
)
@pass_session
def agent(
    session: Session, /, labels: Sequence[tuple[str, str]], queue_address: str | None, **given: Any
) -> None:
    """Run tasks on this host: take what it is offered, measure it, report how it ended.

    Ctrl-C ends it once what runs has ended; a second one at once.
    """
    from batonpass.agent.config import AgentConfig
    from batonpass.agent.errors import AgentError
    from batonpass.agent.main import run

    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        config = AgentConfig(
            queue=queue_address or session.queue_address,
            namespace=session.namespace,
            actor=session.actor,
            tls=session.tls,
            labels=dict(labels),
            **chosen,
        )
    except AgentError as error:
        raise click.UsageError(str(error)) from None
    raise click.exceptions.Exit(run(config))
