"""Schedules from keyword arguments."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypedDict

from batonpass.client.templates import Template, task_template
from batonpass.client.values import duration, enum_number, timestamp
from batonpass.queue.v1.task_pb2 import OverlapPolicy
from batonpass.scheduler.v1.schedule_pb2 import (
    CalendarDisposition,
    CatchUpPolicy,
    FoldPolicy,
    GapPolicy,
    Schedule,
    ScheduleSpec,
    TemplateSource,
)

Specs = ScheduleSpec | Sequence[ScheduleSpec]


class Timing(TypedDict, total=False):
    """When a schedule comes due, beside its specs; what is left out takes the service's default.

    `time_zone` is an IANA name. `exclude` are specs whose instants do not count. `start` and `end` are the
    first and the last instant that may fire. `gap` (`at_transition`, `shift`, `skip`) and `fold` (`first`,
    `last`, `both`) say what a clock that is changed does. An instant outside of `include_calendars` or
    inside of `exclude_calendars` is closed; `on_closed` is `skip`, `defer_to_end`, `previous_business_day`
    or `next_business_day`. `jitter` and `spread` let it fire later.
    """

    time_zone: str
    exclude: Specs
    start: datetime
    end: datetime
    gap: int | str
    fold: int | str
    include_calendars: Sequence[str]
    exclude_calendars: Sequence[str]
    on_closed: int | str
    jitter: timedelta
    spread: timedelta


class Options(Timing, Template, total=False):
    """Everything about a schedule beside its specs and handler.

    `overlap` is `skip`, `buffer_one`, `buffer_all`, `cancel_other`, `terminate_other` or `allow_all`;
    `catch_up` is `latest`, `all`, `earliest` or `none`, for instants at most `catchup_window` old. At most
    `max_runs` fires reach the queue; `pause_on_failure` failures in a row disable it.
    """

    overlap: int | str
    catch_up: int | str
    catchup_window: timedelta
    max_runs: int
    pause_on_failure: int
    labels: Mapping[str, str]


class Changes(Options, total=False):
    """What to change: only what is given. `source` None detaches from its schedule template."""

    spec: Specs
    handler: str
    source: TemplateSource | None


def template_source(
    template_id: str, version: int = 0, parameters: Mapping[str, str] | None = None
) -> TemplateSource:
    """A version of a schedule template (0 = the newest) with values for its parameters."""
    return TemplateSource(template_id=template_id, version=version, parameters=parameters)


def schedule_message(schedule_id: str, specs: Specs, handler: str, options: Options) -> Schedule:
    """The schedule that they describe."""
    made = timing_message(specs, options)
    made.schedule_id = schedule_id
    made.template.CopyFrom(task_template(handler, options))
    made.overlap_policy = enum_number("overlap", OverlapPolicy, "OVERLAP_POLICY", options.get("overlap", 0))
    made.catch_up_policy = enum_number(
        "catch_up", CatchUpPolicy, "CATCH_UP_POLICY", options.get("catch_up", 0)
    )
    if (window := duration(options.get("catchup_window"))) is not None:
        made.catchup_window.CopyFrom(window)
    made.max_runs = options.get("max_runs", 0)
    made.pause_on_failure = options.get("pause_on_failure", 0)
    made.labels.update(options.get("labels", {}))
    return made


def timing_message(specs: Specs, timing: Timing) -> Schedule:
    """A schedule that says nothing but when."""
    closed = timing.get("on_closed", 0)
    return Schedule(
        specs=_listed(specs),
        time_zone=timing.get("time_zone", ""),
        exclusions=_listed(timing.get("exclude", ())),
        start_time=timestamp("start", timing.get("start")),
        end_time=timestamp("end", timing.get("end")),
        gap_policy=enum_number("gap", GapPolicy, "GAP_POLICY", timing.get("gap", 0)),
        fold_policy=enum_number("fold", FoldPolicy, "FOLD_POLICY", timing.get("fold", 0)),
        include_calendars=timing.get("include_calendars", ()),
        exclude_calendars=timing.get("exclude_calendars", ()),
        calendar_disposition=enum_number("on_closed", CalendarDisposition, "CALENDAR_DISPOSITION", closed),
        jitter=duration(timing.get("jitter")),
        spread=duration(timing.get("spread")),
    )


def paths(changes: Changes) -> list[str]:
    """The mask of an update with these arguments."""
    return sorted({_PATHS.get(name, f"template.{name}") for name in changes})


_PATHS: Final = {
    "spec": "specs",
    "exclude": "exclusions",
    "time_zone": "time_zone",
    "start": "start_time",
    "end": "end_time",
    "gap": "gap_policy",
    "fold": "fold_policy",
    "include_calendars": "include_calendars",
    "exclude_calendars": "exclude_calendars",
    "on_closed": "calendar_disposition",
    "jitter": "jitter",
    "spread": "spread",
    "overlap": "overlap_policy",
    "catch_up": "catch_up_policy",
    "catchup_window": "catchup_window",
    "max_runs": "max_runs",
    "pause_on_failure": "pause_on_failure",
    "labels": "labels",
    "source": "source",
    "cpu_percent": "template.resources.cpu_percent",
    "memory_percent": "template.resources.memory_percent",
}
"""Argument -> path in the mask; every other argument is a field of the template of the same name."""


def _listed(specs: Specs) -> Sequence[ScheduleSpec]:
    return [specs] if isinstance(specs, ScheduleSpec) else specs
