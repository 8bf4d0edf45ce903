"""What a bench measured, and how it is printed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rate:
    """Things per second in each run."""

    runs: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def __str__(self) -> str:
        return f"{self.median:,.0f}/s [{min(self.runs):,.0f}-{max(self.runs):,.0f}]"


@dataclass(frozen=True)
class Latency:
    """Seconds of single events, of all runs together."""

    seconds: Sequence[float]

    def quantile(self, share: float) -> float:
        """The value below which `share` of the events lie, in seconds."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __str__(self) -> str:
        milliseconds = [1000 * self.quantile(share) for share in (0.5, 0.99, 1.0)]
        return "p50 {:.1f} ms, p99 {:.1f} ms, max {:.1f} ms".format(*milliseconds)


@dataclass
class Table:
    """Rows of (measure, value, floor, ratio to the floor)."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def rate(self, measure: str, value: Rate, floor: Rate | None = None, floor_name: str = "") -> None:
        """A rate beside its floor; the ratio is that of the medians, 1.00 = as fast as the floor."""
        ratio = f"{value.median / floor.median:.2f}" if floor else ""
        self.rows.append((measure, str(value), f"{floor_name} {floor}" if floor else "", ratio))

    def latency(self, measure: str, value: Latency) -> None:
        self.rows.append((measure, str(value), "", ""))

    def add(self, measure: str, value: str, beside: str = "", ratio: float | None = None) -> None:
        self.rows.append((measure, value, beside, "" if ratio is None else f"{ratio:.2f}"))

    def __str__(self) -> str:
        rows = [("measure", "value", "floor", "ratio"), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )
