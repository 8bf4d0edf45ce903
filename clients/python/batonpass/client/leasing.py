"""A leased task in the hands of a pull client."""

from datetime import UTC, datetime, timedelta

from batonpass.client.blocking import Caller
from batonpass.client.call import Call
from batonpass.client.pull import complete_task, extend_lease
from batonpass.queue.v1.pull_service_pb2 import ExtendLeaseResponse, LeaseTaskResponse
from batonpass.queue.v1.task_pb2 import Task


class Held:
    """What is known of a lease, and the calls about it."""

    def __init__(self, granted: LeaseTaskResponse, lease_duration: timedelta | None) -> None:
        self.task: Task = granted.task
        self.lease_token: int = granted.lease_token
        self.expires: datetime = granted.lease_expire_time.ToDatetime(UTC)
        self.completed = False
        self._duration = lease_duration

    @property
    def payload(self) -> bytes:
        """The task's input."""
        return self.task.template.payload

    def extension(self, lease_duration: timedelta | None) -> Call[ExtendLeaseResponse]:
        """The call that moves the end of the lease."""
        return extend_lease(
            self.task.task_id,
            self.lease_token,
            queue=self.task.template.queue,
            lease_duration=lease_duration or self._duration,
        )

    def extended(self, answer: ExtendLeaseResponse) -> datetime:
        """Takes note of the new end."""
        self.expires = answer.lease_expire_time.ToDatetime(UTC)
        return self.expires

    def completion(self, exit_code: int, error: str, output_tail: str) -> Call[Task]:
        """The call that reports the end."""
        self.completed = True
        return complete_task(
            self.task.task_id,
            self.lease_token,
            exit_code,
            queue=self.task.template.queue,
            error=error,
            output_tail=output_tail,
        )


class Lease(Held):
    """A leased task: `task`, `payload`, `lease_token`, and `expires` by the queue's clock."""

    def __init__(self, caller: Caller, granted: LeaseTaskResponse, lease_duration: timedelta | None) -> None:
        super().__init__(granted, lease_duration)
        self._caller = caller

    def extend(self, lease_duration: timedelta | None = None) -> datetime:
        """Moves the end of the lease to `lease_duration` (default: as leased) from now.

        Raises StaleLease: stop.
        """
        return self.extended(self._caller.run(self.extension(lease_duration)))

    def complete(self, exit_code: int = 0, *, error: str = "", output_tail: str = "") -> Task:
        """Reports the end; 0 is success. Raises StaleLease when the task is somebody else's by now."""
        return self._caller.run(self.completion(exit_code, error, output_tail))
