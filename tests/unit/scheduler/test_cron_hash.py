"""`H`: what the schedule's id chooses."""

from collections import Counter
from datetime import datetime

import pytest

from scheduler_service.domain import cron
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CronSpec, SecondsField
from tests.unit.scheduler.reading import listed, parse

HASHED = CronSpec("H H H H H H", SecondsField.FIRST)


def chosen(text: str, seed: str, field: int = 0) -> str:
    """What becomes of a field of five."""
    texts = ["*"] * 5
    texts[field] = text
    return cron.resolved(CronSpec(" ".join(texts)), seed)[field + 1]


def test_choice_is_the_same_for_ever() -> None:
    """A change of these would move every schedule that uses H."""
    assert " ".join(cron.resolved(HASHED, "nightly-report")) == "55 39 15 1 8 1 *"
    assert " ".join(cron.resolved(HASHED, "")) == "33 40 6 1 11 5 *"
    assert chosen("H(10-20)", "backup") == "18"
    assert chosen("H/15", "backup") == "4,19,34,49"


@pytest.mark.parametrize(
    ("text", "field", "pool"),
    [
        ("H", 0, range(60)),
        ("H", 1, range(24)),
        ("H", 2, range(1, 29)),
        ("H", 3, range(1, 13)),
        ("H", 4, range(7)),
        ("H(10-20)", 0, range(10, 21)),
        ("H(7-7)", 0, [7]),
        ("H(22-3)", 1, [22, 23, 0, 1, 2, 3]),
        ("H(15-31)", 2, range(15, 32)),
        ("H(NOV-FEB)", 3, [11, 12, 1, 2]),
        ("h(mon-fri)", 4, range(1, 6)),
        ("H(5-7)", 4, [5, 6, 0]),
    ],
)
def test_every_value_is_chosen_and_none_beyond(text: str, field: int, pool: list[int]) -> None:
    """Of 2,000 ids, each value gets its share within a factor of three."""
    counts = Counter(int(chosen(text, f"schedule-{number}", field)) for number in range(2000))
    assert set(counts) == set(pool)
    share = 2000 / len(pool)
    assert all(share / 3 <= count <= share * 3 for count in counts.values())


@pytest.mark.parametrize(
    ("text", "field", "choices"),
    [
        ("H/20", 0, {f"{first},{first + 20},{first + 40}" for first in range(20)}),
        ("H/6", 1, {f"{first},{first + 6},{first + 12},{first + 18}" for first in range(6)}),
        ("H/12", 2, {f"{n},{n + 12},{n + 24}" if n <= 4 else f"{n},{n + 12}" for n in range(1, 13)}),
        ("H(10-20)/5", 0, {"10,15,20", "11,16", "12,17", "13,18", "14,19"}),
        ("H(22-3)/3", 1, {"22,1", "23,2", "0,3"}),
    ],
)
def test_steps_start_at_one_of_the_first_values(text: str, field: int, choices: set[str]) -> None:
    assert {chosen(text, f"schedule-{number}", field) for number in range(1000)} == choices


def test_fields_of_one_schedule_are_chosen_apart() -> None:
    """Minute and hour of 500 ids do not go together: nearly every pair is another one."""
    pairs = {(chosen("H", f"a{number}", 0), chosen("H", f"a{number}", 1)) for number in range(500)}
    assert len(pairs) > 400


def test_list_may_mix_choices_and_values() -> None:
    text = chosen("0,H(30-59),15", "a")
    first, second, third = map(int, text.split(","))
    assert (first, third) == (0, 15)
    assert 30 <= second <= 59


def test_schedules_of_one_expression_run_at_their_own_times() -> None:
    day = datetime(2026, 1, 1), datetime(2026, 1, 1, 23, 59, 59)
    times = {tuple(listed(parse("H H * * *", seed=f"schedule-{number}"), *day)) for number in range(100)}
    assert all(len(readings) == 1 for readings in times)
    assert len(times) > 90


@pytest.mark.parametrize(
    ("expression", "uses"),
    [
        ("H * * * *", True),
        ("0 0,h(2-5) * * *", True),
        ("0 0 * * H/2", True),
        ("0 0 * MAR THU", False),
        ("@hourly", False),
        ("@every 1h", False),
    ],
)
def test_uses_hash_tells_whether_the_id_counts(expression: str, uses: bool) -> None:
    assert cron.uses_hash(CronSpec(expression)) is uses


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("HH * * * *", "minute 'HH' cannot be read; allowed are H, H/n, H(a-b) and H(a-b)/n"),
        ("H-5 * * * *", "minute 'H-5' cannot be read"),
        ("H() * * * *", "minute 'H()' cannot be read"),
        ("H(5) * * * *", "minute 'H(5)' cannot be read"),
        ("H(5-70) * * * *", "minute '70' cannot be read; allowed are 0-59"),
        ("0 0 H(20-10) * *", "day of month '20-10' runs backwards"),
        ("H/0 * * * *", "minute 'H/0': the step must be 1 to 60"),
        ("H/61 * * * *", "minute 'H/61': the step must be 1 to 60"),
        ("0 H(2-5)/9 * * *", "hour 'H(2-5)/9': the step must be 1 to 4"),
        ("0 0 * * H#2", "day of week 'H#2' cannot be read"),
        ("0 0 0 1 1 * H", "year 'H': a year cannot be chosen"),
    ],
)
def test_refusal_of_a_choice_names_the_field_and_the_rule(expression: str, says: str) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        parse(expression)
    assert says in refused.value.rule
