"""The rules of the protos, as refusals."""

import pytest
from batonpass.queue.v1.pull_service_pb2 import LeaseTaskRequest

from service_kit.errors import InvalidArgument
from service_kit.validation import validate


def test_good_message_passes() -> None:
    validate(LeaseTaskRequest(executor="someone"))


def test_broken_rules_are_listed_with_their_paths() -> None:
    request = LeaseTaskRequest(executor="not a name!", queue="Not A Queue", handlers=["fine", ""])
    with pytest.raises(InvalidArgument) as refused:
        validate(request)
    assert {violation.field for violation in refused.value.violations} == {"executor", "queue", "handlers[1]"}
    assert refused.value.message.endswith("(and 2 more)")
