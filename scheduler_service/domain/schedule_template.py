"""Schedule templates: named, versioned schedules with parameters, of which schedules are made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.schedule import Definition
from scheduler_service.domain.template_errors import InvalidTemplate


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; without a default it must be given."""

    name: str
    description: str = ""
    default: str | None = None
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateText:
    """What somebody writes: a body, opaque here, and its parameters."""

    template_id: str
    description: str
    body: bytes
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTemplate:
    """One version, which never changes."""

    text: TemplateText
    version: int
    actor: str
    created_at: datetime
    schedules: int = 0
    """Schedules that are made of it."""

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """The value of every parameter. Raises InvalidSchedule for one that is missing or not there."""
        name = f"version {self.version} of schedule template {self.text.template_id!r}"
        known = {parameter.name: parameter.default for parameter in self.text.parameters}
        for strange in sorted(set(given) - set(known)):
            raise InvalidSchedule(f'source.parameters["{strange}"]', f"{strange!r} is no parameter of {name}")
        missing = [key for key, default in known.items() if default is None and key not in given]
        if missing:
            raise InvalidSchedule("source.parameters", f"must have {', '.join(missing)}, as {name} says")
        return {key: given.get(key, default or "") for key, default in known.items()}


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade does to one schedule; `error` says why the version does not fit."""

    schedule_id: str
    from_version: int
    to_version: int
    changed_fields: tuple[str, ...] = ()
    error: str = ""


def check_parameters(parameters: Iterable[Parameter]) -> None:
    """Raises InvalidTemplate for a name that is there twice."""
    seen = set()
    for place, parameter in enumerate(parameters):
        if parameter.name in seen:
            raise InvalidTemplate(f"parameters[{place}].name", f"{parameter.name!r} is there twice")
        seen.add(parameter.name)


def samples(parameters: Iterable[Parameter]) -> dict[str, str] | None:
    """Values to check a body with; None when a parameter has neither default nor example."""
    found = {}
    for parameter in parameters:
        if parameter.default is None and not parameter.example:
            return None
        found[parameter.name] = parameter.example if parameter.default is None else parameter.default
    return found


_TIMING = {
    "specs": "specs",
    "time_zone": "time_zone",
    "exclusions": "exclusions",
    "start": "start_time",
    "end": "end_time",
    "gap": "gap_policy",
    "fold": "fold_policy",
    "include_calendars": "include_calendars",
    "exclude_calendars": "exclude_calendars",
    "closed": "calendar_disposition",
    "jitter": "jitter",
    "spread": "spread",
}
_REST = {
    "template": "template",
    "overlap": "overlap_policy",
    "catch_up": "catch_up_policy",
    "window": "catchup_window",
    "max_runs": "max_runs",
    "pause_on_failure": "pause_on_failure",
}


def changed_fields(before: Definition, after: Definition) -> tuple[str, ...]:
    """Fields of a schedule, by their names in the contract, in which two definitions differ."""
    timing = [
        name for key, name in _TIMING.items() if getattr(before.timing, key) != getattr(after.timing, key)
    ]
    rest = [name for key, name in _REST.items() if getattr(before, key) != getattr(after, key)]
    return (*timing, *rest)
