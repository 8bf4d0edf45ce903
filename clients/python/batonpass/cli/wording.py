"""What services say, in the words of the command line: options in place of fields and calls. Pure.

Programs get the words of the contract: nothing here changes what `-o json` prints as a field or a message.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from batonpass.cli.program import as_called

_OPTIONS: Final[Mapping[str, str]] = {
    "schedule_id": "ID",
    "task_id": "TASK_ID",
    "calendar_id": "ID",
    "specs": "--cron, --every, --at, --event",
    "spec": "--cron, --every, --at, --event",
    "cron.expression": "--cron",
    "cron.seconds": "--seconds",
    "interval.every": "--every",
    "interval.phase": "--phase",
    "cron.day_match": "--days",
    "one_shot.time": "--at",
    "calendar_interval": "--calendar-every",
    "calendar_interval.every": "--calendar-every",
    "calendar_interval.unit": "--calendar-every",
    "calendar_interval.start": "--starting",
    "recurrence.rule": "--rrule",
    "recurrence.start": "--starting",
    "exclusions": "--exclude-cron, --exclude-every, --exclude-at, --exclude-rrule",
    "exclusions.cron.expression": "--exclude-cron",
    "exclusions.interval.every": "--exclude-every",
    "exclusions.one_shot.time": "--exclude-at",
    "exclusions.recurrence.rule": "--exclude-rrule",
    "start_time": "--start",
    "end_time": "--end",
    "gap_policy": "--gap",
    "fold_policy": "--fold",
    "include_calendars": "--include-calendar",
    "exclude_calendars": "--exclude-calendar",
    "calendar_disposition": "--on-closed",
    "jitter": "--jitter",
    "spread": "--spread",
    "max_runs": "--max-runs",
    "pause_on_failure": "--pause-on-failure",
    "labels": "--label",
    "schedule.source": "--template",
    "source.template_id": "--template",
    "source.version": "--template",
    "source.parameters": "--param",
    "specs.event.type": "--event",
    "spec.event.type": "--event",
    "dates": "--date",
    "windows": "--window",
    "windows.cron": "--window",
    "windows.duration": "--for",
    "holidays": "--holidays",
    "holidays.country": "--holidays",
    "holidays.subdivision": "--holidays",
    "periods": "--period",
    "periods.from_time": "--period",
    "periods.until_time": "--period",
    "blackout.allow_priority": "--allow-priority",
    "calendar.description": "--description",
    "event.type": "NAME",
    "event.pattern": "--pattern",
    "event.cel": "--cel",
    "event.debounce": "--debounce",
    "event.throttle": "--throttle",
    "event.batch": "--batch-size",
    "event.batch.max_events": "--batch-size",
    "event.batch.max_wait": "--batch-wait",
    "event.payload_template": "--payload-template",
    "draft.type": "--listen",
    "draft.pattern": "--pattern",
    "draft.cel": "--cel",
    "draft.payload_template": "--payload-template",
    "event.id": "--id",
    "event.source": "--source",
    "event.subject": "--subject",
    "event.time": "--time",
    "event.data": "--data",
    "time_zone": "--time-zone",
    "template.name": "--name",
    "template": "--handler",
    "handler": "--handler",
    "priority": "--priority",
    "resources.cpu_percent": "--cpu",
    "resources.memory_percent": "--memory",
    "retry_policy": "--retry-policy",
    "circuit_breaker": "--circuit-breaker",
    "timeout": "--timeout",
    "payload": "--payload",
    "queue": "--queue",
    "overlap_policy": "--overlap",
    "catch_up_policy": "--catch-up",
    "catchup_window": "--catchup-window",
    "request_id": "--request-id",
    "generation": "--generation",
    "note": "--note",
    "reason": "--reason",
    "page_size": "--limit",
    "limit": "--blocked",
    "count": "--count",
    "from_time": "--from",
    "until_time": "--until",
    "run_time": "--run-at",
    "lease_token": "--lease-token",
    "lease_duration": "--lease",
    "executor": "--executor",
    "max_tasks": "--max-tasks",
    "max_cpu_percent": "--max-cpu",
    "max_memory_percent": "--max-memory",
    "threshold": "--threshold",
    "report.exit_code": "--exit-code",
    "report.cpu_percent": "--cpu",
    "report.memory_percent": "--memory",
    "report.duration": "--duration",
    "report.output_tail": "--output-file",
    "report.error": "--error",
    "batonpass-namespace": "--namespace",
    "batonpass-actor": "--actor",
}
"""Options and arguments by the end of a field's path, without subscripts."""

_ARGUMENTS: Final[Mapping[tuple[str, str], str]] = {("ReprioritizeTask", "priority"): "N"}
"""Where one call takes as an argument what others take as an option."""

_ALPHABETS: Final = (
    ("^[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,127}$", "letters, digits and -_.:@/, at most 128"),
    ("^([A-Za-z0-9][A-Za-z0-9_.:@/-]{0,127})?$", "letters, digits and -_.:@/, at most 128"),
    ("^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$", "letters, digits and -_.:/, at most 128"),
    ("^[A-Za-z0-9*][A-Za-z0-9_.:/*-]{0,127}$", "letters, digits and -_.:/*, at most 128"),
    ("^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", "letters, digits and -_., at most 64"),
    ("^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", "letters, digits and -_., at most 63"),
    ("^([A-Za-z0-9][A-Za-z0-9_.-]{0,62})?$", "letters, digits and -_., at most 63"),
    ("^([a-z0-9][a-z0-9_.-]{0,62})?$", "lower-case letters, digits and -_., at most 63"),
    ("^[a-z0-9][a-z0-9-]{0,62}$", "lower-case letters, digits and hyphens, at most 63"),
)
_PATTERN: Final = re.compile(r"does not match regex pattern `(.*)`")
_LIST: Final = re.compile(r"must be in list \[(.*)\]")
_SPAN: Final = re.compile(r"\b(\d+)s\b")
_RANGE: Final = re.compile(r"must be greater than or equal to (\S+) and less than or equal to (\S+)")

_PHRASES: Final = (
    ("UpdateLimits", "batonpass queue limits"),
    ("Give tls=TlsFiles(ca=...)", "Give --tls-ca"),
    ("give queue=HOST:PORT", "give --queue-address HOST:PORT"),
    ("give scheduler=HOST:PORT", "give --scheduler-address HOST:PORT"),
    ("resources.cpu_percent", "--cpu"),
    ("resources.memory_percent", "--memory"),
    ("must lie after from_time", "must lie after --from"),
    ("must be later than from_time", "must end later than it begins"),
)


def option(path: str, call: str = "") -> str:
    """What sets a field of a call such as `ReprioritizeTask`: an option or argument, else the path itself."""
    parts = re.sub(r"\[[^]]*\]", "", path).split(".")
    ends = [".".join(parts[start:]) for start in range(len(parts))]
    found = (_ARGUMENTS.get((call, end)) or _OPTIONS.get(end) for end in ends)
    return next((name for name in found if name), path)


def rule(text: str) -> str:
    """A broken rule without patterns, lists and bare seconds."""
    pattern = _PATTERN.search(text)
    if pattern:
        allowed = dict(_ALPHABETS).get(pattern[1])
        return f"must be {allowed}, and begin with a letter or digit" if allowed else text
    choice = _LIST.search(text)
    if choice:
        return f"must be {_alternatives([word for word in choice[1].split(', ') if word])}"
    return _SPAN.sub(lambda found: _length(int(found[1])), _RANGE.sub(r"must be from \1 to \2", text))


def _alternatives(words: Sequence[str]) -> str:
    *first, last = words or [""]
    return f"{', '.join(first)} or {last}" if first else last


def _length(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def plain(text: str) -> str:
    """A sentence of a service or of the client library, with commands and options in place of calls."""
    for theirs, ours in _PHRASES:
        text = text.replace(theirs, ours)
    return as_called(text)


def told(message: str, violations: Sequence[tuple[str, str]], call: str = "") -> list[str]:
    """What is wrong, one line each: the broken rules by option when there are any, else the message."""
    if not violations:
        return [plain(message)]
    lines = [f"{option(path, call)}: {rule(broken)}" if path else rule(broken) for path, broken in violations]
    return list(dict.fromkeys(map(plain, lines)))
