"""Which clause of a pattern an event does not meet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from scheduler_service.domain.patterns.clauses import Clause, Conjunction, Either, Item
from scheduler_service.domain.patterns.pattern import Pattern, match
from scheduler_service.domain.patterns.tree import MISSING, elements
from scheduler_service.domain.strict_json import encodable

MOST_STEPS: Final = 25_000
"""Of matching; explaining takes up to 50 ms for so many."""

LONGEST_FOUND: Final = 500
"""Characters of what was found that are shown."""


@dataclass(frozen=True, slots=True)
class ClauseOutcome:
    """A clause and what the event has in its place."""

    path: str
    """Where it stands, with the place of the element that came closest: `data.items.1.sku`."""
    clause: str
    """JSON."""
    met: bool
    found: str
    """JSON, cut at 500 characters, or `missing`. Of `$or`: an object of what each clause in it found."""


@dataclass(frozen=True, slots=True)
class _Numbered:
    place: int
    outcome: ClauseOutcome


def explain(pattern: Pattern, event: Mapping[str, Any]) -> list[ClauseOutcome]:
    """The clauses in order, a `$or` as one; the event meets the pattern when all are met.

    Of an array of objects, the element that meets most of them is shown. Where clauses are met one by one but
    not together, because no single element meets all that stand below its field, the last one is not met.
    """
    outcomes = _explain(pattern.items, event)
    if match(pattern, event):
        outcomes = [replace(outcome, met=True) for outcome in outcomes]
    elif all(outcome.met for outcome in outcomes):
        outcomes[-1] = replace(outcomes[-1], met=False)
    return [_encodable(outcome) for outcome in outcomes]


def _explain(items: Conjunction, document: Any, depth: int = 0, at: str = "") -> list[ClauseOutcome]:
    numbered = _look(list(enumerate(items)), document, depth, at)
    return [each.outcome for each in sorted(numbered, key=lambda each: each.place)]


def _look(items: Sequence[tuple[int, Item]], document: Any, depth: int, at: str) -> list[_Numbered]:
    """Holds items, whose paths begin with the same `depth` names, against the object at that path."""
    found: list[_Numbered] = []
    below: dict[str, list[tuple[int, Item]]] = {}
    for place, item in items:
        if isinstance(item, Either) and len(item.path) == depth:
            found.append(_Numbered(place, _either(item, document, depth, at)))
        elif isinstance(item, Clause) and len(item.path) == depth + 1:
            found.append(_Numbered(place, _clause(item, _field(document, item.path[depth]), at)))
        else:
            below.setdefault(item.path[depth], []).append((place, item))
    for name, rest in below.items():
        found.extend(_descend(rest, _field(document, name), depth + 1, _join(at, name)))
    return found


def _descend(items: Sequence[tuple[int, Item]], value: Any, depth: int, at: str) -> list[_Numbered]:
    objects = [each for each in elements(value) if type(each) is dict] if type(value) is list else []
    if not objects:
        return _look(items, value, depth, at)
    tries = [_look(items, each, depth, _join(at, str(place))) for place, each in enumerate(objects)]
    # Where only absence is demanded every element counts, so that the worst one decides.
    choose = max if any(_wants(item) for _, item in items) else min
    return choose(tries, key=lambda found: sum(each.outcome.met for each in found))


def _clause(clause: Clause, value: Any, at: str) -> ClauseOutcome:
    met = any(leaf.meets(value) for leaf in clause.leaves)
    return ClauseOutcome(_join(at, clause.path[-1]), clause.text, met, _shown(value))


def _either(either: Either, document: Any, depth: int, at: str) -> ClauseOutcome:
    branches = [_explain(branch, document, depth, at) for branch in either.branches]
    met = any(all(outcome.met for outcome in branch) for branch in branches)
    found = {outcome.path: outcome.found for branch in branches for outcome in branch}
    return ClauseOutcome(_join(at, "$or"), either.text, met, _cut(json.dumps(found, ensure_ascii=False)))


def _wants(item: Item) -> bool:
    if isinstance(item, Clause):
        return item.values is not None
    return any(_wants(each) for branch in item.branches for each in branch)


def _field(document: Any, name: str) -> Any:
    return document.get(name, MISSING) if isinstance(document, Mapping) else MISSING


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _shown(value: Any) -> str:
    if value is MISSING:
        return "missing"
    return _cut(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _encodable(outcome: ClauseOutcome) -> ClauseOutcome:
    path, clause, found = map(encodable, (outcome.path, outcome.clause, outcome.found))
    return ClauseOutcome(path, clause, outcome.met, found)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_FOUND else text[:LONGEST_FOUND] + "..."
