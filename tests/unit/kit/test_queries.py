"""Named statements."""

import pytest

from service_kit.queries import parse_queries


def test_blocks_become_statements_with_their_comments() -> None:
    text = "-- A file.\n\n-- name: one\n-- Why.\nSELECT 1;\n\n-- name: two\nSELECT\n  2\n"
    assert dict(parse_queries(text)) == {"one": "-- Why.\nSELECT 1", "two": "SELECT\n  2"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2", "'a' is named twice"),
        ("-- name: \nSELECT 1", "'' is no name"),
        ("-- name: a-b\nSELECT 1", "'a-b' is no name"),
        ("-- name: a\n-- only a comment\n", "'a' has no statement"),
        ("-- name: a\n;\n", "'a' has no statement"),
        ("SELECT 1", "statement before the first"),
    ],
)
def test_malformed_file_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_queries(text)


def test_empty_file_has_no_statements() -> None:
    assert parse_queries("-- nothing yet\n") == {}
