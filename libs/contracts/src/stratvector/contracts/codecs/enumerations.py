"""Enums on the wire: a table for each way, since protobuf keeps number 0 for "unspecified"."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper

Member = TypeVar("Member", bound=Enum)
Key = TypeVar("Key")
Found = TypeVar("Found")
Number = TypeVar("Number", bound=int)


class DoesNotFit(TypeError):
    """A type of the domain and its counterpart on the wire differ: a mistake in the code, told
    when it is imported.
    """


class Translation(dict[Key, Found]):
    """One way of an enum's table; what is not in it raises ValueError with the enum's name."""

    def __init__(self, name: str, pairs: Mapping[Key, Found]) -> None:
        super().__init__(pairs)
        self.name = name

    def __missing__(self, key: Key) -> Found:
        raise ValueError(f"{key!r} names no {self.name}")


def both_ways(
    domain: type[Member], wire: "_EnumTypeWrapper[Number]"
) -> tuple[Translation[Member, Number], Translation[Number, Member]]:
    """Domain to wire, and wire to domain, by name: `FillKind.SENDING` is `FILL_KIND_SENDING`.

    Raises DoesNotFit when a name is on one side only.
    """
    name = wire.DESCRIPTOR.name
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper() + "_"
    numbers = {key.removeprefix(prefix): number for key, number in wire.items() if number}
    alone = sorted(numbers.keys() ^ domain.__members__.keys())
    if alone:
        raise DoesNotFit(
            f"enum {domain.__name__} and {wire.DESCRIPTOR.full_name} must have the same names; "
            f"{', '.join(alone)} is in one of them only"
        )
    there = {member: numbers[member.name] for member in domain}
    back = {number: member for member, number in there.items()}
    return Translation(domain.__name__, there), Translation(domain.__name__, back)
