"""The grammar of handlers, and lanes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_service.domain.handler import Handler, HandlerKind, Lane, lane_of, lanes_of, parse_handler


@pytest.mark.parametrize(
    ("text", "kind", "key"),
    [
        ("", HandlerKind.PULL, ""),
        ("name:report", HandlerKind.NAMED, "name:report"),
        ("name:a/b c", HandlerKind.NAMED, "name:a/b c"),
        ("name:http", HandlerKind.NAMED, "name:http"),
        ("http://host/x", HandlerKind.HTTP, "http"),
        ("https://host/x", HandlerKind.HTTP, "http"),
        ("HTTP://host/x", HandlerKind.SHELL, "shell"),
        ("tar czf x.tgz .", HandlerKind.SHELL, "shell"),
        ("names: a list", HandlerKind.SHELL, "shell"),
    ],
)
def test_text_decides_what_runs_it(text: str, kind: HandlerKind, key: str) -> None:
    handler = parse_handler(text)
    assert (handler.kind, handler.key) == (kind, key)


@pytest.mark.parametrize("text", ["name:", "name:" + "x" * 129, "   ", "\n", "echo a\0b"])
def test_what_nothing_could_run_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_handler(text)


@given(st.text(min_size=1, max_size=128).filter(lambda name: "\0" not in name))
def test_a_registered_name_comes_back_as_it_is(name: str) -> None:
    assert parse_handler(f"name:{name}") == Handler(HandlerKind.NAMED, name)


@given(
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
    st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,62}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=140),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)
def test_a_lane_reads_back_from_its_text(namespace: str, queue: str, key: str, cpu: int, memory: int) -> None:
    lane = lane_of(namespace, queue, key, cpu, memory)
    assert Lane.parse(str(lane)) == lane
    before, after = (text.encode() for text in lanes_of(namespace, key))
    assert before < str(lane).encode() < after


@pytest.mark.parametrize(
    ("cpu", "memory", "bucket"),
    [(0, 0, 0), (1, 0, 1), (0, 3, 2), (4, 3, 3), (1024, 0, 11), (1023, 7, 10), (10_000, 10_000, 14)],
)
def test_the_bucket_is_the_power_of_two_of_the_dominant_resource(cpu: int, memory: int, bucket: int) -> None:
    assert lane_of("default", "default", "shell", cpu, memory).bucket == bucket
