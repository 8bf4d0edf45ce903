"""Registered handlers for tests: `batonpass agent --handlers tests.support.handlers:worker`."""

import asyncio

from batonpass import TaskContext, Worker

worker = Worker()


@worker.handler("tick")
async def tick(task: TaskContext) -> None:
    """Works for 20 ms, successfully."""
    await asyncio.sleep(0.02)
