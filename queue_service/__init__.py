"""The queue: takes tasks in, orders them, leases them to executors and records how they ended."""
