"""What producers enqueue, one by one or in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from queue_service.app.intake import Intake
from queue_service.domain.errors import TaskIdTaken, TaskNotFound, TaskTooLarge
from queue_service.domain.states import State
from queue_service.domain.task import Submission, Task
from queue_service.domain.verdict import Created, Different, KeptOut, Known, TooLarge, TooOld
from queue_service.store.reads import TaskReader
from service_kit.clock import Clock
from service_kit.errors import InvalidArgument, ServiceError


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submission that is in the queue; `created` is false when it was before."""

    created: bool


class Submissions:
    """Enqueues for producers."""

    def __init__(self, intake: Intake, reader: TaskReader, clock: Clock) -> None:
        self._intake = intake
        self._reader = reader
        self._clock = clock

    async def enqueue(self, submission: Submission) -> tuple[Task, bool]:
        """The task, and whether this call made it. Raises TaskIdTaken, TaskTooLarge."""
        (verdict,) = await self._intake.take_in([submission])
        match verdict:
            case Created():
                return self._new(submission, verdict), True
            case Known(id=task):
                return await self._known(submission, task), False
            case _:
                raise refusal(submission, verdict)

    async def enqueue_all(self, submissions: Sequence[Submission]) -> list[Accepted | ServiceError]:
        """For each whether it is in the queue, or why it is not."""
        verdicts = await self._intake.take_in(submissions)
        answers: list[Accepted | ServiceError] = []
        for submission, verdict in zip(submissions, verdicts, strict=True):
            if isinstance(verdict, Created | Known):
                answers.append(Accepted(isinstance(verdict, Created)))
            else:
                answers.append(refusal(submission, verdict))
        return answers

    def _new(self, submission: Submission, created: Created) -> Task:
        now = self._clock.now()
        return Task(
            id=created.id,
            namespace=submission.namespace,
            task_id=submission.task_id,
            template=submission.template,
            state=State.WAITING if created.run_at <= now else State.SCHEDULED,
            boost=0,
            attempt=1,
            chain=1,
            enqueued_at=min(now, created.order_at),
            order_at=created.order_at,
            run_at=created.run_at,
            ready=created.ready,
        )

    async def _known(self, submission: Submission, task: int) -> Task:
        found = await self._reader.by_id(submission.namespace, task, self._clock.now())
        if found is None:
            raise TaskNotFound(submission.template.queue, submission.task_id)
        return found


def refusal(submission: Submission, verdict: KeptOut | Different | TooLarge | TooOld) -> ServiceError:
    """The error that belongs to a verdict against a submission."""
    queue, task_id = submission.template.queue, submission.task_id
    match verdict:
        case Different():
            return TaskIdTaken(queue, task_id)
        case KeptOut(by=by):
            why = f"is a fire that its overlap policy kept out, because of {by!r}"
            return TaskIdTaken(queue, task_id, why)
        case TooLarge(largest=largest):
            return TaskTooLarge(queue, task_id, submission.template.need, largest)
        case TooOld():
            return InvalidArgument("fired longer ago than task ids are remembered", reason="TOO_OLD")
        case _:
            assert_never(verdict)
