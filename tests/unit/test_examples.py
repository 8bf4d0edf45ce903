"""The example handlers do real work; here each runs as an agent runs it: by path, from another folder."""

import asyncio
import gzip
import hashlib
import importlib
import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from batonpass import NonRetryable

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
AWKWARD = 'it\'s "here" $HOME'


def run(
    name: str, *arguments: object, stdin: bytes = b"", env: Mapping[str, str] | None = None, cwd: str = "/"
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [EXAMPLES / name, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=30,
        check=False,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / AWKWARD
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file.txt").write_text("content\n" * 1000)
    (folder / "empty").touch()
    return folder


def programs(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment whose PATH finds these shell scripts first."""
    folder.mkdir()
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


class TestBackup:
    def test_archive_holds_the_folder_and_its_checksum_fits(self, source, tmp_path):
        done = run("backup.sh", source, tmp_path / "out")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        archive = tmp_path / "out" / report["archive"]
        assert archive.stat().st_size == report["bytes"]
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == report["sha256"]
        assert Path(f"{archive}.sha256").read_text() == f"{report['sha256']}  {archive.name}\n"
        with tarfile.open(archive, "r:gz") as tar:
            names = {member.name for member in tar.getmembers()}
        assert names == {
            source.name,
            *(f"{source.name}/{part}" for part in ("deep", "deep/file.txt", "empty")),
        }
        assert report["entries"] == len(names)

    def test_oldest_archives_go_and_other_files_stay(self, source, tmp_path):
        out = tmp_path / "out"
        out.mkdir()
        old = [out / f"{source.name}-2025010{day}T000000Z.tar.gz" for day in (1, 2, 3)]
        other = out / "other-20240101T000000Z.tar.gz"
        for path in (*old, other):
            path.write_bytes(gzip.compress(b""))
        report = json.loads(run("backup.sh", source, out, 2).stdout)
        assert report["removed"] == 2
        assert [path.exists() for path in (*old, other)] == [False, False, True, True]

    def test_archive_that_does_not_read_back_does_not_count(self, source, tmp_path):
        env = programs(
            tmp_path / "bin", gzip='[ "$1" = -dc ] && { echo broken; exit 0; }; exec /bin/gzip "$@"'
        )
        done = run("backup.sh", source, tmp_path / "out", env=env)
        assert done.returncode == 74
        assert list((tmp_path / "out").iterdir()) == []

    def test_archive_of_the_same_second_is_kept(self, source, tmp_path):
        env = programs(tmp_path / "bin", date="echo 20260101T020000Z")
        first = json.loads(run("backup.sh", source, tmp_path / "out", env=env).stdout)
        (source / "more").write_text("x")
        assert run("backup.sh", source, tmp_path / "out", env=env).returncode == 75
        kept = (tmp_path / "out" / first["archive"]).read_bytes()
        assert hashlib.sha256(kept).hexdigest() == first["sha256"]

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ([], 64),
            (["/"], 64),
            (["/nowhere-at-all", "{out}"], 66),
            (["{source}", "{source}/deep"], 64),
            (["/", "{out}"], 64),
            (["{source}", "{out}", "0"], 64),
            (["{source}", "{out}", "two"], 64),
        ],
    )
    def test_wrong_use_is_refused(self, source, tmp_path, arguments, code):
        words = [word.format(source=source, out=tmp_path / "out") for word in arguments]
        done = run("backup.sh", *words)
        assert (done.returncode, done.stdout) == (code, b"")
        assert done.stderr.startswith(b"backup: ")


ODD_LISTING = """\
Filesystem     1024-blocks      Used Available Capacity Mounted on
/dev/my disk       1048576    996147     52429      95% /mnt/"back\\\\slash" and | pipe
tmpfs              2097152         0   2097152       0% /tmp"""


class TestDiskReport:
    def test_both_reports_name_every_file_system(self, tmp_path):
        done = run("disk-report.sh", tmp_path)
        assert done.returncode == 0, done.stderr
        report = json.loads((tmp_path / "disk-report.json").read_text())
        markdown = (tmp_path / "disk-report.md").read_text()
        assert report["file_systems"]
        assert all(system["mount"] in markdown for system in report["file_systems"])
        assert json.loads(done.stdout)["file_systems"] == len(report["file_systems"])
        assert sorted(path.name for path in tmp_path.iterdir()) == ["disk-report.json", "disk-report.md"]

    def test_full_and_oddly_named_file_systems_are_reported(self, tmp_path):
        env = programs(tmp_path / "bin", df=f"cat <<'END'\n{ODD_LISTING}\nEND\nexit 1")
        done = run("disk-report.sh", tmp_path / "out", env=env)
        assert json.loads(done.stdout)["full"] == 1
        report = json.loads((tmp_path / "out" / "disk-report.json").read_text())
        assert report["file_systems"][0] == {
            "mount": '/mnt/"back\\\\slash" and | pipe',
            "device": "/dev/my disk",
            "size_kib": 1048576,
            "used_kib": 996147,
            "free_kib": 52429,
            "used_percent": 95,
            "full": True,
        }
        markdown = (tmp_path / "out" / "disk-report.md").read_text()
        assert "and \\| pipe | 1.0 | 0.1 | 95 % **full** |" in markdown

    def test_failure_keeps_the_last_report(self, tmp_path):
        run("disk-report.sh", tmp_path / "out")
        before = (tmp_path / "out" / "disk-report.json").read_text()
        env = programs(tmp_path / "bin", df="echo no such device >&2; exit 1")
        done = run("disk-report.sh", tmp_path / "out", env=env)
        assert (done.returncode, done.stderr) == (74, b"disk-report: no such device\n")
        assert (tmp_path / "out" / "disk-report.json").read_text() == before


class TestProcessWebhook:
    def test_each_event_becomes_one_record(self, tmp_path):
        log = tmp_path / "new" / "webhooks.jsonl"
        for event in (b'{"order": 17, "note": "two\\nlines"}', b""):
            done = run("process-webhook", log, stdin=event, env={"BATONPASS_TASK_ID": "t-1"})
            assert done.returncode == 0, done.stderr
        first, second = map(json.loads, log.read_text().splitlines())
        assert first["event"] == {"order": 17, "note": "two\nlines"}
        assert first["task_id"] == "t-1"
        assert second["event"] == {}

    @pytest.mark.parametrize(
        ("event", "code", "message"),
        [
            (b'{"fail": true}', 75, "the event says"),
            (b"{", 65, "no JSON"),
            (b"[1]", 65, "no JSON object"),
            (b"\xff\xfe", 65, "no JSON"),
            (b"[" * 100_000, 65, "nested too deeply"),
            (b" " * (256 * 1024 + 1), 65, "larger than"),
        ],
        ids=["told to fail", "cut off", "list", "no text", "deep", "large"],
    )
    def test_event_that_is_not_processed_leaves_no_record(self, tmp_path, event, code, message):
        done = run("process-webhook", tmp_path / "log", stdin=event)
        assert done.returncode == code
        assert message in done.stderr.decode()
        assert not (tmp_path / "log").exists()


class TestLoad:
    def test_schedules_are_created_with_commands_that_work_from_anywhere(self, source, tmp_path):
        env = programs(tmp_path / "bin", batonpass='printf "%s\\n" "$@" END')
        env |= {"BATONPASS_HOME": str(tmp_path / AWKWARD), "BATONPASS_EXAMPLES_SOURCE": str(source / "deep")}
        done = run("load", env=env, cwd=str(tmp_path))
        assert done.returncode == 0, done.stderr
        calls = [call.split("\n") for call in done.stdout.decode().removesuffix("END\n").split("END\n")]
        created = {call[2]: call for call in calls}
        assert list(created) == ["backup-daily", "disk-report", "webhook-processor"]
        assert all("--if-not-exists" in call for call in calls)
        for call in calls:
            handler = call[call.index("--handler") + 1]
            assert Path(shlex.split(handler)[0]).is_file()
            ran = subprocess.run(handler, shell=True, cwd="/", capture_output=True, check=False, input=b"{}")
            assert ran.returncode == 0, ran.stderr
        output = tmp_path / AWKWARD / "examples-output"
        assert sorted(path.name for path in output.iterdir()) == ["backups", "reports", "webhooks.jsonl"]

    def test_failure_of_one_schedule_fails_the_load(self, tmp_path):
        env = programs(tmp_path / "bin", batonpass="exit 1") | {"BATONPASS_HOME": str(tmp_path / "home")}
        assert run("load", env=env).returncode == 1


class TestHandlers:
    """examples/handlers.py: the programs above as registered handlers."""

    @pytest.fixture
    def handlers(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        monkeypatch.syspath_prepend(EXAMPLES)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        return importlib.import_module("handlers")

    def test_every_example_is_registered(self, handlers):
        assert set(handlers.worker.handlers) == {"backup", "disk-report", "process-webhook"}

    async def test_program_that_ends_well_is_a_success(self, handlers, tmp_path):
        await handlers.run("sh", "-c", f"cat > '{tmp_path}/input'", data=b"payload")
        assert (tmp_path / "input").read_bytes() == b"payload"

    async def test_failure_carries_what_the_program_said(self, handlers):
        with pytest.raises(RuntimeError, match="not now"):
            await handlers.run("sh", "-c", "echo not now >&2; exit 75")

    async def test_hopeless_failure_is_not_retried(self, handlers):
        with pytest.raises(NonRetryable, match="bad data"):
            await handlers.run("sh", "-c", "echo bad data >&2; exit 65")

    async def test_cancelled_attempt_leaves_no_program_behind(self, handlers, tmp_path):
        fifo = tmp_path / "started"
        os.mkfifo(fifo)
        run = asyncio.create_task(handlers.run("sh", "-c", f"echo $$ > '{fifo}'; exec sleep 60"))
        pid = int(await asyncio.to_thread(fifo.read_text))
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert not psutil.pid_exists(pid)
