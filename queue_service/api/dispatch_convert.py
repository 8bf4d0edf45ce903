"""Dispatch messages between protobuf and the queue's own words. Pure."""

import math
from collections.abc import Iterable, Sequence
from typing import assert_never

from batonpass.queue.v1 import dispatch_service_pb2 as pb
from batonpass.queue.v1 import executor_pb2, task_pb2
from google.protobuf.duration_pb2 import Duration

from queue_service.api import convert, encode
from queue_service.app import messages
from queue_service.domain.ending import NO_REPORT, Finished, How
from queue_service.domain.lease import Lease, Ref
from queue_service.domain.limits import hundredths, percent
from queue_service.domain.registration import Measured, Registration
from queue_service.domain.states import Category

HOW = {
    task_pb2.ATTEMPT_RESULT_SUCCEEDED: How.SUCCEEDED,
    task_pb2.ATTEMPT_RESULT_FAILED: How.FAILED,
    task_pb2.ATTEMPT_RESULT_CANCELLED: How.CANCELLED,
}


def to_registration(namespace: str, hello: pb.Hello) -> Registration:
    """What an agent says of itself. Raises BadField for text that cannot be stored."""
    for field, words in (
        ("instance_id", [hello.instance_id]),
        ("handlers", hello.handlers),
        ("labels", [*hello.labels.keys(), *hello.labels.values()]),
        ("version", [hello.version]),
    ):
        for word in words:
            convert.text(word, f"hello.{field}")
    return Registration(
        namespace=namespace,
        executor=hello.executor,
        instance_id=hello.instance_id,
        handlers=tuple(dict.fromkeys(hello.handlers)),
        allows_shell=hello.allows_shell,
        allows_http=hello.allows_http,
        labels=dict(hello.labels),
        cpu_count=hello.cpu_count,
        memory_bytes=hello.memory_bytes,
        version=hello.version,
        max_tasks=hello.max_tasks,
    )


def to_refs(leases: Iterable[pb.LeaseRef]) -> list[Ref]:
    """Names of leases."""
    return [Ref(lease.task, lease.lease_token) for lease in leases]


def to_finished(result: pb.Result) -> Finished:
    """How an attempt ended. A category or `non_retryable` beside anything but FAILED means nothing."""
    how = HOW[result.result]
    failed = how is How.FAILED
    return Finished(
        task=result.lease.task,
        token=result.lease.lease_token,
        how=how,
        category=Category(result.category) if failed else Category.NONE,
        non_retryable=failed and result.non_retryable,
        report=convert.report(result.report) if result.HasField("report") else NO_REPORT,
    )


def to_load(executor: int, load: executor_pb2.HostLoad) -> Measured:
    """Raises ValueError naming field and rule for what is no percentage."""
    return Measured(
        executor,
        _percentage("heartbeat.load.cpu_percent", load.cpu_percent),
        _percentage("heartbeat.load.memory_percent", load.memory_percent),
    )


def _percentage(field: str, value: float) -> int:
    if not math.isfinite(value) or not 0 <= value <= 100:
        raise ValueError(field, f"must be 0 to 100, not {value}")
    return hundredths(value)


def from_message(message: messages.Message) -> pb.DispatchResponse:
    """What the agent is told."""
    match message:
        case messages.Offers(leases):
            return pb.DispatchResponse(offers=pb.Offers(offers=[from_lease(lease) for lease in leases]))
        case messages.HeartbeatAck(seq, valid_for):
            return pb.DispatchResponse(
                heartbeat_ack=pb.HeartbeatAck(seq=seq, valid_for=encode.duration(valid_for))
            )
        case messages.ResultsAck(refs):
            return pb.DispatchResponse(results_ack=pb.ResultsAck(leases=from_refs(refs)))
        case messages.StaleLease(refs):
            return pb.DispatchResponse(stale_lease=pb.StaleLease(leases=from_refs(refs)))
        case messages.Revoke(refs):
            return pb.DispatchResponse(revoke=pb.Revoke(leases=from_refs(refs)))
        case messages.Cancel(refs, grace):
            return pb.DispatchResponse(cancel=pb.Cancel(leases=from_refs(refs), grace=encode.duration(grace)))
        case messages.Refused(text, field):
            return pb.DispatchResponse(refused=pb.Refused(message=text, field=field))
        case messages.Welcome():
            return pb.DispatchResponse(welcome=_welcome(message))
        case messages.Drain():
            return pb.DispatchResponse(drain=pb.Drain())
        case messages.Superseded(session):
            return pb.DispatchResponse(superseded=pb.Superseded(session_epoch=session))
        case _:
            assert_never(message)


def from_refs(refs: Sequence[Ref]) -> list[pb.LeaseRef]:
    """Names of leases."""
    return [pb.LeaseRef(task=ref.task, lease_token=ref.token) for ref in refs]


def from_lease(lease: Lease) -> pb.Offer:
    """One offer, with everything its handler needs."""
    return pb.Offer(
        task=lease.task,
        lease_token=lease.token,
        task_id=lease.task_id,
        template=task_pb2.TaskTemplate(
            handler=lease.handler,
            priority=lease.priority,
            resources=task_pb2.Resources(
                cpu_percent=percent(lease.cpu), memory_percent=percent(lease.memory)
            ),
            retry_policy=lease.retry_policy,
            circuit_breaker=lease.circuit_breaker,
            timeout=Duration(seconds=lease.timeout_ms // 1000, nanos=lease.timeout_ms % 1000 * 1_000_000),
            payload=lease.payload or b"",
            name=lease.name,
            queue=lease.queue,
        ),
        attempt=lease.attempt,
        chain=lease.chain,
        schedule_id=lease.schedule_id or "",
        nominal_time=encode.timestamp(lease.nominal_at),
    )


def _welcome(welcome: messages.Welcome) -> pb.Welcome:
    return pb.Welcome(
        session_epoch=welcome.session,
        heartbeat_interval=encode.duration(welcome.terms.heartbeat),
        lease_ttl=encode.duration(welcome.terms.ttl),
        offer_timeout=encode.duration(welcome.terms.offer_timeout),
        held=from_refs(welcome.held),
        limits=encode.limits(welcome.limits),
        time=encode.timestamp(welcome.time),
    )
