"""What handlers say, and what ends an agent.

NonRetryable    raised by a handler: this attempt failed, and so would every other
AgentError      the agent cannot run as it is set up, or not any more
`- Superseded   another agent runs under the same name
"""


class NonRetryable(Exception):
    """Raise it in a handler to fail the task for good; the text becomes its last error."""


class AgentError(Exception):
    """The agent has to end; the text says what to do."""


class Superseded(AgentError):
    """A newer session of the same executor took over."""
