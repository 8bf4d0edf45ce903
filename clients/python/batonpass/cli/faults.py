"""Failed calls as faults: what a service said, or its silence in words, and what to do next."""

from typing import Final, NamedTuple

import grpc

from batonpass.cli.failure import Fault
from batonpass.cli.program import as_called
from batonpass.client.errors import BatonpassError
from batonpass.client.status import error_of


class Peer(NamedTuple):
    """A service: its name, `scheduler` or `queue`, and its address."""

    name: str
    address: str


def fault(call: grpc.RpcError, peer: Peer, method: str) -> Fault:
    """The facts of a failed call to `peer`; `method` is its full path, `/package.Service/Method`."""
    error = error_of(call)  # type: ignore[arg-type]
    return Fault(
        code=error.code,
        message=error.message if error.reason else _silence(error, peer),
        reason=error.reason or None,
        violations=error.violations,
        metadata=error.metadata,
        service=peer.name,
        address=peer.address,
        retry_after=error.retry_after.total_seconds() if error.retry_after else None,
        hint=_next_step(error, peer, method),
        call=method.rpartition("/")[2],
    )


def _silence(error: BatonpassError, peer: Peer) -> str:
    """What happened when no service of ours has explained it."""
    match error.code:
        case "UNAVAILABLE":
            cause = error.message.rpartition("Failed to connect to remote host: ")[2]
            return f"the {peer.name} service at {peer.address} cannot be reached: {cause}"
        case "DEADLINE_EXCEEDED":
            return f"the {peer.name} service at {peer.address} did not answer in time"
        case "UNIMPLEMENTED":
            return f"what listens at {peer.address} does not know this call of the {peer.name} service"
        case _:
            return error.message


def _next_step(error: BatonpassError, peer: Peer, method: str) -> str | None:
    known = _REASONS.get(error.reason)
    if known is None:
        known = _hint(error, peer, method)
    for word, name in (("TASK_ID", "task_id"), ("SCHEDULE_ID", "schedule_id")):
        known = known and known.replace(word, error.metadata.get(name, "ID"))
    return known and as_called(known)


_REASONS: Final = {
    "TASK_TOO_LARGE": "batonpass queue limits shows the limits, and raises them.",
    "OVER_LIMIT": "batonpass queue status shows what is in use; batonpass queue limits raises the limits.",
    "TASK_NOT_WAITING": "batonpass task get TASK_ID shows where it is.",
    "TASK_ENDED": "batonpass task get TASK_ID shows how it ended.",
    "STALE_LEASE": "stop the work, it may run elsewhere by now; batonpass task get TASK_ID says where.",
    "NO_TASK": "batonpass task next says why nothing can start.",
    "RUNS_USED_UP": "batonpass schedule update SCHEDULE_ID --max-runs N, or --clear max-runs.",
    "SCHEDULE_MADE_OF_TEMPLATE": "batonpass schedule update SCHEDULE_ID --clear template frees it.",
}


def _hint(error: BatonpassError, peer: Peer, method: str) -> str | None:
    match error.code:
        case "UNAVAILABLE" if error.reason:
            return "the service is up and recovers by itself: repeat the command in a moment."
        case "UNAVAILABLE" if _hangs_up(error):
            return "something listens there but hangs up: check --tls-ca, --tls-cert and --tls-key."
        case "UNAVAILABLE":
            return _start(peer)
        case "DEADLINE_EXCEEDED":
            return "repeat it with a longer --timeout; the service's log says what it was doing."
        case "UNIMPLEMENTED":
            return "check the address; an older service does not know what a newer program asks for."
        case "NOT_FOUND":
            return _list(error.reason, peer, method)
        case "ABORTED":
            return "somebody else was quicker: look at it again, then repeat the command."
        case "RESOURCE_EXHAUSTED" if not error.reason:
            return "a message may have 1 MiB, and a payload 256 KiB of it: send less."
        case "INTERNAL" | "UNKNOWN":
            return f"the log of the {peer.name} service says more."
        case _:
            return None


def _hangs_up(error: BatonpassError) -> bool:
    """Whether a new connection was accepted and then ended, which is how a failed TLS handshake looks."""
    words = error.message.lower()
    return "failed to connect" in words and any(
        sign in words for sign in ("socket closed", "handshake", "ssl", "tls")
    )


def _start(peer: Peer) -> str:
    return (
        f"start it with ./dev up or python -m {peer.name}_service, "
        f"or name another address with BATONPASS_{peer.name.upper()} or --{peer.name}-address."
    )


def _list(reason: str, peer: Peer, method: str) -> str:
    if method.endswith("Limits"):
        return "batonpass executor list shows who is known."
    return f"batonpass {_NOUNS.get(reason) or _NOUNS[peer.name]} list shows what there is."


_NOUNS: Final = {
    "BACKFILL_NOT_FOUND": "backfill",
    "CALENDAR_NOT_FOUND": "calendar",
    "EVENT_NOT_FOUND": "event",
    "SCHEDULE_TEMPLATE_NOT_FOUND": "template",
    "scheduler": "schedule",
    "queue": "task",
}
"""What is missing by the reason of the refusal, else by the service that was asked."""
