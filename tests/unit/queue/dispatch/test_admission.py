"""Admission names what is in the way."""

import pytest

from queue_service.domain.admission import Admit, Dimension, Refuse, Use, fits
from queue_service.domain.limits import Limits, Need


@pytest.mark.parametrize(
    ("use", "need", "answer"),
    [
        (Use(), Need(), Admit()),
        (Use(3, 4000, 4000), Need(4000, 4500), Admit()),
        (Use(4, 0, 0), Need(), Refuse(Dimension.TASKS, 1, 0)),
        (Use(3, 4001, 0), Need(4000, 0), Refuse(Dimension.CPU, 4000, 3999)),
        (Use(3, 0, 8500), Need(0, 1), Refuse(Dimension.MEMORY, 1, 0)),
        (Use(5, 9000, 9000), Need(1, 1), Refuse(Dimension.TASKS, 1, 0)),
        (Use(1, 9000, 9000), Need(1, 1), Refuse(Dimension.CPU, 1, 0)),
        (Use(1, 9000, 0), Need(0, 100), Admit()),
    ],
)
def test_fits(use: Use, need: Need, answer: Admit | Refuse) -> None:
    """Tasks, CPU, memory in this order; a resource that is not asked for never is in the way."""
    assert fits(use, Limits(), need) == answer


def test_no_slot_at_all() -> None:
    """A limit of 0 tasks closes an executor."""
    assert fits(Use(), Limits(max_tasks=0), Need()) == Refuse(Dimension.TASKS, 1, 0)
