"""The domain's enums are numbered as on the wire."""

from enum import IntEnum

import pytest
from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.fire import Disposition, FireKind
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import SecondsField


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (FireKind, schedule_pb2.FireKind, "FIRE_KIND_"),
        (Disposition, schedule_pb2.Disposition, "DISPOSITION_"),
        (CatchUp, schedule_pb2.CatchUpPolicy, "CATCH_UP_POLICY_"),
        (Overlap, task_pb2.OverlapPolicy, "OVERLAP_POLICY_"),
        (SecondsField, schedule_pb2.SecondsField, "SECONDS_FIELD_"),
    ],
)
def test_numbers_are_those_of_the_contract(ours: type[IntEnum], theirs: type, prefix: str) -> None:
    wire = {name.removeprefix(prefix): number for name, number in theirs.items()}  # type: ignore[attr-defined]
    unset = wire.pop("UNSPECIFIED")
    assert unset == 0
    assert {each.name: each.value for each in ours if each.value} == wire
