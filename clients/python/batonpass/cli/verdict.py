"""What became of fires: the queue's verdict on them, as long as it takes a moment only."""

from collections.abc import Sequence
from typing import Final

from batonpass.cli.failure import Failure
from batonpass.cli.session import Session
from batonpass.scheduler.v1 import schedule_service_pb2 as pb
from batonpass.scheduler.v1.schedule_pb2 import DISPOSITION_PENDING, Fire

LONGEST: Final = 3.0
"""Longest wait for verdicts, in seconds; they take milliseconds while the queue is there."""

_PAGE: Final = 100


def settled(session: Session, fires: Sequence[Fire]) -> list[Fire]:
    """`fires` as they are once the queue has judged them; PENDING ones when it has not done so in time.

    What happened is recorded already, so no failure of a look at it is one of the command.
    """
    if not any(map(is_open, fires)):
        return list(fires)
    try:
        wait = min(LONGEST, session.timeout.total_seconds())
        session.schedules.AwaitHandover(pb.AwaitHandoverRequest(), timeout=wait)
    except Failure as failure:
        if failure.fault.code != "DEADLINE_EXCEEDED":
            return list(fires)
    return [_again(session, fire) if is_open(fire) else fire for fire in fires]


def is_open(fire: Fire) -> bool:
    """Whether the queue has not judged it yet."""
    return fire.disposition == DISPOSITION_PENDING


def _again(session: Session, fire: Fire) -> Fire:
    request = pb.ListFiresRequest(schedule_id=fire.schedule_id, page_size=_PAGE)
    try:
        found = session.schedules.ListFires(request).fires
    except Failure:
        return fire
    return next((one for one in found if one.fire_id == fire.fire_id), fire)
