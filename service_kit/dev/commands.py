"""`./dev up`, `down`, `reset` and `status`."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Final

import psutil

from service_kit.dev.child import tether
from service_kit.dev.plan import ROOT, Plan
from service_kit.dev.state import StateFolder
from service_kit.dev.supervisor import READY, is_healthy, wait_until_gone

STOP_PATIENCE: Final = 90.0


class _Interrupted(Exception):
    """Ctrl-C, or a request to end."""


def up(plan: Plan, state: StateFolder, detach: bool) -> int:
    """Starts the stack; in the foreground shows the live view and stops the stack with it."""
    _interrupt_on_signals()
    supervisor = None
    try:
        if state.is_running():
            print(f"runs already (state in {state.path})")
        else:
            supervisor = _start_supervisor(detach)
            if not _relay(supervisor):
                return supervisor.wait() or 1
        _print_endpoints(state)
        if detach:
            print("stop it with ./dev down; the data stays")
            return 0
        print(
            "Ctrl-C stops everything; the data stays" if supervisor else "Ctrl-C ends this view", flush=True
        )
        _watch(plan, state)
        return 0
    except _Interrupted:
        return 0
    finally:
        if supervisor is not None and (
            not detach or (supervisor.poll() is None and not state.endpoints.exists())
        ):
            _stop_supervisor(supervisor)


def down(state: StateFolder) -> int:
    """Stops the stack, waits until all of it is gone and keeps the data."""
    record = state.record()
    if state.is_running() and record:
        with suppress(ProcessLookupError):
            os.kill(record["pid"], signal.SIGTERM)
        with suppress(psutil.NoSuchProcess):
            psutil.Process(record["pid"]).wait(STOP_PATIENCE)
        print("stopped")
    else:
        print("nothing runs")
    wait_until_gone(record)
    state.forget()
    return 0


def reset(plan: Plan, state: StateFolder) -> int:
    """`down`, then deletes the data."""
    down(state)
    state.delete_data(plan.data)
    print(f"data in {state.path} deleted")
    if os.environ.get("DATABASE_URL"):
        print("what is in DATABASE_URL was left alone: it is yours")
    return 0


def status(state: StateFolder) -> int:
    """Prints each process and address; exit code 0 when everything runs and serves, else 1."""
    if not state.is_running():
        print("nothing runs")
        return 1
    processes = state.record().get("processes", {})
    for name, pid in processes.items():
        print(f"{name:10} {f'process {pid}' if pid else 'down, waits to be started again'}")
    endpoints = _endpoints(state)
    healthy = {name: is_healthy(address) for name, address in endpoints.items() if name.endswith("_metrics")}
    _print_endpoints(state)
    for name in (name for name, good in healthy.items() if not good):
        print(f"{name.removesuffix('_metrics')} does not serve: see {state.logs}")
    return 0 if endpoints and all(healthy.values()) and all(processes.values()) else 1


def _start_supervisor(detach: bool) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "service_kit.dev", "supervise"]
    return subprocess.Popen(
        command if detach else tether(command), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def _relay(supervisor: "subprocess.Popen[str]") -> bool:
    """Prints what the supervisor says; True when it is ready, False when it gave up."""
    assert supervisor.stdout is not None
    for line in supervisor.stdout:
        if line.strip() == READY:
            return True
        print(line, end="", flush=True)
    return False


def _watch(plan: Plan, state: StateFolder) -> None:
    """Shows the live view, then waits for the end: the view may fail or be closed, the stack stays."""
    env = {**os.environ, "BATONPASS_HOME": str(state.path)}
    for service in plan.services:
        env.pop(service.address_variable, None)
    view = subprocess.Popen(tether(plan.watch), cwd=ROOT, env=env)
    try:
        view.wait()
        while state.is_running():
            time.sleep(0.5)
    finally:
        with suppress(ProcessLookupError):
            view.terminate()
        view.wait()


def _stop_supervisor(supervisor: "subprocess.Popen[str]") -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    print("stopping", flush=True)
    with suppress(ProcessLookupError):
        supervisor.terminate()
    supervisor.wait()


def _interrupt_on_signals() -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise _Interrupted

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _endpoints(state: StateFolder) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(state.endpoints.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _print_endpoints(state: StateFolder) -> None:
    for name, address in _endpoints(state).items():
        if name != "database" and not name.endswith("_metrics"):
            print(f"{name:10} {address}")
    print(f"endpoints in {state.endpoints}, logs in {state.logs}")
