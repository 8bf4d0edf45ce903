"""Handlers of the bench's agent; starts are noted and written to BENCH_STARTS at the end."""

import atexit
import json
import os
import time
from pathlib import Path

from batonpass import TaskContext, Worker

worker = Worker()
_starts: list[tuple[str, float]] = []


@worker.handler("noop")
async def noop(task: TaskContext) -> None:
    """Notes when it started, in seconds of the wall clock, and does nothing."""
    _starts.append((task.task_id, time.time()))


@atexit.register
def _write_starts() -> None:
    file = os.environ.get("BENCH_STARTS")
    if file:
        Path(file).write_text(json.dumps(dict(_starts)))
