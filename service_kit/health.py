"""What a service says about itself through gRPC's health protocol."""

from collections.abc import Iterable

from grpc_health.v1 import health, health_pb2

from service_kit.logs import logger

log = logger(__name__)


class Health:
    """Serving as long as no part of the service has a reason against it; NOT_SERVING until the first word.

    Each part speaks for itself under its own name (`source`), so one that recovers does not speak for the
    others. The answer for the whole process (the empty name) counts every reason; that of a single service
    leaves out those with which its calls still work.
    """

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()
        self._names: list[str] = [""]
        self._reasons: dict[str, str] = {"service": "starting"}
        self._harmless: set[str] = set()

    @property
    def reason(self) -> str | None:
        """Why the service does not serve; None when it does."""
        return "; ".join(self._reasons.values()) or None

    async def cover(self, names: Iterable[str]) -> None:
        """Answers for these full service names too."""
        self._names = ["", *names]
        await self._publish()

    async def serving(self, source: str = "service") -> None:
        """Takes back the reason that `source` gave."""
        if self._reasons.pop(source, None) is not None:
            await self._publish()
            if not self._reasons:
                log.info("serving")

    async def not_serving(self, reason: str, source: str = "service", *, calls_work: bool = False) -> None:
        """States the reason of `source`; logged when it is a new one."""
        if self._reasons.get(source) != reason:
            self._reasons[source] = reason
            (self._harmless.add if calls_work else self._harmless.discard)(source)
            await self._publish()
            log.warning("not serving", source=source, reason=reason)

    async def _publish(self) -> None:
        calls_work = self._reasons.keys() <= self._harmless
        for name in self._names:
            serving = calls_work if name else not self._reasons
            status = (
                health_pb2.HealthCheckResponse.SERVING
                if serving
                else health_pb2.HealthCheckResponse.NOT_SERVING
            )
            await self.servicer.set(name, status)
