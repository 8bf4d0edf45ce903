"""`Client.wait`: by a stream, through interruptions, up to a deadline."""

from datetime import timedelta

import grpc
import pytest
from batonpass import DeadlineExceeded, NotFound, Unavailable
from batonpass.queue.v1 import queue_service_pb2 as pb
from batonpass.queue.v1.task_pb2 import TASK_STATE_RUNNING, TASK_STATE_SUCCEEDED, Task

WAIT = 10


def task(state):
    return pb.GetTaskResponse(task=Task(task_id="t1", state=state))


def activity(kind, task_id="t1"):
    return pb.WatchActivityResponse(activities=[pb.Activity(kind=kind, task_id=task_id)])


def begin(play):
    """Answers the watch with its empty first message."""
    _, request, watch = play.take("QueueService.WatchActivity")
    watch.send_initial_metadata(())
    watch.send_response(pb.WatchActivityResponse())
    return request, watch


def test_a_task_that_ended_before_is_seen_at_once(play):
    """The watch begins first and the task is read after it, so an end in between is not missed."""
    call = play.start(lambda client: client.wait("t1"))
    request, _ = begin(play)
    play.answer("QueueService.GetTask", task(TASK_STATE_SUCCEEDED))
    assert call.result(WAIT).state == TASK_STATE_SUCCEEDED
    assert request.queue == "default"


def test_the_end_is_told_by_the_watch(play):
    """Other tasks, and other things that happen to this one, cause no call."""
    call = play.start(lambda client: client.wait("t1"))
    _, watch = begin(play)
    play.answer("QueueService.GetTask", task(TASK_STATE_RUNNING))
    watch.send_response(activity(pb.ACTIVITY_KIND_ENDED, "other"))
    watch.send_response(activity(pb.ACTIVITY_KIND_RETRYING))
    watch.send_response(activity(pb.ACTIVITY_KIND_ENDED))
    play.answer("QueueService.GetTask", task(TASK_STATE_SUCCEEDED))
    assert call.result(WAIT).state == TASK_STATE_SUCCEEDED


def test_a_broken_watch_is_begun_again(play):
    call = play.start(lambda client: client.wait("t1"))
    _, watch = begin(play)
    play.answer("QueueService.GetTask", task(TASK_STATE_RUNNING))
    watch.terminate((), grpc.StatusCode.UNAVAILABLE, "restart")
    _, watch = begin(play)
    play.answer("QueueService.GetTask", task(TASK_STATE_RUNNING))
    watch.terminate((), grpc.StatusCode.OK, "")
    begin(play)
    play.answer("QueueService.GetTask", task(TASK_STATE_SUCCEEDED))
    assert call.result(WAIT).state == TASK_STATE_SUCCEEDED
    assert play.time.time() > 1_000


def test_the_watch_has_the_deadline_of_the_wait(play):
    call = play.start(lambda client: client.wait("t1", timeout=timedelta(seconds=30)))
    _, watch = begin(play)
    play.answer("QueueService.GetTask", task(TASK_STATE_RUNNING))
    watch.terminate((), grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    with pytest.raises(DeadlineExceeded):
        call.result(WAIT)
    assert play.queue.timeouts[0] == 30


def test_an_unknown_task_is_not_waited_for(play):
    call = play.start(lambda client: client.wait("t1"))
    begin(play)
    play.refuse("QueueService.GetTask", grpc.StatusCode.NOT_FOUND, "no task t1")
    with pytest.raises(NotFound):
        call.result(WAIT)


def test_a_queue_that_is_away_is_waited_for_up_to_the_timeout(play):
    call = play.start(lambda client: client.wait("t1", timeout=timedelta(seconds=15)))
    tries = 0
    while not call.done():
        _, _, watch = play.take("QueueService.WatchActivity")
        watch.terminate((), grpc.StatusCode.UNAVAILABLE, "away")
        tries += 1
        if play.time.time() > 1_013:
            break
    assert tries > 8
    begin(play)
    play.answer("QueueService.GetTask", task(TASK_STATE_SUCCEEDED))
    call.result(WAIT)


def test_a_queue_that_was_never_there_is_an_error(play):
    call = play.start(lambda client: client.wait("t1"))
    for _ in range(5):
        _, _, watch = play.take("QueueService.WatchActivity")
        watch.terminate((), grpc.StatusCode.UNAVAILABLE, "away")
    with pytest.raises(Unavailable, match="away"):
        call.result(WAIT)
