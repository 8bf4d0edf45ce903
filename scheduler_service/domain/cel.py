"""Conditions in the Common Expression Language. Only this file imports `cel`, when it is first needed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from scheduler_service.domain.document import values

if TYPE_CHECKING:
    import cel

LONGEST: Final = 4096
"""Bytes."""

MOST_STEPS: Final = 200_000
"""An estimate: an evaluation cannot be interrupted, and takes up to 50 ms for so many."""

LONGEST_LOOPED: Final = 32_768
"""Characters of the largest text in an event that a loop may meet: it may be copied in every step."""

VARIABLE: Final = "event"

_LOOPS: Final = {"all": 1, "exists": 1, "exists_one": 1, "filter": 2, "map": 2}
"""Macros that look at every element, and the power of the number of elements that it costs."""

_FUNCTIONS: Final = frozenset(
    {
        "size",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "has",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "type",
        "dyn",
        "timestamp",
        "duration",
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    }
)
_NAME: Final = re.compile(r"[A-Za-z]\w*")
_TOKEN: Final = re.compile(
    r"""[rR]"[^"]*"|[rR]'[^']*'|\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|//[^\n]*"""
    r"""|\.\s*(?P<loop>all|exists_one|exists|filter|map)\s*\(|[(),]""",
    re.DOTALL,
)


class ExpressionRefused(ValueError):
    """It is no condition; the text says why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled expression."""

    program: "cel.Program"
    power: int
    """Of the number of elements: loops within loops multiply. 0: it has none."""
    literals: int

    def refusal(self, event: Mapping[str, Any]) -> str:
        """Why the event does not meet it; empty when it does. An error is a refusal like `false`."""
        if self.power:
            refusal = self._cost(event)
            if refusal:
                return refusal
        try:
            result = self.program.execute({VARIABLE: event})
        except KeyError as error:
            return f"the event has no field {error}"
        except Exception as error:
            # The evaluator has no error type of its own; whatever it is, the event does not match.
            return f"it cannot be evaluated: {str(error)[:500]}"
        except BaseException as error:
            # What a panic of the evaluator becomes. Nothing else can be raised there.
            if type(error).__name__ != "PanicException":
                raise
            return "it cannot be evaluated: the evaluator failed"
        if result is True:
            return ""
        return "it is false" if result is False else f"it is {str(result)[:100]!r}, neither true nor false"

    def _cost(self, event: Mapping[str, Any]) -> str:
        count = self.literals
        for value in values(event):
            count += 1
            if isinstance(value, str) and len(value) > LONGEST_LOOPED:
                return f"it has loops, and the event a text of more than {LONGEST_LOOPED:,} characters"
        if count**self.power > MOST_STEPS:
            return (
                f"it has loops that may take more than {MOST_STEPS:,} steps for the event's {count:,} values"
            )
        return ""


@lru_cache(maxsize=4096)
def compile(expression: str) -> Condition:
    """The condition. Raises ExpressionRefused."""
    import cel

    if len(expression.encode("utf-8", "replace")) > LONGEST:
        raise ExpressionRefused(f"is longer than {LONGEST:,} bytes")
    try:
        program = cel.compile(expression)
    except Exception as error:
        # Neither has the compiler.
        raise ExpressionRefused(" ".join(str(error).split())[:500]) from None
    power, literals = _loops(expression)
    if not power and set(program.variables()) - {VARIABLE}:
        raise ExpressionRefused(f"knows the variable `{VARIABLE}` only, not {program.variables()}")
    unknown = {name for name in program.functions() if _NAME.fullmatch(name)} - _FUNCTIONS
    if unknown:
        raise ExpressionRefused(f"has no function {', '.join(sorted(unknown))}")
    return Condition(program, power, literals)


def _loops(expression: str) -> tuple[int, int]:
    """The highest power of nested loops, and how many values the expression itself may list."""
    nested: list[int] = []
    power, commas = 0, 0
    for token in _TOKEN.finditer(expression):
        if token["loop"]:
            nested.append(_LOOPS[token["loop"]])
        elif token[0] == "(":
            nested.append(0)
        elif token[0] == ")" and nested:
            nested.pop()
        commas += token[0] == ","
        power = max(power, sum(nested))
    return power, commas
