"""`AsyncClient`: every call of both services, for asyncio."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from batonpass.client import (
    backfills,
    calendars,
    events,
    operations,
    pull,
    schedule_templates,
    schedules,
    tasks,
)
from batonpass.client.async_leasing import AsyncLease
from batonpass.client.asynchronous import AsyncCaller, chained, listing, streaming, unary
from batonpass.client.endpoints import Side, TlsFiles
from batonpass.client.errors import BatonpassError, Unavailable
from batonpass.client.setup import Setup
from batonpass.client.waiting import Wait, has_ended
from batonpass.options import DEFAULT_DEADLINE
from batonpass.queue.v1.task_pb2 import Task

if TYPE_CHECKING:
    import grpc.aio


class AsyncClient:
    """Calls the scheduler and the queue; as `Client`, with `await` and `async for`. Belongs to one event
    loop.

        async with AsyncClient() as client:
            task = await client.enqueue("name:resize", payload={"image": 7})
            task = await client.wait(task.task_id)
            print(TaskState.Name(task.state))
    """

    def __init__(
        self,
        scheduler: str | None = None,
        queue: str | None = None,
        *,
        namespace: str | None = None,
        actor: str | None = None,
        tls: TlsFiles | None = None,
        timeout: timedelta = DEFAULT_DEADLINE,
    ) -> None:
        setup = Setup(scheduler, queue, namespace, actor, tls, timeout)
        self.caller = AsyncCaller(setup, {})

    @classmethod
    def over(
        cls,
        *,
        scheduler: "grpc.aio.Channel | None" = None,
        queue: "grpc.aio.Channel | None" = None,
        namespace: str | None = None,
        actor: str | None = None,
        timeout: timedelta = DEFAULT_DEADLINE,
    ) -> Self:
        """A client on channels of the caller's making; `close` closes them."""
        channels: dict[Side, grpc.aio.Channel] = {}
        if scheduler is not None:
            channels["scheduler"] = scheduler
        if queue is not None:
            channels["queue"] = queue
        client = cls()
        client.caller = AsyncCaller(Setup(namespace=namespace, actor=actor, timeout=timeout), channels)
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections; calls under way end."""
        await self.caller.close()

    enqueue = unary(tasks.enqueue)
    enqueue_many = chained(tasks.enqueue_many)
    get_task = unary(tasks.get_task)
    list_tasks = listing(tasks.list_tasks)
    cancel = unary(tasks.cancel)
    reprioritize = unary(tasks.reprioritize)

    create_schedule = unary(schedules.create_schedule)
    batch_create_schedules = chained(schedules.batch_create_schedules)
    get_schedule = unary(schedules.get_schedule)
    list_schedules = listing(schedules.list_schedules)
    update_schedule = unary(schedules.update_schedule)
    delete_schedule = unary(schedules.delete_schedule)
    enable_schedule = unary(schedules.enable_schedule)
    disable_schedule = unary(schedules.disable_schedule)
    run_schedule = unary(schedules.run_schedule)
    preview_schedule = unary(schedules.preview_schedule)
    list_fires = listing(schedules.list_fires)
    list_moved_schedules = listing(schedules.list_moved_schedules)
    schedule_stats = unary(schedules.schedule_stats)
    await_handover = unary(schedules.await_handover)
    publish_event = unary(events.publish_event)
    get_event = unary(events.get_event)
    list_events = listing(events.list_events)
    explain_event = unary(events.explain_event)
    replay_events = unary(events.replay_events)

    create_backfill = unary(backfills.create_backfill)
    get_backfill = unary(backfills.get_backfill)
    list_backfills = listing(backfills.list_backfills)
    cancel_backfill = unary(backfills.cancel_backfill)

    create_calendar = unary(calendars.create_calendar)
    get_calendar = unary(calendars.get_calendar)
    list_calendars = listing(calendars.list_calendars)
    update_calendar = unary(calendars.update_calendar)
    delete_calendar = unary(calendars.delete_calendar)
    calendar_periods = unary(calendars.calendar_periods)

    put_schedule_template = unary(schedule_templates.put_schedule_template)
    get_schedule_template = unary(schedule_templates.get_schedule_template)
    list_schedule_templates = listing(schedule_templates.list_schedule_templates)
    delete_schedule_template = unary(schedule_templates.delete_schedule_template)
    upgrade_schedules = unary(schedule_templates.upgrade_schedules)

    queue_status = unary(operations.queue_status)
    prevent_starvation = unary(operations.prevent_starvation)
    get_limits = unary(operations.get_limits)
    update_limits = unary(operations.update_limits)
    list_executors = listing(operations.list_executors)
    list_holds = unary(operations.list_holds)
    watch_activity = streaming(operations.watch_activity)
    await_tasks = streaming(operations.await_tasks)

    peek_tasks = unary(pull.peek_tasks)
    lease_task = unary(pull.lease_task)
    extend_lease = unary(pull.extend_lease)
    complete_task = unary(pull.complete_task)

    async def wait(self, task_id: str, *, queue: str = "", timeout: timedelta | None = None) -> Task:
        """Returns the task when it has ended, however it ended. It is watched, not polled.

        Raises NotFound; DeadlineExceeded after `timeout` (default: never).
        """
        caller = self.caller
        wait = Wait(task_id, queue, timeout, caller.retry, caller.now())
        while True:
            try:
                async with aclosing(caller.stream(wait.watch(caller.now()))) as answers:
                    async for answer in answers:
                        if wait.is_news(answer) and has_ended(task := await caller.run(wait.look())):
                            return task
                raise Unavailable("the watch ended")
            except Unavailable as error:
                await asyncio.sleep(wait.pause(error, caller.now(), random.random()))

    @asynccontextmanager
    async def lease(
        self,
        *,
        executor: str,
        task_id: str = "",
        queue: str = "",
        lease_duration: timedelta | None = None,
        handlers: Sequence[str] = (),
    ) -> AsyncIterator[AsyncLease]:
        """Leases a task for an `async with` block, whose end completes it: an exception is a failed
        attempt.

        Raises NotFound (reason `NO_TASK`) when there is nothing to lease. Call `lease.extend()` before the
        lease runs out.
        """
        granted = await self.lease_task(
            executor=executor, task_id=task_id, queue=queue, lease_duration=lease_duration, handlers=handlers
        )
        lease = AsyncLease(self.caller, granted, lease_duration)
        try:
            yield lease
        except BaseException as error:
            if not lease.completed:
                await self._report_failure(lease, error)
            raise
        if not lease.completed:
            await lease.complete()

    async def _report_failure(self, lease: AsyncLease, failure: BaseException) -> None:
        try:
            await lease.complete(exit_code=1, error=f"{type(failure).__name__}: {failure}"[:1000])
        except BatonpassError as error:
            failure.add_note(f"the failure was not reported: {error}")
