"""Use cases of schedule templates. Each change is one transaction, with its audit record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.schedules import carry_out, redefinition
from scheduler_service.app.signals import Signals
from scheduler_service.domain.change import Change
from scheduler_service.domain.schedule import Definition, Schedule, TemplateSource
from scheduler_service.domain.schedule_template import (
    ScheduleTemplate,
    TemplateText,
    Upgrade,
    changed_fields,
    check_parameters,
)
from scheduler_service.domain.template_errors import TemplateInUse, TemplateNotFound, UpgradeRefused
from scheduler_service.store import actions
from scheduler_service.store import schedule_templates as store
from scheduler_service.store.fires import NewFire
from service_kit.caller import Caller
from service_kit.clock import Clock
from service_kit.errors import InvalidArgument
from service_kit.postgres import AsyncConnection, Database

MOST_UPGRADES: Final = 1000
"""Most schedules that one upgrade moves: they are locked until all of them have moved."""

_NAMED: Final = 5

Define = Callable[[ScheduleTemplate, Schedule, TemplateSource], Definition]
"""What a schedule becomes when it is made of a version. Raises InvalidArgument when it does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrading:
    """What to move where. `to_version` 0 = the newest, `from_version` 0 = any."""

    template_id: str
    to_version: int
    from_version: int
    parameters: Mapping[str, str]
    """Set in each schedule."""
    dry_run: bool


class Templates:
    """Stores, reads and deletes schedule templates of the caller's namespace, and moves schedules."""

    def __init__(self, database: Database, clock: Clock, signals: Signals, metrics: SchedulerMetrics) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics

    async def put(self, caller: Caller, text: TemplateText) -> tuple[ScheduleTemplate, bool]:
        """The newest version, and whether it is a new one. Raises InvalidTemplate."""
        check_parameters(text.parameters)
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> tuple[ScheduleTemplate, bool]:
            await store.lock(connection, caller.namespace, text.template_id)
            newest = await store.read(connection, caller.namespace, text.template_id, 0)
            if newest is not None and newest.text == text:
                return newest, False
            version = 1 if newest is None else newest.version + 1
            made = ScheduleTemplate(text=text, version=version, actor=caller.actor, created_at=now)
            await store.add(connection, caller.namespace, made)
            await _record(connection, caller, "put-template", text.template_id, version, now)
            return made, True

        return await self._database.unit(work)

    async def get(self, caller: Caller, template_id: str, version: int) -> ScheduleTemplate:
        """`version` 0 = the newest. Raises TemplateNotFound."""
        found = await self._database.unit(
            lambda connection: store.read(connection, caller.namespace, template_id, version), readonly=True
        )
        if found is None:
            raise TemplateNotFound(caller.namespace, template_id, version)
        return found

    async def page(self, caller: Caller, after: str, limit: int) -> Sequence[ScheduleTemplate]:
        """The newest version of at most `limit` schedule templates with ids beyond `after`, by id."""
        return await self._database.unit(
            lambda connection: store.page(connection, caller.namespace, after, limit), readonly=True
        )

    async def versions(
        self, caller: Caller, template_id: str, before: int | None, limit: int
    ) -> Sequence[ScheduleTemplate]:
        """At most `limit` versions of one, newest first; with `before` only older ones."""
        return await self._database.unit(
            lambda connection: store.versions(connection, caller.namespace, template_id, before, limit),
            readonly=True,
        )

    async def delete(self, caller: Caller, template_id: str) -> None:
        """Raises TemplateNotFound, TemplateInUse."""
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> None:
            await store.lock(connection, caller.namespace, template_id)
            await store.lock_versions(connection, caller.namespace, template_id)
            users = await store.users(connection, caller.namespace, template_id, _NAMED)
            if users:
                raise TemplateInUse(template_id, users)
            if not await store.remove(connection, caller.namespace, template_id):
                raise TemplateNotFound(caller.namespace, template_id, 0)
            await _record(connection, caller, "delete-template", template_id, 0, now)

        await self._database.unit(work)

    async def upgrade(self, caller: Caller, asked: Upgrading, define: Define) -> list[Upgrade]:
        """What moved, or would, by id; all of them or none.

        Raises TemplateNotFound, StillCatchingUp, and UpgradeRefused for misfits, which a dry run reports.
        """
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> tuple[list[Upgrade], list[NewFire], list[Schedule]]:
            template, users = await _to_move(connection, caller, asked)
            moves = [await _move(connection, user, template, asked, define, now) for user in users]
            upgrades = [upgrade for upgrade, change in moves if change is not None or upgrade.error]
            if asked.dry_run:
                return upgrades, [], []
            misfits = [(upgrade.schedule_id, upgrade.error) for upgrade in upgrades if upgrade.error]
            if misfits:
                raise UpgradeRefused.for_misfits(misfits)
            made, after, detail = [], [], f"version {template.version} of {template.text.template_id}"
            for user, (_, change) in zip(users, moves, strict=True):
                if change is not None:
                    made += await carry_out(connection, user, change, "upgrade", caller.actor, now, detail)
                    after.append(change.schedule)
            return upgrades, made, after

        upgrades, made, after = await self._database.unit(work)
        if after:
            self._signals.schedule_changed(listens_to_system=any(one.listens_to_system for one in after))
        self._metrics.recorded(new.fire for new in made)
        if any(new.due_task for new in made):
            self._signals.fires_made()
        return upgrades


async def _to_move(
    connection: AsyncConnection, caller: Caller, asked: Upgrading
) -> tuple[ScheduleTemplate, Sequence[Schedule]]:
    template = await store.read(connection, caller.namespace, asked.template_id, asked.to_version)
    if template is None:
        raise TemplateNotFound(caller.namespace, asked.template_id, asked.to_version)
    limit = MOST_UPGRADES + 1
    users = await store.lock_users(connection, caller.namespace, asked.template_id, asked.from_version, limit)
    if len(users) == limit:
        raise UpgradeRefused.for_too_many(MOST_UPGRADES)
    return template, users


async def _move(
    connection: AsyncConnection,
    schedule: Schedule,
    template: ScheduleTemplate,
    asked: Upgrading,
    define: Define,
    now: datetime,
) -> tuple[Upgrade, Change | None]:
    """What becomes of one schedule; no change when it is there already, or does not fit."""
    before = schedule.definition
    assert before.source is not None, "that is how it was found"
    parameters = {**dict(before.source.parameters), **asked.parameters}
    source = TemplateSource(
        template_id=before.source.template_id,
        version=template.version,
        parameters=tuple(sorted(parameters.items())),
    )
    said = Upgrade(schedule.schedule_id, before.source.version, template.version)
    if source == before.source:
        return said, None
    try:
        after = define(template, schedule, source)
        change = await redefinition(connection, schedule, after, now)
    except InvalidArgument as error:
        return replace(said, error=error.message), None
    return replace(said, changed_fields=changed_fields(before, after)), change


async def _record(
    connection: AsyncConnection, caller: Caller, action: str, template_id: str, version: int, now: datetime
) -> None:
    await actions.record_about(
        connection, caller.namespace, template_id, action, caller.actor, now, generation=version
    )
