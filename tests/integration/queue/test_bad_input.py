"""Bad input: every rule leads to its code and names its field; nothing is written, the service stays up."""

from typing import Any

import grpc
import pytest
from batonpass.queue.v1 import pull_service_pb2 as pull
from batonpass.queue.v1 import queue_service_pb2 as pb
from batonpass.queue.v1 import task_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from service_kit.postgres import Database
from tests.support.queue_rows import value
from tests.support.queue_server import TIMEOUT, QueueServer, fields, reason, template

LONG = "x" * 129


def enqueue(task_id: str = "t", run_time: Timestamp | None = None, **fields: Any) -> pb.EnqueueTaskRequest:
    return pb.EnqueueTaskRequest(task_id=task_id, template=template(**fields), run_time=run_time)


BROKEN: list[tuple[str, Any, str]] = [
    ("EnqueueTask", pb.EnqueueTaskRequest(task_id="t"), "template"),
    ("EnqueueTask", enqueue(task_id="a b"), "task_id"),
    ("EnqueueTask", enqueue(task_id="-t"), "task_id"),
    ("EnqueueTask", enqueue(task_id=LONG), "task_id"),
    ("EnqueueTask", enqueue(priority=0), "template.priority"),
    ("EnqueueTask", enqueue(priority=11), "template.priority"),
    ("EnqueueTask", enqueue(cpu=-1), "template.resources.cpu_percent"),
    ("EnqueueTask", enqueue(cpu=100.01), "template.resources.cpu_percent"),
    ("EnqueueTask", enqueue(cpu=float("nan")), "template.resources.cpu_percent"),
    ("EnqueueTask", enqueue(memory=-0.01), "template.resources.memory_percent"),
    ("EnqueueTask", enqueue(memory=101), "template.resources.memory_percent"),
    ("EnqueueTask", enqueue(handler="x" * 4097), "template.handler"),
    ("EnqueueTask", enqueue(handler="name:"), "template.handler"),
    ("EnqueueTask", enqueue(handler="name:" + LONG), "template.handler"),
    ("EnqueueTask", enqueue(handler="  "), "template.handler"),
    ("EnqueueTask", enqueue(handler="a\0b"), "template.handler"),
    ("EnqueueTask", enqueue(name="x" * 201), "template.name"),
    ("EnqueueTask", enqueue(name="a\0b"), "template.name"),
    ("EnqueueTask", enqueue(queue="Upper"), "template.queue"),
    ("EnqueueTask", enqueue(queue="q" * 64), "template.queue"),
    ("EnqueueTask", enqueue(retry_policy="often"), "template.retry_policy"),
    ("EnqueueTask", enqueue(circuit_breaker="mine"), "template.circuit_breaker"),
    ("EnqueueTask", enqueue(timeout=Duration(nanos=1)), "template.timeout"),
    ("EnqueueTask", enqueue(timeout=Duration(seconds=604801)), "template.timeout"),
    ("EnqueueTask", enqueue(payload=b"x" * (256 * 1024 + 1)), "template.payload"),
    ("EnqueueTask", enqueue(run_time=Timestamp(seconds=2**60)), "run_time"),
    ("EnqueueTask", enqueue(run_time=Timestamp(seconds=253402300799)), "run_time"),
    ("EnqueueTask", enqueue(run_time=Timestamp(nanos=-1)), "run_time"),
    ("GetTask", pb.GetTaskRequest(), "task_id"),
    ("GetTask", pb.GetTaskRequest(task_id=LONG), "task_id"),
    ("GetTask", pb.GetTaskRequest(task_id="a\0b"), "task_id"),
    ("GetTask", pb.GetTaskRequest(task_id="t", queue="Q"), "queue"),
    ("ListTasks", pb.ListTasksRequest(page_size=-1), "page_size"),
    ("ListTasks", pb.ListTasksRequest(page_size=1001), "page_size"),
    ("ListTasks", pb.ListTasksRequest(state=99), "state"),
    ("ListTasks", pb.ListTasksRequest(schedule_id="s" * 65), "schedule_id"),
    ("ListTasks", pb.ListTasksRequest(schedule_id="\0"), "schedule_id"),
    ("ListTasks", pb.ListTasksRequest(page_token="x" * 513), "page_token"),
    ("ListTasks", pb.ListTasksRequest(page_token="x"), "page_token"),
    ("CancelTask", pb.CancelTaskRequest(), "task_id"),
    ("CancelTask", pb.CancelTaskRequest(task_id="t", reason="x" * 501), "reason"),
    ("CancelTask", pb.CancelTaskRequest(task_id="t", reason="\0"), "reason"),
    ("ReprioritizeTask", pb.ReprioritizeTaskRequest(task_id="t"), "priority"),
    ("ReprioritizeTask", pb.ReprioritizeTaskRequest(task_id="t", priority=11), "priority"),
    ("ReprioritizeTask", pb.ReprioritizeTaskRequest(priority=5), "task_id"),
    ("GetQueueStatus", pb.GetQueueStatusRequest(queue="Q"), "queue"),
    ("PreventStarvation", pb.PreventStarvationRequest(threshold=Duration()), "threshold"),
    ("PreventStarvation", pb.PreventStarvationRequest(threshold=Duration(seconds=2592001)), "threshold"),
    ("GetLimits", pb.GetLimitsRequest(executor=LONG), "executor"),
    ("GetLimits", pb.GetLimitsRequest(executor="\0"), "executor"),
    ("UpdateLimits", pb.UpdateLimitsRequest(max_tasks=-1), "max_tasks"),
    ("UpdateLimits", pb.UpdateLimitsRequest(max_tasks=100_001), "max_tasks"),
    ("UpdateLimits", pb.UpdateLimitsRequest(max_cpu_percent=100.5), "max_cpu_percent"),
    ("UpdateLimits", pb.UpdateLimitsRequest(max_memory_percent=-1), "max_memory_percent"),
    ("ListExecutors", pb.ListExecutorsRequest(page_size=-1), "page_size"),
    ("ListExecutors", pb.ListExecutorsRequest(page_token="?"), "page_token"),
    ("PeekTasks", pull.PeekTasksRequest(executor="a b"), "executor"),
    ("PeekTasks", pull.PeekTasksRequest(limit=101), "limit"),
    ("LeaseTask", pull.LeaseTaskRequest(), "executor"),
    ("LeaseTask", pull.LeaseTaskRequest(executor="-"), "executor"),
    ("LeaseTask", pull.LeaseTaskRequest(executor="me", task_id=LONG), "task_id"),
    ("LeaseTask", pull.LeaseTaskRequest(executor="me", task_id="\0"), "task_id"),
    ("LeaseTask", pull.LeaseTaskRequest(executor="me", lease_duration=Duration()), "lease_duration"),
    (
        "LeaseTask",
        pull.LeaseTaskRequest(executor="me", lease_duration=Duration(seconds=86401)),
        "lease_duration",
    ),
    ("LeaseTask", pull.LeaseTaskRequest(executor="me", handlers=[""]), "handlers[0]"),
    ("LeaseTask", pull.LeaseTaskRequest(executor="me", handlers=["h"] * 101), "handlers"),
    ("LeaseTask", pull.LeaseTaskRequest(executor="me", request_id="x" * 65), "request_id"),
    ("LeaseTask", pull.LeaseTaskRequest(executor="me", request_id="\0"), "request_id"),
    ("ExtendLease", pull.ExtendLeaseRequest(lease_token=1), "task_id"),
    ("ExtendLease", pull.ExtendLeaseRequest(task_id="t"), "lease_token"),
    ("CompleteTask", pull.CompleteTaskRequest(task_id="t", lease_token=1), "report"),
    (
        "CompleteTask",
        pull.CompleteTaskRequest(task_id="t", lease_token=1, report=task_pb2.AttemptReport(exit_code=256)),
        "report.exit_code",
    ),
    (
        "CompleteTask",
        pull.CompleteTaskRequest(task_id="t", lease_token=1, report=task_pb2.AttemptReport(cpu_percent=101)),
        "report.cpu_percent",
    ),
    (
        "CompleteTask",
        pull.CompleteTaskRequest(
            task_id="t", lease_token=1, report=task_pb2.AttemptReport(output_tail="x" * 16385)
        ),
        "report.output_tail",
    ),
    (
        "CompleteTask",
        pull.CompleteTaskRequest(
            task_id="t", lease_token=1, report=task_pb2.AttemptReport(duration=Duration(seconds=2**62))
        ),
        "report.duration",
    ),
]


async def call(queue: QueueServer, method: str, request: Any, **more: Any) -> Any:
    stub = queue.producer if hasattr(queue.producer, method) else queue.pull
    more.setdefault("timeout", TIMEOUT)
    return await getattr(stub, method)(request, **more)


async def test_every_broken_rule_is_refused_with_its_field(
    queue: QueueServer, queue_database: Database
) -> None:
    seen = []
    for method, request, _ in BROKEN:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(queue, method, request)
        code, why = reason(refused.value)
        seen.append((method, code, why, set(fields(refused.value))))
    assert seen == [(method, "INVALID_ARGUMENT", "INVALID_ARGUMENT", {field}) for method, _, field in BROKEN]
    for table in ("tasks", "keys", "executors", "settings", "transitions", "actions"):
        assert await value(queue_database, f"SELECT count(*) FROM queue.{table}") == 0
    assert (await queue.enqueue("t")).created


async def test_a_unary_call_needs_a_deadline(queue: QueueServer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(queue, "GetQueueStatus", pb.GetQueueStatusRequest(), timeout=None)
    assert reason(refused.value) == ("INVALID_ARGUMENT", "DEADLINE_REQUIRED")


@pytest.mark.parametrize("namespace", ["Upper", "", "-x", "a" * 64, "a_b"])
async def test_a_namespace_has_a_form(queue: QueueServer, namespace: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(
            queue,
            "GetQueueStatus",
            pb.GetQueueStatusRequest(),
            metadata=(("batonpass-namespace", namespace),),
        )
    assert reason(refused.value)[0] == "INVALID_ARGUMENT"
    assert fields(refused.value) == ["batonpass-namespace"]


async def test_a_message_over_a_mebibyte_is_refused(queue: QueueServer) -> None:
    requests = [enqueue(f"t{number}", payload=b"x" * 250_000) for number in range(5)]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(queue, "BatchEnqueueTasks", pb.BatchEnqueueTasksRequest(requests=requests))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await queue.enqueue("t")).created


async def test_the_largest_of_everything_is_accepted(queue: QueueServer) -> None:
    answer = await call(
        queue,
        "EnqueueTask",
        enqueue(
            task_id="t" * 128,
            handler="é" * 4096,
            name="é" * 200,
            queue="q" * 63,
            priority=10,
            cpu=80,
            memory=85,
            timeout=Duration(seconds=604800),
            payload=bytes(range(256)) * 1024,
        ),
    )
    found = await queue.get("t" * 128, "q" * 63)
    assert found.template == answer.task.template
    assert len(found.template.payload) == 262144
