"""IntakeService: due tasks in, outcomes back."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Final, assert_never

from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1 import task_pb2
from batonpass.queue.v1.intake_service_pb2_grpc import IntakeServiceServicer
from google.protobuf.timestamp_pb2 import Timestamp

from queue_service.api import convert, encode
from queue_service.app.due_tasks import Answer, DueTasks
from queue_service.app.holds import Holds
from queue_service.app.outcomes import OutcomeFeed, Wanted
from queue_service.domain.cursor import Cursor
from queue_service.domain.outcome import Outcome
from queue_service.domain.task import Submission
from queue_service.domain.verdict import Created, KeptOut, Known
from service_kit.edge import Context
from service_kit.errors import ServiceError
from service_kit.rpc import current_caller
from service_kit.validation import validate, validates_itself

LARGEST_RESPONSE: Final = 1024 * 1024


class IntakeService(IntakeServiceServicer):
    """Decodes, calls, encodes; documented in intake_service.proto."""

    def __init__(self, due_tasks: DueTasks, outcomes: OutcomeFeed, holds: Holds) -> None:
        self._due_tasks = due_tasks
        self._outcomes = outcomes
        self._holds = holds

    @validates_itself
    async def StreamDueTasks(
        self, request_iterator: AsyncIterator[pb.StreamDueTasksRequest], context: Context
    ) -> AsyncIterator[pb.StreamDueTasksResponse]:
        """Documented in intake_service.proto."""
        async with aclosing(self._due_tasks.answers(_decoded(request_iterator))) as answered:
            async for request, verdicts in answered:
                yield pb.StreamDueTasksResponse(
                    verdicts=[_verdict(due, said) for due, said in zip(request.tasks, verdicts, strict=True)]
                )

    async def WatchOutcomes(
        self, request: pb.WatchOutcomesRequest, context: Context
    ) -> AsyncIterator[pb.WatchOutcomesResponse]:
        """Documented in intake_service.proto."""
        wanted = Wanted(all_tasks=request.all_tasks)
        follow = self._outcomes.follow(request.cursor, wanted, from_now=request.from_now)
        async with aclosing(follow) as batches:
            async for outcomes, position in batches:
                for response in _responses(outcomes, position):
                    yield response

    async def SetHolds(self, request: pb.SetHoldsRequest, context: Context) -> pb.SetHoldsResponse:
        """Documented in intake_service.proto."""
        version = await self._holds.replace(
            request.namespace,
            convert.text(request.source, "source"),
            request.version,
            convert.holds(request),
            current_caller().actor,
        )
        return pb.SetHoldsResponse(version=version)


async def _decoded(
    requests: AsyncIterator[pb.StreamDueTasksRequest],
) -> AsyncIterator[tuple[pb.StreamDueTasksRequest, list[Submission | ServiceError]]]:
    """Each message with what it asks for. Raises InvalidArgument for one without or with too many tasks."""
    async for request in requests:
        validate(pb.StreamDueTasksRequest(tasks=[_VALID] * len(request.tasks)))
        yield request, [_checked(due) for due in request.tasks]


def _checked(due: pb.DueTask) -> Submission | ServiceError:
    """One due task, or the rule that it breaks."""
    try:
        validate(due)
        return convert.due_submission(due)
    except ServiceError as error:
        return error


# Stands for each task where only their number is checked.
_VALID: Final = pb.DueTask(
    namespace="n",
    task_id="t",
    schedule_id="s",
    template=task_pb2.TaskTemplate(),
    overlap_policy=task_pb2.OVERLAP_POLICY_SKIP,
    nominal_time=Timestamp(),
    fire_time=Timestamp(),
)


def _verdict(due: pb.DueTask, said: Answer) -> pb.DueTaskVerdict:
    answer = pb.DueTaskVerdict(namespace=due.namespace, task_id=due.task_id)
    match said:
        case Created():
            answer.verdict = pb.VERDICT_CREATED
        case Known():
            answer.verdict = pb.VERDICT_DUPLICATE
        case KeptOut(by=by):
            answer.verdict = pb.VERDICT_SKIPPED_OVERLAP
            answer.blocking_task_id = by
        case ServiceError():
            answer.verdict = pb.VERDICT_REJECTED
            answer.reason = said.message
        case _:
            assert_never(said)
    return answer


def _responses(outcomes: Iterable[Outcome], position: Cursor) -> Iterator[pb.WatchOutcomesResponse]:
    """As few messages as their size allows; each has the position behind its own outcomes."""
    message, size = pb.WatchOutcomesResponse(), 0
    for outcome in outcomes:
        encoded = encode.outcome(outcome)
        if size and size + encoded.ByteSize() > LARGEST_RESPONSE:
            yield message
            message, size = pb.WatchOutcomesResponse(), 0
        message.outcomes.append(encoded)
        message.cursor = str(outcome.cursor)
        size += encoded.ByteSize()
    message.cursor = str(position)
    yield message
