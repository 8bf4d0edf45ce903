"""Parameters of schedule templates, and what differs between definitions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Definition
from scheduler_service.domain.schedule_template import (
    Parameter,
    ScheduleTemplate,
    TemplateText,
    changed_fields,
    check_parameters,
    samples,
)
from scheduler_service.domain.spec import CronSpec
from scheduler_service.domain.template_errors import InvalidTemplate
from scheduler_service.domain.timing import Gap, Timing

TABLE, HOUR = Parameter("table", example="orders"), Parameter("hour", default="3")
TEMPLATE = ScheduleTemplate(
    text=TemplateText(template_id="nightly", description="", body=b"", parameters=(TABLE, HOUR)),
    version=2,
    actor="ann",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
DEFINITION = Definition(
    timing=Timing(specs=(CronSpec("@daily"),)),
    template=b"",
    has_payload=False,
    overlap=Overlap.DEFAULT,
    catch_up=CatchUp.DEFAULT,
    window=timedelta(hours=1),
)


def test_defaults_stand_in_for_what_is_not_given():
    assert TEMPLATE.values({"table": "users"}) == {"table": "users", "hour": "3"}
    assert TEMPLATE.values({"table": "", "hour": ""}) == {"table": "", "hour": ""}


@pytest.mark.parametrize(
    ("given", "said"), [({}, "must have table"), ({"table": "", "x": ""}, "no parameter")]
)
def test_what_is_missing_or_unknown_is_refused_with_the_version(given, said):
    with pytest.raises(InvalidSchedule, match="version 2 of schedule template 'nightly'") as caught:
        TEMPLATE.values(given)
    assert said in caught.value.rule


def test_a_name_counts_once():
    with pytest.raises(InvalidTemplate, match=r"parameters\[1\].name"):
        check_parameters((HOUR, HOUR))


def test_samples_are_defaults_and_examples_or_nothing():
    assert samples((TABLE, HOUR)) == {"table": "orders", "hour": "3"}
    assert samples((TABLE, Parameter("free"))) is None


def test_what_differs_has_the_names_of_the_contract():
    other = replace(
        DEFINITION,
        timing=replace(DEFINITION.timing, gap=Gap.SKIP, time_zone="Asia/Tokyo"),
        template=b"x",
        window=timedelta(hours=2),
        labels=(("a", "b"),),
    )
    assert changed_fields(DEFINITION, other) == ("time_zone", "gap_policy", "template", "catchup_window")
    assert changed_fields(DEFINITION, DEFINITION) == ()
