"""Settings of the Scheduler service."""

from datetime import timedelta
from typing import ClassVar

from batonpass.targets import addresses
from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from scheduler_service.domain.overdue import TOLERANCE
from service_kit.settings import Duration, ServiceSettings


class SchedulerSettings(ServiceSettings):
    """Flags, `BATONPASS_SCHEDULER_*` variables and the table `[scheduler]`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_ignore_empty=True, env_prefix="BATONPASS_SCHEDULER_"
    )
    table: ClassVar[str] = "scheduler"

    queue: str = Field(
        default="127.0.0.1:7402",
        description="host:port of the Queue service, or ipv4:host:port,host:port for its replicas",
    )

    overdue_after: Duration = Field(
        default=TOLERANCE,
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="how late a schedule may be before it counts as overdue",
    )

    @field_validator("queue")
    @classmethod
    def _is_peer(cls, value: str) -> str:
        for address in addresses(value):
            host, _, port = address.rpartition(":")
            if not (host and port.isdigit() and 0 < int(port) < 65536):
                raise ValueError("an address is host:port, such as 127.0.0.1:7402 or queue:7402")
        return value
