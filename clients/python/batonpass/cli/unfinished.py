"""What has not ended yet, and why: for those whose time to wait is up."""

import re
from datetime import UTC, datetime
from typing import Final

from batonpass.cli.output import Record
from batonpass.cli.pages import listed
from batonpass.cli.records import task as records
from batonpass.cli.session import Session
from batonpass.queue.v1 import queue_service_pb2 as queue_pb
from batonpass.queue.v1.task_pb2 import (
    TASK_STATE_OFFERED,
    TASK_STATE_RUNNING,
    TASK_STATE_SCHEDULED,
    TASK_STATE_WAITING,
    Task,
    TaskState,
)
from batonpass.scheduler.v1 import schedule_service_pb2 as scheduler_pb

_OPEN = (TASK_STATE_RUNNING, TASK_STATE_OFFERED, TASK_STATE_WAITING, TASK_STATE_SCHEDULED)
_MOST = 1000

_STUCK: Final = re.compile("no connected executor|UNSCHEDULABLE|.* of at most 0 tasks")
"""How the queue begins its reasons to wait that only somebody's doing ends."""


def unsettled_fires(session: Session) -> int:
    """Number of fires that wait for the queue's verdict; at least 1 when a schedule is due."""
    reply = session.schedules.GetScheduleStats(scheduler_pb.GetScheduleStatsRequest())
    is_due = reply.HasField("next_fire_time") and reply.next_fire_time.ToDatetime(UTC) <= datetime.now(UTC)
    return max(reply.pending_fires, int(is_due))


def open_tasks(session: Session, queue: str) -> list[Record]:
    """Due tasks with a handler that have not ended, running ones first; at most 1,000 of each state."""
    now = datetime.now(UTC)
    found = (task for state in _OPEN for task in _in_state(session, queue, state))
    return [records.record(task) for task in found if is_due(task, now)]


def stuck_tasks(session: Session, queue: str) -> list[Record]:
    """Due tasks that nobody can run as things are; at most 1,000."""
    found = map(records.record, _in_state(session, queue, TASK_STATE_WAITING))
    return [task for task in found if task["handler"] and _STUCK.match(task["waiting_reason"] or "")]


def is_due(task: Task, now: datetime) -> bool:
    """Whether executors can be offered it, now or, after a failed attempt, soon."""
    if not task.template.handler:
        return False
    return task.state != TASK_STATE_SCHEDULED or task.attempt > 1 or task.run_time.ToDatetime(UTC) <= now


def _in_state(session: Session, queue: str, state: TaskState.ValueType) -> list[Task]:
    return listed(
        lambda size, token: session.tasks.ListTasks(
            queue_pb.ListTasksRequest(queue=queue, state=state, page_size=size, page_token=token)
        ),
        lambda page: page.tasks,
        _MOST,
    ).items
