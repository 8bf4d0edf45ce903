"""Fixtures: a replica of the queue service on a database of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.support.queue_server import QueueServer, queue_server


@pytest.fixture
async def queue(queue_database_url: str) -> AsyncIterator[QueueServer]:
    """One replica that serves."""
    async with queue_server(queue_database_url) as server:
        yield server
