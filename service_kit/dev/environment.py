"""What the processes of a stack find in their environment."""

import os
from collections.abc import Mapping

from service_kit.dev.plan import Plan
from service_kit.dev.state import StateFolder


def clean_environment(plan: Plan, state: StateFolder) -> dict[str, str]:
    """Ours, without addresses of another stack."""
    env = {**os.environ, "BATONPASS_HOME": str(state.path)}
    for service in plan.services:
        env.pop(service.address_variable, None)
    return env


def without_database(env: Mapping[str, str], plan: Plan) -> dict[str, str]:
    """For everything that is no service: an agent hands its environment on to the commands it runs."""
    secret = {"DATABASE_URL", "PGPASSWORD", *(service.database_variable for service in plan.services)}
    return {name: value for name, value in env.items() if name not in secret}
