"""Names of a package that are imported when they are first used."""

import sys
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any


def load(package: str, homes: Mapping[str, Collection[str]], name: str) -> Any:
    """The attribute `name` of the submodule of `package` that `homes` files it under; kept for the next
    time.
    """
    for module, names in homes.items():
        if name in names:
            value = getattr(import_module(f"{package}.{module}"), name)
            setattr(sys.modules[package], name, value)
            return value
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
