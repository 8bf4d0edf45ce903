"""The gRPC server of a service, with the house options, the edge interceptor and the standard services."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import grpc
import grpc.aio
from batonpass.options import SERVER_OPTIONS
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service_kit.caller import Caller, current_caller
from service_kit.edge import Edge, Translate
from service_kit.health import Health
from service_kit.metrics import Metrics
from service_kit.tls import TlsFiles, require_plaintext_allowed, server_credentials

__all__ = ["Caller", "Health", "RpcServer", "Translate", "current_caller"]

Servicer = TypeVar("Servicer")


class RpcServer:
    """One grpc.aio server: `add` servicers, `start`, and in the end `stop`."""

    def __init__(
        self,
        *,
        metrics: Metrics | None = None,
        health: Health | None = None,
        translate: Translate = lambda _: None,
    ) -> None:
        self.health = health or Health()
        self.metrics = metrics or Metrics()
        self.grpc = grpc.aio.server(interceptors=[Edge(self.metrics, translate)], options=SERVER_OPTIONS)
        self.services: list[str] = []

    def add(self, add_to_server: Callable[[Servicer, Any], None], servicer: Servicer) -> None:
        """Serves `servicer`; `add_to_server` is the generated `add_XServicer_to_server`."""
        add_to_server(servicer, _Recorder(self))

    async def start(
        self, listen: str = "127.0.0.1:0", *, tls: TlsFiles | None = None, insecure_dev: bool = False
    ) -> str:
        """Listens on `host:port` (port 0 = any) and returns the bound address.

        Adds health, reflection and channelz. Raises SettingsError for plaintext where it is not allowed, and
        RuntimeError when the port is taken.
        """
        if tls is None:
            require_plaintext_allowed(listen, insecure_dev)
        health_pb2_grpc.add_HealthServicer_to_server(self.health.servicer, self.grpc)
        reflection.enable_server_reflection(
            [*self.services, "grpc.health.v1.Health", reflection.SERVICE_NAME], self.grpc
        )
        channelz.add_channelz_servicer(self.grpc)
        await self.health.cover(self.services)
        if tls is None:
            port = self.grpc.add_insecure_port(listen)
        else:
            port = self.grpc.add_secure_port(listen, server_credentials(tls))
        await self.grpc.start()
        return f"{listen.rpartition(':')[0]}:{port}"

    async def stop(self, grace: timedelta = timedelta(0)) -> None:
        """Takes no new calls, and cancels those that still run after `grace`.

        Streams are told nothing by this: end them first, or it takes the whole of `grace`.
        """
        await self.grpc.stop(grace.total_seconds())


class _Recorder:
    """Stands in for the server while servicers are added, to learn their names."""

    def __init__(self, server: RpcServer) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self._server.services.extend(handler.service_name() for handler in handlers)
        self._server.grpc.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, name: str, handlers: Any) -> None:
        self._server.grpc.add_registered_method_handlers(name, handlers)
