"""PullService: unary leases for clients that hold no stream."""

from typing import Final

from batonpass.queue.v1 import pull_service_pb2 as pb
from batonpass.queue.v1.pull_service_pb2_grpc import PullServiceServicer

from queue_service.api import convert, encode
from queue_service.app.peek import Peek
from queue_service.app.pull import DEFAULT_LEASE, Pull, Wish
from service_kit.clock import Clock
from service_kit.edge import Context
from service_kit.rpc import current_caller

DEFAULT_CLIENT: Final = "operator"
DEFAULT_BLOCKED: Final = 10


class PullService(PullServiceServicer):
    """Decodes, calls, encodes; documented in pull_service.proto."""

    def __init__(self, pull: Pull, peek: Peek, clock: Clock) -> None:
        self._pull = pull
        self._peek = peek
        self._clock = clock

    async def PeekTasks(self, request: pb.PeekTasksRequest, context: Context) -> pb.PeekTasksResponse:
        """Documented in pull_service.proto."""
        client = request.executor or DEFAULT_CLIENT
        most = request.limit if request.HasField("limit") else DEFAULT_BLOCKED
        ahead = await self._peek.look(current_caller().namespace, request.queue, client, most)
        now = self._clock.now()
        return pb.PeekTasksResponse(
            next=None if ahead.next is None else encode.task(ahead.next, now),
            executor=ahead.executor,
            blocked=[encode.task(task, now) for task in ahead.blocked],
        )

    async def LeaseTask(self, request: pb.LeaseTaskRequest, context: Context) -> pb.LeaseTaskResponse:
        """Documented in pull_service.proto."""
        namespace, queue, task_id = convert.key(request, current_caller().namespace)
        leased = await self._pull.lease(
            Wish(
                namespace=namespace,
                queue=queue,
                task_id=task_id,
                executor=request.executor,
                duration=convert.duration_or(request, "lease_duration", DEFAULT_LEASE),
                handlers=tuple(convert.text(name, "handlers") for name in request.handlers),
                request_id=convert.text(request.request_id, "request_id"),
            )
        )
        return pb.LeaseTaskResponse(
            task=encode.task(leased.task, self._clock.now(), payload=True),
            lease_token=leased.token,
            lease_expire_time=encode.timestamp(leased.expires_at),
        )

    async def ExtendLease(self, request: pb.ExtendLeaseRequest, context: Context) -> pb.ExtendLeaseResponse:
        """Documented in pull_service.proto."""
        key = convert.key(request, current_caller().namespace)
        by = convert.duration_or(request, "lease_duration", DEFAULT_LEASE)
        expires_at = await self._pull.extend(key, request.lease_token, by)
        return pb.ExtendLeaseResponse(lease_expire_time=encode.timestamp(expires_at))

    async def CompleteTask(
        self, request: pb.CompleteTaskRequest, context: Context
    ) -> pb.CompleteTaskResponse:
        """Documented in pull_service.proto."""
        caller = current_caller()
        key = convert.key(request, caller.namespace)
        report = convert.report(request.report)
        task = await self._pull.complete(key, request.lease_token, report, caller.actor)
        return pb.CompleteTaskResponse(task=encode.task(task, self._clock.now()))
