"""What an event makes of a trigger: whether it meets it, and the payload of the task."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from scheduler_service.domain import cel, payload
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.patterns import pattern
from scheduler_service.domain.patterns.errors import PatternRefused
from scheduler_service.domain.patterns.explain import MOST_STEPS, ClauseOutcome, explain
from scheduler_service.domain.patterns.pattern import Pattern
from scheduler_service.domain.spec import EventSpec
from scheduler_service.domain.strict_json import encodable

_GATHERING: Final = ("debounce", "throttle", "batch")


def check(spec: EventSpec) -> None:
    """Raises InvalidSchedule with the field within the specification."""
    if spec.pattern and spec.cel:
        raise InvalidSchedule("cel", "only one of pattern and cel")
    given = [name for name in _GATHERING if getattr(spec, name) is not None]
    if len(given) > 1:
        raise InvalidSchedule(given[1], f"only one of {', '.join(_GATHERING)}")
    try:
        if spec.pattern:
            pattern.parse(spec.pattern)
    except PatternRefused as error:
        raise InvalidSchedule("pattern", encodable(str(error))) from None
    try:
        if spec.cel:
            cel.compile(spec.cel)
    except cel.ExpressionRefused as error:
        raise InvalidSchedule("cel", str(error)) from None
    try:
        if spec.payload_template:
            payload.parse(spec.payload_template, of_batch=spec.batch is not None)
    except payload.TemplateRefused as error:
        raise InvalidSchedule("payload_template", encodable(str(error))) from None


def needs_document(spec: EventSpec) -> bool:
    """Whether more than the type decides."""
    return bool(spec.pattern or spec.cel)


def meets(spec: EventSpec, document: Mapping[str, Any]) -> bool:
    """Whether an event of its type meets it, which has passed `check`."""
    if spec.pattern:
        return pattern.match(pattern.parse(spec.pattern), document)
    return not spec.cel or not cel.compile(spec.cel).refusal(document)


def explained(spec: EventSpec, document: Mapping[str, Any]) -> tuple[list[ClauseOutcome], str]:
    """The clauses of its pattern with their outcomes, and why the event does not meet it (empty: it does)."""
    if spec.pattern:
        return _explained_pattern(pattern.parse(spec.pattern), document)
    refusal = cel.compile(spec.cel).refusal(document) if spec.cel else ""
    return [], refusal and f"cel: {refusal}"


def _explained_pattern(parsed: Pattern, document: Mapping[str, Any]) -> tuple[list[ClauseOutcome], str]:
    if pattern.takes_more(parsed, document, pattern.MOST_STEPS):
        return [], f"pattern: it may take more than {pattern.MOST_STEPS:,} steps for so large an event"
    if pattern.takes_more(parsed, document, MOST_STEPS):
        met = pattern.match(parsed, document)
        return [], "" if met else "pattern: it is not met; the event is too large to go through its clauses"
    clauses = explain(parsed, document)
    unmet = next((clause for clause in clauses if not clause.met), None)
    return clauses, "" if unmet is None else f"{unmet.path} is {unmet.found}, not {unmet.clause}"


def payload_of(spec: EventSpec, data: Sequence[bytes], documents: Sequence[Mapping[str, Any]]) -> bytes:
    """The payload of one fire for events, given their data (JSON or empty) and documents.

    The last one counts, but for a batch. Raises PayloadTooLong.
    """
    if spec.payload_template:
        template = payload.parse(spec.payload_template, of_batch=spec.batch is not None)
        return payload.fill(template, documents[-1] if spec.batch is None else {"events": list(documents)})
    if spec.batch is None:
        return data[-1]
    made = b"[" + b",".join(each or b"null" for each in data) + b"]"
    if len(made) > payload.LONGEST:
        raise payload.PayloadTooLong(f"its payload would be longer than {payload.LONGEST:,} bytes")
    return made
