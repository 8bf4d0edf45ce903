"""Tables on terminals of any width: what identifies a thing is whole, the least important goes first."""

import io
from collections.abc import Sequence

import pytest
from batonpass.cli import output
from batonpass.cli.columns import Layout, Need, layout
from batonpass.cli.output import Record
from batonpass.cli.records import schedule, task
from batonpass.cli.tables import Column, grid
from batonpass.cli.views import schedule as schedule_views
from batonpass.cli.views import task as task_views
from rich.console import Console

from tests.unit.cli import making

ID = "backup-daily.20260301T020000Z.ABCDEFGHIJ"
WHY = "no connected executor has registered the handler 'resize', so that it waits until one does"


def shown(records: Sequence[Record], columns: Sequence[Column], width: int) -> list[str]:
    """The lines on a terminal that is `width` cells wide."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(grid(records, columns, ""), crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_ids_and_states_and_text_are_whole_on_every_terminal(width: int) -> None:
    waiting = making.task(ID, waiting_reason=WHY, schedule_id="backup-daily")
    lines = shown([task.record(waiting)], task_views.TASKS, width)
    assert max(map(len, lines)) <= width
    assert lines[1].split()[:2] == [ID, "WAITING"]
    assert " ".join(" ".join(line.split()) for line in lines[1:]).endswith("until one does")


def test_a_narrow_terminal_gets_the_columns_that_matter() -> None:
    records = [task.record(making.task("a", "DEAD", schedule_id="s", executor="host-7", error="exit code 3"))]
    assert {"SCHEDULE", "EXECUTOR", "WHY"} <= set(shown(records, task_views.TASKS, 200)[0].split())
    narrow = shown(records, task_views.TASKS, 60)
    assert "SCHEDULE" not in narrow[0]
    assert {"TASK", "STATE"} <= set(narrow[0].split())


def test_a_name_is_cut_before_a_time_is() -> None:
    records = [schedule.record(making.schedule(template=making.template(name="A long name " * 5)))]
    line = shown(records, schedule_views.SCHEDULES, 120)[1]
    assert "…" in line
    assert "2026-03-02 02:00  2026-03-01 02:00" in line
    assert "NAME" not in shown(records, schedule_views.SCHEDULES, 80)[0]


def test_an_id_that_is_longer_than_the_terminal_is_left_to_it() -> None:
    assert shown([task.record(making.task("x" * 100))], task_views.TASKS, 40)[1].split()[0] == "x" * 100


def test_what_is_not_a_terminal_gets_all(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"tasks": [task.record(making.task(ID, waiting_reason=WHY, schedule_id="backup-daily"))]}
    output.show(record, "table", task_views.tasks)
    heading, line = capsys.readouterr().out.splitlines()
    assert "SCHEDULE" in heading
    assert line.endswith(WHY)


def test_columns_that_fit_are_left_alone() -> None:
    assert layout([Need(10), Need(5, drop=1), Need(8, free=True)], 27) == Layout({0: 10, 1: 5, 2: 8}, None)


def test_columns_are_cut_then_dropped_in_order() -> None:
    needs = [Need(10), Need(30, drop=1, cut=10), Need(5, drop=2)]
    assert layout(needs, 40).widths == {0: 10, 1: 21, 2: 5}
    assert layout(needs, 28).widths == {0: 10, 1: 16}
    assert layout(needs, 20).widths == {0: 10}


def test_free_text_moves_beneath_when_too_little_is_left() -> None:
    assert layout([Need(10), Need(100, free=True)], 40) == Layout({0: 10, 1: 28}, None)
    assert layout([Need(10), Need(100, free=True)], 30) == Layout({0: 10}, 1)
