"""Submissions of tasks, as the edge hands them to intake."""

from queue_service.domain.task import Submission, Template


def submission(task_id: str, body: bytes = b"", **more: object) -> Submission:
    """One with nothing special; `body` stands for its hash."""
    return Submission(
        namespace="default",
        task_id=task_id,
        template=Template(queue="default", handler="name:x", priority=7),
        lane="default/name:x/0/default",
        body_hash=body,
        actor="tester",
        **more,  # type: ignore[arg-type]
    )
