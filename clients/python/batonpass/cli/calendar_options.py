"""The options that say what is in a calendar, and the message that they or a file make."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import click

from batonpass.cli import flags, parse
from batonpass.scheduler.v1.calendar_service_pb2 import (
    Blackout,
    Calendar,
    CalendarPeriod,
    CalendarWindow,
    Holidays,
)


def day(text: str) -> str:
    """`2026-12-24`, or `12-24` for every year. Raises ValueError."""
    # A leap year, so that 02-29 is a day.
    whole = f"2028-{text}" if len(text) == len("MM-DD") else text
    try:
        if date.fromisoformat(whole).isoformat() == whole:
            return text
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no day: write one such as 2026-12-24, or 12-24 for every year")


def place(text: str) -> Holidays:
    """`DE`, or `DE-BY` for a part of it. Raises ValueError."""
    country, separator, subdivision = text.partition("-")
    if not re.fullmatch("[A-Za-z]{2}", country) or bool(separator) != bool(subdivision):
        raise ValueError(f"{text!r} is no country: write two letters such as DE, or DE-BY for a part of it")
    return Holidays(country=country.upper(), subdivision=subdivision)


def period(text: str) -> CalendarPeriod:
    """`FROM/UNTIL`, both as times. Raises ValueError."""
    start, separator, until = text.partition("/")
    if not separator:
        raise ValueError(f"{text!r} is no period: write FROM/UNTIL, two times such as 2026-03-01T02:00:00Z")
    now = datetime.now(UTC)
    made = CalendarPeriod()
    made.from_time.FromDatetime(parse.time(start, now))
    made.until_time.FromDatetime(parse.time(until, now))
    return made


_SHOWN: Final = (
    click.option("--description", metavar="TEXT", help="What it is, for people."),
    click.option("--time-zone", metavar="ZONE", help="IANA zone of its days and windows.  [default: UTC]"),
)

_COVERED: Final = (
    click.option(
        "--date",
        "dates",
        multiple=True,
        type=flags.Parsed("day", day),
        help="A whole day: 2026-12-24, or 12-24 for every year. May be repeated, as may the next four.",
    ),
    click.option(
        "--holidays",
        multiple=True,
        type=flags.Parsed("country", place),
        help="Public holidays of a country such as DE, or of a part of it such as DE-BY.",
    ),
    click.option(
        "--window", "windows", multiple=True, metavar="EXPR", help="Opens by this cron expression, for --for."
    ),
    click.option("--for", "lengths", multiple=True, type=flags.DURATION, help="How long that window lasts."),
    click.option(
        "--period",
        "periods",
        multiple=True,
        type=flags.Parsed("from/until", period),
        help="One stretch, such as 2026-12-24T12:00:00Z/2026-12-27T00:00:00Z.",
    ),
)

_HELD: Final = (
    click.option("--blackout", is_flag=True, help="While it lasts, the queue starts nothing."),
    click.option("--queue", metavar="NAME", help="Hold only tasks of this named queue."),
    click.option(
        "--handler", metavar="HANDLER", help="Hold only tasks with this handler: name:report, shell or http."
    ),
    click.option(
        "--allow-priority",
        type=flags.INT32,
        metavar="N",
        help="Hold no tasks of this priority (1 to 10) or above.",
    ),
)

_FILE: Final = click.option(
    "-f", "--file", metavar="FILE", help="Take all of it from a YAML or JSON file, - for stdin."
)


def described(command: flags.Decorated) -> flags.Decorated:
    """All options that `calendar_of` reads."""
    blackout = flags.group("Blackout", lambda inner: flags.apply(_HELD, inner))
    covered = flags.group("What it covers", lambda inner: flags.apply(_COVERED, inner))
    return covered(blackout(flags.apply((*_SHOWN, _FILE), command)))


def calendar_of(calendar_id: str, given: Mapping[str, Any]) -> Calendar:
    """The calendar that options or a file describe. Raises UsageError."""
    if given["file"] is not None:
        return _from_file(calendar_id, given)
    if not calendar_id:
        raise click.UsageError("Say which: give the ID of the calendar, or -f with a file.")
    return Calendar(
        calendar_id=calendar_id,
        description=given["description"],
        time_zone=given["time_zone"],
        dates=given["dates"],
        windows=_windows(given["windows"], given["lengths"]),
        holidays=given["holidays"],
        periods=given["periods"],
        blackout=_blackout(given),
    )


def says_nothing(given: Mapping[str, Any]) -> bool:
    """Whether no option was given."""
    return not any(given.values())


def _from_file(calendar_id: str, given: Mapping[str, Any]) -> Calendar:
    from batonpass.cli.files.loading import load

    if not says_nothing({**given, "file": None}):
        raise click.UsageError("The file says all of it: leave out the other options.")
    documents = load([given["file"]])
    if [document.kind for document in documents] != ["Calendar"]:
        raise click.UsageError(
            f"{given['file']} must hold one document, of kind Calendar: batonpass apply takes all kinds."
        )
    found: Calendar = documents[0].message
    if calendar_id and calendar_id != found.calendar_id:
        raise click.UsageError(f"{given['file']} is about {found.calendar_id}, not {calendar_id}.")
    return found


def _windows(crons: Sequence[str], lengths: Sequence[timedelta]) -> list[CalendarWindow]:
    if len(crons) != len(lengths):
        raise click.UsageError('Each --window needs its own --for, such as --window "0 22 * * *" --for 8h.')
    return [_window(cron, length) for cron, length in zip(crons, lengths, strict=True)]


def _window(cron: str, length: timedelta) -> CalendarWindow:
    made = CalendarWindow(cron=cron)
    made.duration.FromTimedelta(length)
    return made


def _blackout(given: Mapping[str, Any]) -> Blackout | None:
    selection = {name: given[name] for name in ("queue", "handler", "allow_priority")}
    if given["blackout"]:
        return Blackout(**selection)
    for name, value in selection.items():
        if value is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} belongs to --blackout: give both.")
    return None
