"""What happens to tasks, as lines and as a live table."""

from collections import Counter, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from batonpass.cli.output import Record, screen
from batonpass.cli.tables import Column, grid, key, text

if TYPE_CHECKING:
    from rich.console import Group

_REFRESHES_A_SECOND: Final = 5
_LINES_AROUND: Final = 6


def what(record: Record) -> str:
    """The state for an end, the kind of change for anything else."""
    return str(record["state"] if record["kind"] == "ENDED" else record["kind"])


def line(record: Record) -> str:
    """One thing that happened, in one line."""
    words = [
        f"{_clock(record)}Z",
        f"{what(record):<16}",
        record["task_id"],
        record["attempt"] and f"attempt {record['attempt']}",
        record["executor"] and f"on {record['executor']}",
        record["actor"] and f"by {record['actor']}",
        record["detail"] and f"- {record['detail']}",
    ]
    return "  ".join(word for word in words if word)


def _clock(record: Record) -> str:
    """The time of day in UTC, to the second."""
    return str(record["time"] or "")[11:19]


ACTIVITIES: Final = (
    Column("TIME", _clock),
    Column("WHAT", what),
    key("TASK", "task_id"),
    key("PRIORITY", "priority", drop=4),
    key("TRY", "attempt", drop=2),
    key("EXECUTOR", "executor", drop=1, cut=10),
    key("BY", "actor", drop=3, cut=10),
    text("DETAIL", "detail"),
)


class Board:
    """The latest things that happened, and how often each kind did."""

    def __init__(self, title: str, lines: int) -> None:
        self._title = title
        self._latest: deque[Record] = deque(maxlen=max(lines, 1))
        self._counts: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        """Takes one in; the oldest makes room."""
        self._latest.append(record)
        self._counts[what(record)] += 1

    def render(self) -> "Group":
        """Counts above, the latest below."""
        from rich.console import Group
        from rich.text import Text

        counts = "  ".join(f"{count} {name.lower()}" for name, count in self._counts.most_common())
        head = Text(f"Watching {self._title}. Ctrl-C ends it.", style="dim")
        return Group(head, Text(counts), Text(), grid(list(self._latest), ACTIVITIES, "Nothing yet."))


def live(happened: Iterator[Record], title: str) -> None:
    """Shows a table on the terminal that changes as things happen, until they end."""
    from rich.live import Live

    console = screen()
    board = Board(title, console.height - _LINES_AROUND)
    # Rendered by a clock, not by each event, so that a burst does not make the terminal the slowest part.
    with Live(get_renderable=board.render, console=console, refresh_per_second=_REFRESHES_A_SECOND):
        for record in happened:
            board.add(record)
