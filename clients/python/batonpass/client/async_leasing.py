"""A leased task in the hands of a pull client on asyncio."""

from datetime import datetime, timedelta

from batonpass.client.asynchronous import AsyncCaller
from batonpass.client.leasing import Held
from batonpass.queue.v1.pull_service_pb2 import LeaseTaskResponse
from batonpass.queue.v1.task_pb2 import Task


class AsyncLease(Held):
    """A leased task: `task`, `payload`, `lease_token`, and `expires` by the queue's clock."""

    def __init__(
        self, caller: AsyncCaller, granted: LeaseTaskResponse, lease_duration: timedelta | None
    ) -> None:
        super().__init__(granted, lease_duration)
        self._caller = caller

    async def extend(self, lease_duration: timedelta | None = None) -> datetime:
        """Moves the end of the lease to `lease_duration` (default: as leased) from now.

        Raises StaleLease: stop.
        """
        return self.extended(await self._caller.run(self.extension(lease_duration)))

    async def complete(self, exit_code: int = 0, *, error: str = "", output_tail: str = "") -> Task:
        """Reports the end; 0 is success. Raises StaleLease when the task is somebody else's by now."""
        return await self._caller.run(self.completion(exit_code, error, output_tail))
