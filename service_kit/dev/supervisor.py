"""The process that runs a development stack until it is told to stop."""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import psutil

from service_kit.dev.addresses import service_line
from service_kit.dev.child import Child
from service_kit.dev.environment import clean_environment, without_database
from service_kit.dev.plan import ROOT, Plan
from service_kit.dev.signals import Interrupted, ignore_signals, interrupt_on_signals
from service_kit.dev.state import StateFolder
from service_kit.dsn import without_password
from service_kit.tether import adopt_orphans

READY: Final = "ready"
START_TIMEOUT: Final = 90.0
_TICK: Final = 0.1


class StackFailed(RuntimeError):
    """The stack did not come up; the text says which part, and why."""


class Supervisor:
    """Starts everything in order, keeps it alive, and stops it in the opposite order.

    `say` takes a line for people; after the line `ready` the stack is up.
    """

    def __init__(self, plan: Plan, state: StateFolder, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._state = state
        self._say = say
        self._children: list[Child] = []
        self._env = clean_environment(plan, state)

    def run(self) -> int:
        """Returns 0 after SIGTERM, SIGINT or SIGHUP, 1 when the stack did not come up."""
        interrupt_on_signals()
        adopt_orphans()
        with self._state.only_one() as alone:
            if not alone:
                self._say("another stack runs here already")
                return 1
            try:
                earlier = self._state.record()
                self._remember()
                wait_until_gone(earlier)
                self._start()
                self._look_after()
                self._say(READY)
                while True:
                    time.sleep(5 * _TICK)
                    self._look_after()
            except Interrupted:
                return 0
            except StackFailed as error:
                self._say(str(error))
                return 1
            finally:
                ignore_signals()
                self._stop()

    def _start(self) -> None:
        database = self._start_database()
        for service in self._plan.services:
            self._prepare(
                [sys.executable, "-m", service.module, "migrate"], f"{service.name}-migrate", self._env
            )
        addresses = self._start_services()
        self._state.publish({**addresses, "database": database})
        for client in self._plan.clients:
            self._launch(client.name, list(client.command), without_database(self._env, self._plan))
        if self._plan.load:
            self._prepare(list(self._plan.load), "load", without_database(self._env, self._plan))

    def _start_database(self) -> str:
        """Its URL: DATABASE_URL, or a PostgreSQL of our own; empty when each service was given its own."""
        given = self._env.get("DATABASE_URL", "")
        if given or all(self._env.get(service.database_variable) for service in self._plan.services):
            self._say(f"database   {without_password(given) or 'as each service has been told'}")
            return given
        file = self._state.run / "postgres.json"
        file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "service_kit.embedded", "--data", str(self._state.postgres)]
        child = self._launch("postgres", [*command, "--endpoint-file", str(file)], self._env)
        self._wait_for(child, file.exists)
        facts = json.loads(file.read_text())
        self._env["DATABASE_URL"] = facts["url"]
        self._say(f"database   127.0.0.1:{facts['port']} (data in {facts['home']})")
        return str(facts["url"])

    def _start_services(self) -> dict[str, str]:
        """Addresses by name, and by `NAME_metrics`."""
        names = [
            name for service in self._plan.services for name in (service.name, f"{service.name}_metrics")
        ]
        addresses = {name: f"127.0.0.1:{port}" for name, port in self._state.ports(names).items()}
        for service in self._plan.services:
            address, metrics = addresses[service.name], addresses[f"{service.name}_metrics"]
            flags = ["--listen", address, "--metrics-listen", metrics, "--insecure-dev"]
            flags += [flag.format(**addresses) for flag in service.flags]
            child = self._launch(service.name, [sys.executable, "-m", service.module, *flags], self._env)
            self._wait_for(child, lambda metrics=metrics: is_healthy(metrics))  # type: ignore[misc]
            self._env[service.address_variable] = address
            self._say(service_line(service.name, address, metrics))
        return addresses

    def _launch(self, name: str, command: list[str], env: Mapping[str, str]) -> Child:
        child = Child(name, command, env, self._state.log(name))
        self._children.append(child)
        child.start()
        self._remember()
        return child

    def _prepare(self, command: list[str], name: str, env: Mapping[str, str]) -> None:
        """Runs a command to its end. Raises StackFailed with its last words."""
        once = Child(name, command, env, self._state.log(name))
        self._children.append(once)
        once.start()
        code = once.wait(START_TIMEOUT)
        self._children.remove(once)
        if code != 0:
            raise StackFailed(f"`{' '.join(command)}` failed:\n{once.log_tail()}")

    def _wait_for(self, child: Child, is_up: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not is_up():
            if not child.pid or time.monotonic() > deadline:
                what = "ended" if not child.pid else f"was not up after {START_TIMEOUT:.0f} s"
                raise StackFailed(f"{child.name} {what}:\n{child.log_tail()}")
            time.sleep(_TICK)

    def _look_after(self) -> None:
        self._reap_adopted()
        for child in self._children:
            line = child.keep_alive()
            if line is not None:
                self._say(line)
                self._remember()

    def _reap_adopted(self) -> None:
        """Orphans that ended after they became ours; the children themselves are looked after by `Child`."""
        own = {child.pid for child in self._children}
        for process in psutil.Process().children():
            with suppress(psutil.Error, ChildProcessError):
                if process.pid not in own and process.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(process.pid, os.WNOHANG)

    def _remember(self) -> None:
        self._state.remember({child.name: child.pid for child in self._children})

    def _stop(self) -> None:
        for child in reversed(self._children):
            child.stop()
        # Whatever escaped from its group was adopted by this process.
        for left in psutil.Process().children(recursive=True):
            left.kill()
        self._state.forget()


def is_healthy(metrics_address: str) -> bool:
    """True when the service behind this metrics address says that it serves."""
    host, _, port = metrics_address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_until_gone(record: dict[str, object], patience: float = 30.0) -> None:
    """Waits for the processes of an earlier supervisor, which end by themselves when it was killed.

    A zombie counts as gone: whoever has to collect it may never do so.
    """
    processes = record.get("processes")
    ids = processes.values() if isinstance(processes, dict) else ()
    found = []
    for pid in ids:
        try:
            process = psutil.Process(pid)
            # Ids are used again; ours were started from this checkout, with Python or PostgreSQL.
            if "service_kit" in " ".join(process.cmdline()) or process.cwd() == str(ROOT):
                found.append(process)
        except (psutil.Error, ValueError):
            continue
    deadline = time.monotonic() + patience
    while any(map(_lives, found)) and time.monotonic() < deadline:
        time.sleep(_TICK)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def run_supervisor(plan: Plan, state: StateFolder) -> int:
    """Speaks on standard output until it is ready, on its log file from then on."""

    def say(line: str) -> None:
        print(line, flush=True)
        if line == READY:
            log = os.open(state.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, sys.stdout.fileno())
            os.dup2(log, sys.stderr.fileno())

    return Supervisor(plan, state, say).run()
