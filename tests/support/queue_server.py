"""The queue service in the test's own process: real server, real database, real stubs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
from batonpass.options import CLIENT_OPTIONS, caller_metadata
from batonpass.queue.v1 import (
    intake_service_pb2,
    intake_service_pb2_grpc,
    pull_service_pb2_grpc,
    queue_service_pb2,
    queue_service_pb2_grpc,
    task_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status

from queue_service.__main__ import Queue
from queue_service.settings import QueueSettings
from tests.support.waiting import until

TIMEOUT = 10.0
METADATA = caller_metadata("default", "tester")


class QueueServer:
    """One replica and the stubs to talk to it."""

    def __init__(self, queue: Queue, address: str, channel: grpc.aio.Channel) -> None:
        self.queue = queue
        self.address = address
        self.channel = channel
        self.producer = queue_service_pb2_grpc.QueueServiceStub(channel)
        self.pull = pull_service_pb2_grpc.PullServiceStub(channel)
        self.intake = intake_service_pb2_grpc.IntakeServiceStub(channel)

    async def enqueue(self, task_id: str = "", **fields: Any) -> queue_service_pb2.EnqueueTaskResponse:
        """Enqueues a task; `fields` are those of its template, `run_time` and `namespace`."""
        run_time = fields.pop("run_time", None)
        namespace = fields.pop("namespace", "default")
        request = queue_service_pb2.EnqueueTaskRequest(
            task_id=task_id, template=template(**fields), run_time=run_time
        )
        answer: queue_service_pb2.EnqueueTaskResponse = await self.producer.EnqueueTask(
            request, timeout=TIMEOUT, metadata=caller_metadata(namespace, "tester")
        )
        return answer

    async def get(self, task_id: str, queue: str = "", namespace: str = "default") -> task_pb2.Task:
        """The task as GetTask shows it."""
        answer = await self.producer.GetTask(
            queue_service_pb2.GetTaskRequest(task_id=task_id, queue=queue),
            timeout=TIMEOUT,
            metadata=caller_metadata(namespace, "tester"),
        )
        found: task_pb2.Task = answer.task
        return found

    async def due(self, *tasks: intake_service_pb2.DueTask) -> dict[str, intake_service_pb2.DueTaskVerdict]:
        """The verdicts on due tasks that are sent in one message, by task_id."""

        async def requests() -> AsyncIterator[intake_service_pb2.StreamDueTasksRequest]:
            yield intake_service_pb2.StreamDueTasksRequest(tasks=tasks)

        stream = self.intake.StreamDueTasks(requests(), timeout=TIMEOUT)
        return {each.task_id: each async for response in stream for each in response.verdicts}


def template(**fields: Any) -> task_pb2.TaskTemplate:
    """A template; `cpu` and `memory` in percent."""
    cpu, memory = fields.pop("cpu", None), fields.pop("memory", None)
    if cpu is not None or memory is not None:
        fields["resources"] = task_pb2.Resources(cpu_percent=cpu or 0, memory_percent=memory or 0)
    return task_pb2.TaskTemplate(**fields)


def due_task(
    task_id: str,
    schedule_id: str = "s",
    policy: "task_pb2.OverlapPolicy.ValueType" = task_pb2.OVERLAP_POLICY_SKIP,
    *,
    fired_at: datetime | None = None,
    namespace: str = "default",
    **fields: Any,
) -> intake_service_pb2.DueTask:
    """A fire of a schedule, due now."""
    at = timestamp(fired_at or datetime.now(UTC))
    fields.setdefault("handler", "name:noop")
    return intake_service_pb2.DueTask(
        namespace=namespace,
        task_id=task_id,
        schedule_id=schedule_id,
        template=template(**fields),
        overlap_policy=policy,
        nominal_time=at,
        fire_time=at,
    )


def timestamp(at: datetime) -> Timestamp:
    """As a message."""
    message = Timestamp()
    message.FromDatetime(at)
    return message


def reason(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    """Code and ErrorInfo's reason of a failed call."""
    return error.code().name, _details(error)[0].reason


def fields(error: grpc.aio.AioRpcError) -> list[str]:
    """The fields that a failed call's BadRequest names."""
    return [violation.field for violation in _details(error)[1].field_violations]


def facts(error: grpc.aio.AioRpcError) -> Mapping[str, str]:
    """The metadata of a failed call's ErrorInfo."""
    return dict(_details(error)[0].metadata)


def _details(error: grpc.aio.AioRpcError) -> tuple[ErrorInfo, BadRequest]:
    info, bad = ErrorInfo(), BadRequest()
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        detail.Unpack(info)
        detail.Unpack(bad)
    return info, bad


def settings(url: str, **changes: Any) -> QueueSettings:
    """Settings of a replica for tests."""
    return QueueSettings(database_url=url, insecure_dev=True, **changes)


@asynccontextmanager
async def queue_server(url: str, **changes: Any) -> AsyncIterator[QueueServer]:
    """A replica that serves; `changes` are settings."""
    queue = Queue(settings(url, **changes), "test")
    address = await queue.server.start("127.0.0.1:0", insecure_dev=True)
    running = asyncio.create_task(queue.run())
    try:
        await until(lambda: _serves(queue), "serving")
        async with grpc.aio.insecure_channel(address, options=CLIENT_OPTIONS) as channel:
            yield QueueServer(queue, address, channel)
    finally:
        running.cancel()
        await asyncio.wait({running})
        await queue.drain()
        await queue.server.stop(timedelta(seconds=1))
        await queue.close()


async def _serves(queue: Queue) -> bool:
    return queue.server.health.reason is None
