"""Heartbeats: what keeps sessions, and with them all of their leases, alive."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from queue_service.domain.registration import Measured
from queue_service.domain.terms import Terms
from queue_service.store.sessions import SessionStore
from service_kit.clock import Clock
from service_kit.errors import DatabaseUnavailable
from service_kit.group import GroupCommit
from service_kit.logs import logger

log = logger(__name__)

MOST_IN_A_STATEMENT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life; `load` is None when the agent said nothing of it."""

    session: int
    load: Measured | None


@dataclass(frozen=True, slots=True)
class Alive:
    """The session goes on."""


@dataclass(frozen=True, slots=True)
class Over:
    """The session is not the executor's current one; `successor` is, 0 when there is none."""

    successor: int


class Heartbeats:
    """Stores beats in groups, through connections that nothing else waits for."""

    def __init__(self, store: SessionStore, clock: Clock, terms: Terms) -> None:
        self._store = store
        self._clock = clock
        self._terms = terms
        self._group: GroupCommit[Beat, Alive | Over] = GroupCommit(self._flush, MOST_IN_A_STATEMENT)

    async def beat(self, session: int, load: Measured | None) -> Alive | Over:
        """Answers after COMMIT. Raises DatabaseUnavailable."""
        return await self._group.submit(Beat(session, load))

    async def close(self) -> None:
        """Stores what was handed in and takes no more."""
        await self._group.close()

    async def _flush(self, beats: list[Beat]) -> list[Alive | Over]:
        now = self._clock.now()
        sessions = sorted({beat.session for beat in beats})
        alive = await self._store.beat(sessions, now, self._terms.expires_at(now))
        over = [session for session in sessions if session not in alive]
        successors = await self._store.successors(over) if over else {}
        loads = {beat.load.executor: beat.load for beat in beats if beat.load and beat.session in alive}
        if loads:
            await self._note(list(loads.values()))
        return [Alive() if beat.session in alive else Over(successors.get(beat.session, 0)) for beat in beats]

    async def _note(self, loads: Sequence[Measured]) -> None:
        """Only a figure for people: its failure changes nothing for the sessions, which are renewed."""
        try:
            await self._store.note_load(loads, self._clock.now())
        except DatabaseUnavailable as error:
            log.debug("load not stored", reason=error.message)
