"""Calls about the queue as a whole: status, limits, executors, ageing, live activity."""

from datetime import timedelta
from typing import Final

from batonpass.client.call import Call, Listed, Pages, Rpc, Stream, same
from batonpass.client.values import duration
from batonpass.queue.v1 import queue_service_pb2 as pb
from batonpass.queue.v1.executor_pb2 import Executor
from batonpass.queue.v1.hold_pb2 import Hold

_SERVICE: Final = "/batonpass.queue.v1.QueueService"
_STATUS: Final = Rpc("queue", f"{_SERVICE}/GetQueueStatus", pb.GetQueueStatusResponse)
_STARVATION: Final = Rpc("queue", f"{_SERVICE}/PreventStarvation", pb.PreventStarvationResponse)
_GET_LIMITS: Final = Rpc("queue", f"{_SERVICE}/GetLimits", pb.GetLimitsResponse)
_UPDATE_LIMITS: Final = Rpc("queue", f"{_SERVICE}/UpdateLimits", pb.UpdateLimitsResponse)
_EXECUTORS: Final = Rpc("queue", f"{_SERVICE}/ListExecutors", pb.ListExecutorsResponse)
_HOLDS: Final = Rpc("queue", f"{_SERVICE}/ListHolds", pb.ListHoldsResponse)
_ACTIVITY: Final = Rpc("queue", f"{_SERVICE}/WatchActivity", pb.WatchActivityResponse)
_AWAIT: Final = Rpc("queue", f"{_SERVICE}/AwaitTasks", pb.AwaitTasksResponse)


def queue_status(*, queue: str = "") -> Call[pb.GetQueueStatusResponse]:
    """Returns counts by state, executors with their use, and the oldest wait."""
    return Call(_STATUS, pb.GetQueueStatusRequest(queue=queue), same)


def prevent_starvation(
    *, threshold: timedelta | None = None, boost: bool = False, queue: str = ""
) -> Call[pb.PreventStarvationResponse]:
    """Reports the waiting tasks whose priority ageing has raised; `boost` adds a level, `threshold` is
    stored.
    """
    request = pb.PreventStarvationRequest(threshold=duration(threshold), boost=boost, queue=queue)
    return Call(_STARVATION, request, same, repeatable=not boost)


def get_limits(*, executor: str = "") -> Call[pb.GetLimitsResponse]:
    """Returns the limits in force. Raises NotFound for an unknown executor."""
    return Call(_GET_LIMITS, pb.GetLimitsRequest(executor=executor), same)


def update_limits(
    *,
    executor: str = "",
    max_tasks: int | None = None,
    max_cpu_percent: float | None = None,
    max_memory_percent: float | None = None,
) -> Call[pb.UpdateLimitsResponse]:
    """Changes the limits of one executor, or the defaults; None leaves a limit as it is."""
    request = pb.UpdateLimitsRequest(
        executor=executor,
        max_tasks=max_tasks,
        max_cpu_percent=max_cpu_percent,
        max_memory_percent=max_memory_percent,
    )
    return Call(_UPDATE_LIMITS, request, same)


def list_executors(*, page_size: int = 0) -> Pages[Executor]:
    """Yields executors, connected or seen before, by name."""

    def page(token: str) -> Call[Listed[Executor]]:
        return Call(_EXECUTORS, pb.ListExecutorsRequest(page_size=page_size, page_token=token), _listed)

    return Pages(page)


def list_holds() -> Call[list[Hold]]:
    """Returns what blackouts keep from starting, now or later, earliest first; at most 1,000."""
    return Call(_HOLDS, pb.ListHoldsRequest(), lambda response: list(response.holds))


def watch_activity(*, queue: str = "", timeout: timedelta | None = None) -> Stream[pb.WatchActivityResponse]:
    """Yields what happens to tasks from now on; the first answer is empty and says that the watch has
    begun.
    """
    return Stream(_ACTIVITY, pb.WatchActivityRequest(queue=queue), same, timeout)


def await_tasks(*, queue: str = "", timeout: timedelta | None = None) -> Stream[pb.AwaitTasksResponse]:
    """Yields every task that is due now as it ends for good; the first answer says how many are awaited."""
    return Stream(_AWAIT, pb.AwaitTasksRequest(queue=queue), same, timeout)


def _listed(response: pb.ListExecutorsResponse) -> Listed[Executor]:
    return Listed(response.executors, response.next_page_token)
