"""Version of the agent, for people."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("batonpass")
    except PackageNotFoundError:
        return "source"


VERSION = _installed()
