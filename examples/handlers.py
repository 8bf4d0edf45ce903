"""The examples as registered handlers, for agents that run no shell commands.

    PYTHONPATH=examples ./dev batonpass agent --name examples --handlers handlers:worker
    ./dev batonpass schedule create backup --name "Backup" --handler name:backup --cron "0 2 * * *"

BATONPASS_EXAMPLES_OUTPUT says where results go, default `examples-output` in BATONPASS_HOME,
which is `.batonpass` of the checkout when it is not set.
"""

import asyncio
import os
from asyncio.subprocess import PIPE
from pathlib import Path

from batonpass import NonRetryable, TaskContext, Worker

EXAMPLES = Path(__file__).resolve().parent
HOME = Path(os.environ.get("BATONPASS_HOME") or EXAMPLES.parent / ".batonpass")
OUTPUT = Path(os.environ.get("BATONPASS_EXAMPLES_OUTPUT") or HOME / "examples-output")

# sysexits.h: wrong use, bad data, no input. Another attempt would end the same way.
HOPELESS = (64, 65, 66)

worker = Worker()


@worker.handler("backup")
async def backup(task: TaskContext) -> None:
    """Backs up the folder that the payload names as `source`; without one, this folder."""
    source = (task.json() or {}).get("source", EXAMPLES)
    await run(EXAMPLES / "backup.sh", source, OUTPUT / "backups")


@worker.handler("disk-report")
async def disk_report(task: TaskContext) -> None:
    """Reports how full the file systems are."""
    await run(EXAMPLES / "disk-report.sh", OUTPUT / "reports")


@worker.handler("process-webhook")
async def process_webhook(task: TaskContext) -> None:
    """Appends the event to a log."""
    await run(
        EXAMPLES / "process-webhook", OUTPUT / "webhooks.jsonl", data=task.payload, task_id=task.task_id
    )


async def run(*command: object, data: bytes = b"", task_id: str = "") -> None:
    """Runs a program to its end; stops it when the attempt is cancelled."""
    environment = {**os.environ, "BATONPASS_TASK_ID": task_id}
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdin=PIPE, stderr=PIPE, env=environment
    )
    try:
        _, errors = await process.communicate(data)
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode:
        kind = NonRetryable if process.returncode in HOPELESS else RuntimeError
        raise kind(errors.decode(errors="replace").strip() or f"exit code {process.returncode}")
