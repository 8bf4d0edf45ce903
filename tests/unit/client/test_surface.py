"""The public names, and that both clients reach every call of the contract."""

import inspect
from importlib import import_module

import batonpass
import batonpass.client
from batonpass import AsyncClient, Client
from batonpass.client import (
    backfills,
    calendars,
    events,
    operations,
    pull,
    schedule_templates,
    schedules,
    tasks,
)
from batonpass.client.call import Rpc
from batonpass.queue.v1 import pull_service_pb2, queue_service_pb2
from batonpass.scheduler.v1 import (
    backfill_service_pb2,
    calendar_service_pb2,
    event_service_pb2,
    schedule_service_pb2,
    template_service_pb2,
)

MODULES = (backfills, tasks, operations, pull, schedules, events, schedule_templates, calendars)
CONTRACT = (
    queue_service_pb2,
    pull_service_pb2,
    schedule_service_pb2,
    event_service_pb2,
    template_service_pb2,
    calendar_service_pb2,
    backfill_service_pb2,
)


def test_every_public_name_can_be_imported():
    for package in (batonpass, batonpass.client):
        for name in package.__all__:
            assert getattr(package, name) is not None
        assert list(package.__all__) == sorted(package.__all__)


def test_both_clients_have_the_same_methods():
    assert public(Client) == public(AsyncClient)


def test_methods_show_the_arguments_of_their_call():
    for client in (Client, AsyncClient):
        assert "task_id" in inspect.signature(client.enqueue).parameters
        assert client.enqueue.__doc__.startswith("Puts one task")


def test_every_rpc_of_the_contract_is_reached():
    known = {value.path for module in MODULES for value in vars(module).values() if isinstance(value, Rpc)}
    published = {
        f"/{service.full_name}/{method.name}"
        for module in CONTRACT
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert known == published


def test_responses_are_those_of_the_contract():
    for module in MODULES:
        for rpc in (value for value in vars(module).values() if isinstance(value, Rpc)):
            service, method = rpc.path[1:].split("/")
            descriptor = pool().FindServiceByName(service).methods_by_name[method]
            assert rpc.response.DESCRIPTOR is descriptor.output_type


def pool():
    return import_module("google.protobuf.descriptor_pool").Default()


def public(client: type) -> set[str]:
    return {name for name in vars(client) if not name.startswith("_")}
