"""The agent: sessions one after another, and the work that outlives them."""

import asyncio
import logging
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Final

import grpc

from batonpass.agent import clock, host
from batonpass.agent.attempt import Runner
from batonpass.agent.backoff import backoff
from batonpass.agent.config import AgentConfig
from batonpass.agent.credit import MOST_SLOTS, Credit
from batonpass.agent.desk import Desk
from batonpass.agent.errors import AgentError, Superseded
from batonpass.agent.graces import LEASE_GRACE, SHUTDOWN_GRACE
from batonpass.agent.guard import Guard
from batonpass.agent.lease import Lease
from batonpass.agent.outbox import Outbox
from batonpass.agent.runners import Runners
from batonpass.agent.session import Ended, Session
from batonpass.agent.version import VERSION
from batonpass.agent.worker import Handler
from batonpass.client.channels import open_aio_channel
from batonpass.client.setup import Setup
from batonpass.queue.v1.dispatch_service_pb2 import Hello
from batonpass.queue.v1.dispatch_service_pb2_grpc import DispatchServiceStub

log = logging.getLogger(__name__)

TICK: Final = 0.1
"""Seconds between two looks at timeouts, unanswered offers and the lease."""

LAST_RESULTS: Final = 5.0
"""Seconds to wait at the end for the queue to confirm results."""

STEADY: Final = 5.0
"""Sessions that hold for so many seconds do not count as failures."""

GHOST: Final = 60.0
"""Seconds for which an unanswered Hello may still begin a session at the queue."""

_HOPELESS: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Answers to the very first Hello that will not change by themselves."""


class Agent:
    """Runs until `stop` is called; `run` does the work and belongs to one event loop."""

    def __init__(self, config: AgentConfig, handlers: Mapping[str, Handler], guard: Guard | None) -> None:
        self._config = config
        self._guard = guard
        self._setup = Setup(
            queue=config.queue,
            namespace=config.namespace,
            actor=config.actor or f"agent:{config.name}",
            tls=config.tls,
        )
        self._target = self._setup.target("queue")
        self._handlers = handlers
        self._instance = guard.mark if guard is not None else str(uuid.uuid4())
        self._lease = Lease()
        self._outbox = Outbox()
        self._desk = Desk(self._route, Credit(config.concurrency), self._outbox)
        self._runners: Runners | None = None
        self._session: Session | None = None
        self._stopping = asyncio.Event()
        self._hurried = False
        self._was_welcomed = False
        self._unanswered_at = float("-inf")
        self._trouble = ""

    def stop(self) -> None:
        """Ends the agent: offers are declined, running work may go on for the grace.

        Called again: at once.
        """
        if self._stopping.is_set():
            self._hurried = True
            self._desk.changed.set()
        self._stopping.set()

    async def run(self) -> None:
        """Returns after `stop`.

        Raises AgentError when the agent cannot go on; cancelled, it ends all work.
        """
        if self._guard is not None:
            await self._guard.connect()
        self._runners = Runners(
            self._handlers,
            self._guard,
            self._desk.finished,
            self._starting,
            self._lost_work,
            allow_shell=self._config.allow_shell,
            allow_http=self._config.allow_http,
            threads=self._config.concurrency or MOST_SLOTS,
        )
        tasks = [asyncio.create_task(work()) for work in (self._connect, self._leave, self._keep_time)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            self._desk.abandon(0)
            if self._guard is not None:
                await self._guard.close()
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end

    async def _connect(self) -> None:
        """One session after another. Raises AgentError when there is no use in another one."""
        failures = 0
        while True:
            await self._until(self._nothing_abandoned)
            began = clock.now()
            ended = await self._one_session()
            self._was_welcomed = self._was_welcomed or ended.welcomed
            await self._judge(ended)
            if ended.left:
                return
            steady = ended.drained or clock.now() - began >= STEADY
            failures = 0 if steady else failures + 1
            wait = backoff(failures, random.random())
            self._say(ended)
            await asyncio.sleep(wait)

    def _say(self, ended: Ended) -> None:
        """Logs why there is no session, once per change."""
        trouble = f"{ended.code.name}: {ended.details}"
        if ended.welcomed or trouble != self._trouble:
            log.warning("no session with the queue (%s); trying again", trouble)
        self._trouble = trouble

    async def _one_session(self) -> Ended:
        # A channel of its own: no back-off of an earlier one, and the name is looked up anew.
        options = (("grpc.use_local_subchannel_pool", 1),)
        async with open_aio_channel(self._target, self._setup.tls_files(), options) as channel:
            self._session = Session(self._desk, self._outbox, self._lease, self._renewed)
            try:
                return await self._session.run(
                    DispatchServiceStub(channel), self._hello(), self._setup.metadata()
                )
            finally:
                self._session = None
                self._desk.changed.set()

    async def _judge(self, ended: Ended) -> None:
        if ended.unanswered:
            self._unanswered_at = clock.now()
        if ended.superseded_by and not self._may_be_our_own_ghost():
            self._desk.abandon(LEASE_GRACE)
            await self._until(lambda: self._desk.running == 0)
            raise Superseded(
                f"another agent runs under the name {self._config.name!r}: give this one another name"
            )
        if ended.code in _HOPELESS and not self._was_welcomed:
            raise AgentError(f"the queue at {self._target} refuses this agent: {ended.details}")

    def _may_be_our_own_ghost(self) -> bool:
        """A Hello that this agent gave up on may be taken late, and then supersedes its next session."""
        return clock.now() - self._unanswered_at < GHOST

    async def _leave(self) -> None:
        """The shutdown: running work first, then its results, then Goodbye."""
        await self._stopping.wait()
        desk = self._desk
        log.info("stopping; %d attempts may run for %s more", desk.running, self._config.grace)
        desk.close("the agent stops")
        await self._until(self._nothing_runs_or_hurried, self._config.grace.total_seconds())
        if desk.running:
            log.warning("%d attempts are stopped", desk.running)
            desk.abandon_running(0 if self._hurried else SHUTDOWN_GRACE)
            await self._until(lambda: desk.running == 0, SHUTDOWN_GRACE + LEASE_GRACE)
        await self._until(lambda: desk.unacknowledged == 0, LAST_RESULTS)
        if desk.running == 0 and self._session is not None and self._session.is_open:
            self._session.leave("the agent stops")
            await self._until(lambda: self._session is None, LAST_RESULTS)

    async def _keep_time(self) -> None:
        desk = self._desk
        while True:
            await asyncio.sleep(TICK)
            desk.tick()
            if desk.running > desk.abandoned and self._lease.is_over(clock.now()):
                log.error("the lease is over: %d attempts are stopped", desk.running - desk.abandoned)
                desk.abandon_running(LEASE_GRACE)
            if (
                self._guard is not None
                and self._runners is not None
                and desk.running == self._runners.commands
            ):
                self._guard.watch(False)

    async def _until(self, true: Callable[[], bool], seconds: float | None = None) -> None:
        """Returns when it is true, or when the time is over."""
        changed = self._desk.changed
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return

    def _nothing_abandoned(self) -> bool:
        """A Hello that leaves out an attempt gives it to others at once: it must have ended."""
        return self._desk.abandoned == 0

    def _nothing_runs_or_hurried(self) -> bool:
        return self._desk.running == 0 or self._hurried

    def _route(self, handler: str) -> Runner | None:
        assert self._runners is not None
        return self._runners.route(handler)

    def _starting(self) -> None:
        if self._guard is not None and self._config.watchdog:
            self._guard.watch(True)

    def _lost_work(self) -> None:
        """A Hello that leaves work out is how the queue learns that it is lost."""
        if self._session is not None:
            self._session.give_up("work was lost")

    def _renewed(self, until: float) -> None:
        if self._guard is not None:
            self._guard.renew(until)

    def _hello(self) -> Hello:
        config = self._config
        return Hello(
            executor=config.name,
            instance_id=self._instance,
            handlers=sorted(self._handlers),
            allows_shell=config.allow_shell,
            allows_http=config.allow_http,
            labels=dict(config.labels),
            cpu_count=host.cpu_count(),
            memory_bytes=host.memory_bytes(),
            version=VERSION[:64],
            max_tasks=config.concurrency or 0,
        )
