"""Readable ids of partitions: `organization/site/location` or `organization/product`, percent-encoded.

Which of the two forms is meant follows from the partition rule of the environment, so ids of one environment never
collide. Values are folded, because different spellings name the same partition; parsing folds what it is given.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

import msgspec

from onhand.core.dimensions import PARTITION, fold, record_position
from onhand.core.keys import Dimensions, decode
from onhand.core.rules import Rules


class Partition(msgspec.Struct, frozen=True):
    """A partition that holds stock."""

    partition_id: str
    organization: str
    product: str
    """Empty by location."""
    dimensions: Dimensions
    """Site and location as far as they have values; empty by product."""


class PartitionKey(msgspec.Struct, frozen=True):
    """What an id stands for. Folded."""

    organization: str
    product: str | None
    """None by location."""
    place: str
    """`Position.place`; the empty string by product."""


def partition_by_location(organization: str, place: str) -> Partition:
    """The partition of an organization at a place."""
    dimensions = decode(place)
    values = dict(dimensions)
    parts = (organization, *(values.get(name, "") for name in PARTITION))
    return Partition(_join(parts), organization, "", dimensions)


def partition_by_product(organization: str, product: str) -> Partition:
    """The partition of a product."""
    return Partition(_join((organization, product)), organization, product, ())


def parse_partition_id(rules: Rules, text: str) -> PartitionKey | None:
    """What an id stands for under the partition rule of the environment, or None when it is not one."""
    parts = [fold(rules, unquote(part)) for part in text.split("/")]
    if not parts[0]:
        return None
    if rules.by_location and len(parts) == 3:
        named = tuple(zip(PARTITION, parts[1:], strict=True))
        return PartitionKey(parts[0], None, record_position(rules, named).place)
    if not rules.by_location and len(parts) == 2 and parts[1]:
        return PartitionKey(parts[0], parts[1], "")
    return None


def _join(parts: tuple[str, ...]) -> str:
    return "/".join(quote(part, safe=" ") for part in parts)
