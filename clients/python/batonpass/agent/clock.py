"""The clock of leases: it goes on while the machine sleeps, and nobody can set it."""

import sys
import time

if sys.platform == "linux":

    def now() -> float:
        """Seconds since boot, sleep included (CLOCK_BOOTTIME); the same in every process of the machine."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:

    def now() -> float:
        """Seconds of the monotonic clock; whether it counts sleep depends on the system."""
        return time.monotonic()
