"""The desk by itself: rules that need no stream, walked by chance as well."""

import asyncio

import pytest
from batonpass.agent.attempt import State
from batonpass.agent.credit import Credit
from batonpass.agent.desk import Desk
from batonpass.agent.outbox import ACCEPT_DELAY, Outbox
from batonpass.agent.outcome import HANDLER, Outcome
from batonpass.queue.v1 import dispatch_service_pb2 as pb
from batonpass.queue.v1.executor_pb2 import Limits
from batonpass.queue.v1.task_pb2 import TaskTemplate
from google.protobuf.duration_pb2 import Duration
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule


class Runner:
    """Runs nothing: the test says when an attempt ends."""

    keeps_time = False

    def __init__(self):
        self.running = []
        self.stopped = []

    def start(self, attempt):
        self.running.append(attempt)

    def stop(self, attempt, grace):
        self.stopped.append((attempt, grace))


class Bench:
    """A desk with a clock of its own, and what it said."""

    def __init__(self, slots=2):
        self.now = 100.0
        self.runner = Runner()
        self.outbox = Outbox()
        self.desk = Desk(
            lambda handler: self.runner if handler == "name:h" else None,
            Credit(slots),
            self.outbox,
            lambda: self.now,
        )
        self.numbers = iter(range(1, 10_000))
        self.begin()

    def begin(self, keeps=lambda attempt: True):
        listed = self.desk.held()
        welcome = pb.Welcome(
            offer_timeout=Duration(seconds=10),
            limits=Limits(max_tasks=4),
            held=[attempt.ref() for attempt in listed if keeps(attempt)],
        )
        return self.desk.begin(welcome, listed)

    def offer(self, count=1, handler="name:h", timeout=60):
        template = TaskTemplate(handler=handler, timeout=Duration(seconds=timeout))
        numbers = [next(self.numbers) for _ in range(count)]
        offers = [pb.Offer(task=number, lease_token=number, template=template) for number in numbers]
        self.desk.offers(offers)
        return offers

    def end(self, outcome=None):
        attempt = self.runner.running.pop(0)
        self.desk.finished(attempt, outcome or Outcome())
        return attempt

    def said(self):
        """What is said by the time an Accept is due, by kind: tasks, or results by task."""
        self.desk.ask_for_more()
        kinds = {}
        for message in self.outbox.take(asyncio.get_running_loop().time() + 2 * ACCEPT_DELAY):
            kind = message.WhichOneof("message")
            if kind == "results":
                kinds.setdefault(kind, []).extend(one.lease.task for one in message.results.results)
            elif kind == "credit":
                kinds[kind] = message.credit.offers
            else:
                kinds.setdefault(kind, []).extend(ref.task for ref in getattr(message, kind).leases)
        return kinds


@pytest.fixture
async def bench():
    return Bench()


async def test_offers_are_started_in_order_and_as_many_as_there_are_slots(bench):
    bench.offer(4)
    assert [attempt.key[0] for attempt in bench.runner.running] == [1, 2]
    bench.end()
    assert [attempt.key[0] for attempt in bench.runner.running] == [2, 3]


async def test_offers_that_wait_too_long_are_declined(bench):
    bench.offer(3)
    bench.now += 5.9
    bench.desk.tick()
    assert "decline" not in bench.said()
    bench.now += 0.2
    bench.desk.tick()
    assert bench.said()["decline"] == [3]


async def test_a_result_replaces_the_accept_that_was_not_sent_yet(bench):
    bench.offer(2)
    bench.end()
    said = bench.said()
    assert (said["accept"], said["results"]) == ([2], [1])


async def test_an_attempt_is_stopped_once_when_its_time_is_over(bench):
    bench.offer(1, timeout=30)
    bench.now += 29
    bench.desk.tick()
    assert bench.runner.stopped == []
    bench.now += 2
    bench.desk.tick()
    bench.desk.tick()
    assert [attempt.key[0] for attempt, _ in bench.runner.stopped] == [1]


async def test_an_abandoned_attempt_is_not_held_and_not_reported(bench):
    bench.offer(1)
    bench.desk.abandon_running(1.0)
    assert bench.desk.held() == []
    assert (bench.desk.running, bench.desk.abandoned) == (1, 1)
    bench.end()
    assert (bench.desk.running, bench.desk.abandoned) == (0, 0)
    assert "results" not in bench.said()


async def test_an_attempt_that_ends_with_the_lease_is_not_reported(bench):
    """The guardian may notice before the desk does."""
    bench.offer(1)
    bench.desk.finished(bench.runner.running.pop(), None)
    assert (bench.desk.running, bench.desk.held()) == (0, [])
    assert "results" not in bench.said()


async def test_a_session_that_counts_on_an_abandoned_attempt_is_of_no_use(bench):
    bench.offer(1)
    listed = bench.desk.held()
    welcome = pb.Welcome(held=[attempt.ref() for attempt in listed])
    bench.desk.abandon_running(1.0)
    assert bench.desk.begin(welcome, listed) is False


async def test_a_closed_desk_declines_everything(bench):
    bench.offer(3)
    bench.desk.close("the agent stops")
    bench.offer(2)
    said = bench.said()
    assert said["decline"] == [3, 4, 5]
    assert "credit" not in said


async def test_results_are_split_by_size(bench):
    bench.offer(2)
    for _ in range(2):
        bench.end(Outcome(HANDLER, error="x" * 4_000, output="y" * 16_000))
    for _ in range(60):
        bench.offer(1)
        bench.end(Outcome(HANDLER, error="x" * 4_000, output="y" * 16_000))
    messages = bench.outbox.take(0.0)
    sizes = [message.ByteSize() for message in messages]
    assert sum(len(message.results.results) for message in messages) == 62
    assert len(messages) > 1
    assert max(sizes) < 1024 * 1024


class Life(RuleBasedStateMachine):
    """Whatever happens: slots are kept, each ended attempt is reported until it is acknowledged, and what the
    agent says it holds is exactly what it runs or owes.
    """

    @initialize()
    def build(self):
        self.loop = asyncio.Runner()
        self.bench = self.loop.run(self._build())
        self.owed = set()

    async def _build(self):
        return Bench(slots=3)

    def act(self, function):
        async def inside():
            return function()

        return self.loop.run(inside())

    @rule(count=st.integers(1, 5))
    def offer(self, count):
        self.act(lambda: self.bench.offer(count))

    @rule(where=st.integers(0, 9), lost=st.booleans())
    def end(self, where, lost):
        running = self.bench.runner.running
        if running:
            attempt = running.pop(where % len(running))
            wanted = attempt.state is State.RUNNING and not lost
            self.act(lambda: self.bench.desk.finished(attempt, None if lost else Outcome()))
            if wanted:
                self.owed.add(attempt.key)

    @rule(share=st.integers(1, 3))
    def acknowledge(self, share):
        some = sorted(self.owed)[::share]
        refs = [pb.LeaseRef(task=task, lease_token=token) for task, token in some]
        self.act(lambda: self.bench.desk.acknowledged(refs))
        self.owed -= set(some)

    @rule(share=st.integers(1, 4))
    def lose(self, share):
        refs = [attempt.ref() for attempt in self.bench.desk.held()][::share]
        self.act(lambda: self.bench.desk.stale(refs))
        self.owed -= {(ref.task, ref.lease_token) for ref in refs}

    @rule()
    def lease_over(self):
        self.act(lambda: self.bench.desk.abandon_running(1.0))

    @rule(share=st.integers(1, 3))
    def revoke(self, share):
        every = [*self.bench.desk.held(), *self.bench.desk._pending]
        refs = [attempt.ref() for attempt in every][::share]
        self.act(lambda: self.bench.desk.revoke(refs))

    @rule(keeps=st.integers(1, 3))
    def reconnect(self, keeps):
        def again():
            self.bench.desk.end()
            return self.bench.begin(lambda attempt: attempt.key[0] % keeps == 0)

        assert self.act(again)
        self.owed = {(task, token) for task, token in self.owed if task % keeps == 0}
        assert set(self.act(self.bench.said).get("results", [])) == {task for task, _ in self.owed}

    @invariant()
    def books_are_in_order(self):
        desk, running = self.bench.desk, self.bench.runner.running
        assert desk.running == len(running) <= 3
        assert desk.abandoned == sum(attempt.state is State.ABANDONED for attempt in running)
        held = {attempt.key for attempt in desk.held()}
        assert held == self.owed | {attempt.key for attempt in running if attempt.state is State.RUNNING}
        assert desk.unacknowledged == len(self.owed)

    def teardown(self):
        self.loop.close()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
