"""A service that has nothing of its own: the kit's life cycle around a database and no RPC.

python -m tests.support.kit_service migrate
python -m tests.support.kit_service --listen 127.0.0.1:0 --insecure-dev
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import ClassVar

from pydantic_settings import SettingsConfigDict

from service_kit.loops import run_all
from service_kit.postgres import Database, engine
from service_kit.readiness import Readiness
from service_kit.rpc import RpcServer
from service_kit.service import Service, run
from service_kit.settings import ServiceSettings, load_or_exit


class KitSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="BATONPASS_KIT_")
    table: ClassVar[str] = "kit"

    fail_after: float = 0
    """Seconds until the background work fails; 0 = never."""

    other: str = ""
    """Anything: stands for the address of another service."""


@asynccontextmanager
async def build(settings: KitSettings) -> AsyncIterator[Service]:
    server = RpcServer()
    database = Database(engine(settings.database_url))
    readiness = Readiness(database, server.health, every=timedelta(milliseconds=100))

    async def background() -> None:
        await server.health.serving()
        if settings.fail_after:
            await asyncio.sleep(settings.fail_after)
            raise RuntimeError("as told")
        await run_all([readiness.loop])

    async def drain() -> None:
        print("drained", flush=True)

    yield Service(server, background, drain)
    await database.close()


async def check(settings: KitSettings) -> None:
    database = Database(engine(settings.database_url))
    print("migrated at", await database.now())
    await database.close()


def main() -> int:
    migrating = sys.argv[1:2] == ["migrate"]
    settings = load_or_exit(KitSettings, sys.argv[2:] if migrating else None)
    if migrating:
        asyncio.run(check(settings))
        return 0
    return run(settings, build, "kit")


if __name__ == "__main__":
    raise SystemExit(main())
