"""The JSON Schema that is published for editors."""

import json
from pathlib import Path

import pytest
from batonpass.cli.files import schema, yaml_text
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[4]
PUBLISHED = ROOT / "docs" / "schema" / "batonpass.schema.json"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
CHECK = Draft202012Validator(schema.schema())


def test_the_published_schema_is_current():
    """`./dev gen` makes it so."""
    assert json.loads(PUBLISHED.read_text()) == schema.schema()


def test_it_is_a_schema():
    Draft202012Validator.check_schema(schema.schema())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_examples_are_valid(file):
    for content in yaml_text.documents(file.read_text()):
        CHECK.validate(content.value)


def test_every_field_is_described():
    described = schema.schema()["$defs"]["TaskTemplate"]["properties"]
    assert [name for name, field in described.items() if "description" not in field] == []
    assert described["priority"]["maximum"] == 10


def test_parameters_may_stand_where_a_text_has_a_form():
    made = {"recurrence": {"rule": "${rule}", "start": "${start}"}}
    body = {"specs": [made], "exclude_calendars": ["${calendar}"], "task": {"handler": "h", "queue": "${q}"}}
    CHECK.validate({"kind": "ScheduleTemplate", "template_id": "t", "body": body})
    assert not CHECK.is_valid({"kind": "Schedule", "schedule_id": "s", **body})


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "Schedule"},
        {"kind": "Schedule", "schedule_id": "a", "specs": [{"interval": "5s"}]},
        {"kind": "Schedule", "schedule_id": "a b"},
        {"kind": "Schedule", "schedule_id": "a", "colour": "red"},
        {"kind": "Schedule", "schedule_id": "a", "specs": [{"interval": 5}]},
        {"kind": "Schedule", "schedule_id": "a", "specs": [{"cron": "x", "interval": "5s"}]},
        {"kind": "Schedule", "schedule_id": "a", "overlap_policy": "sometimes"},
        {"kind": "Schedule", "schedule_id": "a", "task": {"handler": "h", "priority": 11}},
        {"kind": "Calendar", "calendar_id": "a", "dates": ["tomorrow"]},
    ],
)
def test_wrong_documents_are_not_valid(wrong):
    assert not CHECK.is_valid(wrong)
