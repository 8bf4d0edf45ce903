"""Use cases and loops: take `now` from the service's clock, ask the domain, tell the store."""
