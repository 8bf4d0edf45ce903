"""Cancels, within a transaction whose caller has locked the tasks and their schedules."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from queue_service.domain.ending import Finished, How
from queue_service.domain.order import Candidate
from queue_service.domain.states import Kind, LeaseState, State, live_state
from queue_service.store.dispatching import SQL as DISPATCH
from queue_service.store.finish import finish_in
from queue_service.store.statements import SQL
from queue_service.store.transitions import record
from service_kit.postgres import AsyncConnection, raw


class Wish(NamedTuple):
    """That a task should end.

    `task` has its id, attempts, failures, losses, and token, session and state of its lease (null: no lease).
    """

    task: Mapping[str, Any]
    namespace: str
    actor: str
    reason: str
    grace: timedelta

    @property
    def is_held(self) -> bool:
        """Whether somebody has a lease of it."""
        return self.task["token"] is not None

    @property
    def is_pulled(self) -> bool:
        """Whether that is a pull client, whose lease can be ended at once."""
        return self.is_held and self.task["session"] is None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What came of it: tasks that ended, tasks whose agents are asked to stop, and what may start now."""

    ended: frozenset[int] = frozenset()
    asked: frozenset[int] = frozenset()
    ready: tuple[Candidate, ...] = ()


async def cancel(connection: AsyncConnection, wishes: Sequence[Wish], now: datetime) -> Cancelled:
    """Ends what no agent holds, and notes on the leases of the rest that they are to be stopped.

    Repeating it changes something only with a shorter grace. Raises LinedUp.
    """
    if not wishes:
        return Cancelled()
    unheld = [wish for wish in wishes if not wish.is_held]
    await _end(connection, unheld, now)
    await _ask(connection, [wish for wish in wishes if wish.is_held], now)
    pulled = [wish for wish in wishes if wish.is_pulled]
    ready: tuple[Candidate, ...] = ()
    if pulled:
        finished = await finish_in(connection, [_taken_away(wish) for wish in pulled], now)
        ready = tuple(each.candidate for each in finished.returned)
    ended = frozenset(wish.task["id"] for wish in [*unheld, *pulled])
    return Cancelled(ended, frozenset(wish.task["id"] for wish in wishes) - ended, ready)


async def _end(connection: AsyncConnection, wishes: Sequence[Wish], now: datetime) -> None:
    """The last attempt of each, if it had any, stays what it was: this ends none."""
    if not wishes:
        return
    ids, nothing = [wish.task["id"] for wish in wishes], [None] * len(wishes)
    await (await raw(connection)).execute(
        DISPATCH["end_tasks"],
        *(ids, [State.CANCELLED] * len(wishes)),
        *([wish.task[count] for wish in wishes] for count in ("attempts", "failures", "losses")),
        *(nothing, nothing, nothing, nothing),
        *(now, ids, [], now),
    )
    await _record(connection, Kind.ENDED, [(State.CANCELLED, wish) for wish in wishes], now)


async def _ask(connection: AsyncConnection, wishes: Sequence[Wish], now: datetime) -> None:
    if not wishes:
        return
    rows = await (await raw(connection)).fetch(
        SQL["ask_to_stop"],
        [wish.task["id"] for wish in wishes],
        [wish.actor for wish in wishes],
        [wish.grace // timedelta(milliseconds=1) for wish in wishes],
        now,
    )
    news = {row["task"] for row in rows}
    states = [(live_state(LeaseState(wish.task["state"]), due=True), wish) for wish in wishes]
    asked = [(state, wish) for state, wish in states if wish.task["id"] in news]
    await _record(connection, Kind.CANCEL_REQUESTED, asked, now)


async def _record(
    connection: AsyncConnection, kind: Kind, what: Iterable[tuple[State, Wish]], now: datetime
) -> None:
    """One row of the audit trail for what happened alike."""
    alike: defaultdict[tuple[State, str, str, str], list[int]] = defaultdict(list)
    for state, wish in what:
        alike[state, wish.namespace, wish.actor, wish.reason].append(wish.task["id"])
    for (state, namespace, actor, reason), tasks in alike.items():
        await record(connection, kind, state, namespace, tasks, at=now, actor=actor, detail=reason)


def _taken_away(wish: Wish) -> Finished:
    task = wish.task
    return Finished(task["id"], task["token"], How.CANCELLED, actor=wish.actor, detail=wish.reason)
