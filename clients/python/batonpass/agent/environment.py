"""What a command finds in its environment."""

from batonpass.agent.attempt import Attempt


def environment(attempt: Attempt) -> dict[str, str]:
    """The variables of one attempt; BATONPASS_SCHEDULE_ID and BATONPASS_NOMINAL_TIME are empty without a
    schedule.
    """
    context = attempt.context
    nominal = context.nominal_time
    return {
        "BATONPASS_TASK_ID": context.task_id,
        "BATONPASS_ATTEMPT": str(context.attempt),
        "BATONPASS_CHAIN": str(context.chain),
        "BATONPASS_LEASE_TOKEN": str(context.lease_token),
        "BATONPASS_SCHEDULE_ID": context.schedule_id,
        "BATONPASS_NOMINAL_TIME": nominal.isoformat().replace("+00:00", "Z") if nominal else "",
        "BATONPASS_HANDLER": attempt.offer.template.handler,
    }
