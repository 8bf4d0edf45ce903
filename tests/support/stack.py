"""The whole product as real processes: PostgreSQL, both services, agents and the CLI.

    with Stack(tmp_path) as stack:
        stack.start()
        stack.start_agent("a1")
        stack.cli("task", "enqueue", "t1", "--priority", "5")

Each service keeps its port over restarts, so that clients find it again.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service_kit.embedded import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 60.0


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Any], what: str, timeout: float = 30.0, every: float = 0.1) -> Any:
    """Returns the first true value of `condition`; fails with `what` after `timeout` seconds.

    For facts of other processes that offer no signal to wait on.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(every)


class Daemon:
    """One process in a group of its own; its output goes to a file."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.command = command
        self.log = log
        self._env = dict(env)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        assert not self.running, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self._env,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9 of the process alone, as a crash would be."""
        os.kill(self.pid, signal.SIGKILL)
        self._wait(10)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self, timeout: float = 20.0) -> int:
        """SIGTERM; returns the exit code. SIGKILL to the whole group after `timeout` seconds."""
        if self._process is None:
            return 0
        if self.running:
            os.kill(self.pid, signal.SIGTERM)
        try:
            return self._wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._wait(10)
            raise AssertionError(f"{self.name} did not stop within {timeout:g} s:\n{self.tail()}") from None

    def _wait(self, timeout: float) -> int:
        assert self._process is not None
        return self._process.wait(timeout)

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Stack:
    """PostgreSQL, `replicas` of each service and any number of agents below one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int = 1,
        queues: int | None = None,
        env: Mapping[str, str] | None = None,
        tell: bool = True,
    ) -> None:
        """`queues`: another number of replicas for the queue service. `tell`: print the ends of the logs when
        it is over, which a test runner shows of failures only.
        """
        self.folder = folder
        self._tell = tell
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self._settings = dict(env or {})
        self.postgres = EmbeddedPostgres(folder / "postgres", port=free_port())
        self.queues = [Service(self, "queue_service", number) for number in range(queues or replicas)]
        self.schedulers = [Service(self, "scheduler_service", number) for number in range(replicas)]
        self.agents: dict[str, Daemon] = {}
        self.database_url = ""

    def __enter__(self) -> "Stack":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            if self._tell:
                self._print_logs()

    @property
    def scheduler(self) -> "Service":
        return self.schedulers[0]

    @property
    def queue(self) -> "Service":
        return self.queues[0]

    @property
    def queue_address(self) -> str:
        """The target of the queue service: all of its replicas."""
        return _target(self.queues)

    @property
    def scheduler_address(self) -> str:
        """The target of the scheduler service: all of its replicas."""
        return _target(self.schedulers)

    def start(self) -> None:
        """PostgreSQL, the migrations, then the services; returns when all serve."""
        self.start_postgres()
        for service in ("queue_service", "scheduler_service"):
            command = [sys.executable, "-m", service, "migrate"]
            subprocess.run(command, env=self.env(), check=True, timeout=START_TIMEOUT)
        for daemon in (*self.queues, *self.schedulers):
            daemon.start()
        self.wait_serving()

    def start_postgres(self) -> None:
        self.postgres.start()
        self.database_url = self.postgres.url()

    def crash_postgres(self) -> None:
        """kill -9 of the database, then a start on the same data and port."""
        self.postgres.kill()
        self.postgres.stop()
        self.start_postgres()

    def start_agent(self, name: str, *options: str) -> Daemon:
        """`batonpass agent` with the options; returns when the queue lists it as online."""
        command = [sys.executable, "-m", "batonpass.cli.main", "agent", "--name", name, *options]
        daemon = self.agents.get(name) or Daemon(name, command, self.env(), self.state / f"{name}.log")
        self.agents[name] = daemon
        daemon.start()
        self.wait_online(name)
        return daemon

    def wait_online(self, name: str) -> None:
        eventually(lambda: self._is_online(name), f"executor {name} is online", START_TIMEOUT)

    def _is_online(self, name: str) -> bool:
        daemon = self.agents[name]
        assert daemon.running, f"{name} has ended:\n{daemon.tail()}"
        return name in self._online()

    def _online(self) -> set[str]:
        executors = self.cli("executor", "list")["executors"]
        return {executor["name"] for executor in executors if executor["state"] == "ONLINE"}

    def wait_serving(self) -> None:
        """Returns when every service that runs says SERVING."""
        for daemon in (*self.queues, *self.schedulers):
            if daemon.running:
                eventually(
                    lambda d=daemon: self.serving(d), f"{daemon.name} serves\n{daemon.tail()}", START_TIMEOUT
                )

    def serving(self, daemon: "Service") -> bool:
        with grpc.insecure_channel(daemon.address) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def cli(self, *words: str, expect: int = 0, timeout: float = 60.0) -> Any:
        """Runs `batonpass WORDS -o json`, which must exit with `expect`; returns what it printed, parsed."""
        done = self.run_cli(*words, "-o", "json", timeout=timeout)
        assert done.returncode == expect, (
            f"batonpass {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return json.loads(done.stdout) if done.stdout.strip() else None

    def run_cli(self, *words: str, timeout: float = 60.0) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "batonpass.cli.main", *words]
        return subprocess.run(
            command, env=self.env(), capture_output=True, text=True, timeout=timeout, check=False
        )

    def env(self) -> dict[str, str]:
        """What a client process of this stack needs to know."""
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("BATONPASS_", "DATABASE_"))
        }
        return {
            **inherited,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}",
            "BATONPASS_HOME": str(self.state),
            "BATONPASS_QUEUE": self.queue_address,
            "BATONPASS_SCHEDULER": self.scheduler_address,
            "DATABASE_URL": self.database_url,
            **self._settings,
        }

    def stop(self) -> None:
        """Stops what runs, clients first, and forgets the data; fails when something would not stop."""
        try:
            for daemon in (*self.agents.values(), *self.schedulers, *self.queues):
                if daemon.running:
                    daemon.signal(signal.SIGCONT)
                    daemon.stop()
        finally:
            self.postgres.remove()

    def _print_logs(self) -> None:
        for daemon in (*self.queues, *self.schedulers, *self.agents.values()):
            if daemon.log.exists():
                print(f"--- {daemon.name}\n{daemon.tail()}")


class Service(Daemon):
    """A service whose environment is read at its start, when the database's address is known."""

    def __init__(self, stack: Stack, module: str, number: int) -> None:
        self._stack = stack
        self.address = f"127.0.0.1:{free_port()}"
        command = [
            *(sys.executable, "-m", module, "--listen", self.address),
            *("--metrics-listen", "127.0.0.1:0", "--insecure-dev"),
        ]
        super().__init__(f"{module}-{number}", command, {}, stack.state / f"{module}-{number}.log")

    def start(self) -> None:
        self._env = self._stack.env()
        if self.name.startswith("scheduler") and "--queue" not in self.command:
            self.command += ["--queue", self._stack.queue_address]
        super().start()


def _target(services: Sequence[Service]) -> str:
    addresses = [service.address for service in services]
    return addresses[0] if len(addresses) == 1 else f"ipv4:{','.join(addresses)}"
