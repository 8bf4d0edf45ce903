"""Runs shell commands, through the guardian."""

import itertools
import signal
from collections.abc import Callable
from typing import Final

import psutil

from batonpass.agent.attempt import Attempt, Finished
from batonpass.agent.environment import environment
from batonpass.agent.guard import Guard
from batonpass.agent.guardian.tail import text
from batonpass.agent.guardian.wire import Ended
from batonpass.agent.outcome import EXIT, SIGNAL, Outcome

_SHELL: Final = "/bin/sh"


class CommandRunner:
    """Each attempt is `/bin/sh -c HANDLER` with the payload as its input.

    `lost_work` is called when a guardian died and took attempts along: they are not reported, so the queue
    counts them as lost, not as failed.
    """

    keeps_time = True

    def __init__(self, guard: Guard, finished: Finished, lost_work: Callable[[], None]) -> None:
        self._guard = guard
        self._finished = finished
        self._lost_work = lost_work
        self._lost: list[Attempt] = []
        self._keys = itertools.count(1)
        self._by_key: dict[int, Attempt] = {}
        self._by_attempt: dict[Attempt, int] = {}
        self._cpu_count = psutil.cpu_count() or 1
        self._memory = psutil.virtual_memory().total
        guard.ended = self._ended
        guard.died = self._died
        guard.replaced = self._replaced

    @property
    def running(self) -> int:
        """Commands that have not ended."""
        return len(self._by_key) + len(self._lost)

    def start(self, attempt: Attempt) -> None:
        key = next(self._keys)
        self._by_key[key], self._by_attempt[attempt] = attempt, key
        template = attempt.offer.template
        argv = [_SHELL, "-c", template.handler]
        self._guard.start(key, argv, environment(attempt), attempt.timeout, template.payload)

    def stop(self, attempt: Attempt, grace: float) -> None:
        key = self._by_attempt.get(attempt)
        if key is not None:
            self._guard.stop(key, grace)

    def _ended(self, key: int, ended: Ended, output: bytes) -> None:
        attempt = self._by_key.pop(key)
        del self._by_attempt[attempt]
        if ended.stopped == "lease":
            self._finished(attempt, None)
            return
        if ended.stopped == "timeout":
            attempt.stopped = attempt.stopped or "timeout"
        self._finished(attempt, self._outcome(ended, output))

    def _died(self) -> None:
        self._lost += self._by_attempt
        self._by_key.clear()
        self._by_attempt.clear()

    def _replaced(self) -> None:
        lost, self._lost = self._lost, []
        for attempt in lost:
            self._finished(attempt, None)
        if lost:
            self._lost_work()

    def _outcome(self, ended: Ended, output: bytes) -> Outcome:
        outcome = Outcome(
            duration=ended.duration,
            exit_code=max(-255, min(255, ended.exit_code)),
            error=ended.error,
            output=text(output),
            peak_bytes=ended.peak_bytes,
        )
        if ended.duration > 0:
            outcome.cpu_percent = 100 * ended.cpu_seconds / ended.duration / self._cpu_count
            outcome.memory_percent = 100 * ended.peak_bytes / self._memory
        if ended.exit_code < 0:
            outcome.category = SIGNAL
            outcome.error = outcome.error or f"ended by {_signal_name(-ended.exit_code)}"
        elif ended.exit_code > 0:
            outcome.category = EXIT
            outcome.error = outcome.error or f"exit code {ended.exit_code}"
        return outcome


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
