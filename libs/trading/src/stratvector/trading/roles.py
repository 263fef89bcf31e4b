"""roles: what models of a portfolio do in a chapter, and what becomes of what removed ones hold.

Who has which is told in `closing`.
"""

from collections.abc import Mapping
from enum import StrEnum

MANUAL, SELL = "manual", "sell"  # the fates of a removed model's lots; the first is a model too


class Role(StrEnum):
    """What a model of a portfolio does."""

    ACTIVE = "active"  # it sends signals
    CLOSING = "closing"  # it was removed: it wants nothing, and what it holds is sold
    GIVING = "giving"  # it was removed: what it holds is handed to the one that keeps
    KEEPING = "keeping"  # the pseudo-model `manual`: it wants the lots that it was given


def check_fates(on_removal: Mapping[str, str]) -> None:
    """Refuse any fate but the two. Raises ValueError."""
    for name, fate in on_removal.items():
        if fate not in (SELL, MANUAL):
            raise ValueError(f"on_removal of {name} is {fate!r}; it must be {SELL} or {MANUAL}")
