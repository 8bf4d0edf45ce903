"""The development stack's plan and state folder."""

import os
import socket
import stat
from pathlib import Path

from service_kit.dev.plan import parse_plan, read_plan
from service_kit.dev.state import StateFolder


def state_in(folder: Path) -> StateFolder:
    state = StateFolder(folder)
    for part in (state.logs, state.run):
        part.mkdir(parents=True)
    return state


def test_plan_of_this_checkout_is_complete() -> None:
    plan = read_plan()
    assert {service.name for service in plan.services} == {"queue", "scheduler"}
    assert plan.load
    assert plan.watch


def test_plan_names_its_variables() -> None:
    plan = parse_plan({"services": [{"name": "queue", "module": "m"}]})
    assert plan.services[0].address_variable == "BATONPASS_QUEUE"
    assert plan.services[0].database_variable == "BATONPASS_QUEUE_DATABASE_URL"


def test_ports_stay_the_same_while_they_are_free(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    first = state.ports(["a", "b"])
    assert first["a"] != first["b"]
    assert state.ports(["a", "b"]) == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["a"]))
        taken.listen()
        again = state.ports(["a", "b"])
    assert again["a"] != first["a"]
    assert again["b"] == first["b"]


def test_only_one_supervisor_at_a_time(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    with state.only_one() as alone:
        assert alone
        assert StateFolder(tmp_path).is_running()
    assert not state.is_running()


def test_endpoints_are_for_the_owner_only(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.publish({"database": "postgresql://me:secret@h/d"})
    assert stat.S_IMODE(state.endpoints.stat().st_mode) == 0o600


def test_delete_data_spares_what_is_not_ours(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.ports(["a"])
    (tmp_path / "leases").mkdir()
    (tmp_path / "venv").mkdir()
    (tmp_path / "mine.txt").write_text("keep")
    state.delete_data(["leases"])
    assert sorted(os.listdir(tmp_path)) == ["mine.txt", "venv"]
