"""The machine the agent runs on."""

import psutil

from batonpass.queue.v1.executor_pb2 import HostLoad


def cpu_count() -> int:
    """Logical CPUs."""
    return psutil.cpu_count() or 1


def memory_bytes() -> int:
    """Physical memory."""
    total: int = psutil.virtual_memory().total
    return total


def load() -> HostLoad:
    """Use of the whole host, CPU since the last call."""
    return HostLoad(
        cpu_percent=min(100.0, psutil.cpu_percent()), memory_percent=psutil.virtual_memory().percent
    )
