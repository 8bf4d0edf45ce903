"""Batonpass for Python: generated stubs, client, agent and command line."""
