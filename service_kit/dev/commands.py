"""`./dev up`, `down`, `reset` and `status`."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final

from service_kit.dev.addresses import METRICS, print_addresses
from service_kit.dev.child import tether
from service_kit.dev.environment import clean_environment, without_database
from service_kit.dev.plan import ROOT, Plan
from service_kit.dev.signals import Interrupted, ignore_signals, interrupt_on_signals
from service_kit.dev.state import StateFolder
from service_kit.dev.supervisor import READY, is_healthy, wait_until_gone

STOP_PATIENCE: Final = 90.0
_TICK: Final = 0.1


def up(plan: Plan, state: StateFolder, detach: bool) -> int:
    """Starts the stack; in the foreground shows the live view and stops the stack with it.

    Ends with the stack, when that is stopped from elsewhere.
    """
    supervisor = None
    try:
        interrupt_on_signals()
        if state.is_running():
            print(f"runs already (state in {state.path})")
            print_addresses(state)
        else:
            supervisor = _start_supervisor(detach)
            if not _relay(supervisor):
                return supervisor.wait() or 1
        print(f"endpoints in {state.endpoints}, logs in {state.logs}")
        if detach:
            print("stop it with ./dev down; the data stays")
            return 0
        print(
            "Ctrl-C stops everything; the data stays" if supervisor else "Ctrl-C ends this view", flush=True
        )
        _watch(plan, state, supervisor)
        print("the stack has ended", flush=True)
        return 1 if supervisor is not None and supervisor.wait() else 0
    except Interrupted:
        return 0
    finally:
        ignore_signals()
        if supervisor is not None and not (detach and state.endpoints.exists()):
            _stop_supervisor(supervisor)


def down(state: StateFolder) -> int:
    """Stops the stack, waits until all of it is gone and keeps the data.

    Exit code 1 when it still runs after a while.
    """
    record = state.record()
    if not state.is_running():
        print("nothing runs")
    elif _stop(state, record.get("pid")):
        print("stopped")
    else:
        print(f"process {record.get('pid')} still runs after {STOP_PATIENCE:.0f} s: see {state.logs}")
        return 1
    wait_until_gone(record)
    state.forget()
    return 0


def _stop(state: StateFolder, pid: int | None) -> bool:
    """Asks the supervisor to stop; True when it has.

    Its lock tells, which ends with it: its process id may stay as long as a zombie is not collected.
    """
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_PATIENCE
    while state.is_running():
        if time.monotonic() > deadline:
            return False
        time.sleep(_TICK)
    return True


def reset(plan: Plan, state: StateFolder) -> int:
    """`down`, then deletes the data and says what that was."""
    code = down(state)
    if code:
        return code
    deleted = state.delete_data(plan.data)
    print(f"deleted in {state.path}: {', '.join(deleted) or 'nothing'}")
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
    endpoints = print_addresses(state)
    print(f"endpoints in {state.endpoints}, logs in {state.logs}")
    healthy = {name: is_healthy(address) for name, address in endpoints.items() if name.endswith(METRICS)}
    for name in (name for name, good in healthy.items() if not good):
        print(f"{name.removesuffix(METRICS)} does not serve: see {state.logs}")
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


def _watch(plan: Plan, state: StateFolder, supervisor: "subprocess.Popen[str] | None") -> None:
    """Shows the live view until the stack ends: the view may fail or be closed, the stack stays."""
    env = without_database(clean_environment(plan, state), plan)
    view = subprocess.Popen(tether(plan.watch), cwd=ROOT, env=env)
    try:
        while supervisor.poll() is None if supervisor else state.is_running():
            view.poll()
            time.sleep(5 * _TICK)
    finally:
        _close(view)


def _close(view: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C has reached it already, when that came from the terminal; SIGINT lets it restore the screen."""
    for number in (None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if number is not None:
            view.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            view.wait(0.5 if number is None else 3)
            return


def _stop_supervisor(supervisor: "subprocess.Popen[str]") -> None:
    if supervisor.poll() is None:
        print("stopping", flush=True)
        supervisor.terminate()
    supervisor.wait()
