"""What Prometheus sees of dispatch."""

from prometheus_client import CollectorRegistry

from tests.support.agent import FAILED, Agent, ref
from tests.support.dispatch import replica
from tests.support.queue_rows import put


def figure(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """A sample's value; 0 when there is none."""
    return registry.get_sample_value(f"batonpass_queue_{name}", labels) or 0


async def test_sessions_claims_and_ends_are_counted(queue_database_url: str) -> None:
    """Each report by what became of it."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        await put(queue.databases.finish, queue.clock.now(), 3)
        await agent.connect(credit=3)
        one, two, three = [ref(offer) for offer in await agent.offers(3)]
        await agent.finish([one])
        await agent.finish([one])
        await agent.finish([two], FAILED)
        await agent.finish([(three[0], three[1] + 1)])
        await agent.acknowledged(2)
        await agent.expect("stale_lease")
        registry = queue.registry
        assert figure(registry, "sessions") == 1
        assert figure(registry, "claims_total", outcome="won") == 3
        assert figure(registry, "claim_seconds_count") == 1
        ended = {
            o: figure(registry, "leases_ended_total", outcome=o) for o in ("succeeded", "duplicate", "stale")
        }
        assert ended == {"succeeded": 1, "duplicate": 1, "stale": 1}
        await agent.goodbye()
        assert figure(registry, "sessions") == 0
