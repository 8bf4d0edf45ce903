"""TemplateService: see template_service.proto."""

from dataclasses import replace
from typing import Any, Final, TypeAlias

from batonpass.scheduler.v1 import schedule_pb2
from batonpass.scheduler.v1 import template_service_pb2 as pb
from batonpass.scheduler.v1.template_service_pb2_grpc import TemplateServiceServicer

from scheduler_service.api.template_body import body_of, check_body, definition_of
from scheduler_service.api.texts import refuse_nul
from scheduler_service.app.templates import Templates, Upgrading
from scheduler_service.domain.schedule import Definition, Schedule, TemplateSource
from scheduler_service.domain.schedule_template import Parameter, ScheduleTemplate, TemplateText, Upgrade
from scheduler_service.domain.template_errors import InvalidTemplate
from service_kit.caller import current_caller
from service_kit.pages import page_position, page_token

Context: TypeAlias = Any

DEFAULT_SIZE: Final = 20
SHOWN_UPGRADES: Final = 100


class TemplateService(TemplateServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    async def PutScheduleTemplate(
        self, request: pb.PutScheduleTemplateRequest, context: Context
    ) -> pb.PutScheduleTemplateResponse:
        """Documented in template_service.proto."""
        refuse_nul(request)
        try:
            text = _text(request.template)
            check_body(text.body, text.parameters)
            stored, created = await self._templates.put(current_caller(), text)
        except InvalidTemplate as error:
            raise error.below("template.") from error
        return pb.PutScheduleTemplateResponse(template=_message(stored), created=created)

    async def GetScheduleTemplate(
        self, request: pb.GetScheduleTemplateRequest, context: Context
    ) -> pb.GetScheduleTemplateResponse:
        """Documented in template_service.proto."""
        refuse_nul(request)
        found = await self._templates.get(current_caller(), request.template_id, request.version)
        return pb.GetScheduleTemplateResponse(template=_message(found))

    async def ListScheduleTemplates(
        self, request: pb.ListScheduleTemplatesRequest, context: Context
    ) -> pb.ListScheduleTemplatesResponse:
        """Documented in template_service.proto."""
        refuse_nul(request)
        caller, size = current_caller(), request.page_size or DEFAULT_SIZE
        filters = ("schedule templates", caller.namespace, request.template_id)
        position = page_position(filters, request.page_token)
        if request.template_id:
            found = await self._templates.versions(caller, request.template_id, position, size + 1)
        else:
            found = await self._templates.page(caller, position or "", size + 1)
        response = pb.ListScheduleTemplatesResponse(templates=map(_message, found[:size]))
        if len(found) > size:
            last = found[size - 1]
            response.next_page_token = page_token(
                filters, last.version if request.template_id else last.text.template_id
            )
        return response

    async def DeleteScheduleTemplate(
        self, request: pb.DeleteScheduleTemplateRequest, context: Context
    ) -> pb.DeleteScheduleTemplateResponse:
        """Documented in template_service.proto."""
        refuse_nul(request)
        await self._templates.delete(current_caller(), request.template_id)
        return pb.DeleteScheduleTemplateResponse()

    async def UpgradeSchedules(
        self, request: pb.UpgradeSchedulesRequest, context: Context
    ) -> pb.UpgradeSchedulesResponse:
        """Documented in template_service.proto."""
        refuse_nul(request)
        asked = Upgrading(
            template_id=request.template_id,
            to_version=request.to_version,
            from_version=request.from_version,
            parameters=dict(request.parameters),
            dry_run=request.dry_run,
        )
        found = await self._templates.upgrade(current_caller(), asked, _redefined)
        return pb.UpgradeSchedulesResponse(
            changed=sum(not upgrade.error for upgrade in found),
            upgrades=[_upgrade(upgrade) for upgrade in found[:SHOWN_UPGRADES]],
        )


def _redefined(template: ScheduleTemplate, schedule: Schedule, source: TemplateSource) -> Definition:
    made = definition_of(template, schedule.schedule_id, source)
    return replace(made, labels=schedule.definition.labels)


def _text(message: pb.ScheduleTemplate) -> TemplateText:
    return TemplateText(
        template_id=message.template_id,
        description=message.description,
        body=body_of(message.body),
        parameters=tuple(
            Parameter(
                name=each.name,
                description=each.description,
                default=each.default if each.HasField("default") else None,
                example=each.example,
            )
            for each in message.parameters
        ),
    )


def _message(template: ScheduleTemplate) -> pb.ScheduleTemplate:
    text = template.text
    message = pb.ScheduleTemplate(
        template_id=text.template_id,
        description=text.description,
        body=schedule_pb2.Schedule.FromString(text.body),
        parameters=map(_parameter, text.parameters),
        version=template.version,
        actor=template.actor,
        schedules=template.schedules,
    )
    message.create_time.FromDatetime(template.created_at)
    return message


def _parameter(parameter: Parameter) -> pb.TemplateParameter:
    return pb.TemplateParameter(
        name=parameter.name,
        description=parameter.description,
        default=parameter.default,
        example=parameter.example,
    )


def _upgrade(upgrade: Upgrade) -> pb.ScheduleUpgrade:
    return pb.ScheduleUpgrade(
        schedule_id=upgrade.schedule_id,
        from_version=upgrade.from_version,
        to_version=upgrade.to_version,
        changed_fields=upgrade.changed_fields,
        error=upgrade.error,
    )
