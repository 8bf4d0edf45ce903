"""The options that describe a schedule beside when it is due, and the message and field mask they make."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import click

from batonpass.cli import flags, timing_options
from batonpass.queue.v1.task_pb2 import OverlapPolicy
from batonpass.scheduler.v1.schedule_pb2 import CatchUpPolicy, Schedule

OVERLAP: Final = flags.Word(OverlapPolicy, "OVERLAP_POLICY_")
_CATCH_UP: Final = flags.Word(CatchUpPolicy, "CATCH_UP_POLICY_")

_WHAT: Final = (
    click.option(
        "--handler",
        metavar="HANDLER",
        help="What runs: name:REGISTERED, an http(s) URL, or a shell command.",
    ),
    click.option("--name", metavar="TEXT", help="Name for people.  [default of a new one: the ID]"),
)
_POLICIES: Final = (
    click.option(
        "--overlap",
        type=OVERLAP,
        help="When a task of it is still in the queue.  [default: skip; events: buffer-all]",
    ),
    click.option(
        "--catch-up", type=_CATCH_UP, help="Instants missed while the scheduler was away.  [default: latest]"
    ),
    click.option(
        "--catchup-window", type=flags.DURATION, help="How old such an instant may be.  [default: 1h]"
    ),
    click.option("--max-runs", type=flags.INT64, metavar="N", help="Most fires; then it is disabled."),
    click.option(
        "--pause-on-failure",
        type=flags.INT32,
        metavar="N",
        help="Disable it after so many failures in a row.",
    ),
)
_TEMPLATE: Final = (
    click.option(
        "--template",
        type=flags.TEMPLATE,
        help="Make it of this schedule template; the rest comes from there.  [default version: newest]",
    ),
    click.option(
        "--param",
        multiple=True,
        type=flags.LABEL,
        metavar="KEY=VALUE",
        help="Value of a parameter; may be repeated.",
    ),
)
LABEL: Final = click.option(
    "--label",
    multiple=True,
    type=flags.LABEL,
    metavar="KEY=VALUE",
    help="Mark for selection; may be repeated.",
)

_PATHS: Final = {
    "name": "template.name",
    "handler": "template.handler",
    "priority": "template.priority",
    "cpu": "template.resources.cpu_percent",
    "memory": "template.resources.memory_percent",
    "retry_policy": "template.retry_policy",
    "circuit_breaker": "template.circuit_breaker",
    "timeout": "template.timeout",
    "payload": "template.payload",
    "queue": "template.queue",
    "overlap": "overlap_policy",
    "catch_up": "catch_up_policy",
    "catchup_window": "catchup_window",
    "max_runs": "max_runs",
    "pause_on_failure": "pause_on_failure",
}

CLEARABLE: Final = {
    "exclusions": "exclusions",
    "start": "start_time",
    "end": "end_time",
    "gap": "gap_policy",
    "fold": "fold_policy",
    "jitter": "jitter",
    "spread": "spread",
    "max-runs": "max_runs",
    "pause-on-failure": "pause_on_failure",
    "include-calendars": "include_calendars",
    "exclude-calendars": "exclude_calendars",
    "payload": "template.payload",
    "labels": "labels",
    "template": "source",
}
"""What an update can take away, and the path of it."""


class Described(NamedTuple):
    """A schedule with the values that were given, and the paths of the fields that they are in."""

    schedule: Schedule
    paths: list[str]


def described(command: flags.Decorated) -> flags.Decorated:
    """All options that `describe` reads."""
    policies = flags.group("Policies", lambda inner: flags.apply(_POLICIES, inner))
    template = flags.group("Schedule template", lambda inner: flags.apply(_TEMPLATE, inner))
    task = flags.group("Task", lambda inner: flags.apply(_WHAT, flags.task_options(inner)))
    return timing_options.timing(task(policies(template(LABEL(command)))))


def describe(schedule_id: str, given: Mapping[str, Any]) -> Described:
    """The schedule that options describe; those that are None were not given. Raises UsageError."""
    made = Schedule(schedule_id=schedule_id)
    paths = timing_options.put_timing(made, given)
    for option, path in _PATHS.items():
        if given[option] is not None:
            flags.put(made, path, given[option])
            paths.append(path)
    if given["label"]:
        made.labels.update(dict(given["label"]))
        paths.append("labels")
    if given["template"] is not None:
        made.source.template_id, made.source.version = given["template"]
        made.source.parameters.update(dict(given["param"]))
        paths.append("source")
    elif given["param"]:
        raise click.UsageError("--param belongs to --template: give both.")
    return Described(made, paths)


def check_source(paths: Sequence[str]) -> None:
    """Raises UsageError when more is said than a schedule that is made of a schedule template has itself."""
    own = ("source", "labels")
    if "source" in paths and set(paths) - set(own):
        raise click.UsageError(
            "--template says everything but labels, with values of its parameters as --param:"
            " give it, or what the schedule is."
        )
