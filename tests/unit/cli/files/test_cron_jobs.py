"""A CronJob of Kubernetes as a schedule."""

import subprocess
from typing import Any

import pytest
from batonpass.cli.files import yaml_text
from batonpass.cli.files.cron_job import Converted, schedule_of
from batonpass.cli.files.document import document_of
from batonpass.cli.files.mistakes import Mistake
from batonpass.queue.v1 import task_pb2

# The example of the Kubernetes documentation, with what people add to it.
MANIFEST = """
apiVersion: batch/v1
kind: CronJob
metadata:
  name: hello
  namespace: shop
  labels: {app.kubernetes.io/name: hello}
spec:
  schedule: "*/5 * * * *"
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 200
  suspend: true
  successfulJobsHistoryLimit: 3
  jobTemplate:
    spec:
      activeDeadlineSeconds: 600
      backoffLimit: 0
      template:
        spec:
          restartPolicy: OnFailure
          containers:
          - name: hello
            image: busybox:1.28
            command: ["/bin/sh", "-c", "date; echo Hello"]
"""


def manifest(**spec: Any) -> dict[str, Any]:
    (content,) = yaml_text.documents(MANIFEST)
    made: dict[str, Any] = content.value
    made["spec"].update(spec)
    return made


def converted(container: dict[str, Any] | None = None, **spec: Any) -> Converted:
    made = manifest(**spec)
    made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0].update(container or {})
    return schedule_of(made)


def output(container: dict[str, Any]) -> str:
    """What the shell command of a container prints."""
    handler = converted(container).schedule.template.handler
    return subprocess.run(["/bin/sh", "-c", handler], capture_output=True, text=True, check=True).stdout


def test_a_manifest_is_taken_as_it_is():
    document = document_of(manifest())
    schedule = document.message
    assert (schedule.schedule_id, dict(schedule.labels)) == ("hello", {"app.kubernetes.io/name": "hello"})
    assert schedule.specs[0].cron.expression == "*/5 * * * *"
    assert schedule.time_zone == "Etc/UTC"
    assert schedule.overlap_policy == task_pb2.OVERLAP_POLICY_SKIP
    assert schedule.catchup_window.ToSeconds() == 200
    assert schedule.template.timeout.ToSeconds() == 600
    assert schedule.template.retry_policy == "none"
    assert schedule.template.handler == "/bin/sh -c 'date; echo Hello'"
    assert schedule.disabled
    assert document.says_disabled
    pod = "spec.jobTemplate.spec.template.spec"
    assert sorted(document.notes) == sorted(
        f"{path} is ignored"
        for path in (
            "metadata.namespace",
            "spec.successfulJobsHistoryLimit",
            f"{pod}.restartPolicy",
            f"{pod}.containers[0].name",
            f"{pod}.containers[0].image",
        )
    )


@pytest.mark.parametrize(
    ("policy", "overlap"),
    [
        ("Allow", task_pb2.OVERLAP_POLICY_ALLOW_ALL),
        ("Forbid", task_pb2.OVERLAP_POLICY_SKIP),
        ("Replace", task_pb2.OVERLAP_POLICY_CANCEL_OTHER),
    ],
)
def test_concurrency_policies_are_overlap_policies(policy, overlap):
    assert converted(concurrencyPolicy=policy).schedule.overlap_policy == overlap


def test_words_reach_the_program_as_they_are():
    """Quotes, spaces, newlines and what a shell would expand."""
    words = ["it's", 'a "b"', "$HOME `id` $(id)", "x; rm -rf /", "*", "", "two\nlines", "\\n"]
    assert output({"command": ["printf", "<%s>"], "args": words}) == "".join(f"<{word}>" for word in words)


def test_variables_are_set_and_expanded():
    env = [{"name": "WHO", "value": "me & you"}, {"name": "GREETING", "value": "hi $(WHO)"}]
    container = {"command": ["sh", "-c", 'echo "$GREETING" "$1" "$2"', "-"], "env": env}
    assert output({**container, "args": ["$(WHO)", "$$(WHO) $(NOBODY)"]}) == (
        "hi me & you me & you $(WHO) $(NOBODY)\n"
    )


def test_a_command_cannot_pass_for_another_kind_of_handler():
    handler = converted({"command": ["name:backup"]}).schedule.template.handler
    assert handler == "exec name:backup"


def test_what_cannot_be_taken_over_is_said():
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    notes = " ".join(converted({"env": [secret], "resources": {"requests": {"cpu": "1"}}}).notes)
    assert "env[0] (KEY) is ignored: its value comes from the cluster" in notes
    assert "resources are not taken over" in notes
    without_zone = manifest()
    del without_zone["spec"]["timeZone"]
    assert any("read in UTC" in note for note in schedule_of(without_zone).notes)
    assert any("raised to 10" in note for note in converted(startingDeadlineSeconds=1).notes)


def test_without_a_deadline_the_latest_missed_run_is_caught_up_however_late():
    made = manifest()
    del made["spec"]["startingDeadlineSeconds"]
    assert schedule_of(made).schedule.catchup_window.ToSeconds() == 366 * 86_400


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"schedule": "CRON_TZ=Asia/Tokyo 0 0 * * *"}, "spec.schedule"),
        ({"schedule": None}, "spec.schedule"),
        ({"concurrencyPolicy": "Queue"}, "spec.concurrencyPolicy"),
        ({"startingDeadlineSeconds": "soon"}, "spec.startingDeadlineSeconds"),
        ({"jobTemplate": []}, "spec.jobTemplate"),
    ],
)
def test_what_makes_no_schedule_is_refused(change, path):
    with pytest.raises(Mistake) as caught:
        converted(**change) if "jobTemplate" not in change else schedule_of(manifest(**change))
    assert caught.value.path == path


def test_an_image_without_a_command_is_refused():
    with pytest.raises(Mistake, match="what the image runs by itself"):
        converted({"command": None, "args": ["--fast"]})


def test_another_version_is_refused():
    with pytest.raises(Mistake, match="batch/v1"):
        schedule_of({**manifest(), "apiVersion": "batch/v1beta1"})
