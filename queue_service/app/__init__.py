"""Use cases and loops of the queue."""
