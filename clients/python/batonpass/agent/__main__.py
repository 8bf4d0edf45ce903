"""`python -m batonpass.agent`: an agent with the options that `batonpass agent` has."""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from batonpass.agent.config import AgentConfig, default_name
from batonpass.agent.errors import AgentError
from batonpass.agent.main import run
from batonpass.client.endpoints import TlsFiles

_EXAMPLES = """examples:
  python -m batonpass.agent --allow-shell
  python -m batonpass.agent --queue queue.internal:7070 --handlers shop.tasks:worker --label zone=a
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m batonpass.agent",
        description="Registers this host with the queue and runs the tasks it is offered.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--queue", metavar="HOST:PORT", help="queue service (default: BATONPASS_QUEUE, else endpoints.json)")
    add("--name", default=default_name(), help="name of the executor (default: the host's, %(default)s)")
    add("--namespace", help="namespace (default: BATONPASS_NAMESPACE, else `default`)")
    add(
        "--handlers",
        metavar="MODULE:NAME",
        action="append",
        default=[],
        help="a batonpass.Worker with registered handlers; repeatable",
    )
    add("--allow-shell", action="store_true", help="run shell commands")
    add("--allow-http", action="store_true", help="call http:// and https:// handlers")
    add("--label", metavar="KEY=VALUE", action="append", default=[], type=_label, help="label; repeatable")
    add("--concurrency", metavar="N", type=int, help="attempts at a time (default: the limit at the queue)")
    add(
        "--grace",
        metavar="SECONDS",
        type=float,
        default=30,
        help="for running work at shutdown (default: 30)",
    )
    add("--tls-ca", metavar="FILE", type=Path, help="PEM authorities to trust (default: BATONPASS_TLS_CA)")
    add("--tls-cert", metavar="FILE", type=Path, help="PEM certificate of this agent")
    add("--tls-key", metavar="FILE", type=Path, help="PEM key of this agent")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs an agent; the exit code is 0 after a signal, 1 after a failure, 2 for a wrong command line."""
    made = parser()
    options = made.parse_args(arguments)
    try:
        config = AgentConfig(
            name=options.name,
            queue=options.queue,
            namespace=options.namespace,
            tls=TlsFiles(options.tls_ca, options.tls_cert, options.tls_key) if options.tls_ca else None,
            allow_shell=options.allow_shell,
            allow_http=options.allow_http,
            handlers=options.handlers,
            labels=dict(options.label),
            concurrency=options.concurrency,
            grace=timedelta(seconds=options.grace),
        )
    except AgentError as error:
        made.error(str(error))
    return run(config)


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: write KEY=VALUE")
    return key, value


if __name__ == "__main__":
    sys.exit(main())
