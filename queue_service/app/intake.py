"""Intake: tasks come in alone, in batches and from schedules, and are stored in groups."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Final, Protocol

from queue_service.domain.errors import IntakeFull
from queue_service.domain.order import Candidate
from queue_service.domain.task import Submission
from queue_service.domain.verdict import Created, TooOld, Verdict, said_again
from queue_service.store.intake import IntakeStore, TakenIn
from service_kit.clock import Clock
from service_kit.errors import ServiceError
from service_kit.group import GroupCommit

MOST_IN_A_STATEMENT: Final = 1_000
MOST_CALLS_IN_A_GROUP: Final = 500
MOST_PENDING: Final = 64 * 1024 * 1024
"""Bytes of submissions kept in memory while they wait; beyond it calls are refused at once."""

OVERHEAD: Final = 2 * 1024
"""About what a submission takes beside its payload and handler."""

Key = tuple[str, str, str]
Count = Callable[[Sequence[Verdict]], None]


class Listener(Protocol):
    """Who is told what follows from tasks that were taken in."""

    def ready(self, candidates: Sequence[Candidate]) -> None:
        """They may start now."""
        ...

    def ended(self) -> None:
        """Tasks have ended."""
        ...

    def stop_wanted(self) -> None:
        """Agents are to be asked to stop tasks."""
        ...


class Intake:
    """Takes tasks in; each answer is given after COMMIT.

    `listener` is told what follows, `count` what was said. `retention` is how long a task_id is remembered,
    and so the greatest age of a fire.
    """

    def __init__(
        self,
        store: IntakeStore,
        clock: Clock,
        retention: timedelta,
        listener: Listener,
        count: Count = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._listener = listener
        self._count = count
        self._group = GroupCommit(self._flush, MOST_CALLS_IN_A_GROUP)
        self._pending = 0

    async def take_in(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """One verdict for each, in order. Raises IntakeFull, or DatabaseUnavailable."""
        size = sum(map(_size, submissions))
        if self._pending and self._pending + size > MOST_PENDING:
            raise IntakeFull(self._pending)
        self._pending += size
        try:
            answers = await self._group.submit(submissions)
        finally:
            self._pending -= size
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [answer for answer in answers if not isinstance(answer, Exception)]

    async def close(self) -> None:
        """Refuses new tasks and returns when those that came before are answered."""
        await self._group.close()

    async def _flush(self, calls: list[Sequence[Submission]]) -> list[list[Verdict | Exception]]:
        everything = [submission for call in calls for submission in call]
        verdicts: list[Verdict | Exception] = []
        for start in range(0, len(everything), MOST_IN_A_STATEMENT):
            verdicts += await self._store_some(everything[start : start + MOST_IN_A_STATEMENT])
        answers = iter(verdicts)
        return [list(islice(answers, len(call))) for call in calls]

    async def _store_some(self, submissions: list[Submission]) -> list[Verdict | Exception]:
        """A key that comes twice is stored by the first, and known when the second's turn comes."""
        found: dict[int, Verdict | Exception] = {
            place: TooOld() for place, submission in enumerate(submissions) if self._is_too_old(submission)
        }
        while len(found) < len(submissions):
            first: dict[Key, int] = {}
            for place, submission in enumerate(submissions):
                if place not in found:
                    first.setdefault(submission.key, place)
            turn = list(first.values())
            found.update(zip(turn, await self._try([submissions[place] for place in turn]), strict=True))
            _follow(submissions, first, found)
        return [found[place] for place in range(len(submissions))]

    async def _try(self, submissions: list[Submission]) -> Sequence[Verdict | Exception]:
        """Stores a group; when PostgreSQL takes offence, one by one, so that one spoils only itself."""
        try:
            now = self._clock.now()
            taken = await self._store.take_in(submissions, now)
        except ServiceError:
            raise
        except Exception as error:
            if len(submissions) == 1:
                return [error]
            return [(await self._try([submission]))[0] for submission in submissions]
        self._tell(submissions, taken)
        return taken.verdicts

    def _tell(self, submissions: Sequence[Submission], taken: TakenIn) -> None:
        self._count(taken.verdicts)
        now = self._clock.now()
        candidates = [
            Candidate(
                order_at=verdict.order_at,
                task=verdict.id,
                version=1,
                lane=submission.lane,
                level=submission.template.priority,
                cpu=submission.template.need.cpu,
                memory=submission.template.need.memory,
            )
            for submission, verdict in zip(submissions, taken.verdicts, strict=True)
            if isinstance(verdict, Created) and verdict.ready and verdict.run_at <= now
        ]
        candidates += taken.ready
        if candidates:
            self._listener.ready(candidates)
        if taken.ended:
            self._listener.ended()
        if taken.stopping:
            self._listener.stop_wanted()

    def _is_too_old(self, submission: Submission) -> bool:
        origin = submission.origin
        return origin is not None and origin.fired_at < self._clock.now() - self._retention


def _size(submission: Submission) -> int:
    return OVERHEAD + len(submission.template.payload) + len(submission.template.handler)


def _follow(
    submissions: Sequence[Submission], first: Mapping[Key, int], found: dict[int, Verdict | Exception]
) -> None:
    """Answers those whose key has had its turn, where that says enough about them."""
    for place, submission in enumerate(submissions):
        leader = first.get(submission.key)
        if place in found or leader is None:
            continue
        verdict = found[leader]
        if not isinstance(verdict, Exception):
            said = said_again(verdict, submissions[leader].body_hash, submission.body_hash)
            if said is not None:
                found[place] = said
