"""Cuts what goes in by the batch into messages that a service takes."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from google.protobuf.message import Message

BATCH_BYTES: Final = 768 * 1024
"""Below the largest message a service takes (1 MiB), with room for the framing."""

_FRAMING: Final = 64

Item = TypeVar("Item", bound=Message)


def batches(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    """Lists of at most `most` items and 768 KiB (or one item), in order."""
    batch: list[Item] = []
    size = 0
    for item in items:
        weight = item.ByteSize() + _FRAMING
        if batch and (len(batch) >= most or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += weight
    if batch:
        yield batch
