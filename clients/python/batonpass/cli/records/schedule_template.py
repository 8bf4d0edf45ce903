"""Schedule templates, and what an upgrade does."""

from batonpass.cli.files.defaults import without_defaults
from batonpass.cli.files.writing import content_of
from batonpass.cli.records.values import Record, instant, optional
from batonpass.scheduler.v1.template_service_pb2 import ScheduleTemplate, ScheduleUpgrade


def record(template: ScheduleTemplate) -> Record:
    """One version; its body as files spell it."""
    return {
        "template_id": template.template_id,
        "version": template.version,
        "description": template.description or None,
        "parameters": [
            {
                "name": parameter.name,
                "description": parameter.description or None,
                "default": optional(parameter, "default"),
                "example": parameter.example or None,
            }
            for parameter in template.parameters
        ],
        "body": content_of(without_defaults(template).body),
        "created_at": instant(template, "create_time"),
        "actor": template.actor or None,
        "schedules": template.schedules,
    }


def upgrade(done: ScheduleUpgrade) -> Record:
    """What happens to one schedule."""
    return {
        "schedule_id": done.schedule_id,
        "from_version": done.from_version,
        "to_version": done.to_version,
        "changed_fields": list(done.changed_fields),
        "error": done.error or None,
    }
