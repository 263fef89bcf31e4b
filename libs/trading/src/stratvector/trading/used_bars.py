"""used_bars: how bars are named by who used them, or by who went without."""

from dataclasses import dataclass

ABSENT = "absent"  # in place of a message: none came in time, and none is waited for


@dataclass(frozen=True)
class UsedBars:
    """One cross-section by its message."""

    universe: str
    message_id: str
