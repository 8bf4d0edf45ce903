"""Seconds between asking work to end and making it end."""

from typing import Final

LEASE_GRACE: Final = 1.0
"""When the lease is over; the queue gives the work to others 3 s later."""

TIMEOUT_GRACE: Final = 5.0
"""When an attempt ran into its timeout."""

SHUTDOWN_GRACE: Final = 5.0
"""When the agent's own grace at shutdown is over."""

STALE_GRACE: Final = 0.0
"""When the task is somebody else's already."""
