"""Tasks whose handler is a URL."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from batonpass.queue.v1.task_pb2 import AttemptResult, FailureCategory

SUCCEEDED = AttemptResult.ATTEMPT_RESULT_SUCCEEDED
FAILED = AttemptResult.ATTEMPT_RESULT_FAILED
CANCELLED = AttemptResult.ATTEMPT_RESULT_CANCELLED


class Site(ThreadingHTTPServer):
    """Answers with the status that the path names; `/slow` answers when it is released."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.requests = []
        self.arrived = threading.Event()
        self.release = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Request(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.server.arrived.set()
        if self.path == "/slow":
            self.server.release.wait(20)
        self.send_response(int(self.path[1:4]) if self.path[1:4].isdecimal() else 200)
        self.send_header("Location", "/200")
        self.send_header("Content-Length", "4")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b"body")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield site
        site.release.set()
        site.shutdown()
        thread.join()


async def call(fake, start, handler, **task):
    start(allow_http=True)
    session = await fake.session()
    assert session.hello.allows_http
    offer = fake.task(handler, **task)
    session.offer(offer)
    return await session.result(offer)


async def test_the_payload_is_posted_with_the_task_in_the_headers(fake, start, site):
    result = await call(fake, start, f"{site.url}/hook?a=1", payload=b'{"x":1}', attempt=2)
    assert (result.result, result.report.exit_code, result.report.output_tail) == (SUCCEEDED, 0, "body")
    ((path, headers, body),) = site.requests
    assert (path, body) == ("/hook?a=1", b'{"x":1}')
    assert headers["Batonpass-Task-Id"] == headers["Idempotency-Key"] == "t1"
    assert headers["Batonpass-Attempt"] == "2"


async def test_a_redriven_task_has_another_idempotency_key(fake, start, site):
    """Otherwise the other side would answer with the failure that it remembers."""
    await call(fake, start, f"{site.url}/200", chain=2)
    assert site.requests[0][1]["Idempotency-Key"] == "t1/2"


@pytest.mark.parametrize("status", [302, 404, 503])
async def test_any_status_but_2xx_is_a_failure(fake, start, site, status):
    result = await call(fake, start, f"{site.url}/{status}")
    assert (result.result, result.category) == (FAILED, FailureCategory.FAILURE_CATEGORY_HANDLER)
    assert result.report.error.startswith(f"HTTP {status} ")
    assert len(site.requests) == 1


async def test_a_site_that_is_away_is_a_failure(fake, start):
    result = await call(fake, start, "http://127.0.0.1:1/")
    assert (result.result, result.category) == (FAILED, FailureCategory.FAILURE_CATEGORY_HANDLER)
    assert "refused" in result.report.error


@pytest.mark.parametrize("handler", ["http://", "http:///path", "http://host:port/", "http://a b/"])
async def test_what_is_no_url_is_a_failure(fake, start, handler):
    assert (await call(fake, start, handler)).result == FAILED


async def test_a_slow_site_runs_into_the_timeout(fake, start, site):
    result = await call(fake, start, f"{site.url}/slow", timeout=0.3)
    assert (result.result, result.category) == (FAILED, FailureCategory.FAILURE_CATEGORY_TIMEOUT)


async def test_a_call_can_be_cancelled(fake, start, site):
    start(allow_http=True)
    session = await fake.session()
    offer = fake.task(f"{site.url}/slow")
    session.offer(offer)
    await session.accept(offer)
    session.cancel(offer)
    assert (await session.result(offer)).result == CANCELLED
