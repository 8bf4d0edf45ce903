"""What is said to an agent: joined, in order, and bounded whatever the agent does."""

import asyncio
from datetime import timedelta

from queue_service.app import outbox as limits
from queue_service.app.messages import (
    Cancel,
    Drain,
    HeartbeatAck,
    Message,
    Offers,
    Refused,
    ResultsAck,
    Revoke,
    StaleLease,
    Superseded,
)
from queue_service.app.outbox import Outbox
from queue_service.domain.lease import Lease, Ref

GRACE = timedelta(seconds=10)


def lease(task: int, *, payload: bytes | None = None, apart: bool | None = None) -> Lease:
    return Lease(
        task, task, 1, 1, 0, 0, 1, f"t{task}", "default", "name:x", "", 5, 1000, "standard", "default", None,
        None, payload, apart,
    )  # fmt: skip


async def said(outbox: Outbox) -> list[Message]:
    outbox.end()
    return [message async for message in outbox.messages()]


async def test_messages_of_a_kind_are_joined() -> None:
    """An agent that reads slowly gets few long messages, not many short ones."""
    outbox = Outbox()
    for task in range(3):
        outbox.acknowledge([Ref(task, 1)])
        outbox.beat(HeartbeatAck(task, GRACE))
    outbox.acknowledge([Ref(0, 1)])
    assert await said(outbox) == [
        HeartbeatAck(2, GRACE),
        ResultsAck([Ref(0, 1), Ref(1, 1), Ref(2, 1)]),
    ]


async def test_urgent_things_come_first_and_offers_last() -> None:
    """A stop is not kept waiting by work."""
    outbox = Outbox()
    outbox.offer([lease(1)])
    outbox.acknowledge([Ref(1, 1)])
    outbox.stale([Ref(2, 1)])
    outbox.revoke([Ref(3, 1)])
    outbox.cancel({Ref(4, 1): GRACE, Ref(5, 1): timedelta(0)})
    outbox.refuse("no", "field")
    messages = outbox.messages()
    assert [await anext(messages) for _ in range(7)] == [
        Cancel([Ref(5, 1)], timedelta(0)),
        Cancel([Ref(4, 1)], GRACE),
        Revoke([Ref(3, 1)]),
        StaleLease([Ref(2, 1)]),
        ResultsAck([Ref(1, 1)]),
        Refused("no", "field"),
        Offers([lease(1)]),
    ]


async def test_farewell_is_last_and_offers_are_not_sent_any_more() -> None:
    """What is stored is still answered; the first reason to end is the one that is told."""
    outbox = Outbox()
    outbox.offer([lease(1)])
    outbox.acknowledge([Ref(1, 1)])
    outbox.end(Superseded(7))
    outbox.end(Drain())
    assert [message async for message in outbox.messages()] == [ResultsAck([Ref(1, 1)]), Superseded(7)]
    assert outbox.withdraw_all() == [lease(1)]


async def test_unsent_offers_can_be_taken_back() -> None:
    """The agent never learns of them."""
    outbox = Outbox()
    outbox.offer([lease(1), lease(2)])
    assert outbox.withdraw([1, 99]) == [lease(1)]
    assert await anext(outbox.messages()) == Offers([lease(2)])


async def test_room_is_bounded() -> None:
    """No more unsent offers than MOST_OFFERS, none after the end."""
    outbox = Outbox()
    outbox.offer([lease(task) for task in range(limits.MOST_OFFERS - 1)])
    assert outbox.room == 1
    outbox.end()
    assert outbox.room == 0


async def test_messages_stay_small() -> None:
    """Offers are cut by number, by size, and by the payloads that have to be fetched."""
    many = Outbox()
    many.offer([lease(task) for task in range(600)])
    large = Outbox()
    large.offer([lease(task, payload=b"x" * 4000) for task in range(300)])
    apart = Outbox()
    apart.offer([lease(task, apart=True) for task in range(6)])
    sizes = []
    for outbox in (many, large, apart):
        message = await anext(outbox.messages())
        assert isinstance(message, Offers)
        sizes.append(len(message.leases))
    assert sizes[0] == limits.OFFERS_IN_A_MESSAGE
    assert sizes[1] * 4000 <= limits.BYTES_IN_A_MESSAGE
    assert sizes[2] == limits.LONG_PAYLOADS_IN_A_MESSAGE


async def test_reader_waits_while_too_much_is_unsent() -> None:
    """An agent that talks and does not listen is not listened to either, until it has."""
    outbox = Outbox()
    outbox.stale([Ref(task, 1) for task in range(limits.MOST_REFS + 1)])
    waiting = asyncio.create_task(outbox.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    messages = outbox.messages()
    await anext(messages)
    await waiting


async def test_refusals_are_bounded() -> None:
    """A flood of nonsense is answered a hundred times, not a million times."""
    outbox = Outbox()
    for _ in range(limits.MOST_REFUSALS * 3):
        outbox.refuse("no")
    assert len(await said(outbox)) == limits.MOST_REFUSALS


async def test_end_frees_who_waits() -> None:
    """Neither the reader nor the writer hangs when the stream is over."""
    outbox = Outbox()
    outbox.stale([Ref(task, 1) for task in range(limits.MOST_REFS + 1)])
    outbox.end()
    await outbox.drained()
    assert len(await said(outbox)) == 3
