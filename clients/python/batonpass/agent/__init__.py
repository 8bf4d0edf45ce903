"""The executor agent, and the worker that registers Python functions with it."""
