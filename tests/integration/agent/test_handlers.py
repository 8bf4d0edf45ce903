"""What handlers are told, and what becomes of what they do."""

import threading
from datetime import UTC, datetime

import pytest
from batonpass import NonRetryable, Worker
from batonpass.agent.config import AgentConfig
from batonpass.agent.errors import AgentError
from batonpass.agent.loading import load_handlers
from batonpass.queue.v1.task_pb2 import AttemptResult, FailureCategory
from google.protobuf.timestamp_pb2 import Timestamp

SUCCEEDED = AttemptResult.ATTEMPT_RESULT_SUCCEEDED
FAILED = AttemptResult.ATTEMPT_RESULT_FAILED
HANDLER = FailureCategory.FAILURE_CATEGORY_HANDLER
TIMEOUT = FailureCategory.FAILURE_CATEGORY_TIMEOUT


TOLD = ("task_id", "attempt", "chain", "lease_token", "handler", "queue", "schedule_id", "nominal_time")

SHOP = """
from batonpass import Worker
worker = Worker()
worker.handler("ship")(print)
"""


async def run(fake, start, function, **task):
    """The result of one task that this function handles."""
    worker = Worker()
    worker.handler("h")(function)
    start(worker)
    session = await fake.session()
    offer = fake.task("name:h", **task)
    session.offer(offer)
    return await session.result(offer)


async def test_a_handler_is_told_everything_about_its_task(fake, start):
    seen = {}
    nominal = Timestamp()
    nominal.FromDatetime(datetime(2026, 3, 1, 2, tzinfo=UTC))

    def handle(task):
        for name in (
            "task_id",
            "attempt",
            "chain",
            "lease_token",
            "handler",
            "queue",
            "schedule_id",
            "nominal_time",
        ):
            seen[name] = getattr(task, name)
        seen["payload"], seen["json"] = task.payload, task.json()
        seen["cancelled"] = task.cancelled.is_set()

    await run(
        fake,
        start,
        handle,
        payload=b'{"image": 7}',
        attempt=3,
        chain=2,
        schedule_id="nightly",
        nominal_time=nominal,
    )
    assert seen == {
        "task_id": "t1",
        "attempt": 3,
        "chain": 2,
        "lease_token": 101,
        "handler": "h",
        "queue": "default",
        "schedule_id": "nightly",
        "nominal_time": datetime(2026, 3, 1, 2, tzinfo=UTC),
        "payload": b'{"image": 7}',
        "json": {"image": 7},
        "cancelled": False,
    }


async def test_functions_run_beside_the_event_loop(fake, start):
    threads = []

    def handle(task):
        threads.append(threading.current_thread())

    await run(fake, start, handle)
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(("error", "for_good"), [(ValueError, False), (NonRetryable, True)])
async def test_an_exception_is_a_failed_attempt(fake, start, is_async, error, for_good):
    def fail(task):
        raise error("no pixels")

    async def fail_async(task):
        raise error("no pixels")

    result = await run(fake, start, fail_async if is_async else fail)
    assert (result.result, result.category, result.non_retryable) == (FAILED, HANDLER, for_good)
    assert result.report.exit_code == 1
    assert result.report.error == f"{error.__name__}: no pixels"
    assert "in fail" in result.report.output_tail
    assert 'handlers.py", line' not in result.report.output_tail.replace("test_handlers.py", "")


async def test_even_an_exit_is_only_a_failed_attempt(fake, start):
    def leave(task):
        raise SystemExit(3)

    assert (await run(fake, start, leave)).report.error == "SystemExit: 3"


async def test_a_coroutine_that_nobody_awaits_is_a_failure(fake, start):
    async def work(task):
        return None

    result = await run(fake, start, lambda task: work(task))
    assert "async def" in result.report.error


async def test_an_error_that_cannot_be_sent_as_it_is_is_fitted(fake, start):
    def fail(task):
        raise ValueError("\0\udc80" + "x" * 50_000)

    result = await run(fake, start, fail)
    assert result.result == FAILED
    assert len(result.report.error.encode()) <= 4096
    assert len(result.report.output_tail.encode()) <= 16384


async def test_a_coroutine_beyond_its_timeout_is_cancelled(fake, start, worker):
    start(worker)
    session = await fake.session()
    offer = fake.task("name:wait", timeout=0.2)
    session.offer(offer)
    result = await session.result(offer)
    assert (result.result, result.category) == (FAILED, TIMEOUT)
    assert worker.stopped.is_set()


async def test_a_function_beyond_its_timeout_is_told_and_has_failed_when_it_ends(fake, start, worker):
    """Until then its task cannot be given to anybody else."""
    start(worker)
    session = await fake.session()
    offer = fake.task("name:block", timeout=0.2)
    session.offer(offer)
    result = await session.result(offer)
    assert (result.result, result.category) == (FAILED, TIMEOUT)
    assert worker.saw_cancel.is_set()
    assert result.report.duration.ToTimedelta().total_seconds() > 0.1


async def test_blocking_functions_run_side_by_side(fake, start):
    """Each waits for all the others."""
    together = threading.Barrier(20)
    worker = Worker()
    worker.handler("meet")(lambda task: together.wait(10))
    start(worker)
    session = await fake.session()
    offers = [fake.task("name:meet") for _ in range(20)]
    session.offer(*offers)
    for offer in offers:
        assert (await session.result(offer)).result == SUCCEEDED


def test_a_name_is_registered_once():
    worker = Worker()
    worker.handler("h")(lambda task: None)
    with pytest.raises(AgentError, match="'h'"):
        worker.handler("h")(lambda task: None)
    with pytest.raises(AgentError, match="128"):
        worker.handler("")


def test_a_registered_function_stays_what_it_was():
    worker = Worker()

    @worker.handler("h")
    def handle(task):
        return 7

    assert handle(None) == 7


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("no_such_module:worker", "no_such_module"),
        ("json:worker", "worker"),
        ("json:loads", "not a batonpass.Worker"),
        (":worker", "handlers ':worker'"),
    ],
)
def test_handlers_that_cannot_be_loaded_are_said(written, said):
    with pytest.raises(AgentError, match=said):
        load_handlers(written)


def test_handlers_are_loaded_from_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "shop_handlers.py").write_text(SHOP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    assert list(load_handlers(["shop_handlers:worker", Worker()])) == ["ship"]
    with pytest.raises(AgentError, match="'ship'"):
        load_handlers(["shop_handlers:worker", "shop_handlers"])


@pytest.mark.parametrize(
    "wrong", [{"name": "a b"}, {"name": "-a"}, {"concurrency": 0}, {"concurrency": 100_001}]
)
def test_a_wrong_setup_is_said(wrong):
    with pytest.raises(AgentError):
        AgentConfig(**wrong)
