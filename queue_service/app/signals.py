"""Who is to look at once when something has changed: here by bell, on other replicas by a hint."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from queue_service.app.bell import CANCELS, HOLDS, LIMITS, OUTCOMES, TASKS, Bell
from queue_service.domain.order import Candidate


class Dispatcher(Protocol):
    """What is asked of the dispatcher."""

    def push(self, candidates: Sequence[Candidate]) -> None:
        """Takes up tasks that may start now."""
        ...

    def wake(self) -> None:
        """Looks at once."""
        ...


class Recall(Protocol):
    """What is asked of the one who passes cancels on."""

    def wake(self) -> None:
        """Looks at once."""
        ...


class HoldBook(Protocol):
    """What is asked of the one who knows the holds."""

    def wake(self) -> None:
        """Looks at once."""
        ...


class Signals:
    """Call its verbs after the transaction has committed; hints may get lost, polling stays the truth."""

    def __init__(
        self,
        notify: Callable[[str], None],
        dispatcher: Dispatcher,
        recall: Recall,
        holds: HoldBook,
        forget_limits: Callable[[], None],
        ended: Bell,
        happened: Bell,
    ) -> None:
        self._notify = notify
        self._dispatcher = dispatcher
        self._recall = recall
        self._holds = holds
        self._forget_limits = forget_limits
        self._ended = ended
        self._happened = happened

    def ready(self, candidates: Sequence[Candidate]) -> None:
        """Tasks may start that could not before, or from another place in the order."""
        self._happened.ring()
        if candidates:
            self._dispatcher.push(candidates)
            self._notify(TASKS)

    def returned(self) -> None:
        """Tasks wait again, or will: the dispatcher here knows, others may be the ones that can run them."""
        self._happened.ring()
        self._notify(TASKS)

    def limits_changed(self) -> None:
        """Executors may be given more, or other tasks, than before."""
        self._forget_limits()
        self._dispatcher.wake()
        self._notify(LIMITS)

    def holds_changed(self) -> None:
        """Other tasks may be kept from starting than before."""
        self._holds.wake()
        self._notify(HOLDS)

    def ended(self) -> None:
        """Tasks have ended."""
        self._ended.ring()
        self._happened.ring()
        self._notify(OUTCOMES)

    def stop_wanted(self) -> None:
        """An agent, here or elsewhere, is to be asked to stop a task."""
        self._happened.ring()
        self._recall.wake()
        self._notify(CANCELS)

    def relay(self, channel: str) -> Callable[[], Awaitable[None]]:
        """The step of the loop that passes on the hints of other replicas on a channel."""
        looks = {
            TASKS: (self._dispatcher.wake, self._happened.ring),
            LIMITS: (self._forget_limits, self._dispatcher.wake),
            OUTCOMES: (self._ended.ring, self._happened.ring),
            CANCELS: (self._recall.wake, self._happened.ring),
            HOLDS: (self._holds.wake,),
        }[channel]

        async def pass_on() -> None:
            for look in looks:
                look()

        return pass_on
