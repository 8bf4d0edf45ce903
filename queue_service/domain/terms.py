"""What queue and agents agree on: how long what is said holds, and when others may act on silence."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Terms:
    """Sent to each agent with Welcome."""

    ttl: timedelta = timedelta(seconds=15)
    """How long leases hold from an acknowledged heartbeat on."""
    margin: timedelta = timedelta(seconds=3)
    """How long others wait beyond the end of a lease."""
    heartbeat: timedelta = timedelta(seconds=5)
    offer_timeout: timedelta = timedelta(seconds=10)
    cancel_grace: timedelta = timedelta(seconds=10)
    """Time between SIGTERM and SIGKILL."""

    def expires_at(self, beat: datetime) -> datetime:
        """When a session ends that says nothing after `beat`."""
        return beat + self.ttl

    def answer_by(self, offered: datetime) -> datetime:
        """Until when an offer may stay unanswered."""
        return offered + self.offer_timeout

    def lost_before(self, now: datetime) -> datetime:
        """Leases and sessions that expired before this instant are over: nobody runs that work any more."""
        return now - self.margin

    def vanished_before(self, now: datetime) -> datetime:
        """Offers whose `answer_by` is before this instant count as lost, although their session lives.

        They were revoked and not even that was answered for as long as a lease holds. An agent that started
        one without saying so is fenced off by its token.
        """
        return now - self.ttl - self.margin

    @property
    def silence(self) -> timedelta:
        """How long nobody is judged after a start or an outage of the queue: all had no chance to speak."""
        return self.ttl + self.margin
