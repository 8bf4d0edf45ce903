"""Signals that end a program in order: the first one raises `Interrupted`, those after it do nothing."""

import signal
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(Exception):
    """Ctrl-C, or a request to end."""


def interrupt_on_signals() -> None:
    """From now on the first signal raises `Interrupted` in the main thread."""
    for number in _SIGNALS:
        signal.signal(number, _interrupt)


def ignore_signals() -> None:
    """From now on signals do nothing: what is being stopped is stopped to the end.

    By a function rather than SIG_IGN, which a signal already on its way would turn into a warning with a
    traceback, and which processes started later would inherit.
    """
    for number in _SIGNALS:
        signal.signal(number, _ignore)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    ignore_signals()
    raise Interrupted


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass
