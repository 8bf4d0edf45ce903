"""The stream of executor agents; documented in dispatch_service.proto."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import grpc.aio
from batonpass.queue.v1 import dispatch_service_pb2 as pb
from batonpass.queue.v1 import dispatch_service_pb2_grpc

from queue_service.api.dispatch_convert import (
    from_message,
    to_finished,
    to_load,
    to_refs,
    to_registration,
)
from queue_service.app.roster import Roster
from queue_service.app.session import Session
from service_kit.caller import current_caller
from service_kit.errors import InvalidArgument
from service_kit.validation import validate, validates_itself

Requests = AsyncIterator[pb.DispatchRequest]

HELLO_TIMEOUT: Final = timedelta(seconds=10)
"""How long a stream may say nothing at its beginning."""


class DispatchService(dispatch_service_pb2_grpc.DispatchServiceServicer):
    """Decodes what agents say, one stream a session."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    @validates_itself
    async def Dispatch(
        self,
        request_iterator: Requests,
        context: "grpc.aio.ServicerContext[Any, Any]",
    ) -> AsyncIterator[pb.DispatchResponse]:
        """Documented in dispatch_service.proto."""
        hello = await _first(request_iterator)
        session = await self._roster.open(
            to_registration(current_caller().namespace, hello), to_refs(hello.held)
        )
        reader = asyncio.create_task(self._read(request_iterator, session), name="dispatch-reader")
        try:
            async for message in session.messages():
                yield from_message(message)
            _raise_refusal(reader)
        finally:
            reader.cancel()
            self._roster.close(session)

    async def _read(self, requests: Requests, session: Session) -> None:
        """Hands the agent's messages on until it has no more; never faster than they are stored."""
        try:
            async for request in requests:
                await session.ready()
                if not _is_valid(request, session):
                    continue
                if request.WhichOneof("message") == "goodbye":
                    self._roster.goodbye(session, request.goodbye.reason)
                    return
                _take(request, session)
        finally:
            if not session.leaving:
                session.outbox.end()


def _raise_refusal(reader: "asyncio.Task[None]") -> None:
    """Bytes that are no message end the session with a status, since nobody can answer them in it."""
    if reader.done() and not reader.cancelled() and isinstance(error := reader.exception(), InvalidArgument):
        raise error


async def _first(requests: Requests) -> pb.Hello:
    """The Hello. Raises InvalidArgument."""
    request = None
    try:
        async with asyncio.timeout(HELLO_TIMEOUT.total_seconds()):
            request = await anext(requests, None)
    except TimeoutError:
        pass
    if request is None or request.WhichOneof("message") != "hello":
        raise InvalidArgument("the first message of a session is Hello", violations=[("hello", "required")])
    validate(request)
    return request.hello


def _is_valid(request: pb.DispatchRequest, session: Session) -> bool:
    """Whether a message keeps the proto's rules; if not the agent is told, and the session goes on."""
    try:
        validate(request)
    except InvalidArgument as error:
        session.outbox.refuse(error.message, error.violations[0].field)
        return False
    return True


def _take(request: pb.DispatchRequest, session: Session) -> None:
    match request.WhichOneof("message"):
        case "results":
            session.results([to_finished(result) for result in request.results.results])
        case "accept":
            session.accept(to_refs(request.accept.leases))
        case "credit":
            session.grant(request.credit.offers)
        case "heartbeat":
            _heartbeat(request.heartbeat, session)
        case "decline":
            session.decline(to_refs(request.decline.leases), request.decline.reason)
        case "revoke_ack":
            session.confirm_revoked(to_refs(request.revoke_ack.leases))
        case "hello":
            session.outbox.refuse("only the first message of a session is Hello", "hello")


def _heartbeat(heartbeat: pb.Heartbeat, session: Session) -> None:
    """A beat counts, whatever is wrong with the figures in it."""
    load = None
    if heartbeat.HasField("load"):
        try:
            load = to_load(session.executor, heartbeat.load)
        except ValueError as error:
            field, rule = error.args
            session.outbox.refuse(rule, field)
    session.heartbeat(heartbeat.seq, load)
