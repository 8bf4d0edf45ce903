"""Calls about schedule templates: named, versioned schedules with parameters, of which schedules are made."""

from collections.abc import Mapping
from typing import Final

from batonpass.client.call import Call, Listed, Pages, Rpc, same
from batonpass.scheduler.v1 import template_service_pb2 as pb

_SERVICE: Final = "/batonpass.scheduler.v1.TemplateService"
_PUT: Final = Rpc("scheduler", f"{_SERVICE}/PutScheduleTemplate", pb.PutScheduleTemplateResponse)
_GET: Final = Rpc("scheduler", f"{_SERVICE}/GetScheduleTemplate", pb.GetScheduleTemplateResponse)
_LIST: Final = Rpc("scheduler", f"{_SERVICE}/ListScheduleTemplates", pb.ListScheduleTemplatesResponse)
_DELETE: Final = Rpc("scheduler", f"{_SERVICE}/DeleteScheduleTemplate", pb.DeleteScheduleTemplateResponse)
_UPGRADE: Final = Rpc("scheduler", f"{_SERVICE}/UpgradeSchedules", pb.UpgradeSchedulesResponse)


def put_schedule_template(template: pb.ScheduleTemplate) -> Call[pb.PutScheduleTemplateResponse]:
    """Stores the first or the next version; none when the newest one is the same. Raises InvalidArgument."""
    return Call(_PUT, pb.PutScheduleTemplateRequest(template=template), same)


def get_schedule_template(template_id: str, *, version: int = 0) -> Call[pb.ScheduleTemplate]:
    """Returns a version, by default the newest one. Raises NotFound."""
    request = pb.GetScheduleTemplateRequest(template_id=template_id, version=version)
    return Call(_GET, request, _template)


def list_schedule_templates(template_id: str = "", *, page_size: int = 0) -> Pages[pb.ScheduleTemplate]:
    """Yields the newest version of each schedule template by id, or the versions of one, newest first."""

    def page(token: str) -> Call[Listed[pb.ScheduleTemplate]]:
        request = pb.ListScheduleTemplatesRequest(
            template_id=template_id, page_size=page_size, page_token=token
        )
        return Call(_LIST, request, _listed)

    return Pages(page)


def delete_schedule_template(template_id: str) -> Call[None]:
    """Deletes all its versions. Raises NotFound; FailedPrecondition while schedules are made of it."""
    return Call(
        _DELETE, pb.DeleteScheduleTemplateRequest(template_id=template_id), _nothing, repeatable=False
    )


def upgrade_schedules(
    template_id: str,
    *,
    to_version: int = 0,
    from_version: int = 0,
    parameters: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Call[pb.UpgradeSchedulesResponse]:
    """Moves the schedules made of a schedule template to another version (default: the newest), all of them
    or none; `parameters` are set in each. `dry_run` only says what would change.

    Raises NotFound; FailedPrecondition with the schedules that the version does not fit.
    """
    request = pb.UpgradeSchedulesRequest(
        template_id=template_id,
        to_version=to_version,
        from_version=from_version,
        parameters=parameters,
        dry_run=dry_run,
    )
    return Call(_UPGRADE, request, same)


def _template(response: pb.GetScheduleTemplateResponse) -> pb.ScheduleTemplate:
    return response.template


def _listed(response: pb.ListScheduleTemplatesResponse) -> Listed[pb.ScheduleTemplate]:
    return Listed(response.templates, response.next_page_token)


def _nothing(response: pb.DeleteScheduleTemplateResponse) -> None:
    return None
