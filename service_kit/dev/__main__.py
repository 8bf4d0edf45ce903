"""`python -m service_kit.dev COMMAND`; people use `./dev COMMAND`."""

import argparse
import sys
from collections.abc import Sequence

from service_kit.dev.commands import down, reset, status, up
from service_kit.dev.plan import read_plan
from service_kit.dev.state import StateFolder
from service_kit.dev.supervisor import run_supervisor


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code. The word `supervise` is for `up` alone, so it is in no help."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words == ["supervise"]:
        return run_supervisor(read_plan(), StateFolder.here())
    options = _parser().parse_args(words)
    plan, state = read_plan(), StateFolder.here()
    match options.command:
        case "up":
            return up(plan, state, options.detach)
        case "down":
            return down(state)
        case "reset":
            return reset(plan, state)
        case _:
            return status(state)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev", description="The development stack of this checkout.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start everything and show what happens; Ctrl-C stops it")
    start.add_argument("--detach", action="store_true", help="leave it running in the background")
    commands.add_parser("down", help="stop everything; the data stays")
    commands.add_parser("reset", help="stop everything and delete the data")
    commands.add_parser("status", help="what runs, and where")
    return parser


if __name__ == "__main__":
    sys.exit(main())
