"""Documents of files: what they may say, how mistakes are named, and that nothing is lost on the way."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from batonpass.cli.files import spelling, yaml_text
from batonpass.cli.files.defaults import without_defaults
from batonpass.cli.files.document import KINDS, content_with_kind, document_of
from batonpass.cli.files.loading import load
from batonpass.cli.files.mistakes import Mistake, WrongFiles
from batonpass.cli.files.writing import content_of, payload_content
from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2
from batonpass.scheduler.v1.schedule_pb2 import Schedule, ScheduleSpec
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.cli import making

PROTOS = Path(__file__).resolve().parents[4] / "protos"

EVERYTHING = """
kind: Schedule
schedule_id: report
labels: {app: shop}
specs:
  - cron: "30 7 * * mon-fri"
  - cron: {expression: "0 30 7 * * *", seconds: first, day_match: and}
  - interval: 1h30m
  - one_shot: 2027-01-01T00:00:00Z
  - calendar_interval: {every: 2, unit: month, start: 2026-01-31T09:00:00}
  - recurrence: {rule: FREQ=DAILY, start: 2026-01-01T09:00:00}
exclusions: [cron: "0 0 1 1 *"]
time_zone: Europe/Berlin
start_time: 2026-06-01T00:00:00+02:00
gap_policy: shift
fold_policy: both
exclude_calendars: [holidays]
calendar_disposition: next-business-day
jitter: 30s
max_runs: 5
pause_on_failure: 3
overlap_policy: CANCEL_OTHER
catch_up_policy: none
catchup_window: 2h
task:
  handler: name:report
  priority: 8
  resources: {cpu_percent: 12.5}
  timeout: 10m
  payload: {table: orders, limits: [1, 2.5, null]}
"""


SMALL = "{kind: Schedule, schedule_id: s, specs: [{interval: 5s}], task: {handler: h}}"


def read(text: str) -> Schedule:
    """The only schedule of a YAML text."""
    (content,) = yaml_text.documents(text)
    schedule: Schedule = document_of(content.value).message
    return schedule


def test_a_document_says_everything_in_the_words_of_the_contract():
    schedule = read(EVERYTHING)
    assert [spec.WhichOneof("kind") for spec in schedule.specs] == [
        "cron", "cron", "interval", "one_shot", "calendar_interval", "recurrence",
    ]  # fmt: skip
    assert schedule.specs[1].cron.seconds == schedule_pb2.SECONDS_FIELD_FIRST
    assert schedule.specs[2].interval.every.ToTimedelta() == timedelta(minutes=90)
    assert schedule.specs[4].calendar_interval.start == "2026-01-31T09:00:00"
    assert schedule.start_time.ToJsonString() == "2026-05-31T22:00:00Z"
    assert schedule.overlap_policy == task_pb2.OVERLAP_POLICY_CANCEL_OTHER
    assert schedule.template.payload == b'{"table":"orders","limits":[1,2.5,null]}'
    assert schedule.template.name == "report", "the id is the name unless there is another one"


def test_what_is_written_is_read_as_the_same():
    schedule = read(EVERYTHING)
    written = yaml_text.dumped(content_with_kind("Schedule", schedule))
    assert read(written) == schedule


def test_what_a_service_fills_in_is_not_written():
    content = content_of(without_defaults(making.schedule("daily", time_zone="UTC")))
    assert content == {
        "schedule_id": "daily",
        "specs": [{"cron": "0 2 * * *"}],
        "task": {
            "handler": "./backup.sh",
            "priority": 8,
            "resources": {"cpu_percent": 10.0, "memory_percent": 15.0},
            "name": "Daily Backup",
        },
    }


def test_an_event_may_be_a_word_or_have_a_pattern_in_plain_yaml():
    word = "{kind: Schedule, schedule_id: s, task: {handler: h}, specs: [{event: order.*}]}"
    assert read(word).specs[0].event.type == "order.*"
    pattern = 'pattern: {data: {amount: [{numeric: [">", 100]}]}}'
    rest = f"task: {{handler: h}}, specs: [{{event: {{type: o, {pattern}}}}}]"
    spec = read(f"{{kind: Schedule, schedule_id: s, {rest}}}").specs[0]
    assert spec.event.pattern == '{"data":{"amount":[{"numeric":[">",100]}]}}'
    assert content_of(spec)["event"]["pattern"] == {"data": {"amount": [{"numeric": [">", 100]}]}}


@example("\x85".encode())
@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_every_payload_can_be_written(data):
    """As JSON it means the same; what is no JSON is the same, byte by byte."""
    template = task_pb2.TaskTemplate(handler="h", payload=data)
    schedule = Schedule(schedule_id="s", specs=[ScheduleSpec()], template=template)
    schedule.specs[0].cron.expression = "@daily"
    again = read(yaml_text.dumped(content_with_kind("Schedule", schedule))).template.payload
    assert payload_content(again) == payload_content(data)
    if not isinstance(payload_content(data), dict | list | int | float | str | bool):
        assert again == data


@pytest.mark.parametrize(
    ("text", "path", "rule"),
    [
        ("kind: Calender", "kind", "must be one of"),
        ("schedule_id: s", "kind", "is missing"),
        ("- 1", "", "must be a mapping"),
        ("kind: Schedule", "schedule_id", "is missing"),
        ("{kind: Schedule, schedule_id: s, task: {handler: h}}", "specs", "at least one"),
        ("{kind: Schedule, schedule_id: s, specs: [interval: 5s]}", "task.handler", "says what runs"),
        ("{kind: Schedule, schedule_id: s, source: {template_id: t}, max_runs: 1}", "max_runs", "left out"),
        ("{kind: Schedule, schedule_id: 3}", "schedule_id", "put it in quotes"),
        ("{kind: Schedule, schedule_id: s, colour: red}", "colour", "no such field"),
        ("{kind: Schedule, schedule_id: s, generation: 4}", "generation", "no such field"),
        ("{kind: Schedule, schedule_id: s, specs: {cron: x}}", "specs", "must be a list"),
        ("{kind: Schedule, schedule_id: s, specs: [{cron: x, interval: 5s}]}", "specs[0]", "exactly one of"),
        ("{kind: Schedule, schedule_id: s, specs: [{}]}", "specs[0]", "exactly one of"),
        ("{kind: Schedule, schedule_id: s, specs: [{interval: 5}]}", "specs[0].interval.every", "1h30m"),
        ("{kind: Schedule, schedule_id: s, specs: [{interval: 5 s}]}", "specs[0].interval.every", "500ms"),
        ("{kind: Schedule, schedule_id: s, start_time: 2026-01-01T00:00:00}", "start_time", "no offset"),
        ("{kind: Schedule, schedule_id: s, start_time: +10m}", "start_time", "RFC 3339"),
        ("{kind: Schedule, schedule_id: s, gap_policy: sometimes}", "gap_policy", "at-transition, shift"),
        ("{kind: Schedule, schedule_id: s, max_runs: many}", "max_runs", "whole number"),
        ("{kind: Schedule, schedule_id: s, max_runs: true}", "max_runs", "whole number"),
        ("{kind: Schedule, schedule_id: s, disabled: yes}", "disabled", "true or false"),
        ("{kind: Schedule, schedule_id: s, pause_on_failure: 9999999999}", "pause_on_failure", "range"),
        ("{kind: Schedule, schedule_id: s, labels: {a: 1}}", "labels.a", "put it in quotes"),
        ("{kind: Schedule, schedule_id: s, task: {resources: {cpu_percent: x}}}",
         "task.resources.cpu_percent", "number"),
        ("{kind: Schedule, schedule_id: s, task: {payload: {base64: '?'}}}", "task.payload", "base64"),
    ],
)  # fmt: skip
def test_mistakes_name_the_path_and_the_rule(text, path, rule):
    (content,) = yaml_text.documents(text)
    with pytest.raises(Mistake) as caught:
        document_of(content.value)
    assert caught.value.path == path
    assert rule in caught.value.rule


def test_yaml_keeps_texts_as_they_are():
    (content,) = yaml_text.documents(
        "{a: NO, b: 1:30, c: 2026-01-01, d: on, e: 0x10, f: 12, g: true, h: 1.5}"
    )
    assert content.value == {
        "a": "NO", "b": "1:30", "c": "2026-01-01", "d": "on", "e": "0x10", "f": 12, "g": True, "h": 1.5,
    }  # fmt: skip


def test_files_are_checked_as_a_whole_and_every_mistake_is_named(tmp_path):
    (tmp_path / "b.yaml").write_text(f"{SMALL}\n---\n# empty\n---\nkind: Nothing\n")
    (tmp_path / "a.yml").write_text(f"{SMALL}\n---\na: 1\na: 2\n")
    (tmp_path / "notes.txt").write_text("not a file for this")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "c.json").write_text(json.dumps(yaml.safe_load(SMALL)))
    with pytest.raises(WrongFiles) as caught:
        load([str(tmp_path), str(tmp_path / "nowhere.yaml")])
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()[1:]
    assert lines == [
        "a.yml: line 4, column 1: the key 'a' is there twice",
        f"b.yaml, document 3 (line 5): kind: must be one of {', '.join(KINDS)}, CronJob, not 'Nothing'",
        "nowhere.yaml: No such file or directory",
        "more/c.json, document 1 (line 1): schedule s is in b.yaml, document 1 (line 1) already",
    ]


def test_a_folder_without_documents_is_a_mistake(tmp_path):
    with pytest.raises(WrongFiles, match="no document"):
        load([str(tmp_path)])


def test_documents_come_in_the_order_in_which_they_are_made(tmp_path):
    file = tmp_path / "all.yaml"
    others = [("ScheduleTemplate", "template_id"), ("Calendar", "calendar_id")]
    texts = [SMALL, *(f"{{kind: {kind}, {identity}: x}}" for kind, identity in others)]
    file.write_text("\n---\n".join(texts))
    assert [document.kind for document in load([str(file)])] == ["Calendar", "ScheduleTemplate", "Schedule"]


def test_what_only_services_say_is_what_the_contract_calls_output_only():
    for message, _ in KINDS.values():
        descriptor = message.DESCRIPTOR
        proto = (PROTOS / descriptor.file.name).read_text()
        body = re.search(rf"^message {descriptor.name} {{\n(.*?)^}}", proto, re.MULTILINE | re.DOTALL)
        assert body is not None
        commented = re.findall(
            r"((?:  //[^\n]*\n)+)  (?:repeated |optional )?[\w.<>, ]+? (\w+) = \d+", body[1]
        )
        output_only = {name for comment, name in commented if "Output only" in comment}
        assert output_only == spelling.OUTPUT_ONLY[descriptor.full_name]
