"""A crontab as schedules."""

import subprocess

import pytest
from batonpass.cli.files import crontab
from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2

USER = """
# m h dom mon dow command
MAILTO=ops@example.org
*/5 * * * *  /usr/local/bin/check.sh --fast >/dev/null 2>&1
CRON_TZ = "Europe/Berlin"
SHELL=/bin/bash
GREETING='good  morning'
30 7 * * mon-fri  echo "$GREETING"
@daily /usr/local/bin/check.sh --fast
@reboot /usr/local/bin/start.sh
0 0 * *
"""


def schedules(text: str, prefix: str = "") -> list[schedule_pb2.Schedule]:
    return [job.schedule for job in crontab.read(text, prefix=prefix).jobs]


def run(command: str) -> str:
    """What a shell prints for the handler made of a command."""
    (schedule,) = schedules(f"* * * * * {command}")
    handler = schedule.template.handler
    return subprocess.run(["/bin/sh", "-c", handler], capture_output=True, text=True, check=True).stdout


def test_every_job_becomes_a_schedule():
    made = schedules(USER)
    assert [(one.schedule_id, one.specs[0].cron.expression, one.time_zone) for one in made] == [
        ("check-fast", "*/5 * * * *", ""),
        ("echo-greeting", "30 7 * * mon-fri", "Europe/Berlin"),
        ("check-fast-2", "@daily", "Europe/Berlin"),
    ]
    assert {one.overlap_policy for one in made} == {task_pb2.OVERLAP_POLICY_ALLOW_ALL}
    assert {one.catch_up_policy for one in made} == {schedule_pb2.CATCH_UP_POLICY_NONE}


def test_what_cannot_be_taken_over_is_said_by_line():
    remarks = crontab.read(USER).remarks
    assert [(remark.line, remark.is_refusal) for remark in remarks] == [(3, False), (10, True), (11, True)]
    assert "MAILTO is ignored: nobody is mailed" in remarks[0].text
    assert "does not know when a host starts" in remarks[1].text


def test_variables_hold_for_the_lines_below_them():
    first, second, _ = schedules(USER)
    assert first.template.handler == "/usr/local/bin/check.sh --fast >/dev/null 2>&1"
    assert second.template.handler == "env 'GREETING=good  morning' /bin/bash -c 'echo \"$GREETING\"'"
    done = subprocess.run(
        ["/bin/sh", "-c", second.template.handler], capture_output=True, text=True, check=True
    )
    assert done.stdout == "good  morning\n"


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("cat%one%two words", "one\ntwo words\n"),
        ("echo 50\\% off", "50% off\n"),
        ("cat # why%it's", "it's\n"),
        ("cat; echo end%$HOME", "$HOME\nend\n"),
    ],
)
def test_percent_signs_mean_what_cron_makes_of_them(command, printed):
    assert run(command) == printed


def test_a_system_crontab_names_a_user():
    lines = ("17 * * * * root cd / && run-parts /etc/cron.hourly", "0 1 * * * bob date")
    found = crontab.read("\n".join(lines), system=True)
    handlers = [job.schedule.template.handler for job in found.jobs]
    assert handlers == ["cd / && run-parts /etc/cron.hourly", "date"]
    assert [str(remark) for remark in found.remarks] == [
        "line 2: the user bob is ignored: tasks run as the user of the agent"
    ]


def test_ids_are_valid_unique_and_the_same_again():
    text = "\n".join(f"0 {hour} * * * {'very-' * 30}long ünïcode {hour % 3}" for hour in range(20))
    ids = [one.schedule_id for one in schedules(text, "web1-")]
    assert ids == [one.schedule_id for one in schedules(text, "web1-")]
    assert len(set(ids)) == 20
    assert all(len(name) <= 64 and name.startswith("web1-") for name in ids)
    assert [one.schedule_id for one in schedules("* * * * * $(!!)")] == ["job"]
