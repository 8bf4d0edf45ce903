"""Backfills."""

from batonpass.cli.records.values import Record, instant, word
from batonpass.queue.v1.task_pb2 import OverlapPolicy
from batonpass.scheduler.v1.backfill_service_pb2 import Backfill, BackfillState


def record(backfill: Backfill) -> Record:
    """One backfill with its progress."""
    return {
        "backfill_id": backfill.backfill_id or None,
        "schedule_id": backfill.schedule_id,
        "from": instant(backfill, "from_time"),
        "until": instant(backfill, "until_time"),
        "per_minute": backfill.per_minute,
        "overlap_policy": word(OverlapPolicy, backfill.overlap_policy, "OVERLAP_POLICY_"),
        "priority": backfill.priority,
        "state": word(BackfillState, backfill.state, "BACKFILL_STATE_"),
        "total": backfill.total,
        "fired": backfill.fired,
        "accepted": backfill.accepted,
        "refused": backfill.refused,
        "next": instant(backfill, "next_time"),
        "actor": backfill.actor or None,
        "created_at": instant(backfill, "create_time"),
        "ended_at": instant(backfill, "end_time"),
    }
