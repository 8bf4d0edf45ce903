"""Messages to values and back."""

from datetime import UTC, datetime, timedelta

import pytest
from batonpass.queue.v1 import queue_service_pb2, task_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from queue_service.api import convert, encode
from queue_service.domain.errors import BadField
from queue_service.domain.limits import Need
from queue_service.domain.task import Template

templates = st.builds(
    Template,
    queue=st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,62}", fullmatch=True),
    handler=st.sampled_from(["", "name:x", "https://host/x", "echo hi"]),
    name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200),
    priority=st.integers(1, 10),
    need=st.builds(Need, st.integers(0, 10_000), st.integers(0, 10_000)),
    timeout=st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=7)),
    retry_policy=st.sampled_from(["standard", "none", "aggressive"]),
    payload=st.binary(max_size=50),
)


@given(templates)
def test_a_template_comes_back_as_it_went(template: Template) -> None:
    assert convert.template(encode.template(template)) == template


@given(templates, templates)
def test_equal_bodies_and_only_those_have_equal_hashes(a: Template, b: Template) -> None:
    first, second = encode.template(a), encode.template(b)
    assert (convert.body_hash(first) == convert.body_hash(second)) == (first == second)
    assert convert.body_hash(first) == convert.body_hash(
        task_pb2.TaskTemplate.FromString(first.SerializeToString())
    )


def test_the_run_time_belongs_to_the_body() -> None:
    def submission(**more: object) -> bytes:
        request = queue_service_pb2.EnqueueTaskRequest(template=task_pb2.TaskTemplate(), **more)
        return convert.submission(request, "default", "t", "me").body_hash

    assert submission() == submission(task_id="other")
    assert submission() != submission(run_time=Timestamp(seconds=1))
    assert submission(run_time=Timestamp(seconds=1)) != submission(run_time=Timestamp(seconds=2))


def test_an_empty_template_has_the_defaults_of_the_contract() -> None:
    found = convert.template(task_pb2.TaskTemplate())
    assert found == Template(queue="default", handler="", priority=5, timeout=timedelta(hours=1))


@given(st.datetimes(datetime(1, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC)))
def test_instants_are_exact_to_the_microsecond(at: datetime) -> None:
    message = encode.timestamp(at)
    assert message is not None
    assert convert.instant(message, "run_time") == at


@pytest.mark.parametrize("seconds", [2**62, -(2**62), 253402300799, -62135596801])
def test_instants_beyond_the_calendar_are_refused(seconds: int) -> None:
    with pytest.raises(BadField) as refused:
        convert.instant(Timestamp(seconds=seconds), "run_time")
    assert refused.value.violations[0].field == "run_time"


def test_a_report_tells_not_measured_from_nothing_used() -> None:
    nothing = convert.report(task_pb2.AttemptReport())
    assert (nothing.cpu, nothing.memory, nothing.peak_bytes, nothing.duration) == (None, None, None, None)
    measured = convert.report(task_pb2.AttemptReport(cpu_percent=0, memory_percent=0))
    assert (measured.cpu, measured.memory) == (0, 0)
    assert encode.report(measured).HasField("cpu_percent")
    assert not encode.report(nothing).HasField("cpu_percent")
