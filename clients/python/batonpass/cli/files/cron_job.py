"""A CronJob of Kubernetes (batch/v1) as a schedule, with notes on what is not taken over. Pure."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from batonpass.cli.files.mistakes import Mistake
from batonpass.queue.v1.task_pb2 import (
    OVERLAP_POLICY_ALLOW_ALL,
    OVERLAP_POLICY_CANCEL_OTHER,
    OVERLAP_POLICY_SKIP,
)
from batonpass.scheduler.v1.schedule_pb2 import Schedule

_OVERLAPS: Final = {
    "Allow": OVERLAP_POLICY_ALLOW_ALL,
    "Forbid": OVERLAP_POLICY_SKIP,
    "Replace": OVERLAP_POLICY_CANCEL_OTHER,
}
_FOREVER: Final = timedelta(days=366)
_SHORTEST: Final = timedelta(seconds=10)
_REFERENCE: Final = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_NOT_SHELL: Final = ("name:", "http://", "https://")

_TAKEN: Final = {
    "": {"apiVersion", "kind", "metadata", "spec"},
    "metadata": {"name", "labels"},
    "spec": {
        "schedule",
        "timeZone",
        "concurrencyPolicy",
        "startingDeadlineSeconds",
        "suspend",
        "jobTemplate",
    },
    "spec.jobTemplate": {"spec"},
    "spec.jobTemplate.spec": {"template", "activeDeadlineSeconds", "backoffLimit"},
    "spec.jobTemplate.spec.template": {"spec"},
    "spec.jobTemplate.spec.template.spec": {"containers"},
    "spec.jobTemplate.spec.template.spec.containers[0]": {"command", "args", "env", "resources"},
}
"""What is taken over, or has a note of its own; everything beside it is noted as ignored."""

_POD: Final = "spec.jobTemplate.spec.template.spec"


@dataclass
class Converted:
    """The schedule, and what people should know about the difference."""

    schedule: Schedule
    notes: list[str] = field(default_factory=list)


def schedule_of(manifest: Mapping[str, Any]) -> Converted:
    """Reads a CronJob. Raises Mistake for what makes no schedule."""
    version = manifest.get("apiVersion")
    if version != "batch/v1":
        raise Mistake("apiVersion", f"of a CronJob must be batch/v1, not {version!r}")
    metadata = _part(manifest, "metadata")
    made = Converted(Schedule(schedule_id=_text(metadata, "name", "metadata"), labels=_labels(metadata)))
    spec = _part(manifest, "spec")
    _when(made, spec)
    job = _part(_part(spec, "jobTemplate", "spec."), "spec", "spec.jobTemplate.")
    _how(made, job)
    pod = _part(_part(job, "template", "spec.jobTemplate.spec."), "spec", "spec.jobTemplate.spec.template.")
    _what(made, pod)
    made.notes += [f"{path} is ignored" for path in _ignored(manifest, "")]
    return made


def _when(made: Converted, spec: Mapping[str, Any]) -> None:
    schedule = made.schedule
    expression = _text(spec, "schedule", "spec")
    if "TZ=" in expression:
        raise Mistake("spec.schedule", "must not name a zone: write it as spec.timeZone")
    schedule.specs.add().cron.expression = expression
    schedule.time_zone = _text(spec, "timeZone", "spec") if "timeZone" in spec else ""
    if "timeZone" not in spec:
        made.notes.append("spec.timeZone is not given: the schedule is read in UTC, not in a node's zone")
    policy = spec.get("concurrencyPolicy", "Allow")
    if policy not in _OVERLAPS:
        raise Mistake("spec.concurrencyPolicy", f"must be one of {', '.join(_OVERLAPS)}, not {policy!r}")
    schedule.overlap_policy = _OVERLAPS[policy]
    schedule.catchup_window.FromTimedelta(_window(made, spec))
    schedule.disabled = spec.get("suspend") is True


def _window(made: Converted, spec: Mapping[str, Any]) -> timedelta:
    """Without a deadline a CronJob starts the latest missed run however late it is."""
    seconds = _number(spec, "startingDeadlineSeconds", "spec")
    if seconds is None:
        return _FOREVER
    if seconds < _SHORTEST.total_seconds():
        made.notes.append(f"spec.startingDeadlineSeconds: {seconds} is raised to 10, the shortest window")
    return min(max(timedelta(seconds=seconds), _SHORTEST), _FOREVER)


def _how(made: Converted, job: Mapping[str, Any]) -> None:
    template = made.schedule.template
    template.name = made.schedule.schedule_id
    deadline = _number(job, "activeDeadlineSeconds", "spec.jobTemplate.spec")
    if deadline is not None:
        template.timeout.FromSeconds(deadline)
    limit = _number(job, "backoffLimit", "spec.jobTemplate.spec")
    if limit == 0:
        template.retry_policy = "none"
    elif limit is not None:
        made.notes.append(
            f"spec.jobTemplate.spec.backoffLimit: {limit} becomes the retry policy standard, 5 attempts"
        )


def _what(made: Converted, pod: Mapping[str, Any]) -> None:
    containers = pod.get("containers")
    if not isinstance(containers, list) or not containers or not isinstance(containers[0], Mapping):
        raise Mistake(f"{_POD}.containers", "must have a container")
    path, container = f"{_POD}.containers[0]", containers[0]
    values = _environment(made, container, path)
    words = [
        _expanded(word, values)
        for word in (*_words(container, "command", path), *_words(container, "args", path))
    ]
    if not container.get("command"):
        raise Mistake(f"{path}.command", "is missing: what the image runs by itself is not known here")
    made.schedule.template.handler = _shell(words, values)
    if container.get("resources"):
        made.notes.append(
            f"{path}.resources are not taken over: say in task.resources which percentage of the host it uses"
        )
    made.notes += [f"{_POD}.containers[{place}] is ignored" for place in range(1, len(containers))]


def _environment(made: Converted, container: Mapping[str, Any], path: str) -> dict[str, str]:
    """The variables with a value; those that come from elsewhere are noted."""
    values: dict[str, str] = {}
    for place, variable in enumerate(container.get("env") or ()):
        name = _text(variable, "name", f"{path}.env[{place}]")
        if "valueFrom" in variable:
            made.notes.append(f"{path}.env[{place}] ({name}) is ignored: its value comes from the cluster")
        else:
            values[name] = _expanded(str(variable.get("value", "")), values)
    return values


def _expanded(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes expands it: `$$` is `$`, an unknown name stays as it is."""

    def replaced(found: "re.Match[str]") -> str:
        name = found[1]
        return "$" if name is None else values.get(name, found[0])

    return _REFERENCE.sub(replaced, text)


def _shell(words: list[str], values: Mapping[str, str]) -> str:
    """One line for a shell that runs exactly these words."""
    assigned = [f"{name}={value}" for name, value in values.items()]
    line = shlex.join([*(("env", *assigned) if assigned else ()), *words])
    # The first word of a shell command must not look like one of the other kinds of handlers.
    return f"exec {line}" if line.startswith(_NOT_SHELL) else line


def _words(container: Mapping[str, Any], key: str, path: str) -> list[str]:
    words = container.get(key) or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Mistake(f"{path}.{key}", "must be a list of texts")
    return words


def _labels(metadata: Mapping[str, Any]) -> dict[str, str]:
    labels = metadata.get("labels") or {}
    if not isinstance(labels, Mapping) or not all(isinstance(value, str) for value in labels.values()):
        raise Mistake("metadata.labels", "must be a mapping of names to texts")
    return dict(labels)


def _ignored(content: Any, path: str) -> Iterator[str]:
    """Paths of what is neither taken over nor noted otherwise."""
    taken = _TAKEN.get(path)
    if taken is None or not isinstance(content, Mapping):
        return
    for key, value in content.items():
        below = f"{path}.{key}" if path else key
        if key not in taken:
            yield below
        elif key == "containers":
            yield from _ignored(value[0], f"{below}[0]")
        else:
            yield from _ignored(value, below)


def _part(owner: Mapping[str, Any], key: str, prefix: str = "") -> Mapping[str, Any]:
    found = owner.get(key)
    if not isinstance(found, Mapping):
        raise Mistake(f"{prefix}{key}", "must be a mapping")
    return found


def _text(owner: Any, key: str, path: str) -> str:
    found = owner.get(key) if isinstance(owner, Mapping) else None
    if not isinstance(found, str) or not found:
        raise Mistake(f"{path}.{key}", "must be a text that is not empty")
    return found


def _number(owner: Mapping[str, Any], key: str, path: str) -> int | None:
    found = owner.get(key)
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise Mistake(f"{path}.{key}", f"must be a whole number, not {found!r}")
    return found
