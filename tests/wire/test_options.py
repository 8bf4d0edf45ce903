"""The channel options that both ends share. An option whose name gRPC does not know is ignored, silently."""

from pathlib import Path

from batonpass.options import CLIENT_OPTIONS, SERVER_OPTIONS
from grpc._cython import cygrpc


def test_grpc_knows_every_option_by_its_name():
    """The names stand in its library, as NUL-terminated text."""
    library = Path(cygrpc.__file__).read_bytes()
    names = {name for name, _ in (*CLIENT_OPTIONS, *SERVER_OPTIONS)}
    assert [name for name in sorted(names) if f"{name}\0".encode() not in library] == []


def test_server_bears_the_pings_of_its_clients():
    """One that pings more often than the server allows is cut off (too_many_pings)."""
    client, server = dict(CLIENT_OPTIONS), dict(SERVER_OPTIONS)
    allowed = server["grpc.http2.min_ping_interval_without_data_ms"]
    assert int(client["grpc.keepalive_time_ms"]) > int(allowed)
    assert server["grpc.keepalive_permit_without_calls"] == 1
