"""Log records."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from service_kit import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_record_is_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json", facts={"service": "queue"})
    logs.logger("a").info("two\nlines", value="bell\x07 \u2028", **{"k\ney": 1})
    out = capsys.readouterr().err
    assert out.count("\n") == 1
    assert "\x07" not in out
    record = json.loads(out)
    assert record["event"] == "two\nlines"
    assert record["service"] == "queue"
    assert record["level"] == "info"
    assert "k\\ney" in record


def test_console_record_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="console")
    logs.logger("a").warning("\x1b[31mred\r\nforged", value="\x1b]0;title\x07")
    out = capsys.readouterr().err
    assert out.count("\n") == 1
    assert "\x1b[31mred" not in out
    assert "\x07" not in out


def test_exception_becomes_part_of_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json")
    logs.logger("a").error("failed", exc_info=ValueError("bo\x07om"))
    out = capsys.readouterr().err
    assert out.count("\n") == 1
    assert "ValueError" in json.loads(out)["exception"]


def test_library_records_look_like_ours(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json")
    logging.getLogger("somebody").warning("hello %s", "you")
    logging.getLogger("sqlalchemy.engine").info("silent")
    record = json.loads(capsys.readouterr().err)
    assert record["event"] == "hello you"
    assert record["logger"] == "somebody"


def test_level_hides_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="warning", form="json")
    logs.logger("a").info("hidden")
    assert capsys.readouterr().err == ""
