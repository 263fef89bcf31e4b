"""Enums on the wire: a table for each way, since protobuf keeps number 0 for "unspecified"."""

from typing import TypeVar

Member = TypeVar("Member", bound=int)
Number = TypeVar("Number", bound=int)


class Translation(dict[Member, Number]):
    """One way of an enum's table; what is not in it raises ValueError with the enum's name."""

    def __init__(self, name: str, pairs: dict[Member, Number]) -> None:
        super().__init__(pairs)
        self.name = name

    def __missing__(self, key: Member) -> Number:
        raise ValueError(f"{key!r} names no {self.name}")


def both_ways(
    name: str, pairs: dict[Member, Number]
) -> tuple[Translation[Member, Number], Translation[Number, Member]]:
    """Domain to wire, and wire to domain."""
    back = {number: member for member, number in pairs.items()}
    return Translation(name, pairs), Translation(name, back)
