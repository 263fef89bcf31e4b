"""Column types that give back what they took, on every database: exact text.

SQLite's REAL turns -0.0 into 0.0 and NaN into NULL, and NUMERIC rounds; text does neither, a person
can read it, and `CAST(… AS REAL)` makes a number of it.
"""

from decimal import Decimal
from enum import IntEnum
from typing import Any, TypeVar

from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

Member = TypeVar("Member", bound=IntEnum)


class ExactDecimal(TypeDecorator[Decimal]):
    """Money with all its digits and its spelling."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> str | None:
        """To the database."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Decimal | None:
        """From the database."""
        return None if value is None else Decimal(value)


class ExactFloat(TypeDecorator[float]):
    """A double as the shortest text that reads back to its bits."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Any) -> str | None:
        """To the database."""
        return None if value is None else float.__repr__(value)

    def process_result_value(self, value: str | None, dialect: Any) -> float | None:
        """From the database."""
        return None if value is None else float(value)


class ExactFloats(TypeDecorator[tuple[float, ...]]):
    """Several doubles in their order, a space between them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[float, ...] | None, dialect: Any) -> str | None:
        """To the database."""
        return None if value is None else " ".join(map(float.__repr__, value))

    def process_result_value(self, value: str | None, dialect: Any) -> tuple[float, ...] | None:
        """From the database."""
        return None if value is None else tuple(map(float, value.split()))


class EnumName(TypeDecorator[Member]):
    """A coded reason by its name, which is the same in code, docs and database."""

    impl = Text
    cache_ok = True

    def __init__(self, members: type[Member]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: Member | None, dialect: Any) -> str | None:
        """To the database."""
        return None if value is None else value.name

    def process_result_value(self, value: str | None, dialect: Any) -> Member | None:
        """From the database."""
        return None if value is None else self.members[value]


class EnumNames(TypeDecorator[tuple[Member, ...]]):
    """Several codes in their order, a space between their names."""

    impl = Text
    cache_ok = True

    def __init__(self, members: type[Member]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: tuple[Member, ...] | None, dialect: Any) -> str | None:
        """To the database."""
        return None if value is None else " ".join([member.name for member in value])

    def process_result_value(self, value: str | None, dialect: Any) -> tuple[Member, ...] | None:
        """From the database."""
        return None if value is None else tuple([self.members[name] for name in value.split()])
