"""Settings of a service: frozen, read once, from flags, environment, secret files and a TOML file.

    --listen 127.0.0.1:7070  >  BATONPASS_QUEUE_LISTEN  >  DATABASE_URL and the like  >  secret files  >
    TOML  >  default

`BATONPASS_CONFIG` names the TOML file; each service reads its own table in it. `BATONPASS_SECRETS_DIR`
names a folder with one file per value, called like the variable (default `/run/secrets` when it exists).
"""

import argparse
import os
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service_kit.dsn import database_url, without_password
from service_kit.logs import LogFormat, LogLevel

S = TypeVar("S", bound="Settings")

CONFIG_VARIABLE = "BATONPASS_CONFIG"
SECRETS_VARIABLE = "BATONPASS_SECRETS_DIR"
_DEFAULT_SECRETS = Path("/run/secrets")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: object) -> object:
    """`250ms`, `30s`, `1h30m`, `2d` as timedelta; anything that is no text passes through.

    Raises ValueError for a bare number: a number without unit is a misunderstanding on its way.
    """
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if not re.fullmatch(f"({_PART.pattern})+", text):
        raise ValueError("a duration is a number with a unit, such as 250ms, 30s, 10m, 1h30m or 2d")
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class SettingsError(Exception):
    """One sentence per wrong value: where it stands, what it is, which rule it breaks."""


class Settings(BaseSettings):
    """Base of every settings class; a subclass sets `env_prefix` and `table`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_ignore_empty=True)

    table: ClassVar[str] = ""
    """The table of the TOML file that belongs to this class."""

    shared_variables: ClassVar[Mapping[str, str]] = {}
    """Field -> a variable without the prefix that is looked at when the prefixed one is not set."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of precedence in the module's docstring."""
        shared = _Given(settings_cls, _from_shared_variables(cls))
        secret_files = _Given(settings_cls, _from_secret_files(cls))
        toml = _Given(settings_cls, _from_toml(cls))
        return init_settings, env_settings, shared, secret_files, toml


class ServiceSettings(Settings):
    """What every service needs to know."""

    shared_variables: ClassVar[Mapping[str, str]] = {"database_url": "DATABASE_URL"}

    database_url: str = Field(description="libpq URL of the service's PostgreSQL database")
    database_pool: int = Field(default=5, ge=1, le=100, description="connections for API calls")
    listen: str = Field(default="127.0.0.1:0", description="host:port of the gRPC server; port 0 = any")
    metrics_listen: str = Field(default="127.0.0.1:0", description="host:port of /metrics; empty = none")
    endpoint_file: Path | None = Field(default=None, description="receives the bound addresses as JSON")
    insecure_dev: bool = Field(default=False, description="plaintext, on loopback only")
    tls_cert: Path | None = Field(default=None, description="PEM certificate chain of this service")
    tls_key: Path | None = Field(default=None, description="PEM private key of this service")
    tls_ca: Path | None = Field(default=None, description="PEM certificates that peers are checked against")
    drain_timeout: Duration = Field(default=timedelta(seconds=10), description="longest time to wind up")
    log_level: LogLevel = Field(default="info", description="debug, info, warning or error")
    log_format: LogFormat = Field(default="auto", description="json, console, or auto = by terminal")

    @field_validator("database_url")
    @classmethod
    def _is_database_url(cls, value: str) -> str:
        database_url(value)
        return value

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdigit() and int(port) < 65536):
            raise ValueError("an address is host:port, such as 127.0.0.1:7070 or [::1]:0")
        return value


def load(cls: type[S], arguments: Sequence[str] = ()) -> S:
    """Reads the settings; `arguments` are command-line flags, one for each field (`--database-url`).

    Raises SettingsError; `--help` prints the flags and exits.
    """
    given = {
        name: value for name, value in vars(_parser(cls).parse_args(arguments)).items() if value is not None
    }
    try:
        return cls(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(cls, given, problem) for problem in error.errors())) from None


def load_or_exit(cls: type[S], arguments: Sequence[str] | None = None) -> S:
    """As `load` with the process's own arguments; a wrong value ends the process with exit code 2."""
    try:
        return load(cls, sys.argv[1:] if arguments is None else arguments)
    except SettingsError as error:
        exit_with(str(error))


def exit_with(sentence: str) -> NoReturn:
    """Ends the process with exit code 2: it was started wrongly, and `sentence` says how."""
    print(sentence, file=sys.stderr)
    raise SystemExit(2)


class _Given(PydanticBaseSettingsSource):
    """Values that have been found already."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def _variable(cls: type[Settings], name: str) -> str:
    return f"{cls.model_config.get('env_prefix', '')}{name}".upper()


def _from_shared_variables(cls: type[Settings]) -> dict[str, Any]:
    found = {name: os.environ.get(variable) for name, variable in cls.shared_variables.items()}
    return {name: value for name, value in found.items() if value}


def _from_secret_files(cls: type[Settings]) -> dict[str, Any]:
    chosen = os.environ.get(SECRETS_VARIABLE)
    folder = Path(chosen) if chosen else _DEFAULT_SECRETS
    if chosen and not folder.is_dir():
        raise SettingsError(f"{SECRETS_VARIABLE}={chosen}: no such folder")
    values = {}
    for name in cls.model_fields:
        for file in (folder / _variable(cls, name), folder / _variable(cls, name).lower()):
            if file.is_file():
                values[name] = file.read_text().strip()
    return values


def _from_toml(cls: type[Settings]) -> dict[str, Any]:
    chosen = os.environ.get(CONFIG_VARIABLE)
    if not chosen:
        return {}
    try:
        table = tomllib.loads(Path(chosen).read_text()).get(cls.table, {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{CONFIG_VARIABLE}={chosen}: {error}") from None
    if not isinstance(table, dict):
        raise SettingsError(f"{CONFIG_VARIABLE}={chosen}: [{cls.table}] must be a table")
    return table


def _parser(cls: type[Settings]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {cls.__module__.partition('.')[0]}",
        description=f"Each flag is also a variable ({_variable(cls, 'listen')}) and a key of [{cls.table}].",
        allow_abbrev=False,
    )
    for name, info in cls.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        if info.annotation is bool:
            parser.add_argument(
                flag, default=None, action=argparse.BooleanOptionalAction, help=info.description
            )
        else:
            parser.add_argument(flag, default=None, metavar="VALUE", help=info.description)
    return parser


def _sentence(cls: type[Settings], given: Mapping[str, object], problem: Any) -> str:
    """Names the source as the reader knows it, the value (never a password) and the rule."""
    name = str(problem["loc"][0]) if problem["loc"] else ""
    variable = _variable(cls, name)
    rule = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        also = cls.shared_variables.get(name)
        options = f"{variable} or {also}" if also else variable
        return f"{options} is not set: {cls.model_fields[name].description}"
    if problem["type"] == "extra_forbidden":
        return f"{os.environ.get(CONFIG_VARIABLE, '')} [{cls.table}] {name}: no such setting"
    source = _source(cls, given, name) if name in cls.model_fields else cls.__name__
    shown = without_password(str(problem["input"])) if name in cls.model_fields else ""
    return f"{source}={shown}: {rule}" if name else f"{cls.__name__}: {rule}"


def _source(cls: type[Settings], given: Mapping[str, object], name: str) -> str:
    if name in given:
        return f"--{name.replace('_', '-')}"
    shared = cls.shared_variables.get(name, "")
    if not os.environ.get(_variable(cls, name)) and os.environ.get(shared):
        return shared
    return _variable(cls, name)
