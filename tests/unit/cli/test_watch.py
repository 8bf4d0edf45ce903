"""`batonpass watch`: a stream as lines, objects and a table, over reconnects."""

import io
import json
from typing import Any

import grpc
import pytest
from batonpass.cli import watch as module
from batonpass.cli.records import queue as records
from batonpass.cli.views import activity as views
from batonpass.queue.v1 import queue_service_pb2, task_pb2
from rich.console import Console

from tests.support.fake_services import HANG, FakeServices, Refusal
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

BEGUN = queue_service_pb2.WatchActivityResponse()
GONE = Refusal(grpc.StatusCode.UNAVAILABLE, "stopping")


def happened(task_id: str, kind: str, **fields: Any) -> queue_service_pb2.WatchActivityResponse:
    number = queue_service_pb2.ActivityKind.Value(f"ACTIVITY_KIND_{kind}")
    return queue_service_pb2.WatchActivityResponse(
        activities=[
            queue_service_pb2.Activity(
                time=making.at(making.NOON), kind=number, task_id=task_id, queue="default", **fields
            )
        ]
    )


STARTED = happened("t1", "STARTED", executor="host-7", attempt=1, state=task_pb2.TASK_STATE_RUNNING)
ENDED = happened("t1", "ENDED", state=task_pb2.TASK_STATE_DEAD, detail="exit code 3", attempt=1)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_DELAY", 0.01)


def test_lines_say_what_happened_to_which_task(services: FakeServices, batonpass: CommandLine) -> None:
    services.stream("WatchActivity", [BEGUN, STARTED, ENDED, HANG])
    result = batonpass("watch", "--limit", "2", "--queue", "q")
    first, second = result.stdout.splitlines()
    assert first.split() == ["12:00:00Z", "STARTED", "t1", "attempt", "1", "on", "host-7"]
    assert second.split() == ["12:00:00Z", "DEAD", "t1", "attempt", "1", "-", "exit", "code", "3"]
    assert services.address in result.stderr
    assert services.request("WatchActivity").queue == "q"
    assert services.call("WatchActivity").timeout is None


def test_json_is_one_object_a_line(services: FakeServices, batonpass: CommandLine) -> None:
    services.stream("WatchActivity", [BEGUN, STARTED, ENDED, HANG])
    lines = batonpass("watch", "--limit", "2", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["STARTED", "ENDED"]


def test_yaml_is_one_document_each(services: FakeServices, batonpass: CommandLine) -> None:
    services.stream("WatchActivity", [BEGUN, STARTED, ENDED, HANG])
    assert batonpass("watch", "--limit", "2", "-o", "yaml").stdout.count("---\n") == 2


def test_it_begins_anew_when_the_stream_breaks_or_ends(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.stream("WatchActivity", [BEGUN, STARTED, GONE], [BEGUN], [BEGUN, ENDED, HANG])
    result = batonpass("watch", "--limit", "2")
    assert len(result.stdout.splitlines()) == 2
    assert len(services.requests("WatchActivity")) == 3
    assert result.stderr.count("trying again in 0.01 s") == 2


def test_it_stops_when_the_time_is_up(services: FakeServices, batonpass: CommandLine) -> None:
    services.stream("WatchActivity", [BEGUN, STARTED, HANG])
    assert len(batonpass("watch", "--for", "300ms").stdout.splitlines()) == 1


def test_it_does_not_wait_for_a_service_that_was_never_there(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.stop()
    error = batonpass.error("watch")
    assert error["code"] == "UNAVAILABLE"


def test_it_gives_up_on_what_will_not_pass(services: FakeServices, batonpass: CommandLine) -> None:
    refused = Refusal(grpc.StatusCode.PERMISSION_DENIED, "not yours", reason="PERMISSION_DENIED")
    services.stream("WatchActivity", [BEGUN, STARTED, GONE], [refused])
    assert "not yours" in batonpass("watch", expect=1).stderr


def test_the_board_keeps_the_latest_and_counts_all() -> None:
    board = views.Board("here", lines=2)
    for name in ("t1", "t2", "t3"):
        board.add(records.activity(happened(name, "ENQUEUED").activities[0]))
    screen = Console(file=io.StringIO(), width=120)
    with screen.capture() as captured:
        screen.print(board.render())
    text = captured.get()
    assert "3 enqueued" in text
    assert "t1" not in text
    assert "t3" in text
