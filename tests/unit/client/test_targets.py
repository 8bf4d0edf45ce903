"""Which targets stay on this machine."""

import pytest
from batonpass.targets import addresses, is_loopback


@pytest.mark.parametrize(
    ("target", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("unix:/run/x", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("queue:7070", False),
        ("ipv4:127.0.0.1:1,10.0.0.1:1", False),
        ("localhost.example.org:1", False),
    ],
)
def test_plaintext_is_safe_only_where_every_address_is_this_machine(target: str, loopback: bool) -> None:
    assert is_loopback(target) is loopback


def test_a_target_may_name_several_replicas() -> None:
    assert addresses("ipv4:127.0.0.1:1,127.0.0.1:2") == ["127.0.0.1:1", "127.0.0.1:2"]
    assert addresses("dns:///queue:7402") == ["queue:7402"]
    assert addresses("queue:7402") == ["queue:7402"]
