"""The floor of any unary call: a bare grpc.aio echo of the same bytes with the same channel options.

python -m tests.bench.echo 127.0.0.1:50000    serves until it is ended
"""

import asyncio
import sys

import grpc
from batonpass.options import SERVER_OPTIONS

METHOD = "/bench.Echo/Echo"


async def _echo(request: bytes, _: object) -> bytes:
    return request


class _Echo(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        return grpc.unary_unary_rpc_method_handler(_echo) if details.method == METHOD else None


async def serve(address: str) -> None:
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((_Echo(),))
    server.add_insecure_port(address)
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(sys.argv[1]))
    else:
        uvloop.run(serve(sys.argv[1]))
