"""What services say reads like the command line does."""

import pytest
from batonpass.cli import wording
from batonpass.queue.v1 import queue_service_pb2
from batonpass.scheduler.v1 import event_service_pb2, schedule_pb2, schedule_service_pb2
from google.protobuf.message import Message

from service_kit.errors import InvalidArgument
from service_kit.validation import validate
from tests.unit.cli import making


def wrong_schedule() -> schedule_service_pb2.CreateScheduleRequest:
    """A request that breaks many rules at once."""
    made = making.schedule("a b!", template=making.template(handler=" "))
    made.template.circuit_breaker, made.template.retry_policy, made.template.queue = "x", "often", "A B"
    made.template.priority = 11
    made.template.timeout.Clear()
    made.template.resources.cpu_percent = 200
    made.catchup_window.FromSeconds(1)
    made.specs[0].CopyFrom(schedule_pb2.ScheduleSpec(event=schedule_pb2.EventSpec(type="a b")))
    return schedule_service_pb2.CreateScheduleRequest(schedule=made)


NAMES = "must be letters, digits and"
START = ", and begin with a letter or digit"
WRONG: list[tuple[Message, list[str]]] = [
    (
        wrong_schedule(),
        [
            f"ID: {NAMES} -_., at most 64{START}",
            f"--event: {NAMES} -_.:/*, at most 128{START}",
            "--handler: handler must not be empty",
            "--priority: must be from 1 to 10",
            "--cpu: must be from 0 to 100",
            "--retry-policy: must be standard, none or aggressive",
            "--circuit-breaker: must be default",
            "--timeout: must be from 1s to 7d",
            f"--queue: must be lower-case letters, digits and -_., at most 63{START}",
            "--catchup-window: must be from 10s to 366d",
        ],
    ),
    (
        event_service_pb2.PublishEventRequest(event=event_service_pb2.Event(type="a b")),
        [f"NAME: {NAMES} -_.:/, at most 128{START}"],
    ),
    (
        queue_service_pb2.ReprioritizeTaskRequest(task_id="t", priority=11),
        ["N: must be from 1 to 10"],
    ),
    (
        queue_service_pb2.UpdateLimitsRequest(max_tasks=-1, max_cpu_percent=101),
        ["--max-tasks: must be from 0 to 100000", "--max-cpu: must be from 0 to 100"],
    ),
]


@pytest.mark.parametrize(("request_", "lines"), WRONG)
def test_broken_rules_name_options_and_what_is_allowed(request_: Message, lines: list[str]) -> None:
    with pytest.raises(InvalidArgument) as raised:
        validate(request_)
    call = type(request_).__name__.removesuffix("Request")
    assert wording.told(str(raised.value), raised.value.violations, call) == lines


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("raise a limit with UpdateLimits", "raise a limit with batonpass queue limits"),
        ("needs TLS. Give tls=TlsFiles(ca=...) or set X", "needs TLS. Give --tls-ca or set X"),
        ("give queue=HOST:PORT, set", "give --queue-address HOST:PORT, set"),
        ("resources.cpu_percent 90 % is over", "--cpu 90 % is over"),
    ],
)
def test_sentences_name_commands_and_options(theirs: str, ours: str) -> None:
    assert wording.plain(theirs) == ours


@pytest.mark.parametrize(
    ("path", "option"),
    [
        ("schedule.specs[1].cron.expression", "--cron"),
        ("schedule.exclusions[0].cron.expression", "--exclude-cron"),
        ("draft.specs[0].calendar_interval.start", "--starting"),
        ("schedule.end_time", "--end"),
        ('schedule.source.parameters["table"]', "--param"),
        ("schedule.source", "--template"),
    ],
)
def test_what_says_when_is_named_by_its_option(path: str, option: str) -> None:
    assert wording.option(path) == option


def test_a_field_without_an_option_is_named_as_it_is() -> None:
    assert wording.told("x", [("update_mask", "must name a field"), ("", "at least one")]) == [
        "update_mask: must name a field",
        "at least one",
    ]
