"""QueueService: what producers and operators call."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from batonpass.queue.v1 import queue_service_pb2 as pb
from batonpass.queue.v1 import task_pb2
from batonpass.queue.v1.queue_service_pb2_grpc import QueueServiceServicer

from queue_service.api import convert, encode
from queue_service.app.activity import ActivityFeed
from queue_service.app.awaiting import Awaiting
from queue_service.app.holds import Holds
from queue_service.app.limits import Change, ExecutorLimits
from queue_service.app.starvation import Starvation
from queue_service.app.submissions import Accepted, Submissions
from queue_service.app.tasks import Filters, Tasks
from queue_service.domain import priority as priorities
from queue_service.domain.limits import hundredths
from queue_service.domain.task import Submission
from service_kit.clock import Clock
from service_kit.edge import Context
from service_kit.errors import ServiceError
from service_kit.rpc import current_caller
from service_kit.uuids import uuid7
from service_kit.validation import validate, validates_itself

MOST_ACTIVITIES: Final = 1_000
"""In a message, which must stay within what clients take."""


class QueueService(QueueServiceServicer):
    """Decodes, calls, encodes; documented in queue_service.proto."""

    def __init__(
        self,
        submissions: Submissions,
        tasks: Tasks,
        limits: ExecutorLimits,
        starvation: Starvation,
        activity: ActivityFeed,
        awaiting: Awaiting,
        holds: Holds,
        clock: Clock,
    ) -> None:
        self._submissions = submissions
        self._tasks = tasks
        self._limits = limits
        self._starvation = starvation
        self._activity = activity
        self._awaiting = awaiting
        self._holds = holds
        self._clock = clock

    async def EnqueueTask(self, request: pb.EnqueueTaskRequest, context: Context) -> pb.EnqueueTaskResponse:
        """Documented in queue_service.proto."""
        task, created = await self._submissions.enqueue(self._submission(request))
        return pb.EnqueueTaskResponse(
            task=encode.task(task, self._clock.now(), payload=True), created=created
        )

    @validates_itself
    async def BatchEnqueueTasks(
        self, request: pb.BatchEnqueueTasksRequest, context: Context
    ) -> pb.BatchEnqueueTasksResponse:
        """Documented in queue_service.proto."""
        validate(pb.BatchEnqueueTasksRequest(requests=[_VALID] * len(request.requests)))
        items = [self._checked(item) for item in request.requests]
        wanted = [item for item in items if isinstance(item, Submission)]
        answers = iter(await self._submissions.enqueue_all(wanted))
        verdicts = [
            _verdict(asked.task_id, item, next(answers) if isinstance(item, Submission) else item)
            for asked, item in zip(request.requests, items, strict=True)
        ]
        return pb.BatchEnqueueTasksResponse(verdicts=verdicts)

    async def GetTask(self, request: pb.GetTaskRequest, context: Context) -> pb.GetTaskResponse:
        """Documented in queue_service.proto."""
        task = await self._tasks.get(convert.key(request, _namespace()))
        return pb.GetTaskResponse(task=encode.task(task, self._clock.now(), payload=True))

    async def ListTasks(self, request: pb.ListTasksRequest, context: Context) -> pb.ListTasksResponse:
        """Documented in queue_service.proto."""
        schedule_id = convert.text(request.schedule_id, "schedule_id")
        filters = Filters(_namespace(), request.queue, convert.state_filter(request.state), schedule_id)
        page, following = await self._tasks.page(filters, request.page_size, request.page_token)
        now = self._clock.now()
        return pb.ListTasksResponse(
            tasks=[encode.task(task, now) for task in page], next_page_token=following
        )

    async def CancelTask(self, request: pb.CancelTaskRequest, context: Context) -> pb.CancelTaskResponse:
        """Documented in queue_service.proto."""
        caller = current_caller()
        task = await self._tasks.cancel(
            convert.key(request, caller.namespace), caller.actor, convert.text(request.reason, "reason")
        )
        return pb.CancelTaskResponse(task=encode.task(task, self._clock.now()))

    async def ReprioritizeTask(
        self, request: pb.ReprioritizeTaskRequest, context: Context
    ) -> pb.ReprioritizeTaskResponse:
        """Documented in queue_service.proto."""
        caller = current_caller()
        task = await self._tasks.reprioritize(
            convert.key(request, caller.namespace), request.priority, caller.actor
        )
        return pb.ReprioritizeTaskResponse(task=encode.task(task, self._clock.now()))

    async def GetQueueStatus(
        self, request: pb.GetQueueStatusRequest, context: Context
    ) -> pb.GetQueueStatusResponse:
        """Documented in queue_service.proto."""
        counts, now = await self._tasks.status(_namespace(), request.queue)
        oldest = counts.oldest_order_at
        waited = None if oldest is None else max(timedelta(0), now - oldest)
        return pb.GetQueueStatusResponse(
            counts=encode.counts(counts.by_state),
            executors=[encode.executor(executor) for executor in counts.executors],
            oldest_wait=encode.duration(waited),
            ageing_threshold=encode.duration(counts.defaults.threshold),
            starving=counts.starving,
            held=counts.held,
        )

    async def PreventStarvation(
        self, request: pb.PreventStarvationRequest, context: Context
    ) -> pb.PreventStarvationResponse:
        """Documented in queue_service.proto."""
        caller = current_caller()
        threshold = convert.duration(request.threshold) if request.HasField("threshold") else None
        starving, in_force, now = await self._starvation.prevent(
            caller.namespace, request.queue, threshold, request.boost, caller.actor
        )
        boosted = []
        for task in starving:
            level = task.priority + task.boost
            boosted.append(
                pb.BoostedTask(
                    task_id=task.task_id,
                    queue=task.queue,
                    priority=task.priority,
                    effective_priority=priorities.shown_level(level, task.order_at, now, in_force),
                    waited=encode.duration(now - task.order_at),
                    boosted_now=task.boosted_now,
                )
            )
        return pb.PreventStarvationResponse(tasks=boosted, threshold=encode.duration(in_force))

    async def GetLimits(self, request: pb.GetLimitsRequest, context: Context) -> pb.GetLimitsResponse:
        """Documented in queue_service.proto."""
        name = convert.text(request.executor, "executor")
        defaults, executors = await self._limits.get(_namespace(), name)
        return pb.GetLimitsResponse(
            defaults=encode.limits(defaults), executors=[encode.executor_limits(each) for each in executors]
        )

    async def UpdateLimits(
        self, request: pb.UpdateLimitsRequest, context: Context
    ) -> pb.UpdateLimitsResponse:
        """Documented in queue_service.proto."""
        caller = current_caller()
        name = convert.text(request.executor, "executor")
        defaults, executor = await self._limits.change(caller.namespace, name, _change(request), caller.actor)
        return pb.UpdateLimitsResponse(
            defaults=encode.limits(defaults),
            executor=None if executor is None else encode.executor_limits(executor),
        )

    async def ListExecutors(
        self, request: pb.ListExecutorsRequest, context: Context
    ) -> pb.ListExecutorsResponse:
        """Documented in queue_service.proto."""
        page, following = await self._limits.page(_namespace(), request.page_size, request.page_token)
        return pb.ListExecutorsResponse(
            executors=[encode.executor(executor) for executor in page], next_page_token=following
        )

    async def WatchActivity(
        self, request: pb.WatchActivityRequest, context: Context
    ) -> AsyncIterator[pb.WatchActivityResponse]:
        """Documented in queue_service.proto."""
        async with aclosing(self._activity.watch(_namespace(), request.queue)) as batches:
            async for batch in batches:
                for start in range(0, len(batch) or 1, MOST_ACTIVITIES):
                    some = batch[start : start + MOST_ACTIVITIES]
                    yield pb.WatchActivityResponse(activities=[encode.activity(each) for each in some])

    async def AwaitTasks(
        self, request: pb.AwaitTasksRequest, context: Context
    ) -> AsyncIterator[pb.AwaitTasksResponse]:
        """Documented in queue_service.proto."""
        async with aclosing(self._awaiting.follow(_namespace(), request.queue)) as ends:
            async for remaining, task in ends:
                ended = None if task is None else encode.task(task, self._clock.now())
                yield pb.AwaitTasksResponse(remaining=remaining, task=ended)

    async def ListHolds(self, request: pb.ListHoldsRequest, context: Context) -> pb.ListHoldsResponse:
        """Documented in queue_service.proto."""
        ahead = await self._holds.ahead(_namespace())
        return pb.ListHoldsResponse(holds=[encode.hold(each) for each in ahead])

    def _submission(self, request: pb.EnqueueTaskRequest) -> Submission:
        caller = current_caller()
        task_id = request.task_id or uuid7(self._clock.now())
        return convert.submission(request, caller.namespace, task_id, caller.actor)

    def _checked(self, request: pb.EnqueueTaskRequest) -> Submission | ServiceError:
        """One item of a batch, or what is wrong with it."""
        try:
            validate(request)
            return self._submission(request)
        except ServiceError as error:
            return error


# Stands for each item where only their number is checked.
_VALID: Final = pb.EnqueueTaskRequest(template=task_pb2.TaskTemplate())


def _namespace() -> str:
    return current_caller().namespace


def _verdict(
    asked_id: str, item: Submission | ServiceError, answer: Accepted | ServiceError
) -> pb.EnqueueVerdict:
    task_id = item.task_id if isinstance(item, Submission) else asked_id
    if isinstance(answer, Accepted):
        return pb.EnqueueVerdict(task_id=task_id, created=answer.created)
    return pb.EnqueueVerdict(task_id=task_id, refused_reason=answer.reason, refused_message=answer.message)


def _change(request: pb.UpdateLimitsRequest) -> Change:
    return Change(
        max_tasks=request.max_tasks if request.HasField("max_tasks") else None,
        max_cpu=hundredths(request.max_cpu_percent) if request.HasField("max_cpu_percent") else None,
        max_memory=hundredths(request.max_memory_percent) if request.HasField("max_memory_percent") else None,
    )
