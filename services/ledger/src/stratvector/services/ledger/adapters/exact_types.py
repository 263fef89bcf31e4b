"""Columns that give back what they took, on every database, by the type of what they hold.

Money, doubles and codes are exact text: SQLite's REAL turns -0.0 into 0.0 and NaN into NULL, and
NUMERIC rounds; text does neither, a person can read it, and `CAST(… AS REAL)` makes a number of it.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_origin

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

# By code point, as SQLite and Python sort, whatever language a server's database speaks.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")
PLAIN: Mapping[Any, TypeEngine[Any]] = {
    int: BigInteger(),
    str: TEXT,
    bool: Boolean(),
    bytes: LargeBinary(),
}


class ExactText(TypeDecorator[Any]):
    """A value as text. write, read : from a value to its text and back. copied : to its text from
    what a payload's JSON has of it, None where that is the text.
    """

    impl = TEXT
    cache_ok = True

    def __init__(
        self,
        write: Callable[[Any], str],
        read: Callable[[str], Any],
        copied: Callable[[Any], str] | None,
    ) -> None:
        super().__init__()
        self.write, self.read, self.copied = write, read, copied

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        """To the database."""
        return None if value is None else self.write(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        """From the database."""
        return None if value is None else self.read(value)


def columns_of(fields: Mapping[str, Any]) -> list[Column[Any]]:
    """Columns by name and the type of what they hold; none may be NULL."""
    return [Column(name, _column_type(hint), nullable=False) for name, hint in fields.items()]


def _column_type(hint: Any) -> TypeEngine[Any]:
    """Of int, str, bool, bytes, Decimal, float, an enum (by its names), or a tuple of one of them
    (a space between its values).
    """
    if hint in PLAIN:
        return PLAIN[hint]
    if get_origin(hint) is not tuple:
        return ExactText(*_ways(hint))
    write, read, copied = _ways(get_args(hint)[0])
    return ExactText(
        lambda values: " ".join(map(write, values)),
        lambda text: tuple(map(read, text.split())),
        " ".join if copied is None else lambda values: " ".join(map(copied, values)),
    )


def _ways(hint: Any) -> tuple[Callable[[Any], str], Callable[[str], Any], type[str] | None]:
    if hint is Decimal:
        return str, Decimal, None
    if hint is float:
        return float.__repr__, float, str  # JSON has no number for NaN, whose text is there
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {member: member.name for member in hint}.__getitem__, hint.__getitem__, None
    raise TypeError(f"no column holds {hint}")
