"""A queue for tests of the scheduler: a real gRPC server that takes due tasks and feeds outcomes.

It keeps the promises of intake_service.proto (a repeat is told by its id), and breaks the network's: it can
hold verdicts back, lose them, send them twice, and end streams.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc.aio
from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1 import task_pb2
from batonpass.queue.v1.intake_service_pb2_grpc import (
    IntakeServiceServicer,
    add_IntakeServiceServicer_to_server,
)

from service_kit.rpc import RpcServer

Judge = Callable[[pb.DueTask], pb.DueTaskVerdict]
PATIENCE = 10.0


def created(task: pb.DueTask) -> pb.DueTaskVerdict:
    return pb.DueTaskVerdict(verdict=pb.VERDICT_CREATED)


class FakeQueue(IntakeServiceServicer):
    """`tasks` are those taken in, by id; `arrivals` are all ids in the order they came, repeats included."""

    def __init__(self) -> None:
        self.tasks: dict[str, pb.DueTask] = {}
        self.arrivals: list[str] = []
        self.verdicts: dict[str, pb.DueTaskVerdict] = {}
        self.judge: Judge = created
        self.lose = 0
        """How many of the next verdicts are lost."""
        self.twice = False
        """Whether verdicts and outcomes are sent twice."""
        self.answers = asyncio.Event()
        """Cleared: verdicts are held back."""
        self.answers.set()
        self.outcomes: list[pb.Outcome] = []
        self.kept_from = 0
        """Cursors before this one are too old."""
        self.watches: list[pb.WatchOutcomesRequest] = []
        self.holds: dict[str, pb.SetHoldsRequest] = {}
        """What is in force, by source."""
        self.address = ""
        self._server: RpcServer | None = None
        self._changed = asyncio.Condition()
        self._streams = 0

    async def start(self) -> "FakeQueue":
        """Listens on the address of the last time, if there was one."""
        self._server = RpcServer()
        self._server.add(add_IntakeServiceServicer_to_server, self)
        self.address = await self._server.start(self.address or "127.0.0.1:0", insecure_dev=True)
        return self

    async def stop(self) -> None:
        """Ends every stream at once."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def got(self, count: int) -> None:
        """Returns when `count` due tasks have arrived, repeats included."""
        await self._until(lambda: len(self.arrivals) >= count)

    async def watched(self, count: int) -> None:
        """Returns when the outcome feed was opened `count` times."""
        await self._until(lambda: len(self.watches) >= count)

    async def end(self, *outcomes: pb.Outcome) -> None:
        """Tasks end; the feed sends each as a response of its own."""
        self.outcomes += outcomes
        await self._notify()

    async def StreamDueTasks(
        self, requests: AsyncIterator[pb.StreamDueTasksRequest], context: Any
    ) -> AsyncIterator[pb.StreamDueTasksResponse]:
        async for request in requests:
            verdicts = [self._take(task) for task in request.tasks]
            await self._notify()
            await self.answers.wait()
            lost, self.lose = min(self.lose, len(verdicts)), max(0, self.lose - len(verdicts))
            for _ in range(1 + self.twice):
                yield pb.StreamDueTasksResponse(verdicts=verdicts[lost:])

    async def WatchOutcomes(
        self, request: pb.WatchOutcomesRequest, context: Any
    ) -> AsyncIterator[pb.WatchOutcomesResponse]:
        self.watches.append(request)
        await self._notify()
        if request.cursor and int(request.cursor) < self.kept_from:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "too old")
        place = len(self.outcomes) if request.from_now else int(request.cursor or 0)
        yield pb.WatchOutcomesResponse(cursor=str(place))
        while True:
            await self._until(lambda seen=place: len(self.outcomes) > seen, None)
            outcome = self.outcomes[place]
            place += 1
            wanted = [outcome] if outcome.schedule_id or request.all_tasks else []
            for _ in range(1 + self.twice):
                yield pb.WatchOutcomesResponse(outcomes=wanted, cursor=str(place))

    async def SetHolds(self, request: pb.SetHoldsRequest, context: Any) -> pb.SetHoldsResponse:
        stored = self.holds.setdefault(request.source, request)
        if request.version > stored.version:
            stored = self.holds[request.source] = request
        await self._notify()
        return pb.SetHoldsResponse(version=stored.version)

    def _take(self, task: pb.DueTask) -> pb.DueTaskVerdict:
        self.arrivals.append(task.task_id)
        known = self.verdicts.get(task.task_id)
        if known is None:
            known = self.judge(task)
            known.namespace, known.task_id = task.namespace, task.task_id
            self.verdicts[task.task_id] = known
            if known.verdict == pb.VERDICT_CREATED:
                self.tasks[task.task_id] = task
            return known
        if known.verdict != pb.VERDICT_CREATED:
            return known
        return pb.DueTaskVerdict(namespace=task.namespace, task_id=task.task_id, verdict=pb.VERDICT_DUPLICATE)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, happened: Callable[[], bool], patience: float | None = PATIENCE) -> None:
        async with asyncio.timeout(patience), self._changed:
            await self._changed.wait_for(happened)


def outcome(
    task_id: str,
    *,
    schedule_id: str = "",
    state: task_pb2.TaskState = task_pb2.TASK_STATE_SUCCEEDED,
    chain: int = 1,
    ended: datetime = datetime(2026, 1, 1, 0, 5, tzinfo=UTC),
    seconds: float = 2.0,
    depth: int = 0,
    namespace: str = "default",
) -> pb.Outcome:
    """The end of a task that ran for `seconds`."""
    made = pb.Outcome(
        namespace=namespace,
        queue="default",
        task_id=task_id,
        chain=chain,
        schedule_id=schedule_id,
        state=state,
        attempts=1,
        trigger_depth=depth,
        handler="name:work",
    )
    made.end_time.FromDatetime(ended)
    made.start_time.FromDatetime(ended - timedelta(seconds=seconds))
    made.last_attempt.report.duration.FromTimedelta(timedelta(seconds=seconds))
    return made
