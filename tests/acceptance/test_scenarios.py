"""The scenarios of the system that Batonpass replaces, through real processes and the command line."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Gate
from tests.support.stack import ROOT, Stack, eventually

pytestmark = [pytest.mark.alone, pytest.mark.timeout(240)]


def task(stack: Stack, task_id: str) -> dict[str, Any]:
    return dict(stack.cli("task", "get", task_id))


def states(stack: Stack, **filters: str) -> dict[str, str]:
    words = [word for name, value in filters.items() for word in (f"--{name}", value)]
    return {entry["task_id"]: entry["state"] for entry in stack.cli("task", "list", *words)["tasks"]}


@pytest.fixture
def agent(stack: Stack) -> Any:
    daemon = stack.start_agent("runner", "--allow-shell")
    yield daemon
    daemon.stop()


def test_daily_backup_runs_by_cron_and_leaves_its_record(stack: Stack, agent: Any, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "backups"
    source.mkdir()
    (source / "ledger.txt").write_text("42\n")
    backup = f"{ROOT / 'examples' / 'backup.sh'} {source} {target}"
    daily = stack.cli(
        *("schedule", "create", "backup-daily", "--name", "Daily Backup", "--handler", backup),
        *("--cron", "0 2 * * *", "--priority", "8", "--cpu", "10", "--memory", "15"),
    )
    assert daily["next_execution"].endswith("T02:00:00Z")
    assert (daily["priority"], daily["band"]) == (8, "important")
    stack.cli("schedule", "update", "backup-daily", "--cron", "* * * * * *", "--seconds", "first")

    record = eventually(
        lambda: (r := stack.cli("schedule", "get", "backup-daily"))["execution_count"] >= 2 and r,
        "the backup ran twice by its schedule",
    )

    stack.cli("schedule", "disable", "backup-daily", "--note", "seen enough")
    assert record["failure_count"] == 0
    assert record["average_duration_ms"] > 0
    assert record["last_executed"] is not None
    assert list(target.glob("*.tar.gz")), "a compressed backup was written"


def test_webhooks_queue_all_listeners_at_once_and_run_one_after_another(
    stack: Stack, agent: Any, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    for name in ("crm", "billing"):
        handler = (
            f"echo {name} begin $BATONPASS_TASK_ID >> {journal}; cat > /dev/null; "
            f"echo {name} end $BATONPASS_TASK_ID >> {journal}; "
            f"test -e {tmp_path}/{name}.failed || {{ touch {tmp_path}/{name}.failed; exit 75; }}"
        )
        stack.cli(
            *("schedule", "create", f"webhook-{name}", "--name", name, "--handler", handler),
            *("--event", "webhook.received", "--priority", "6", "--retry-policy", "aggressive"),
        )
    for number in range(3):
        published = stack.cli("event", "trigger", "webhook.received", "--data", json.dumps({"n": number}))
        assert len(published["fires"]) == 2

    assert stack.run_cli("process", "--timeout", "60s").returncode == 0

    for name in ("crm", "billing"):
        ended = stack.cli("task", "list", "--schedule", f"webhook-{name}")["tasks"]
        assert [entry["state"] for entry in ended] == ["SUCCEEDED"] * 3
        assert sorted(entry["attempt"] for entry in ended) == [1, 1, 2], (
            "the first one failed once and was retried"
        )
        lines = [line.split() for line in journal.read_text().splitlines() if line.startswith(name)]
        begun = [(lines[i][1], lines[i + 1][1]) for i in range(0, len(lines), 2)]
        assert begun == [("begin", "end")] * 4, "never two of one schedule at a time"
        order = list(dict.fromkeys(line[2] for line in lines))
        assert order == [entry["task_id"] for entry in sorted(ended, key=lambda e: e["enqueued_at"])]


def test_contention_admits_what_fits_and_holds_what_does_not(stack: Stack, agent: Any, gate: Gate) -> None:
    stack.cli("queue", "limits", "--max-tasks", "5", "--max-cpu", "85")
    for number in range(4):
        stack.cli(
            *("task", "enqueue", f"base-{number}", "--priority", "5", "--cpu", "15", "--memory", "12.5"),
            *("--handler", gate.command(f"base-{number}")),
        )
    stack.cli(
        "task", "enqueue", "urgent", "--priority", "9", "--cpu", "25", "--handler", gate.command("urgent")
    )
    eventually(lambda: task(stack, "urgent")["state"] == "RUNNING", "60 % + 25 % = 85 % is within the limit")

    stack.cli(
        "task",
        "enqueue",
        "critical",
        "--priority",
        "10",
        "--cpu",
        "30",
        "--handler",
        gate.command("critical"),
    )
    stack.cli("task", "enqueue", "sixth", "--priority", "10", "--handler", gate.command("sixth"))
    peek = stack.cli("task", "next")
    reasons = {entry["task_id"]: entry["waiting_reason"] for entry in peek["blocked"]}
    assert "cpu" in reasons["critical"].lower() or "tasks" in reasons["critical"].lower()
    assert "sixth" in reasons
    executor = stack.cli("queue", "status")["executors"][0]
    assert (executor["use"]["tasks"], executor["use"]["cpu_percent"]) == (5, 85.0)

    gate.open("base-0")
    eventually(lambda: task(stack, "sixth")["state"] == "RUNNING", "the freed place goes to what fits")
    assert task(stack, "critical")["state"] == "WAITING", "70 % + 30 % is over the limit"
    gate.open("urgent")
    eventually(lambda: task(stack, "critical")["state"] == "RUNNING", "freed CPU goes to the critical task")

    for name in ("base-1", "base-2", "base-3", "critical", "sixth"):
        gate.open(name)
    assert stack.run_cli("process", "--timeout", "30s").returncode == 0
    stack.cli("queue", "limits", "--max-tasks", "4", "--max-cpu", "80")
    assert stack.cli("queue", "status")["executors"][0]["use"] == {
        "tasks": 0,
        "cpu_percent": 0.0,
        "memory_percent": 0.0,
    }


def test_the_original_limits_hold_by_default(stack: Stack, agent: Any, gate: Gate) -> None:
    for number in range(5):
        stack.cli(
            "task",
            "enqueue",
            f"held-{number}",
            "--priority",
            "5",
            "--handler",
            gate.command(f"held-{number}"),
        )
    eventually(lambda: list(states(stack, state="running").values()) == ["RUNNING"] * 4, "four run")
    assert task(stack, "held-4")["state"] == "WAITING"
    for number in range(5):
        gate.open(f"held-{number}")
    assert stack.run_cli("process", "--timeout", "30s").returncode == 0


def test_a_task_that_waits_long_passes_more_urgent_ones(stack: Stack, agent: Any, tmp_path: Path) -> None:
    journal = tmp_path / "order"
    stack.cli("queue", "limits", "--max-tasks", "0")
    stack.cli("task", "enqueue", "patient", "--priority", "2", "--handler", f"echo patient >> {journal}")
    raised = eventually(
        lambda: {
            entry["task_id"]: entry
            for entry in stack.cli("queue", "prevent-starvation", "--threshold", "1s", "--boost")["tasks"]
            if entry["effective_priority"] == 10
        },
        "ageing and boosts raise it to the top",
    )
    assert raised["patient"]["priority"] == 2
    for number in (7, 8, 9):
        stack.cli(
            *("task", "enqueue", f"newcomer-{number}", "--priority", str(number)),
            *("--handler", f"echo newcomer >> {journal}"),
        )

    stack.cli("queue", "limits", "--max-tasks", "1")
    assert stack.run_cli("process", "--timeout", "30s").returncode == 0

    assert journal.read_text().split()[0] == "patient"
    stack.cli("queue", "limits", "--max-tasks", "4")
    stack.cli("queue", "prevent-starvation", "--threshold", "30m")


def test_blackout_holds_queued_work_until_it_is_lifted(stack: Stack, agent: Any) -> None:
    """Only what it selects; urgent work goes on. Deleting the calendar releases the rest at once."""
    now = datetime.now(UTC)
    period = f"{now - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}/{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    stack.cli(
        *("calendar", "create", "freeze", "--period", period, "--blackout"),
        *("--queue", "frozen", "--allow-priority", "9"),
    )
    eventually(lambda: stack.cli("queue", "holds")["holds"], "the queue knows of the blackout")
    for task_id, queue, priority in (("f1", "frozen", "5"), ("f2", "frozen", "9"), ("f3", "default", "5")):
        stack.cli(
            *("task", "enqueue", task_id, "--handler", "true", "--queue", queue, "--priority", priority)
        )

    eventually(
        lambda: (
            states(stack, queue="frozen")["f2"] == "SUCCEEDED" and task(stack, "f3")["state"] == "SUCCEEDED"
        ),
        "what is urgent or in another queue has run",
    )
    held = stack.cli("task", "get", "f1", "--queue", "frozen")
    assert held["state"] == "WAITING"
    assert "calendar/freeze" in held["waiting_reason"]

    stack.cli("calendar", "delete", "freeze")
    eventually(
        lambda: states(stack, queue="frozen")["f1"] == "SUCCEEDED", "it runs when the blackout is lifted"
    )
