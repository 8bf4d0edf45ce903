"""`batonpass task`: what is in the queue, and what ended."""

from typing import Any

import click

from batonpass.cli import flags, task_lease
from batonpass.cli.enqueue import enqueue
from batonpass.cli.pages import listed
from batonpass.cli.records import task as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun
from batonpass.cli.views import task as views
from batonpass.queue.v1 import pull_service_pb2 as pull_pb
from batonpass.queue.v1 import queue_service_pb2 as pb
from batonpass.queue.v1.task_pb2 import TaskState

ID = click.argument("task_id", metavar="TASK_ID")


@click.group(cls=Noun)
def task() -> None:
    """Put tasks into the queue, look at them, run them by hand."""


task.add_command(enqueue)


@task.command("next", examples="batonpass task next\nbatonpass task next --executor operator --blocked 0")
@flags.any_queue()
@click.option(
    "--executor",
    default="",
    metavar="NAME",
    help="Pull client that tasks without a handler are held against.  [default: operator]",
)
@click.option(
    "--blocked",
    "limit",
    type=flags.INT32,
    default=10,
    show_default=True,
    metavar="N",
    help="Most held back tasks to show.",
)
@pass_session
def next_task(session: Session, queue: str, executor: str, limit: int) -> None:
    """Show what would start next, and why the tasks before it would not. Changes nothing."""
    request = pull_pb.PeekTasksRequest(queue=queue, executor=executor, limit=limit)
    session.show(records.peeked(session.pull.PeekTasks(request)), views.peek)


task.add_command(task_lease.execute)
task.add_command(task_lease.extend)
task.add_command(task_lease.complete)


@task.command(examples="batonpass task get inventory\nbatonpass task get inventory -o json")
@ID
@flags.queue()
@pass_session
def get(session: Session, task_id: str, queue: str) -> None:
    """Show one task with its attempts, also one that has ended."""
    reply = session.tasks.GetTask(pb.GetTaskRequest(task_id=task_id, queue=queue))
    session.show(records.whole(reply.task), views.task)


@task.command(
    "list",
    examples="""
    batonpass task list --state waiting
    batonpass task list --schedule backup-daily --limit 20 -o json
    """,
)
@click.option("--state", type=flags.Word(TaskState, "TASK_STATE_"), help="Only this state.")
@click.option("--schedule", "schedule_id", default="", metavar="ID", help="Only tasks of this schedule.")
@flags.any_queue()
@flags.limit("tasks")
@pass_session
def list_tasks(session: Session, state: Any, schedule_id: str, queue: str, limit: int) -> None:
    """List tasks, newest first, ended ones included."""
    found = listed(
        lambda size, token: session.tasks.ListTasks(
            pb.ListTasksRequest(
                queue=queue, state=state, schedule_id=schedule_id, page_size=size, page_token=token
            )
        ),
        lambda page: [records.record(one) for one in page.tasks],
        limit,
    )
    session.show({"tasks": found.tell(session)}, views.tasks)


@task.command(examples='batonpass task cancel inventory --reason "not needed any more"')
@ID
@flags.queue()
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
@pass_session
def cancel(session: Session, task_id: str, queue: str, reason: str) -> None:
    """End a task: at once when it waits; one that runs is asked to stop."""
    request = pb.CancelTaskRequest(task_id=task_id, queue=queue, reason=reason)
    record = records.record(session.tasks.CancelTask(request).task)
    ended = record["state"] == "CANCELLED"
    session.say(
        record, f"Cancelled {task_id}." if ended else f"Asked {record['executor']} to stop {task_id}."
    )


@task.command(examples="batonpass task reprioritize inventory 9")
@ID
@click.argument("priority", type=flags.INT32, metavar="N")
@flags.queue()
@pass_session
def reprioritize(session: Session, task_id: str, priority: int, queue: str) -> None:
    """Give a task that has not started another priority, 1 to 10, 10 = most urgent. It keeps its age."""
    request = pb.ReprioritizeTaskRequest(task_id=task_id, queue=queue, priority=priority)
    record = records.record(session.tasks.ReprioritizeTask(request).task)
    session.say(record, f"{task_id} has priority {record['priority']} ({record['band']}) now.")
