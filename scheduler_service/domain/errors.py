"""What the scheduler refuses.

ServiceError (service_kit.errors)
|- InvalidArgument
|  `- InvalidSchedule        a field of a schedule breaks a rule
|- NotFound
|  `- ScheduleNotFound
|- AlreadyExists
|  |- ScheduleExists
|  `- RequestReused          the same request_id with another content
|- Aborted
|  `- GenerationChanged
`- Unavailable
   `- StillCatchingUp        too many missed instants are yet to be settled
"""

from typing import ClassVar

from service_kit.errors import Aborted, AlreadyExists, InvalidArgument, NotFound, Unavailable


class InvalidSchedule(InvalidArgument):
    """One field breaks a rule; `field` is its path in the schedule, such as `specs[0].cron.expression`."""

    default_reason: ClassVar[str] = "INVALID_SCHEDULE"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", violations=[(field, rule)])
        self.field = field
        self.rule = rule

    def below(self, prefix: str) -> "InvalidSchedule":
        """The same violation, with the field's path continued to the left."""
        return InvalidSchedule(f"{prefix}{self.field}", self.rule)


class ScheduleNotFound(NotFound):
    """There is no such schedule in the caller's namespace."""

    default_reason: ClassVar[str] = "SCHEDULE_NOT_FOUND"

    def __init__(self, namespace: str, schedule_id: str) -> None:
        super().__init__(
            f"there is no schedule {schedule_id!r} in namespace {namespace!r}; list the schedules",
            metadata={"namespace": namespace, "schedule_id": schedule_id},
        )


class ScheduleExists(AlreadyExists):
    """The id is taken."""

    default_reason: ClassVar[str] = "SCHEDULE_EXISTS"

    def __init__(self, namespace: str, schedule_id: str) -> None:
        super().__init__(
            f"schedule {schedule_id!r} exists in namespace {namespace!r}; update it, or choose another id",
            metadata={"namespace": namespace, "schedule_id": schedule_id},
        )


class RequestReused(AlreadyExists):
    """A request id stands for one request only."""

    default_reason: ClassVar[str] = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used for another request; use a new one",
            metadata={"request_id": request_id},
        )


class GenerationChanged(Aborted):
    """Somebody changed the schedule since the caller read it."""

    default_reason: ClassVar[str] = "GENERATION_CHANGED"

    def __init__(self, schedule_id: str, expected: int, current: int) -> None:
        super().__init__(
            f"schedule {schedule_id!r} is at generation {current}, not {expected}; read it again and repeat",
            metadata={"schedule_id": schedule_id, "generation": str(current)},
        )


class StillCatchingUp(Unavailable):
    """More instants are due under the specification in force than one change can settle."""

    default_reason: ClassVar[str] = "STILL_CATCHING_UP"

    def __init__(self, schedule_id: str) -> None:
        super().__init__(
            f"schedule {schedule_id!r} is still catching up on missed instants; repeat in a moment",
            metadata={"schedule_id": schedule_id},
        )
