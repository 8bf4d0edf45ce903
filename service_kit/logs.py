"""Structured logs on stderr: one record a line, JSON for machines, columns for people."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")

Record = MutableMapping[str, Any]


def logger(name: str, **facts: object) -> structlog.stdlib.BoundLogger:
    """A logger for one module; `facts` are added to each of its records."""
    return structlog.stdlib.get_logger(name, **facts)


def configure(
    level: LogLevel = "info", form: LogFormat = "auto", facts: Mapping[str, object] | None = None
) -> None:
    """Sends the process's logs, those of libraries included, to stderr.

    `form` "auto" means console when stderr is a terminal, else JSON. `facts` (the service's name, say) are
    added to every record. Control characters arrive escaped: no value can forge a line or drive a terminal.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared = _processors(facts or {})
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_renderers(console))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _quiet_libraries()


def _processors(facts: Mapping[str, object]) -> list[structlog.typing.Processor]:
    def add_facts(_logger: object, _method: str, record: Record) -> Record:
        for name, value in facts.items():
            record.setdefault(name, value)
        return record

    return [
        structlog.contextvars.merge_contextvars,
        add_facts,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def _renderers(console: bool) -> list[structlog.typing.Processor]:
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if console:
        return [strip, _escape_for_console, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [strip, _escape, structlog.processors.JSONRenderer(ensure_ascii=True, default=str)]


def _escape(_logger: object, _method: str, record: Record) -> Record:
    """JSON escapes control characters itself; only the text of keys is left to do."""
    return {_escaped(str(key)): value for key, value in record.items()}


def _escape_for_console(_logger: object, _method: str, record: Record) -> Record:
    kept = {"exception", "stack"}
    return {
        _escaped(str(key)): _escaped(value, _CONTROL_BUT_NEWLINE if key in kept else _CONTROL)
        if isinstance(value, str)
        else value
        for key, value in record.items()
    }


def _escaped(text: str, pattern: re.Pattern[str] = _CONTROL) -> str:
    return pattern.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _quiet_libraries() -> None:
    """Libraries speak up from WARNING on; gRPC's complaint about peers that hang up is no news."""
    for name in ("asyncio", "alembic", "sqlalchemy", "grpc", "grpc._cython.cygrpc"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """False for a handler that met a call its client had already ended."""
    error = record.exc_info[1] if record.exc_info else None
    return type(error).__name__ not in ("ExecuteBatchError", "UsageError")
