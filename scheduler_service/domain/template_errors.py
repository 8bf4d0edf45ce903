"""What the scheduler refuses about schedule templates.

ServiceError (service_kit.errors)
|- InvalidArgument
|  `- InvalidTemplate        a field of a schedule template breaks a rule
|- NotFound
|  `- TemplateNotFound
`- FailedPrecondition
   |- TemplateInUse          schedules are made of it
   |- MadeOfTemplate         what decides over a schedule is a schedule template
   `- UpgradeRefused         a version does not fit schedules, or they are too many
"""

from collections.abc import Sequence
from typing import ClassVar

from service_kit.errors import FailedPrecondition, InvalidArgument, NotFound

_NAMED = 10
"""Most schedules that a refusal names."""


class InvalidTemplate(InvalidArgument):
    """One field breaks a rule; `field` is its path in the schedule template, such as `parameters[0].name`."""

    default_reason: ClassVar[str] = "INVALID_SCHEDULE_TEMPLATE"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", violations=[(field, rule)])
        self.field = field
        self.rule = rule

    def below(self, prefix: str) -> "InvalidTemplate":
        """The same violation, with the field's path continued to the left."""
        return InvalidTemplate(f"{prefix}{self.field}", self.rule)


class TemplateNotFound(NotFound):
    """There is no such schedule template, or no such version of it."""

    default_reason: ClassVar[str] = "SCHEDULE_TEMPLATE_NOT_FOUND"

    def __init__(self, namespace: str, template_id: str, version: int) -> None:
        which = f"version {version} of schedule template" if version else "schedule template"
        super().__init__(
            f"there is no {which} {template_id!r} in namespace {namespace!r}; list the schedule templates",
            metadata={"namespace": namespace, "template_id": template_id, "version": str(version)},
        )


class TemplateInUse(FailedPrecondition):
    """Schedules are made of it."""

    default_reason: ClassVar[str] = "SCHEDULE_TEMPLATE_IN_USE"

    def __init__(self, template_id: str, schedule_ids: Sequence[str]) -> None:
        names = ", ".join(schedule_ids)
        super().__init__(
            f"schedules are made of {template_id!r}, such as {names}; delete them, or take their source away",
            metadata={"template_id": template_id, "schedule_ids": names},
        )


class MadeOfTemplate(FailedPrecondition):
    """A schedule that is made of a schedule template has nothing of its own but labels."""

    default_reason: ClassVar[str] = "SCHEDULE_MADE_OF_TEMPLATE"

    def __init__(self, schedule_id: str, template_id: str) -> None:
        super().__init__(
            f"schedule {schedule_id!r} is made of schedule template {template_id!r}: change its labels or its"
            " source, or take the source away (path `source` in the mask) to change the rest",
            metadata={"schedule_id": schedule_id, "template_id": template_id},
        )


class UpgradeRefused(FailedPrecondition):
    """No schedule was changed."""

    default_reason: ClassVar[str] = "UPGRADE_REFUSED"

    @classmethod
    def for_misfits(cls, misfits: Sequence[tuple[str, str]]) -> "UpgradeRefused":
        """`misfits` are schedules, and why the version does not fit them."""
        said = "; ".join(f"{schedule_id}: {error}" for schedule_id, error in misfits[:_NAMED])
        more = f"; and {len(misfits) - _NAMED} more" if len(misfits) > _NAMED else ""
        names = ", ".join(schedule_id for schedule_id, _ in misfits[:_NAMED])
        return cls(
            f"the version does not fit {len(misfits)} of the schedules, so none was changed: {said}{more}",
            metadata={"schedule_ids": names, "misfits": str(len(misfits))},
        )

    @classmethod
    def for_too_many(cls, limit: int) -> "UpgradeRefused":
        """More schedules than one call moves."""
        return cls(
            f"more than {limit} schedules would move at once; go version by version with from_version, or"
            " update the source of each",
            metadata={"limit": str(limit)},
        )
