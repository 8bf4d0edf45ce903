"""Values as people and programs read them; the inverse of `parse`."""

from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def time(instant: datetime) -> str:
    """ISO 8601 in UTC with `Z`; a fraction only when there is one."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def duration(length: timedelta) -> str:
    """The shortest exact spelling down to milliseconds: `1h30m`, `500ms`, `0s`."""
    rest = round(abs(length) / timedelta(milliseconds=1))
    if rest == 0:
        return "0s"
    words = ["-"] if length < timedelta(0) else []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words)


def number(value: float) -> str:
    """A number without a fraction of zero: `12.5`, `80`."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def size(count: int) -> str:
    """Bytes in binary units with one digit after the point: `1.5 GiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def printable(text: str) -> str:
    """`text` with control characters escaped, newline and tab apart, so that it cannot drive the terminal."""
    return "".join(char if _is_printable(char) else _escaped(char) for char in text)


def _is_printable(char: str) -> bool:
    return char in "\n\t" or not (char < " " or "\x7f" <= char <= "\x9f")


def _escaped(char: str) -> str:
    return f"\\x{ord(char):02x}"
