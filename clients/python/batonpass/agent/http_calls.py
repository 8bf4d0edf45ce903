"""Runs tasks whose handler is a URL: one POST each."""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from batonpass.agent.attempt import Attempt, Finished
from batonpass.agent.guardian.tail import text
from batonpass.agent.outcome import HANDLER, Outcome, rejected
from batonpass.agent.threads import Threads
from batonpass.agent.version import VERSION

_CONNECT: Final = 10.0
"""Seconds to wait for a connection, unless the task's own timeout is shorter."""

_SLACK: Final = 1.0
"""Seconds that the socket waits longer than the task, so that it is the desk that ends a call in time."""

_MOST_BODY: Final = 64 * 1024


class HttpRunner:
    """Posts the payload; a status of 2xx is success. Redirects are not followed: they are no success.

    `Idempotency-Key` is the same in every attempt of a chain. A call is stopped by closing its connection;
    what the other side does then is its own business.
    """

    keeps_time = False

    def __init__(self, finished: Finished, starting: Callable[[], None], threads: int) -> None:
        self._starting = starting
        self._threads = Threads(self._run, finished, threads)
        self._open: dict[Attempt, http.client.HTTPConnection] = {}
        self._lock = threading.Lock()

    def start(self, attempt: Attempt) -> None:
        self._starting()
        self._threads.submit(attempt)

    def stop(self, attempt: Attempt, grace: float) -> None:
        with self._lock:
            connection = self._open.get(attempt)
            if connection is not None and connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def _run(self, attempt: Attempt) -> Outcome:
        began = time.monotonic()
        try:
            outcome = self._post(attempt)
        except (OSError, http.client.HTTPException, ValueError) as error:
            outcome = Outcome(HANDLER, exit_code=1, error=f"{type(error).__name__}: {error}")
        outcome.duration = time.monotonic() - began
        return outcome

    def _post(self, attempt: Attempt) -> Outcome:
        url = urlsplit(attempt.offer.template.handler)
        if not url.hostname:
            return rejected(f"{attempt.offer.template.handler[:100]!r} names no host")
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname, url.port, timeout=min(_CONNECT, attempt.timeout + _SLACK))
        try:
            self._connect(attempt, connection)
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", target, attempt.context.payload, _headers(attempt))
            response = connection.getresponse()
            body = response.read(_MOST_BODY)
        finally:
            with self._lock:
                self._open.pop(attempt, None)
                connection.close()
        return _outcome(response, body)

    def _connect(self, attempt: Attempt, connection: http.client.HTTPConnection) -> None:
        connection.connect()
        connection.sock.settimeout(attempt.timeout + _SLACK)
        with self._lock:
            self._open[attempt] = connection
            if attempt.stopped:
                raise ConnectionAbortedError("stopped before it was sent")


def _headers(attempt: Attempt) -> dict[str, str]:
    context = attempt.context
    key = context.task_id if context.chain <= 1 else f"{context.task_id}/{context.chain}"
    return {
        "Content-Type": "application/json",
        "User-Agent": f"batonpass-agent/{VERSION}",
        "Batonpass-Task-Id": context.task_id,
        "Batonpass-Attempt": str(context.attempt),
        "Idempotency-Key": key,
    }


def _outcome(response: http.client.HTTPResponse, body: bytes) -> Outcome:
    outcome = Outcome(output=text(body))
    if not 200 <= response.status < 300:
        outcome.category, outcome.exit_code = HANDLER, 1
        outcome.error = f"HTTP {response.status} {response.reason}".rstrip()
    return outcome
