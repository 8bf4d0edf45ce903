"""Calls about backfills: the instants of a stretch of time, fired once more at a rate."""

from datetime import datetime
from typing import Final

from batonpass.client.call import Call, Listed, Pages, Rpc, same
from batonpass.client.ids import uuid7
from batonpass.client.values import enum_number, timestamp
from batonpass.queue.v1.task_pb2 import OverlapPolicy
from batonpass.scheduler.v1 import backfill_service_pb2 as pb

_SERVICE: Final = "/batonpass.scheduler.v1.BackfillService"
_CREATE: Final = Rpc("scheduler", f"{_SERVICE}/CreateBackfill", pb.CreateBackfillResponse)
_GET: Final = Rpc("scheduler", f"{_SERVICE}/GetBackfill", pb.GetBackfillResponse)
_LIST: Final = Rpc("scheduler", f"{_SERVICE}/ListBackfills", pb.ListBackfillsResponse)
_CANCEL: Final = Rpc("scheduler", f"{_SERVICE}/CancelBackfill", pb.CancelBackfillResponse)


def create_backfill(
    schedule_id: str,
    from_time: datetime,
    until_time: datetime,
    *,
    per_minute: int = 0,
    overlap: int | str = 0,
    priority: int = 0,
    dry_run: bool = False,
    request_id: str | None = None,
) -> Call[pb.CreateBackfillResponse]:
    """Fires the instants of a schedule from `from_time` to before `until_time` once more, oldest first, 60 a
    minute by default, at a priority two below that of the schedule and one after another by default.

    `dry_run` only counts. Raises NotFound; InvalidArgument, also for a schedule that events trigger and for
    more than 1,000,000 instants.
    """
    backfill = pb.Backfill(
        schedule_id=schedule_id,
        from_time=timestamp("from_time", from_time),
        until_time=timestamp("until_time", until_time),
        per_minute=per_minute,
        overlap_policy=enum_number("overlap", OverlapPolicy, "OVERLAP_POLICY", overlap),
        priority=priority,
    )
    request = pb.CreateBackfillRequest(backfill=backfill, dry_run=dry_run, request_id=request_id or uuid7())
    return Call(_CREATE, request, same)


def get_backfill(backfill_id: str) -> Call[pb.Backfill]:
    """Returns a backfill with its progress. Raises NotFound."""
    return Call(_GET, pb.GetBackfillRequest(backfill_id=backfill_id), _picked)


def list_backfills(schedule_id: str = "", *, state: int | str = 0, page_size: int = 0) -> Pages[pb.Backfill]:
    """Yields backfills, latest first; of one schedule, and in one state, if given."""
    number = enum_number("state", pb.BackfillState, "BACKFILL_STATE", state)

    def page(token: str) -> Call[Listed[pb.Backfill]]:
        request = pb.ListBackfillsRequest(
            schedule_id=schedule_id, state=number, page_size=page_size, page_token=token
        )
        return Call(_LIST, request, _listed)

    return Pages(page)


def cancel_backfill(backfill_id: str) -> Call[pb.Backfill]:
    """Stops a backfill: what has not been fired yet never is. Raises NotFound."""
    return Call(_CANCEL, pb.CancelBackfillRequest(backfill_id=backfill_id), _picked)


def _picked(response: pb.GetBackfillResponse | pb.CancelBackfillResponse) -> pb.Backfill:
    return response.backfill


def _listed(response: pb.ListBackfillsResponse) -> Listed[pb.Backfill]:
    return Listed(response.backfills, response.next_page_token)
