"""What has to change so that things are as a document says."""

from typing import Any

from batonpass.cli.files.change import Change, compare
from batonpass.cli.files.document import document_of
from batonpass.scheduler.v1 import schedule_pb2

from tests.unit.cli import making

DAILY = {
    "kind": "Schedule",
    "schedule_id": "daily",
    "specs": [{"cron": "0 2 * * *"}],
    "task": {
        "handler": "./backup.sh",
        "name": "Daily Backup",
        "priority": 8,
        "resources": {"cpu_percent": 10, "memory_percent": 15},
    },
}
MADE = {"kind": "Schedule", "schedule_id": "daily", "source": {"template_id": "nightly"}}


def change(current: Any, *, of: dict[str, Any] = DAILY, **keys: Any) -> Change:
    return compare(document_of({**of, **keys}, "a.yaml, document 1 (line 1)"), current)


def made_of(version: int = 2, **parameters: str) -> schedule_pb2.Schedule:
    source = schedule_pb2.TemplateSource(template_id="nightly", version=version, parameters=parameters)
    return making.schedule("daily", source=source)


def test_what_is_not_there_is_created():
    found = change(None)
    assert (found.verb, found.diff().count("\n-")) == ("create", 0)


def test_defaults_are_no_difference():
    found = change(making.schedule("daily"))
    assert (found.verb, found.fields, found.diff()) == ("unchanged", (), "")
    assert change(making.schedule("daily"), overlap_policy="skip", time_zone="UTC").verb == "unchanged"


def test_only_what_differs_is_changed():
    found = change(
        making.schedule("daily"), time_zone="Europe/Berlin", task={"handler": "h"}, labels={"a": "b"}
    )
    assert found.verb == "update"
    assert sorted(found.paths) == ["labels", "template", "time_zone"]
    assert {"-  handler: ./backup.sh", "+  handler: h"} <= set(found.diff().splitlines())


def test_a_switch_that_a_file_does_not_mention_stays():
    off = making.schedule("daily", disabled=True)
    assert change(off).verb == "unchanged"
    found = change(off, disabled=False)
    assert (found.fields, found.paths) == (("disabled",), [])
    assert change(making.schedule("daily"), disabled=True).fields == ("disabled",)


def test_a_version_that_a_file_does_not_mention_stays_pinned():
    assert change(made_of(2), of=MADE).verb == "unchanged"
    moved = change(made_of(2), of=MADE, labels={"a": "b"})
    assert (moved.paths, moved.message.source.version) == (["labels"], 2)
    newer = {"template_id": "nightly", "version": 3}
    assert change(made_of(2), of=MADE, source=newer).paths == ["source"]
    other = {"template_id": "nightly", "parameters": {"table": "orders"}}
    assert change(made_of(2), of=MADE, source=other).paths == ["source"]


def test_joining_a_schedule_template_changes_nothing_beside_source_and_labels():
    found = change(making.schedule("daily"), of=MADE, labels={"a": "b"})
    assert sorted(found.paths) == ["labels", "source"]


def test_leaving_a_schedule_template_takes_what_the_file_says():
    found = change(made_of(), time_zone="Asia/Tokyo")
    assert sorted(found.paths) == ["source", "time_zone"]
