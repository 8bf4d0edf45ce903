"""Calls about schedules."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Unpack

from google.protobuf.field_mask_pb2 import FieldMask

from batonpass.client.batches import batches
from batonpass.client.call import Call, Listed, Pages, Rpc, same
from batonpass.client.ids import uuid7
from batonpass.client.schedule_message import (
    Changes,
    Options,
    Specs,
    Timing,
    paths,
    schedule_message,
    timing_message,
)
from batonpass.client.values import enum_number, invalid, timestamp
from batonpass.queue.v1.task_pb2 import OverlapPolicy
from batonpass.scheduler.v1 import schedule_service_pb2 as pb
from batonpass.scheduler.v1.schedule_pb2 import Disposition, Fire, Schedule, TemplateSource

_SERVICE: Final = "/batonpass.scheduler.v1.ScheduleService"
_CREATE: Final = Rpc("scheduler", f"{_SERVICE}/CreateSchedule", pb.CreateScheduleResponse)
_BATCH_CREATE: Final = Rpc("scheduler", f"{_SERVICE}/BatchCreateSchedules", pb.BatchCreateSchedulesResponse)
_GET: Final = Rpc("scheduler", f"{_SERVICE}/GetSchedule", pb.GetScheduleResponse)
_LIST: Final = Rpc("scheduler", f"{_SERVICE}/ListSchedules", pb.ListSchedulesResponse)
_UPDATE: Final = Rpc("scheduler", f"{_SERVICE}/UpdateSchedule", pb.UpdateScheduleResponse)
_DELETE: Final = Rpc("scheduler", f"{_SERVICE}/DeleteSchedule", pb.DeleteScheduleResponse)
_ENABLE: Final = Rpc("scheduler", f"{_SERVICE}/EnableSchedule", pb.EnableScheduleResponse)
_DISABLE: Final = Rpc("scheduler", f"{_SERVICE}/DisableSchedule", pb.DisableScheduleResponse)
_RUN: Final = Rpc("scheduler", f"{_SERVICE}/RunSchedule", pb.RunScheduleResponse)
_PREVIEW: Final = Rpc("scheduler", f"{_SERVICE}/PreviewSchedule", pb.PreviewScheduleResponse)
_FIRES: Final = Rpc("scheduler", f"{_SERVICE}/ListFires", pb.ListFiresResponse)
_MOVED: Final = Rpc("scheduler", f"{_SERVICE}/ListMovedSchedules", pb.ListMovedSchedulesResponse)
_STATS: Final = Rpc("scheduler", f"{_SERVICE}/GetScheduleStats", pb.GetScheduleStatsResponse)
_HANDOVER: Final = Rpc("scheduler", f"{_SERVICE}/AwaitHandover", pb.AwaitHandoverResponse)


BATCH_ITEMS: Final = 500


def new_schedule(
    schedule_id: str,
    spec: Specs = (),
    handler: str = "",
    *,
    source: TemplateSource | None = None,
    disabled: bool = False,
    **options: Unpack[Options],
) -> Schedule:
    """A schedule that runs `handler` when one of its specs comes due (see `cron`, `every`, `at`, `on_event`,
    `calendar_every`, `recurrence`), or one that is made of a schedule template (see `template_source`).
    """
    if source is None:
        schedule = schedule_message(schedule_id, spec, handler, options)
    else:
        schedule = _made_of(source, schedule_id, spec, handler, options)
    schedule.disabled = disabled
    return schedule


def create_schedule(
    schedule_id: str,
    spec: Specs = (),
    handler: str = "",
    *,
    source: TemplateSource | None = None,
    disabled: bool = False,
    request_id: str | None = None,
    **options: Unpack[Options],
) -> Call[Schedule]:
    """Creates a schedule; arguments as in `new_schedule`.

    Raises AlreadyExists; InvalidArgument naming field and rule; NotFound for an unknown schedule template.
    """
    schedule = new_schedule(schedule_id, spec, handler, source=source, disabled=disabled, **options)
    request = pb.CreateScheduleRequest(schedule=schedule, request_id=request_id or uuid7())
    return Call(_CREATE, request, _picked)


def batch_create_schedules(schedules: Iterable[Schedule]) -> Sequence[Call[Sequence[pb.CreateVerdict]]]:
    """Creates any number of schedules, in as few calls as they fit; one verdict for each, in order.

    Each is judged by itself: look at `code` (0 = created), `error` and `reason`.
    """
    return [Call(_BATCH_CREATE, _batch(some), _verdicts) for some in batches(schedules, BATCH_ITEMS)]


def get_schedule(schedule_id: str) -> Call[Schedule]:
    """Returns a schedule with its counts. Raises NotFound."""
    return Call(_GET, pb.GetScheduleRequest(schedule_id=schedule_id), _picked)


def list_schedules(*, labels: Mapping[str, str] | None = None, page_size: int = 0) -> Pages[Schedule]:
    """Yields schedules by id; with `labels`, those that have all of them."""

    def page(token: str) -> Call[Listed[Schedule]]:
        request = pb.ListSchedulesRequest(page_size=page_size, page_token=token, labels=labels)
        return Call(_LIST, request, _schedules)

    return Pages(page)


def update_schedule(schedule_id: str, *, generation: int = 0, **changes: Unpack[Changes]) -> Call[Schedule]:
    """Changes what is given and leaves the rest. With `generation`: only when that is the current one.

    Raises NotFound, Aborted for another generation, InvalidArgument.
    """
    if not changes:
        raise invalid("changes", "must name at least one field")
    schedule = schedule_message(schedule_id, changes.get("spec", ()), changes.get("handler", ""), changes)
    if (made_of := changes.get("source")) is not None:
        schedule.source.CopyFrom(made_of)
    request = pb.UpdateScheduleRequest(
        schedule=schedule, update_mask=FieldMask(paths=paths(changes)), generation=generation
    )
    return Call(_UPDATE, request, _picked, repeatable=generation == 0)


def delete_schedule(schedule_id: str) -> Call[None]:
    """Deletes a schedule; its tasks in the queue and the record of its fires stay. Raises NotFound."""
    return Call(_DELETE, pb.DeleteScheduleRequest(schedule_id=schedule_id), _nothing, repeatable=False)


def enable_schedule(schedule_id: str, *, note: str = "", backfill: bool = False) -> Call[Schedule]:
    """Lets a disabled schedule fire again, from now on; `backfill` fires the instants of the pause as well.

    Raises NotFound; FailedPrecondition when `max_runs` leaves it none.
    """
    request = pb.EnableScheduleRequest(schedule_id=schedule_id, note=note, backfill=backfill)
    return Call(_ENABLE, request, _picked)


def disable_schedule(schedule_id: str, *, note: str = "") -> Call[Schedule]:
    """Stops a schedule from firing by time or event. Raises NotFound."""
    return Call(_DISABLE, pb.DisableScheduleRequest(schedule_id=schedule_id, note=note), _picked)


def run_schedule(schedule_id: str, *, overlap: int | str = 0, request_id: str | None = None) -> Call[Fire]:
    """Fires a schedule now; the fire's id is the task's. Raises NotFound."""
    request = pb.RunScheduleRequest(
        schedule_id=schedule_id, request_id=request_id or uuid7(), overlap_policy=_overlap(overlap)
    )
    return Call(_RUN, request, _fire)


def preview_schedule(
    what: str | Specs | Schedule,
    *,
    count: int = 0,
    after: datetime | None = None,
    **timing: Unpack[Timing],
) -> Call[pb.PreviewScheduleResponse]:
    """Shows the next instants of a stored schedule (by id), of specs, or of a whole schedule that is not
    stored, and says in words what it means; 5 instants by default, after now by default.

    `timing` goes with specs.
    """
    draft = None
    if not isinstance(what, str):
        draft = what if isinstance(what, Schedule) else timing_message(what, timing)
    request = pb.PreviewScheduleRequest(
        schedule_id=what if isinstance(what, str) else "",
        draft=draft,
        count=count,
        from_time=timestamp("after", after),
    )
    return Call(_PREVIEW, request, same)


def list_fires(
    schedule_id: str, *, disposition: int | str = 0, backfill_id: str = "", page_size: int = 0
) -> Pages[Fire]:
    """Yields what became of the instants of a schedule, latest first; only of a backfill, if given.

    Raises NotFound.
    """
    number = enum_number("disposition", Disposition, "DISPOSITION", disposition)

    def page(token: str) -> Call[Listed[Fire]]:
        request = pb.ListFiresRequest(
            schedule_id=schedule_id,
            page_size=page_size,
            page_token=token,
            disposition=number,
            backfill_id=backfill_id,
        )
        return Call(_FIRES, request, _fires)

    return Pages(page)


def list_moved_schedules(*, page_size: int = 0) -> Pages[pb.MovedSchedule]:
    """Yields schedules whose next instants were moved by new rules of time zones, latest first."""

    def page(token: str) -> Call[Listed[pb.MovedSchedule]]:
        request = pb.ListMovedSchedulesRequest(page_size=page_size, page_token=token)
        return Call(_MOVED, request, _moved)

    return Pages(page)


def schedule_stats(schedule_id: str = "") -> Call[pb.GetScheduleStatsResponse]:
    """Returns counts over all schedules, or of one. Raises NotFound."""
    return Call(_STATS, pb.GetScheduleStatsRequest(schedule_id=schedule_id), same)


def await_handover() -> Call[int]:
    """Waits until every fire due now has the queue's verdict; returns how many got it.

    Raises DeadlineExceeded.
    """
    return Call(_HANDOVER, pb.AwaitHandoverRequest(), _settled)


def _made_of(
    source: TemplateSource, schedule_id: str, spec: Specs, handler: str, options: Options
) -> Schedule:
    if spec or handler or set(options) - {"labels"}:
        raise invalid("source", "says everything but labels: give it, or specs, handler and options")
    return Schedule(schedule_id=schedule_id, source=source, labels=options.get("labels"))


def _overlap(value: int | str) -> OverlapPolicy.ValueType:
    number: OverlapPolicy.ValueType = enum_number("overlap", OverlapPolicy, "OVERLAP_POLICY", value)
    return number


def _batch(schedules: Iterable[Schedule]) -> pb.BatchCreateSchedulesRequest:
    requests = [pb.CreateScheduleRequest(schedule=schedule, request_id=uuid7()) for schedule in schedules]
    return pb.BatchCreateSchedulesRequest(requests=requests)


def _verdicts(response: pb.BatchCreateSchedulesResponse) -> Sequence[pb.CreateVerdict]:
    return response.verdicts


def _picked(
    response: pb.CreateScheduleResponse
    | pb.GetScheduleResponse
    | pb.UpdateScheduleResponse
    | pb.EnableScheduleResponse
    | pb.DisableScheduleResponse,
) -> Schedule:
    return response.schedule


def _schedules(response: pb.ListSchedulesResponse) -> Listed[Schedule]:
    return Listed(response.schedules, response.next_page_token)


def _fires(response: pb.ListFiresResponse) -> Listed[Fire]:
    return Listed(response.fires, response.next_page_token)


def _moved(response: pb.ListMovedSchedulesResponse) -> Listed[pb.MovedSchedule]:
    return Listed(response.schedules, response.next_page_token)


def _fire(response: pb.RunScheduleResponse) -> Fire:
    return response.fire


def _settled(response: pb.AwaitHandoverResponse) -> int:
    return response.settled


def _nothing(response: pb.DeleteScheduleResponse) -> None:
    return None
