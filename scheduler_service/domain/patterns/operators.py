"""Tests of one value: the operators of the language.

Semantics of Amazon EventBridge and github.com/aws/event-ruler: a test looks at one scalar, that is a text, a
number, true, false or null. What works on texts or numbers is never met by anything else; `anything-but` is
met by every scalar that the test inside it is not met by.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from scheduler_service.domain.glob import Glob

Number = int | float
Scalar = str | bool | int | float | None
Test = Callable[[Scalar], bool]


@dataclass(frozen=True, slots=True)
class Values:
    """Any of these values, or what meets any of these tests. Numbers are compared as numbers: 1 is 1.0."""

    texts: frozenset[str] = frozenset()
    numbers: frozenset[Number] = frozenset()
    constants: frozenset[bool | None] = frozenset()
    tests: tuple[Test, ...] = ()

    def meets(self, value: Scalar) -> bool:
        """Whether `value` is one of them."""
        kind = type(value)
        if kind is str:
            known = value in self.texts
        elif kind is int or kind is float:
            known = value in self.numbers
        else:
            known = value in self.constants
        if known:
            return True
        return any(test(value) for test in self.tests) if self.tests else False


def values_of(scalars: Iterable[Scalar], tests: Iterable[Test] = ()) -> Values:
    """Exactly these values, or what meets one of the tests."""
    known = list(scalars)
    return Values(
        frozenset(value for value in known if isinstance(value, str)),
        frozenset(value for value in known if type(value) in (int, float)),  # type: ignore[misc]
        frozenset(value for value in known if value is None or isinstance(value, bool)),
        tuple(tests),
    )


def prefix(text: str) -> Test:
    """Texts that begin with it."""
    return lambda value: isinstance(value, str) and value.startswith(text)


def suffix(text: str) -> Test:
    """Texts that end with it."""
    return lambda value: isinstance(value, str) and value.endswith(text)


def equals_ignore_case(text: str) -> Test:
    """The same text, but for capitals."""
    folded = text.lower()
    return lambda value: isinstance(value, str) and value.lower() == folded


def prefix_ignore_case(text: str) -> Test:
    """Texts that begin with it, but for capitals."""
    folded = text.lower()
    return lambda value: isinstance(value, str) and value.lower().startswith(folded)


def suffix_ignore_case(text: str) -> Test:
    """Texts that end with it, but for capitals."""
    folded = text.lower()
    return lambda value: isinstance(value, str) and value.lower().endswith(folded)


def wildcard(parts: Glob) -> Test:
    """Texts of that form."""
    return lambda value: isinstance(value, str) and parts.matches(value)


def numeric(low: Number | None, high: Number | None, *, with_low: bool, with_high: bool) -> Test:
    """Numbers between the bounds, which belong to it or not; None is no bound."""

    def test(value: Scalar) -> bool:
        if type(value) is not int and type(value) is not float:
            return False
        if low is not None and not (value > low or (with_low and value == low)):
            return False
        return high is None or value < high or (with_high and value == high)

    return test


def cidr(network: IPv4Network | IPv6Network) -> Test:
    """Texts that are an address of the network."""
    version, mask, number = network.version, int(network.netmask), int(network.network_address)

    def test(value: Scalar) -> bool:
        address = _address(value) if isinstance(value, str) else None
        return address is not None and address[0] == version and address[1] & mask == number

    return test


def anything_but(tests: Iterable[Test]) -> Test:
    """Every scalar that meets none of the tests."""
    inner = tuple(tests)
    return lambda value: not any(test(value) for test in inner)


def present(value: Scalar) -> bool:
    """Every scalar, null too."""
    return True


@lru_cache(maxsize=1024)
def _address(text: str) -> tuple[int, int] | None:
    """Its version and number. Remembered because each range that a pattern lists asks for it anew."""
    # No address is longer; the parser is slow to refuse long texts.
    if len(text) > 64:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.version, int(address)
