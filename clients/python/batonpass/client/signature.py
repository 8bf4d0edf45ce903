"""Lets a method that is made from a function show that function's documentation and arguments."""

import inspect
from collections.abc import Callable
from typing import Any


def like(build: Callable[..., Any], method: Any) -> Any:
    """Gives `method` (which takes self first) the name, text and signature of `build`."""
    method.__name__ = build.__name__
    method.__doc__ = build.__doc__
    signature = inspect.signature(build)
    me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(parameters=[me, *signature.parameters.values()])
    return method
