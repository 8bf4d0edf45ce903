"""The options that describe a trigger: which events, and what becomes of many at once."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from batonpass.cli import flags
from batonpass.scheduler.v1.schedule_pb2 import EventSpec

_OPTIONS: Final = (
    click.option(
        "--pattern",
        type=flags.DOCUMENT,
        help="""Content pattern of its events, such as '{"data": {"state": ["paid"]}}', or @FILE with it.""",
    ),
    click.option(
        "--cel", metavar="EXPR", help="The same as a CEL expression, such as 'event.data.amount > 100'."
    ),
    click.option(
        "--debounce", type=flags.DURATION, help="Fire when no further event has come for so long, once."
    ),
    click.option("--throttle", type=flags.DURATION, help="Fire at most once in so long."),
    click.option("--batch-size", type=flags.INT32, metavar="N", help="Fire once for so many events..."),
    click.option(
        "--batch-wait",
        type=flags.DURATION,
        help="... and at the latest so long after the first.  [default: 1m]",
    ),
    click.option(
        "--payload-template",
        type=flags.DOCUMENT,
        help="""Payload made of the event, such as '{"order": "{{data.id}}"}', or @FILE with it.""",
    ),
)

_BATCH_WAIT: Final = 60
NAMES: Final = ("pattern", "cel", "debounce", "throttle", "batch_size", "batch_wait", "payload_template")
"""As which the options arrive."""


def trigger(command: flags.Decorated) -> flags.Decorated:
    """The options, which belong to one that names the type of the events."""
    return flags.apply(_OPTIONS, command)


def draft(option: str) -> Callable[[flags.Decorated], flags.Decorated]:
    """A trigger that is not stored: the type of its events as `option`, and the options."""

    def decorate(command: flags.Decorated) -> flags.Decorated:
        text = "A trigger that is not stored: for events of this type, `*` for any characters."
        return click.option(option, "listen", metavar="TYPE", help=text)(trigger(command))

    return decorate


def event_spec(type: str, given: Mapping[str, Any]) -> EventSpec:
    """The trigger that the options describe; those that are None were not given. Raises UsageError."""
    if given.get("batch_wait") is not None and given.get("batch_size") is None:
        raise click.UsageError("--batch-wait belongs to --batch-size: give both.")
    spec = EventSpec(type=type, cel=given.get("cel") or "")
    for name in ("pattern", "payload_template"):
        if given.get(name):
            setattr(spec, name, given[name].decode())
    for name in ("debounce", "throttle"):
        if given.get(name) is not None:
            getattr(spec, name).FromTimedelta(given[name])
    if given.get("batch_size") is not None:
        spec.batch.max_events = given["batch_size"]
        spec.batch.max_wait.FromSeconds(_BATCH_WAIT)
        if given.get("batch_wait") is not None:
            spec.batch.max_wait.FromTimedelta(given["batch_wait"])
    return spec


def check_companions(given: Mapping[str, Any], owner: str) -> None:
    """Raises UsageError when options are given without `owner`, the one that names the type."""
    for name in NAMES:
        if given.get(name) is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} belongs to {owner}: give both.")
