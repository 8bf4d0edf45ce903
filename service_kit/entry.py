"""What `python -m SERVICE` does with its words: `serve`, which is the default, or `migrate`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from service_kit import logs
from service_kit.errors import DatabaseUnavailable
from service_kit.migrate import migrate
from service_kit.service import Build, run
from service_kit.settings import ServiceSettings, load_or_exit

log = logs.logger(__name__)

S = TypeVar("S", bound=ServiceSettings)


def main(
    arguments: Sequence[str],
    *,
    name: str,
    usage: str | None,
    settings: type[S],
    build: Build[S],
    migrations: Path,
    append_only: Sequence[str],
) -> int:
    """Returns the exit code. `name` is that of service and schema; --help shows `usage` before the flags."""
    given = list(arguments)
    verb = given.pop(0) if given[:1] in (["migrate"], ["serve"]) else "serve"
    if {"-h", "--help"} & set(given):
        print(usage)
    loaded = load_or_exit(settings, given)
    if verb == "serve":
        return run(loaded, build, name)
    return _migrate(loaded, name, migrations, append_only)


def _migrate(settings: ServiceSettings, name: str, migrations: Path, append_only: Sequence[str]) -> int:
    logs.configure(settings.log_level, settings.log_format, {"service": name})
    try:
        asyncio.run(migrate(settings.database_url, migrations, name, append_only=append_only))
    except DatabaseUnavailable as error:
        log.error("not migrated", reason=error.message)
        return 1
    return 0
