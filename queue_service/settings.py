"""Settings of the queue service."""

from datetime import timedelta
from typing import ClassVar, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from queue_service.app.maintenance import Retention
from queue_service.domain.terms import Terms
from service_kit.settings import Duration, ServiceSettings

SHORTEST_KEYS = timedelta(hours=1)


class QueueSettings(ServiceSettings):
    """Variables `BATONPASS_QUEUE_...`, flags `--...`, table `[queue]` of the TOML file."""

    model_config = SettingsConfigDict(env_prefix="BATONPASS_QUEUE_")
    table: ClassVar[str] = "queue"

    lease_ttl: Duration = Field(
        default=timedelta(seconds=15), description="how long leases hold from a heartbeat on"
    )
    lease_margin: Duration = Field(
        default=timedelta(seconds=3), description="wait beyond the end of a lease before others run the work"
    )
    heartbeat_interval: Duration = Field(
        default=timedelta(seconds=5), description="how often agents are to send a heartbeat"
    )
    offer_timeout: Duration = Field(
        default=timedelta(seconds=10), description="how long an offer may stay unanswered"
    )
    cancel_grace: Duration = Field(
        default=timedelta(seconds=10), description="time between SIGTERM and SIGKILL of a cancelled task"
    )
    key_retention: Duration = Field(
        default=timedelta(days=7), ge=SHORTEST_KEYS, description="how long task ids are remembered at least"
    )
    history_retention: Duration = Field(
        default=timedelta(days=30), ge=timedelta(days=1), description="how long ended tasks are kept"
    )
    session_retention: Duration = Field(
        default=timedelta(days=7), ge=timedelta(hours=1), description="how long ended sessions are kept"
    )
    maintenance_interval: Duration = Field(
        default=timedelta(minutes=1), gt=timedelta(0), description="how often retention is looked after"
    )

    @model_validator(mode="after")
    def _beats_keep_leases(self) -> Self:
        if not timedelta(0) < self.heartbeat_interval * 2 <= self.lease_ttl:
            raise ValueError("heartbeat_interval must be positive and at most half of lease_ttl")
        return self

    @property
    def terms(self) -> Terms:
        """What queue and agents agree on."""
        return Terms(
            ttl=self.lease_ttl,
            margin=self.lease_margin,
            heartbeat=self.heartbeat_interval,
            offer_timeout=self.offer_timeout,
            cancel_grace=self.cancel_grace,
        )

    @property
    def retention(self) -> Retention:
        """How long things are kept that have ended."""
        return Retention(history=self.history_retention, sessions=self.session_retention)
