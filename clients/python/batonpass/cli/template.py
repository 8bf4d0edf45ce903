"""`batonpass template`: schedules with parameters, of which schedules are made."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from batonpass.cli import file_options as options
from batonpass.cli import flags
from batonpass.cli.failure import Failure
from batonpass.cli.files import yaml_text
from batonpass.cli.files.defaults import without_defaults
from batonpass.cli.files.document import content_with_kind
from batonpass.cli.files.loading import load
from batonpass.cli.files.target import Target
from batonpass.cli.output import Record
from batonpass.cli.pages import listed
from batonpass.cli.program import as_called
from batonpass.cli.records import schedule_template as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.tables import Column, grid, key, minute, text
from batonpass.cli.verb import Noun
from batonpass.scheduler.v1 import template_service_pb2 as pb

if TYPE_CHECKING:
    from rich.console import RenderableType

ID = click.argument("template_id", metavar="ID")


def _version(flag: str, name: str, help: str) -> Callable[[flags.Decorated], flags.Decorated]:
    return click.option(flag, name, type=flags.INT64, default=0, metavar="N", help=help)


@click.group(cls=Noun)
def template() -> None:
    """Keep schedules with parameters, of which schedules are made."""


@template.command(
    examples="""
    batonpass template put -f nightly.yaml
    batonpass template put -f templates/ -o json
    """
)
@options.FILES
@pass_session
def put(session: Session, files: Sequence[str]) -> None:
    """Store schedule templates from files: the next version of each, none when it is the same."""
    documents = load(files)
    others = [document.place for document in documents if document.kind != "ScheduleTemplate"]
    if others:
        raise click.UsageError(f"{others[0]} is no ScheduleTemplate: batonpass apply takes all kinds.")
    target = Target(session)
    replies = [target.put_template(document) for document in documents]
    found = [{**records.record(reply.template), "created": reply.created} for reply in replies]
    session.say({"templates": found}, *map(_stored, found))


def _stored(record: Record) -> str:
    name = f"version {record['version']} of schedule template {record['template_id']}"
    return f"stored {name}" if record["created"] else f"unchanged: {name}"


@template.command(
    examples="""
    batonpass template get nightly
    batonpass template get nightly --version 2 -o json
    """
)
@ID
@_version("--version", "version", "The version.  [default: newest]")
@pass_session
def get(session: Session, template_id: str, version: int) -> None:
    """Show a version of a schedule template, as a file for `apply`."""
    request = pb.GetScheduleTemplateRequest(template_id=template_id, version=version)
    found = session.templates.GetScheduleTemplate(request).template
    content = content_with_kind("ScheduleTemplate", without_defaults(found))
    facts = f"# Version {found.version}, {found.schedules} schedules are made of it.\n"
    session.say(records.record(found), f"{facts}{yaml_text.dumped(content)}".rstrip("\n"))


@template.command("list", examples="batonpass template list\nbatonpass template list nightly -o json")
@click.argument("template_id", metavar="[ID]", required=False, default="")
@flags.limit("schedule templates")
@pass_session
def list_templates(session: Session, template_id: str, limit: int) -> None:
    """List schedule templates by ID, the newest version of each, or all versions of one."""
    found = listed(
        lambda size, token: session.templates.ListScheduleTemplates(
            pb.ListScheduleTemplatesRequest(
                template_id=template_id, page_size=min(size, 100), page_token=token
            )
        ),
        lambda page: [records.record(one) for one in page.templates],
        limit,
    )
    session.show({"templates": found.tell(session)}, _table)


@template.command(examples="batonpass template delete nightly\nbatonpass template delete nightly --if-exists")
@ID
@click.option("--if-exists", is_flag=True, help="Succeed when there is no such schedule template.")
@pass_session
def delete(session: Session, template_id: str, if_exists: bool) -> None:
    """Delete a schedule template with all its versions; refused while schedules are made of it."""
    try:
        session.templates.DeleteScheduleTemplate(pb.DeleteScheduleTemplateRequest(template_id=template_id))
        deleted = True
    except Failure as failure:
        if not if_exists or failure.fault.code != "NOT_FOUND":
            raise
        deleted = False
    said = f"Deleted {template_id}." if deleted else f"There is no schedule template {template_id}."
    session.say({"template_id": template_id, "deleted": deleted}, said)


@template.command(
    examples="""
    batonpass template upgrade nightly --dry-run
    batonpass template upgrade nightly --from 1 --to 3 --param hour=4
    """
)
@ID
@_version("--to", "to_version", "Version to move to.  [default: newest]")
@_version("--from", "from_version", "Only schedules of this version.  [default: every]")
@click.option(
    "--param",
    "parameters",
    multiple=True,
    type=flags.LABEL,
    metavar="KEY=VALUE",
    help="Value to set in each; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@pass_session
def upgrade(session: Session, /, parameters: Sequence[tuple[str, str]], dry_run: bool, **given: Any) -> None:
    """Move the schedules that are made of a schedule template to another version: all of them or none."""
    request = pb.UpgradeSchedulesRequest(parameters=dict(parameters), dry_run=dry_run, **given)
    reply = session.templates.UpgradeSchedules(request)
    record = {
        "dry_run": dry_run,
        "changed": reply.changed,
        "upgrades": [records.upgrade(each) for each in reply.upgrades],
    }
    session.show(record, _upgrades)


_TEMPLATES = (
    key("ID", "template_id"),
    key("VERSION", "version"),
    key("SCHEDULES", "schedules"),
    Column("PARAMETERS", lambda record: [each["name"] for each in record["parameters"]], drop=2, cut=20),
    minute("STORED", "created_at", drop=3),
    key("BY", "actor", drop=4),
    text("DESCRIPTION", "description"),
)


def _table(record: Record) -> "Iterable[RenderableType]":
    empty = as_called("No schedule templates. batonpass template put stores one.")
    yield grid(record["templates"], _TEMPLATES, empty)


def _upgrades(record: Record) -> "Iterable[RenderableType]":
    count = f"{record['changed']} schedule{'' if record['changed'] == 1 else 's'}"
    yield f"{count} would change." if record["dry_run"] else f"{count} changed."
    for upgrade in record["upgrades"]:
        versions = f"{upgrade['from_version']} -> {upgrade['to_version']}"
        said = upgrade["error"] or ", ".join(upgrade["changed_fields"]) or "nothing but the version"
        yield f"  {upgrade['schedule_id']} {versions}: {said}"
