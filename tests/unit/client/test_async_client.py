"""The asyncio client against a real server on loopback: what it does not share with the blocking one."""

from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import grpc.aio
import pytest
from batonpass import AsyncClient, DeadlineExceeded, NotFound, Unavailable
from batonpass.queue.v1 import pull_service_pb2 as pull_pb
from batonpass.queue.v1 import pull_service_pb2_grpc, queue_service_pb2_grpc
from batonpass.queue.v1 import queue_service_pb2 as pb
from batonpass.queue.v1.task_pb2 import TASK_STATE_RUNNING, TASK_STATE_SUCCEEDED, Task, TaskTemplate


class Queue(queue_service_pb2_grpc.QueueServiceServicer, pull_service_pb2_grpc.PullServiceServicer):
    """Just enough of a queue: one task that ends when it is looked at for the second time."""

    def __init__(self):
        self.trouble = []
        self.looks = 0
        self.completed = []
        self.deadlines = []

    async def GetTask(self, request, context):
        self.deadlines.append(context.time_remaining())
        if self.trouble:
            await context.abort(self.trouble.pop(0), "trouble")
        self.looks += 1
        state = TASK_STATE_SUCCEEDED if self.looks > 1 else TASK_STATE_RUNNING
        return pb.GetTaskResponse(task=Task(task_id=request.task_id, state=state))

    async def ListTasks(self, request, context):
        page = int(request.page_token or 0)
        token = str(page + 1) if page < 2 else ""
        return pb.ListTasksResponse(tasks=[Task(task_id=str(page))], next_page_token=token)

    async def WatchActivity(self, request, context):
        yield pb.WatchActivityResponse()
        yield pb.WatchActivityResponse(activities=[pb.Activity(kind=pb.ACTIVITY_KIND_ENDED, task_id="t1")])

    async def AwaitTasks(self, request, context):
        yield pb.AwaitTasksResponse(remaining=1)
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "late")

    async def LeaseTask(self, request, context):
        return pull_pb.LeaseTaskResponse(task=Task(task_id="t1", template=TaskTemplate()), lease_token=3)

    async def CompleteTask(self, request, context):
        self.completed.append((request.lease_token, request.report.exit_code))
        return pull_pb.CompleteTaskResponse()


@pytest.fixture
async def queue() -> AsyncIterator[Queue]:
    server, servicer = grpc.aio.server(), Queue()
    queue_service_pb2_grpc.add_QueueServiceServicer_to_server(servicer, server)
    pull_service_pb2_grpc.add_PullServiceServicer_to_server(servicer, server)
    servicer.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield servicer
    await server.stop(None)


@pytest.fixture
async def client(queue) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(queue=queue.target) as client:
        yield client


async def test_calls_have_a_deadline_and_are_repeated_when_unavailable(queue, client):
    queue.trouble = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE]
    assert (await client.get_task("t1")).task_id == "t1"
    assert len(queue.deadlines) == 3
    # On the wire gRPC rounds a timeout of this size up to the next tenth of a second.
    assert all(0 < left <= 10.1 for left in queue.deadlines)


async def test_other_errors_are_raised_at_once(queue, client):
    queue.trouble = [grpc.StatusCode.NOT_FOUND]
    with pytest.raises(NotFound, match="trouble"):
        await client.get_task("t1")
    assert len(queue.deadlines) == 1


async def test_lists_follow_their_pages(client):
    assert [task.task_id async for task in client.list_tasks()] == ["0", "1", "2"]


async def test_wait_returns_the_ended_task(queue, client):
    assert (await client.wait("t1")).state == TASK_STATE_SUCCEEDED
    assert queue.looks == 2


async def test_the_error_of_a_stream_is_raised_after_its_answers(client):
    answers = client.await_tasks()
    assert (await anext(answers)).remaining == 1
    with pytest.raises(DeadlineExceeded):
        await anext(answers)


async def test_a_lease_block_completes_its_task(queue, client):
    async with client.lease(executor="me"):
        pass
    with pytest.raises(RuntimeError):
        async with client.lease(executor="me"):
            raise RuntimeError
    assert queue.completed == [(3, 0), (3, 1)]


async def test_a_service_that_is_away_is_unavailable():
    async with AsyncClient(queue="127.0.0.1:1", timeout=timedelta(seconds=0.3)) as client:
        with pytest.raises((Unavailable, DeadlineExceeded)):
            await client.get_task("t1")
